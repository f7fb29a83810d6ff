"""Entry: a row as it lies in a shared store, sealed, so that nothing but what we put there is ever read as one."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple, Self

from sqlalchemy.dialects import sqlite

from .. import tokens
from .region import Region, Row

#: The version of what is written here.
_FORMAT = 1
_PURPOSE, _SEAL = "cache", 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Entry(NamedTuple):
    """A row, and what it was read under: it is true while that is the same.

    :param account_id: the account that it is about; None: none.
    :param n: the generation.
    :param stamps: the one of what all accounts share, and the account's.
    :param until: when it runs out, in microseconds.
    """

    key: str
    account_id: str | None
    n: int
    stamps: tuple[str, ...]
    until: int
    row: Row

    def write(self, region: Region, place: str) -> bytes:
        """Return the bytes that are stored at this place, and are worth nothing at any other.

        :raises TypeError: the row has a value that JSON does not know.
        """
        row = list(self.row)
        for column in region.moments:
            row[column] = None if row[column] is None else microseconds(row[column])
        body = json.dumps([*self[:-1], row], separators=(",", ":")).encode("ascii")
        return _seal(region, place, body) + body

    @classmethod
    def read(cls, value: bytes | None, region: Region, place: str) -> Self | None:
        """Return what these bytes are; None for anything that is not of this place, this site and this version."""
        seal, body = (value or b"")[:_SEAL], (value or b"")[_SEAL:]
        if not hmac.compare_digest(seal, _seal(region, place, body)):
            return None
        key, account_id, n, stamps, until, row = json.loads(body)
        for column in region.moments:
            row[column] = None if row[column] is None else _EPOCH + row[column] * _MICROSECOND
        values = (tuple(value) if isinstance(value, list) else value for value in row)
        return cls(key, account_id, n, tuple(stamps), until, tuple(values))


def microseconds(moment: datetime) -> int:
    """Return a moment as a number."""
    return (moment - _EPOCH) // _MICROSECOND


def _seal(region: Region, place: str, body: bytes) -> bytes:
    return hmac.digest(tokens.keys(_PURPOSE)[0], f"{_version(region)} {place}\n".encode("ascii") + body, "sha256")


@cache
def _version(region: Region) -> str:
    """Return what tells rows of this version of the code from those of another."""
    read_by = "" if region.statement is None else str(region.statement.compile(dialect=sqlite.dialect()))
    return f"{_FORMAT}-{hashlib.sha256(read_by.encode()).hexdigest()[:16]}"
