"""Groups, and who is in them."""

import click

from ..models import ENABLED, Application
from .command import as_json, command, find_account, find_directory, in_directory, known, stormpath_commands, tell_json


@command(stormpath_commands, "create-group")
@click.argument("name")
@click.option("--description", help="What its members may do.")
@click.option("--directory", "directory_name", help="Where; the default group store of the application if not given.")
@as_json
def create_group(name: str, description: str | None, directory_name: str | None, in_json: bool) -> None:
    """Create a group NAME, which accounts of its directory can be in."""
    place = find_directory(directory_name) if directory_name else Application.current()
    group = place.groups.create(name=name, description=description)
    if in_json:
        tell_json(known(group))
    else:
        click.echo(f"Created {group.name} in {group.directory.name}: {group.href}")


@command(stormpath_commands, "add-to-group")
@click.argument("login")
@click.argument("group_name", metavar="GROUP")
@in_directory
def add_to_group(login: str, group_name: str, directory_name: str | None) -> None:
    """Put the account with LOGIN, its e-mail address or username, into GROUP, a group of its directory."""
    account = find_account(login, directory_name)
    group = account.directory.get_group(group_name)
    when = "already" if group.has_account(account) else "now"
    account.add_group(group)
    closed = " The group is DISABLED: it opens no door." if group.status != ENABLED else ""
    click.echo(f"{account.email} is in {group.name} {when}.{closed}")


@command(stormpath_commands, "remove-from-group")
@click.argument("login")
@click.argument("group_name", metavar="GROUP")
@in_directory
def remove_from_group(login: str, group_name: str, directory_name: str | None) -> None:
    """Take the account with LOGIN, its e-mail address or username, out of GROUP."""
    account = find_account(login, directory_name)
    group = account.directory.get_group(group_name)
    if not group.has_account(account):
        mine = ", ".join(other.name for other in account.groups) or "no group"
        raise click.ClickException(f"{account.email} is not in {group.name}. It is in: {mine}.")
    account.remove_group(group)
    click.echo(f"{account.email} is not in {group.name} any more.")
