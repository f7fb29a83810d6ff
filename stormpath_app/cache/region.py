"""Region: rows of one kind that are kept for a while, each by its key, and as true as its keeper promises."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

#: The values of a row, as the database gave them: text, numbers, bools, None, moments in UTC, and tuples of text.
Row = tuple[Any, ...]
#: What a keeper saw before a row was read, by which it knows whether the row may be kept; None: it may not.
Ticket = Any

#: The regions that there are, by the names that settings call them by.
NAMES = ("sessions", "applications", "policies")


@dataclass(frozen=True)
class Region:
    """Rows of one kind. A row is out of date when the account that it is about changes, or what all accounts share.

    :param about: the column with that account's id; None: rows are about no account.
    :param moments: the columns that are moments.
    :param statement: what reads the rows. Those that another version of it read are none, where versions share a store.
    """

    name: str
    about: int | None = None
    moments: tuple[int, ...] = ()
    statement: sa.Select[Any] | None = None

    def of(self, row: Row) -> str | None:
        """Return the id of the account that a row is about."""
        return None if self.about is None else row[self.about]


class Keeper(Protocol):
    """What keeps the rows of one app. It never raises: what it cannot tell is not there."""

    def look(self, region: Region, key: str) -> tuple[Row | None, Ticket]:
        """Return the row that is kept under a key, if it is still true, and what `keep` wants."""
        ...

    def keep(self, region: Region, key: str, ticket: Ticket, row: Row) -> None:
        """Keep a row, which was read after `look` had returned, by a transaction that began after it."""
        ...

    def drop(self, region: Region, key: str) -> None:
        """Forget one row."""
        ...

    def clear(self) -> None:
        """Forget them all."""
        ...


class Lifetime(NamedTuple):
    """How long a row is kept, in seconds: since it was read (`ttl`), and since it was last asked for (`tti`)."""

    ttl: float
    tti: float


class NoKeeper:
    """Keeps nothing: nobody wants it, or whether it is still true could not be known for less than a statement."""

    def look(self, region: Region, key: str) -> tuple[Row | None, Ticket]:
        """Find nothing."""
        return None, None

    def keep(self, region: Region, key: str, ticket: Ticket, row: Row) -> None:
        """Keep nothing."""

    def drop(self, region: Region, key: str) -> None:
        """Forget nothing."""

    def clear(self) -> None:
        """Forget nothing."""
