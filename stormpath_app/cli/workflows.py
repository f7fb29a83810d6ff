"""Which mails a directory sends."""

from collections.abc import Iterator
from typing import Any

import click

from ..models import DISABLED, ENABLED, Application, Directory, email_template
from .command import as_json, command, find_directory, stormpath_commands, tell_json

#: Stormpath's names of the five workflows: the policy of the directory that has its switch, and the switch.
WORKFLOWS = {kind.replace("_", "-"): where for kind, where in email_template.WORKFLOWS.items()}

which = click.argument("name", metavar="WORKFLOW", type=click.Choice(list(WORKFLOWS)))
where = click.option(
    "--directory", "directory_name", help="Of which directory; the application's default account store if not given."
)


@stormpath_commands.group("workflow")
def workflow() -> None:
    """The mails that a directory sends: verification, welcome, reset and the like."""


@command(workflow, "list")
@where
@as_json
def list_workflows(directory_name: str | None, in_json: bool) -> None:
    """Show which mails are sent."""
    directory = _directory(directory_name)
    if in_json:
        tell_json({name.replace("-", "_"): status for name, status in _statuses(directory)})
    else:
        click.echo(f"{directory.name}:")
        for name, status in _statuses(directory):
            click.echo(f"  {name:22}{status}")


@command(workflow, "enable")
@which
@where
def enable_workflow(name: str, directory_name: str | None) -> None:
    """Send the mails of WORKFLOW. With `verification`, new accounts must confirm their address before they log in."""
    _switch(name, directory_name, ENABLED)


@command(workflow, "disable")
@which
@where
def disable_workflow(name: str, directory_name: str | None) -> None:
    """Send the mails of WORKFLOW no more."""
    _switch(name, directory_name, DISABLED)


def _switch(name: str, directory_name: str | None, status: str) -> None:
    directory = _directory(directory_name)
    policy, switch = WORKFLOWS[name]
    found: Any = directory[policy]
    found[switch] = status
    found.save()
    click.echo(f"{directory.name}: {name} is {status}.")


def _statuses(directory: Directory) -> Iterator[tuple[str, str]]:
    for name, (policy, switch) in WORKFLOWS.items():
        yield name, directory[policy][switch]


def _directory(name: str | None) -> Directory:
    return find_directory(name) if name else Application.current().default_account_store().home
