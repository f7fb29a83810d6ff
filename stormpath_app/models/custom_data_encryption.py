"""Encrypting again what is stored: with the first key of those there are now."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from .. import encryption
from ..database import session
from ..errors import NotReady
from ..transactions import atomic
from .custom_data_rows import TABLES
from .custom_data_search import leaves

#: So many are read and written at once: each may have megabytes.
_PAGE = 20


def encrypt_all() -> int:
    """Encrypt all custom data with the first key, and commit now and then; return how many values it were.

    Others can read and write meanwhile. What was stored as it is can be found no more. Again, it changes nothing but
    the texts; when it is through, the other keys can be taken away.

    :raises CustomDataLocked: a value was written with a key that is not there; what came before it is done.
    :raises NotReady: there are no keys.
    """
    if not encryption.is_on():
        raise NotReady(["STORMPATH_ENCRYPTION_KEYS is not set: there is nothing to encrypt with."])
    with atomic():
        session.execute(sa.delete(leaves))
    return sum(_encrypt(table, page) for table in TABLES for page in _pages(table))


def _pages(table: sa.Table) -> Iterator[list[Any]]:
    whose, which = table.c.owner_id, table.c.key
    statement = sa.select(whose, which, table.c.value).where(which != "").order_by(whose, which).limit(_PAGE)
    owner, key = "", ""
    while page := session.execute(statement.where(whose >= owner, (whose > owner) | (which > key))).all():
        yield list(page)
        owner, key, _value = page[-1]


def _encrypt(table: sa.Table, page: list[Any]) -> int:
    """Write the texts of some rows anew, but those that somebody else wrote meanwhile."""
    same = (table.c.owner_id == sa.bindparam("whose")) & (table.c.key == sa.bindparam("which"))
    statement = (
        sa.update(table).where(same, table.c.value == sa.bindparam("before")).values(value=sa.bindparam("after"))
    )
    sealed = [
        {"whose": owner, "which": key, "before": text, "after": encryption.seal(encryption.unseal(text))}
        for owner, key, text in page
    ]
    with atomic() as current:
        current.connection().execute(statement, sealed)
    return len(sealed)
