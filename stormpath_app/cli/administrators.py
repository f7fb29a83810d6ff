"""Administrators of the console."""

import click
from flask import current_app

from .. import entry_links
from ..models import Administrator
from ..models.administration import OWNER, ROLES
from ..settings import settings
from .command import as_json, ask_password, command, password_from_stdin, stormpath_commands, tell_json


@command(stormpath_commands, "create-admin")
@click.argument("email")
@click.option("--role", type=click.Choice(ROLES), default=OWNER, show_default=True, help="What they may do.")
@click.option("--given-name", help="First name.")
@click.option("--surname", help="Last name.")
@password_from_stdin
@as_json
def create_admin(
    email: str, role: str, given_name: str | None, surname: str | None, password_stdin: bool, in_json: bool
) -> None:
    """Create an administrator with EMAIL, who can log in to the console at once."""
    password = ask_password(password_stdin, in_json)
    created = Administrator.create(email, password, role, given_name=given_name, surname=surname)
    if in_json:
        tell_json({**dict(created.account), "role": created.role})
    else:
        click.echo(f"Created {created.account.email}, {_article(role)} {role} of the console: {created.account.href}")


@command(stormpath_commands, "admin-link")
def admin_link() -> None:
    """Print a link that makes an owner of the console, for whoever cannot get in.

    It works once, in the next 15 minutes: for a new owner, or for one that is there, who then chooses another password.
    """
    if settings.ADMIN_URL is None:
        raise click.ClickException("STORMPATH_ADMIN_URL is None: there is no console.")
    current_app.extensions["stormpath"].load_secret()
    address = entry_links.address(entry_links.make())
    click.echo(address)
    if address.startswith("/"):
        click.echo("STORMPATH_BASE_URL is not set: open it behind the address of the site.", err=True)


def _article(role: str) -> str:
    return "an" if role[0] in "aeiou" else "a"
