"""The table that accounts are found by their custom data in: a row for each text, number or moment in it.

It is written with the custom data, in the same transaction. What is stored encrypted is not in it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from .. import encryption
from ..database import UTCDateTime, exact_text, metadata
from .base import Id
from .custom_data_rows import upsert

#: As many are found of one top-level key at most: those that come first.
MOST_LEAVES = 1000
#: Of a text, and of a path, so many characters count.
LONGEST = 255

leaves = sa.Table(
    "stormpath_custom_data_leaves",
    metadata,
    sa.Column("owner_id", Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", exact_text(LONGEST), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    # The key and those inside it, with dots between; what is in a list has the list's.
    sa.Column("path", exact_text(LONGEST), nullable=False),
    sa.Column("text_key", exact_text(LONGEST)),
    sa.Column("number", sa.Double),
    sa.Column("moment", UTCDateTime),
    sa.Index(None, "path", "text_key"),
    sa.Index(None, "path", "number"),
    sa.Index(None, "path", "moment"),
)

_FORGET = sa.delete(leaves).where(
    leaves.c.owner_id == sa.bindparam("whose"),
    leaves.c.key == sa.bindparam("which"),
    leaves.c.position >= sa.bindparam("beyond"),
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?")


def write(
    connection: sa.Connection, owner_id: str, values: Mapping[str, Any], removed: Iterable[str], *, is_first: bool
) -> None:
    """Let an account be found by these values of its top-level keys, and no more by what they and others had before.

    :param is_first: nothing was there before.
    """
    is_found = not encryption.is_on()
    found = {key: list(rows(key, value)) if is_found else [] for key, value in sorted(values.items())}
    written = [{"owner_id": owner_id, "key": key, **row} for key, several in found.items() for row in several]
    if written:
        connection.execute(upsert(leaves, connection.dialect.name), written)
    # After all are there: on MySQL a DELETE also locks the place behind, where others may be about to write.
    beyond = {**{key: len(several) for key, several in found.items()}, **dict.fromkeys(removed, 0)}
    if not is_first:
        left = [{"whose": owner_id, "which": key, "beyond": beyond[key]} for key in sorted(beyond)]
        connection.execute(_FORGET, left)


def rows(key: str, value: Any) -> Iterator[dict[str, Any]]:
    """Yield what a top-level key's value can be found by, as rows without their owner."""
    found = ((path, columns) for path, leaf in _leaves(key, value) if (columns := _columns(leaf)))
    for position, (path, columns) in enumerate(islice(found, MOST_LEAVES)):
        yield {"position": position, "path": path, **columns}


def fold(text: str) -> str:
    """Return what a text is compared by: without its case, and as far as it counts."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded[:LONGEST]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if len(path) > LONGEST:
        return
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _leaves(f"{path}.{key}", inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from _leaves(path, inside)
    else:
        yield path, value


def _columns(leaf: Any) -> dict[str, Any] | None:
    """Return how a leaf can be found; None where it cannot."""
    none = {"text_key": None, "number": None, "moment": None}
    if isinstance(leaf, bool):
        return {**none, "text_key": str(leaf).lower()}
    if isinstance(leaf, str):
        return {**none, "text_key": fold(leaf), "moment": _moment(leaf)}
    if leaf is None:
        return None
    try:
        return {**none, "number": float(leaf)}
    except OverflowError:  # a whole number that no database can compare
        return None


def _moment(text: str) -> datetime | None:
    if not _MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
