"""Setting up and checking."""

import sys

import click
from flask import current_app

from .. import adoption, current, installation, migrations, models
from ..models import Application
from .command import command, stormpath_commands


@command(stormpath_commands, "init")
def init() -> None:
    """Make what is missing: the database, its tables, the first application. Again, it changes nothing.

    Where SECRET_KEY is not set, one is generated into the instance folder.
    """
    app = current.app()
    if not app.secret_key:
        app.secret_key = installation.read_secret(app) or installation.make_secret(app)
        click.echo(f"Secret key: {installation.make_folder(app) / installation.SECRET_FILE}")
    installation.set_up(app)
    click.echo(f"Database: {installation.where(app)}, at revision {installation.schema_revision()}")
    click.echo(f"Application: {Application.current().name}")
    if key := adoption.known_api_key():
        click.echo(f"API key: {key.id}, the one that the settings name, is the tenant's.")


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
        level = {"deploy": "warning", "outage": "error"}.get(problem.level, problem.level)
        click.echo(f"{level}: {problem.sentence}", err=level != "note")
    failing = {"error", "outage", "warning", "deploy"} if deploy else {"error", "outage"}
    levels = {problem.level for problem in found}
    if levels & failing:
        sys.exit(1)
    well = "No errors." if "warning" in levels else "All is well."
    click.echo("Ready to deploy." if deploy else well)


@command(stormpath_commands, "encrypt-custom-data")
def encrypt_custom_data() -> None:
    """Encrypt all custom data with the first of STORMPATH_ENCRYPTION_KEYS; then the others can be taken away."""
    click.echo(f"Encrypted {models.encrypt_custom_data()} values.")
