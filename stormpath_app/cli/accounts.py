"""Accounts."""

import sys

import click

from ..models import Application
from .command import command, find_account, stormpath_commands

_password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)


@command(stormpath_commands, "create-account")
@click.argument("email")
@click.option("--username", help="A name to log in with beside the e-mail address.")
@click.option("--given-name", help="First name.")
@click.option("--middle-name", help="Middle name.")
@click.option("--surname", help="Last name.")
@_password_stdin
def create_account(email: str, password_stdin: bool, **names: str | None) -> None:
    """Create an account with EMAIL in the application's default account store."""
    application = Application.current()
    given = {name: value for name, value in names.items() if value is not None}
    account = application.accounts.create(given, email=email, password=_ask_password(password_stdin))
    click.echo(f"Created {account.email} in {account.directory.name}: {account.href}")


@command(stormpath_commands, "set-password")
@click.argument("login")
@_password_stdin
def set_password(login: str, password_stdin: bool) -> None:
    """Set the password of the account with LOGIN, its e-mail address or username. It is logged out everywhere."""
    account = find_account(login)
    account.password = _ask_password(password_stdin)
    account.save()
    click.echo(f"The password of {account.email} is changed, and it is logged out everywhere.")


@command(stormpath_commands, "unlock")
@click.argument("login")
def unlock(login: str) -> None:
    """Forget the wrong passwords of the account with LOGIN, so that it can be logged in to at once."""
    account = find_account(login)
    account.unlock()
    click.echo(f"{account.email} is unlocked.")


def _ask_password(from_stdin: bool) -> str:
    """Return a password from standard input (its first line) or a prompt. Never an argument: others could see it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked
