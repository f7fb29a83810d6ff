"""Accounts, many at a time."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import click

from .. import names
from ..models import DISABLED, ENABLED, UNVERIFIED, Account, Application, Directory, Group
from ..models.member import group_names
from .command import as_json, command, find_directory, stormpath_commands, to_json

_HEAD = ("EMAIL", "USERNAME", "NAME", "STATUS", "GROUPS", "CREATED")
_PAGE = 100


@command(stormpath_commands, "list-accounts")
@click.option("--search", help="A text in the e-mail address, the username or a name.")
@click.option("--group", "group_name", help="Those in this group alone.")
@click.option("--directory", "directory_name", help="Those of this directory; all of the application if not given.")
@click.option("--status", type=click.Choice([ENABLED, DISABLED, UNVERIFIED], case_sensitive=False), help="Those alone.")
@click.option("--limit", type=click.IntRange(min=1), help="So many at most.")
@as_json
def list_accounts(
    search: str | None,
    group_name: str | None,
    directory_name: str | None,
    status: str | None,
    limit: int | None,
    in_json: bool,
) -> None:
    """List the accounts of the application, or some of them."""
    place = find_directory(directory_name) if directory_name else Application.current()
    every = _find_group(place, group_name).accounts if group_name else place.accounts
    pages = _pages(islice(_wanted(every, search, status), limit))
    lines = _json(pages) if in_json else _table(pages)
    for line in lines:
        click.echo(line)


def _wanted(accounts: Any, search: str | None, status: str | None) -> Iterable[Account]:
    """Return those of a collection that a text is in, and that have a status."""
    if search:
        accounts = accounts.search(search)
    if status:
        accounts = accounts.query(status=status.upper())
    found: Iterable[Account] = accounts
    return found


def _find_group(place: Application | Directory, name: str) -> Group:
    if isinstance(place, Directory):
        return place.get_group(name)
    found = [group for group in place.groups if group.name_key == names.key(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise click.ClickException(f"{place.name!r} has no group {name!r}.")
    raise click.ClickException(f"{place.name!r} has in several directories a group {name!r}. Name one: --directory.")


def _pages(accounts: Iterable[Account]) -> Iterator[list[tuple[Account, list[str]]]]:
    """Yield accounts with the names of their groups, a page at a time."""
    rest = iter(accounts)
    while page := list(islice(rest, _PAGE)):
        groups = group_names(page)
        yield [(account, groups[account.id]) for account in page]


# --- As a table ---


def _table(pages: Iterable[list[tuple[Account, list[str]]]]) -> Iterator[str]:
    """Yield the lines of a table. Its columns are as wide as the first page needs, and grow with a later one."""
    widths = [0] * len(_HEAD)
    for number, page in enumerate(pages):
        rows = [_row(account, groups) for account, groups in page]
        shown = rows if number else [_HEAD, *rows]
        columns = zip(*shown, strict=True)
        widths = [max(width, *map(_width, column)) for width, column in zip(widths, columns, strict=True)]
        for row in shown:
            cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
            yield "  ".join(cells).rstrip()


def _row(account: Account, groups: Sequence[str]) -> tuple[str, ...]:
    created = f"{account.created_at:%Y-%m-%d}"
    return account.email, account.chosen_username or "", account.full_name, account.status, ", ".join(groups), created


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide letters two, marks above another none."""
    seen = (letter for letter in text if not unicodedata.combining(letter))
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in seen)


# --- As JSON ---


def _json(pages: Iterable[list[tuple[Account, list[str]]]]) -> Iterator[str]:
    """Yield the lines of a JSON array, an account in each."""
    before = "["
    for page in pages:
        for account, groups in page:
            yield before + to_json({**dict(account), "groups": groups})
            before = ","
    yield "]" if before == "," else "[]"
