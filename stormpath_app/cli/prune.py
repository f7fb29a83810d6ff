"""Forgetting what is kept for some time."""

import sys

import click

from .. import cache
from ..models import retention, statistics
from ..models.retention import Kept
from .command import as_json, command, stormpath_commands, tell_json


@command(stormpath_commands, "prune")
@click.option("--dry-run", is_flag=True, help="Tell what would be forgotten, and forget nothing.")
@as_json
def prune(dry_run: bool, in_json: bool) -> None:
    """Forget what is older than it is kept, once a day by cron: events, mails, dead links, ended logins, counters.

    STORMPATH_EVENT_RETENTION and STORMPATH_MESSAGE_RETENTION say how long events and mails are kept.
    """
    if not dry_run:
        statistics.count_all()  # the numbers of days outlive their events
        statistics.forget_hours()
        cache.forget_counts()
    done = {kept.name: kept.count() if dry_run else end(kept) for kept in retention.KEPT}
    if in_json:
        tell_json(done)
        return
    for name, number in done.items():
        click.echo(f"{name}: {number} {'would be ' if dry_run else ''}forgotten")


def end(kept: Kept) -> int:
    """End what is old of one table; on a terminal, show how far it is."""
    if not sys.stderr.isatty():
        return sum(kept.prune())
    pruned = 0
    with click.progressbar(length=kept.count(), label=kept.name, file=sys.stderr) as bar:
        for number in kept.prune():
            pruned += number
            bar.update(number)
    return pruned
