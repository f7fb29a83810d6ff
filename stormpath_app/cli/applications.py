"""Applications and directories."""

import click

from ..models import Application, Directory
from ..transactions import atomic
from .command import as_json, command, known, stormpath_commands, tell_json


@command(stormpath_commands, "create-application")
@click.argument("name")
@click.option("--description", help="What it is for.")
@click.option(
    "--directory",
    "directory_name",
    help="The directory that its accounts are in, which is made if it is not there; a new one if not given.",
)
@click.option("--no-directory", is_flag=True, help="Let it have no account store yet.")
@as_json
def create_application(
    name: str, description: str | None, directory_name: str | None, no_directory: bool, in_json: bool
) -> None:
    """Create an application NAME, which accounts log in to. An app is it whose STORMPATH_APPLICATION names it."""
    if no_directory and directory_name:
        raise click.UsageError("--directory and --no-directory exclude each other.")
    existing = Directory.named(directory_name) if directory_name else None
    with atomic():
        made = not no_directory and not existing and (directory_name or True)
        application = Application.create(name=name, description=description, create_directory=made)
        if existing:
            application.add_account_store(existing, is_default=True)
    mapping = application.default_account_store_mapping
    store = mapping and mapping.account_store
    if in_json:
        tell_json({**known(application), "directory": store and known(store)})
    else:
        where = f"in {store.name}" if store else "nowhere yet: it has no account store"
        click.echo(f"Created {application.name}: {application.href}\nNew accounts are created {where}.")


@command(stormpath_commands, "create-directory")
@click.argument("name")
@click.option("--description", help="Whose accounts are in it.")
@as_json
def create_directory(name: str, description: str | None, in_json: bool) -> None:
    """Create a directory NAME, which accounts can be in. No application knows it yet."""
    directory = Directory.create(name=name, description=description)
    if in_json:
        tell_json(known(directory))
    else:
        click.echo(f"Created {directory.name}: {directory.href}")
