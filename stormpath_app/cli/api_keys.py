"""API keys."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from .. import credentials
from ..models import Client
from .command import as_json, command, find_account, in_directory, stormpath_commands, tell_json


@command(stormpath_commands, "create-api-key")
@click.option("--account", "login", help="Whose: an e-mail address or username; the tenant's own if not given.")
@in_directory
@click.option("--name", help="What it is for.")
@click.option(
    "--file",
    default="apiKey.properties",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where id and secret go, readable by you alone.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@as_json
def create_api_key(
    login: str | None, directory_name: str | None, name: str | None, file: Path, force: bool, in_json: bool
) -> None:
    """Create an API key, and write its id and secret to a file. The secret is told there, and nowhere again."""
    owner = find_account(login, directory_name) if login else Client().tenant
    if not force and file.exists():
        raise click.ClickException(f"{file} is there already. Name another --file, or replace it with --force.")
    with _private(file, force) as stream:
        key = owner.api_keys.create(name=name)
        try:
            stream.write(credentials.text(credentials.Pair(key.id, key.secret)))
            stream.flush()
        except OSError:
            key.delete()  # nobody will ever know its secret
            raise
    if in_json:
        tell_json(
            {"id": key.id, "href": key.href, "name": key.name, "account": login and owner.href, "file": str(file)}
        )
    else:
        click.echo(f"Created the API key {key.id}. Its secret is in {file}, and nowhere else: keep that file safe.")


@contextmanager
def _private(file: Path, force: bool) -> Iterator[TextIO]:
    """Give a file to write that only its owner can read. If the block fails there is none, or the one before."""
    if force:
        handle, place = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    else:
        handle, place = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), str(file)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            yield stream
        Path(place).replace(file)
    except BaseException:
        Path(place).unlink(missing_ok=True)
        raise
