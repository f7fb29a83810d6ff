"""Applications and directories."""

from collections.abc import Callable
from typing import Any

import click

from ..models import Application, Directory
from ..transactions import atomic
from .command import as_json, command, known, read_line, stormpath_commands, tell_json


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


#: What a provider may need beside its id: the option, what is told of it.
_PROVIDER = {
    "provider_type": "Its kind, where that is another word: google, facebook, github, oidc, oauth2.",
    "client_id": "What this site is called there.",
    "issuer": "Of the kind oidc: the address that its settings are found below.",
    "hosted_domain": "Of Google: the one domain whose people are let in.",
    "scope": "What it is asked for, with blanks between; what its kind needs if not given.",
    "authorization_endpoint": "Of the kind oauth2: where browsers are sent.",
    "token_endpoint": "Of the kind oauth2: where codes become tokens.",
    "resource_endpoint": "Of the kind oauth2: where it tells who somebody is.",
    "id_field": "Of the kind oauth2: where in that answer the person's id is, such as data.id.",
}


def _of_provider(body: Callable[..., Any]) -> Callable[..., Any]:
    for name, told in reversed(_PROVIDER.items()):
        body = click.option(f"--{name.replace('_', '-')}", help=told)(body)
    return body


@command(stormpath_commands, "create-directory")
@click.argument("name")
@click.option("--description", help="Whose accounts are in it.")
@click.option("--provider", "provider_id", help="Where its accounts come from: google, facebook, github or another id.")
@_of_provider
@click.option("--client-secret-stdin", is_flag=True, help="Read the secret of --client-id from standard input.")
@click.option("--map", "is_mapped", is_flag=True, help="Add it to the account stores of the application.")
@as_json
def create_directory(
    name: str,
    description: str | None,
    provider_id: str | None,
    client_secret_stdin: bool,
    is_mapped: bool,
    in_json: bool,
    **of_provider: str | None,
) -> None:
    """Create a directory NAME, which accounts can be in. No application knows it yet, unless you --map it.

    With --provider its accounts are those of people who log in by another site.
    """
    given = {option: value for option, value in of_provider.items() if value is not None}
    if provider_id is None and (given or client_secret_stdin):
        raise click.UsageError("These options are about a --provider.")
    if client_secret_stdin:
        given["client_secret"] = read_line()
    provider = None if provider_id is None else {"provider_id": provider_id, **given}
    with atomic():
        directory = Directory.create(name=name, description=description, provider=provider)
        if is_mapped:
            Application.current().add_account_store(directory)
    if in_json:
        tell_json({**known(directory), "provider_id": directory.provider_id})
    else:
        click.echo(f"Created {directory.name}: {directory.href}")
