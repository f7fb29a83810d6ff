"""After a restore from a backup."""

import click

from .. import cache
from ..models import restoration
from .command import command, stormpath_commands
from .prune import end

_LISTED = 20

_UNKNOWN = """\
The log ends {at}. What was done after that is unknown here, and undone: whoever was disabled
or deleted has an account again, whoever chose another password has the one before, whoever left a group is in it, and
API keys that were deleted open again. Do once more what you remember."""


@command(stormpath_commands, "after-restore")
@click.option("--disable-api-keys", is_flag=True, help="Disable every API key; enable again those that you know.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def after_restore(disable_api_keys: bool, yes: bool) -> None:
    """Void what a backup brought back: logins, mailed links, mails that waited. Run it before the site serves again.

    A login that was ended since, or a link that was used, would be good once more. What only people know is told.
    Interrupted, it can be run again.
    """
    newest = restoration.newest_event()
    click.echo(_UNKNOWN.format(at=f"on {newest:%Y-%m-%d} at {newest:%H:%M} UTC" if newest else "before it began"))
    if not yes:
        click.confirm("End all logins and mailed links now, and give up the mails that wait?", abort=True)
    counts = {kept.name: end(kept) for kept in restoration.voided()}
    if disable_api_keys:
        counts["API keys"] = restoration.disable_api_keys()
    cache.clear()  # what others share, and was read before the restore
    restoration.record(counts)
    for name, number in counts.items():
        click.echo(f"{name}: {number} voided")
    _list_api_keys()


def _list_api_keys() -> None:
    number = restoration.count_api_keys()
    if not number:
        return
    click.echo(f"API keys that open something: {number}. Disable those that should not, in the console or all of them:")
    for key in restoration.api_keys(_LISTED):
        click.echo(f"  {key.id}  {key.account.email if key.account else 'of the tenant'}  {key.name or ''}".rstrip())
    if number > _LISTED:
        click.echo(f"  and {number - _LISTED} more")
    click.echo("flask stormpath after-restore --disable-api-keys")
