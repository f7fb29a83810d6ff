"""The commands: `python manage.py X`, and `flask stormpath X` in a host app."""

import sys
from collections.abc import Callable
from functools import wraps
from itertools import islice
from typing import Any

import click
from alembic.util import CommandError
from flask import current_app
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from . import installation, migrations, models, origin
from .errors import PasswordRefused, StormpathError
from .models import ENABLED, Account, Application, Client, Directory
from .settings import settings

stormpath_commands = AppGroup("stormpath", help="Accounts: set up, check, create, mend.")


def command(group: click.Group, name: str, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Add a command that acts as the command line, and tells an error of ours in one line with exit code 1."""

    def add(body: Callable[..., Any]) -> click.Command:
        @wraps(body)
        def run(*args: Any, **kwargs: Any) -> None:
            with origin.acting(origin.Origin(interface="cli")):
                try:
                    body(*args, **kwargs)
                except PasswordRefused as error:
                    raise click.ClickException("\n       ".join(error.violations)) from error
                except StormpathError as error:
                    raise click.ClickException(error.developer_message) from error
                except CommandError as error:
                    raise click.ClickException(f"{error}.") from error
                except SQLAlchemyError as error:
                    why = getattr(error, "orig", None) or error
                    raise click.ClickException(f"{why}. `flask stormpath check` says what may be missing.") from error
                except OSError as error:
                    raise click.ClickException(f"{error.filename}: {error.strerror}.") from error

        return group.command(name, **options)(with_appcontext(run))

    return add


# --- Set-up ---


@command(stormpath_commands, "init")
def init() -> None:
    """Make what is missing: the database, its tables, the first application. Again, it changes nothing.

    Where SECRET_KEY is not set, one is generated into the instance folder.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if not app.secret_key:
        app.secret_key = installation.read_secret(app) or installation.make_secret(app)
        click.echo(f"Secret key: {installation.make_folder(app) / installation.SECRET_FILE}")
    installation.set_up(app)
    click.echo(f"Database: {installation.where(app)}, at revision {installation.schema_revision()}")
    click.echo(f"Application: {Application.current().name}")


@stormpath_commands.group("db")
def db() -> None:
    """The tables of the accounts, and their revisions."""


@command(db, "upgrade")
@click.argument("revision", default="head")
def db_upgrade(revision: str) -> None:
    """Bring the tables to REVISION (the newest)."""
    installation.upgrade_schema(revision)
    click.echo(f"The tables are at revision {installation.schema_revision()}.")
    if installation.is_shared():
        click.echo(
            "Flask-Migrate or Alembic of your own: let it leave these tables alone, in its env.py:\n"
            "    from stormpath_app.migrations import include_name\n"
            "    context.configure(..., include_name=include_name)"
        )


@command(db, "downgrade")
@click.argument("revision", default="-1")
@click.confirmation_option(prompt="What only newer revisions know is dropped, with all data in it. Go on?")
def db_downgrade(revision: str) -> None:
    """Take the tables back to REVISION (one back; `base` drops them all)."""
    installation.downgrade_schema(revision)
    click.echo(f"The tables are at revision {installation.schema_revision() or 'none'}.")


@command(db, "current")
def db_current() -> None:
    """Show the revision of the tables, and the one this version needs."""
    click.echo(f"{installation.schema_revision() or 'none'} (this version needs {migrations.newest()})")


@command(stormpath_commands, "check")
@click.option("--deploy", is_flag=True, help="Also tell what a site for the public must not have.")
def check(deploy: bool) -> None:
    """Look at settings, secret, schema and application. Exit code 1: something is wrong."""
    found = [problem for problem in current_app.extensions["stormpath"].check() if deploy or problem.level != "deploy"]
    for problem in found:
        level = "warning" if problem.level == "deploy" else problem.level
        click.echo(f"{level}: {problem.sentence}", err=level != "note")
    failing = {"error", "warning", "deploy"} if deploy else {"error"}
    if any(problem.level in failing for problem in found):
        sys.exit(1)
    click.echo("Ready to deploy." if deploy else "All is well.")


@command(stormpath_commands, "encrypt-custom-data")
def encrypt_custom_data() -> None:
    """Encrypt all custom data with the first of STORMPATH_ENCRYPTION_KEYS; then the others can be taken away."""
    click.echo(f"Encrypted {models.encrypt_custom_data()} values.")


# --- Accounts ---


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
    account = _find(login)
    account.password = _ask_password(password_stdin)
    account.save()
    click.echo(f"The password of {account.email} is changed, and it is logged out everywhere.")


@command(stormpath_commands, "unlock")
@click.argument("login")
def unlock(login: str) -> None:
    """Forget the wrong passwords of the account with LOGIN, so that it can be logged in to at once."""
    account = _find(login)
    account.unlock()
    click.echo(f"{account.email} is unlocked.")


# --- Groups ---


@command(stormpath_commands, "create-group")
@click.argument("name")
@click.option("--description", help="What its members may do.")
@click.option("--directory", "directory_name", help="Where; the default group store of the application if not given.")
def create_group(name: str, description: str | None, directory_name: str | None) -> None:
    """Create a group NAME, which accounts of its directory can be in."""
    place = _find_directory(directory_name) if directory_name else Application.current()
    group = place.groups.create(name=name, description=description)
    click.echo(f"Created {group.name} in {group.directory.name}: {group.href}")


@command(stormpath_commands, "add-to-group")
@click.argument("login")
@click.argument("group_name", metavar="GROUP")
def add_to_group(login: str, group_name: str) -> None:
    """Put the account with LOGIN, its e-mail address or username, into GROUP, a group of its directory."""
    account = _find(login)
    group = account.directory.get_group(group_name)
    when = "already" if group.has_account(account) else "now"
    account.add_group(group)
    closed = " The group is DISABLED: it opens no door." if group.status != ENABLED else ""
    click.echo(f"{account.email} is in {group.name} {when}.{closed}")


@command(stormpath_commands, "remove-from-group")
@click.argument("login")
@click.argument("group_name", metavar="GROUP")
def remove_from_group(login: str, group_name: str) -> None:
    """Take the account with LOGIN, its e-mail address or username, out of GROUP."""
    account = _find(login)
    group = account.directory.get_group(group_name)
    if not group.has_account(account):
        mine = ", ".join(other.name for other in account.groups) or "no group"
        raise click.ClickException(f"{account.email} is not in {group.name}. It is in: {mine}.")
    account.remove_group(group)
    click.echo(f"{account.email} is not in {group.name} any more.")


# --- Who and where ---


def _find_directory(name: str) -> Directory:
    directory = Directory.named(name)
    if directory is None:
        there_are = ", ".join(repr(other.name) for other in islice(Client().directories, 20))
        raise click.ClickException(f"There is no directory {name!r}; there are: {there_are}.")
    return directory


def _find(login: str) -> Account:
    account = Application.current().find_account(login)
    if account is None:
        raise click.ClickException(
            f"No account of {settings.APPLICATION!r} has the e-mail address or username {login!r}."
        )
    return account


def _ask_password(from_stdin: bool) -> str:
    """Return a password from standard input (its first line) or a prompt. Never an argument: others could see it."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return asked
