"""Links between the accounts of one person."""

import click

from ..models import Account, AccountLink, Application
from .command import as_json, command, find_account, find_directory, in_directory, stormpath_commands, tell_json

_other = click.option(
    "--with", "other_directory", metavar="DIRECTORY", required=True, help="The directory of the other account."
)


@command(stormpath_commands, "link")
@click.argument("login")
@click.argument("other_login", metavar="OTHER")
@_other
@in_directory
@click.option("--confirmed", is_flag=True, help="You know that both are one person's: it counts whatever the policy.")
@as_json
def link(
    login: str, other_login: str, other_directory: str, directory_name: str | None, confirmed: bool, in_json: bool
) -> None:
    """Link the account with LOGIN with the account OTHER of another directory: who comes by either is the same person.

    A link that is not confirmed counts where the application's account linking policy is ENABLED.
    """
    account, other = find_account(login, directory_name), find_account(other_login, other_directory)
    made = AccountLink.join(account, other, is_confirmed=confirmed)
    if in_json:
        ends = {"left_account": made.left_account.href, "right_account": made.right_account.href}
        tell_json({**dict(made), **ends})
        return
    click.echo(f"{_named(account)} is linked with {_named(other)}.")
    if not confirmed and not Application.current().account_linking_policy.is_enabled:
        click.echo("It does not count yet: the account linking policy is DISABLED, and the link is not --confirmed.")


@command(stormpath_commands, "unlink")
@click.argument("login")
@_other
@in_directory
def unlink(login: str, other_directory: str, directory_name: str | None) -> None:
    """Link the account with LOGIN with none of another directory any more. Both accounts stay."""
    account, place = find_account(login, directory_name), find_directory(other_directory)
    links = {link.other(account).directory_id: link for link in account.account_links}
    if place.id not in links:
        linked = ", ".join(map(_named, account.linked_accounts)) or "no account"
        raise click.ClickException(f"{account.email} is linked with none of {place.name}. It is linked with {linked}.")
    other = links[place.id].other(account)
    links[place.id].delete()
    click.echo(f"{_named(account)} is linked with {_named(other)} no more.")
    ways = Application.current().ways_in(account)
    if not ways.has_password and not any(way.is_linked for way in ways.providers):
        click.echo(f"Nobody can log in to {account.email} now: `flask stormpath set-password` gives it a password.")


def _named(account: Account) -> str:
    return f"{account.email} of {account.directory.name}"
