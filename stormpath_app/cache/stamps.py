"""Stamps and marks: what lies in a store beside rows, one value for each account and one for what all share.

A stamp is random, and never the same again: rows that were kept under it are true while it is there. Marks are in its
place while somebody changes what rows are made of; each writer has one.
"""

import re
import secrets

#: Marks of writers that died go when others change the same, in seconds. Clocks of machines may differ by minutes.
_DEAD = 600
_STAMP = re.compile(r"([^.]*)\.[0-9a-f]{32}")
_MARK = re.compile(r"[0-9a-f]{32}@[0-9]{1,12}")


def new(life: str) -> str:
    """Return a new stamp, of this life of the server."""
    return f"{life}.{secrets.token_hex(16)}"


def read(value: bytes | None, life: str) -> str | None:
    """Return the stamp that a value is; None for a mark, for what is none, and for one of another life."""
    found = _STAMP.fullmatch(_text(value))
    return found[0] if found and found[1] == life else None


def mark(now: float) -> str:
    """Return the mark of one writer. `now`: in seconds."""
    return f"{secrets.token_hex(16)}@{int(now)}"


def marks(value: bytes | None) -> list[str]:
    """Return the marks that a value is; none, where it is something else."""
    return [part for part in _text(value).split("|") if _MARK.fullmatch(part)]


def others(value: bytes | None, mark: str | None, now: float) -> list[str]:
    """Return the marks of other writers that are still alive."""
    return [other for other in marks(value) if other != mark and abs(now - int(other.partition("@")[2])) < _DEAD]


def join(them: list[str]) -> bytes:
    """Return the value that such marks are."""
    return "|".join(them).encode("ascii")


def _text(value: bytes | None) -> str:
    return (value or b"").decode("ascii", "replace")
