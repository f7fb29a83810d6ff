"""Accounts, one at a time."""

import click

from ..mail.rendering import create_reset_link
from ..models import DISABLED, ENABLED, Application
from .command import (
    as_json,
    ask_password,
    command,
    find_account,
    find_directory,
    in_directory,
    password_from_stdin,
    stormpath_commands,
    tell_json,
)

_must_change = click.option(
    "--must-change", is_flag=True, help="Let the owner in once they have chosen a password of their own."
)


@command(stormpath_commands, "create-account")
@click.argument("email")
@click.option("--username", help="A name to log in with beside the e-mail address.")
@click.option("--given-name", help="First name.")
@click.option("--middle-name", help="Middle name.")
@click.option("--surname", help="Last name.")
@click.option("--directory", "directory_name", help="Where; the default account store of the application if not given.")
@_must_change
@password_from_stdin
@as_json
def create_account(
    email: str,
    must_change: bool,
    password_stdin: bool,
    directory_name: str | None,
    in_json: bool,
    **names: str | None,
) -> None:
    """Create an account with EMAIL in the application's default account store."""
    place = find_directory(directory_name) if directory_name else Application.current()
    given = {name: value for name, value in names.items() if value is not None}
    password = ask_password(password_stdin, in_json)
    account = place.accounts.create(given, email=email, password=password, must_change_password=must_change)
    if in_json:
        tell_json(dict(account))
    else:
        click.echo(f"Created {account.email} in {account.directory.name}: {account.href}")


@command(stormpath_commands, "set-password")
@click.argument("login")
@in_directory
@_must_change
@password_from_stdin
def set_password(login: str, directory_name: str | None, must_change: bool, password_stdin: bool) -> None:
    """Set the password of the account with LOGIN, its e-mail address or username. It is logged out everywhere."""
    account = find_account(login, directory_name)
    account.password, account.must_change_password = ask_password(password_stdin), must_change
    account.save()
    then = " Its owner must choose another to log in." if must_change else ""
    click.echo(f"The password of {account.email} is changed, and it is logged out everywhere.{then}")


@command(stormpath_commands, "unlock")
@click.argument("login")
@in_directory
def unlock(login: str, directory_name: str | None) -> None:
    """Forget the wrong passwords of the account with LOGIN, so that it can be logged in to at once."""
    account = find_account(login, directory_name)
    account.unlock()
    click.echo(f"{account.email} is unlocked.")


@command(stormpath_commands, "verify-account")
@click.argument("login")
@in_directory
def verify_account(login: str, directory_name: str | None) -> None:
    """Take the e-mail address of the account with LOGIN for confirmed, as you know that it is theirs."""
    account = find_account(login, directory_name)
    account.verify()
    click.echo(f"The address {account.email} is confirmed; the account is {account.status}.")


@command(stormpath_commands, "reset-link")
@click.argument("login")
def reset_link(login: str) -> None:
    """Print a link by which the owner of the account with LOGIN chooses a new password, for you to hand over.

    It works once. Nothing is mailed, and what was mailed before works no more.
    """
    account = find_account(login)
    click.echo(create_reset_link(Application.current(), account))


@command(stormpath_commands, "enable-account")
@click.argument("login")
@in_directory
def enable_account(login: str, directory_name: str | None) -> None:
    """Let the account with LOGIN, its e-mail address or username, log in."""
    account = find_account(login, directory_name)
    before, account.status = account.status, ENABLED
    account.save()
    click.echo(f"{account.email} is ENABLED {_since(before, ENABLED)}.")


@command(stormpath_commands, "disable-account")
@click.argument("login")
@in_directory
def disable_account(login: str, directory_name: str | None) -> None:
    """Keep the account with LOGIN, its e-mail address or username, from logging in. It is logged out everywhere."""
    account = find_account(login, directory_name)
    before, account.status = account.status, DISABLED
    account.save()
    click.echo(f"{account.email} is DISABLED {_since(before, DISABLED)}, and logged out everywhere.")


def _since(before: str, wanted: str) -> str:
    return "already" if before == wanted else f"now; it was {before}"


@command(stormpath_commands, "sign-out")
@click.argument("login")
@in_directory
def sign_out(login: str, directory_name: str | None) -> None:
    """Log the account with LOGIN, its e-mail address or username, out on every device."""
    account = find_account(login, directory_name)
    ended = account.sign_out()
    click.echo(f"{account.email} is logged out everywhere; it had {ended} login{'' if ended == 1 else 's'}.")


@command(stormpath_commands, "delete-account")
@click.argument("login")
@in_directory
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_account(login: str, directory_name: str | None, yes: bool) -> None:
    """Delete the account with LOGIN, its e-mail address or username, with all that belongs to it, for good."""
    account = find_account(login, directory_name)
    who = f"{account.email} ({account.full_name})" if account.full_name else account.email
    if not yes:
        click.confirm(f"Delete {who} in {account.directory.name}, with all that belongs to it, for good?", abort=True)
    account.delete()
    click.echo(f"Deleted {who}.")
