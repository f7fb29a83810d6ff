"""What every command does alike: who acts, how it fails, and which resource is meant."""

import getpass
import json
import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from itertools import islice
from typing import Any

import click
from alembic.util import CommandError
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from .. import origin
from ..errors import PasswordRefused, StormpathError
from ..models import Account, Application, Client, Directory
from ..models.named import Named

stormpath_commands = AppGroup("stormpath", help="Accounts: set up, check, create, mend.")


def command(group: click.Group, name: str, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Add a command that acts as the command line, and tells an error of ours in one line with exit code 1."""

    def add(body: Callable[..., Any]) -> click.Command:
        @wraps(body)
        def run(*args: Any, **kwargs: Any) -> None:
            with origin.acting(origin.Origin(interface="cli", actor_name=_operator())):
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


def _operator() -> str | None:
    """Return the name that the operating system knows the operator by; None: it knows none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # KeyError: before Python 3.13
        return None


as_json = click.option("--json", "in_json", is_flag=True, help="Answer in JSON, for a script.")
in_directory = click.option(
    "--directory", "directory_name", help="The directory that the account is in, be it one of the application's or not."
)

password_from_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)


def tell_json(value: Any) -> None:
    """Print one JSON value."""
    click.echo(to_json(value, indent=2))


def to_json(value: Any, **how: Any) -> str:
    """Return a value as JSON; moments are in ISO 8601."""
    return json.dumps(value, ensure_ascii=False, default=datetime.isoformat, **how)


def known(resource: Named) -> dict[str, Any]:
    """Return what may be told of an application, a directory or a group."""
    return {name: getattr(resource, name) for name in ("href", "name", "description", "status")}


def find_directory(name: str) -> Directory:
    """Return the directory with this name, or say which there are."""
    directory = Directory.named(name)
    if directory is None:
        there_are = ", ".join(repr(other.name) for other in islice(Client().directories, 20))
        raise click.ClickException(f"There is no directory {name!r}; there are: {there_are}.")
    return directory


def find_account(login: str, directory_name: str | None = None) -> Account:
    """Return the account with this e-mail address or username, of a directory or the application."""
    place = find_directory(directory_name) if directory_name else Application.current()
    account = place.find_account(login)
    if account is None:
        raise click.ClickException(f"No account of {place.name!r} has the e-mail address or username {login!r}.")
    return account


def ask_password(from_stdin: bool, in_json: bool = False) -> str:
    """Return a password from standard input (its first line) or a prompt. Never an argument: others could see it."""
    if from_stdin:
        return read_line()
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=in_json)
    return asked


def read_line() -> str:
    """Return the first line of standard input."""
    return sys.stdin.readline().rstrip("\r\n")
