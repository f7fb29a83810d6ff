"""The columns that searches look into, and the index of texts of a database that has one.

SQLite's FTS5 and PostgreSQL's pg_trgm know each three letters that stand side by side. A migration makes them where it
may; elsewhere the texts are read one by one, and the answers are the same.
"""

from collections.abc import Callable
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from .. import names
from ..database import session
from .searchable import ANY, like
from .unsaved import changed

#: What an index of texts knows.
_LETTERS = 3

# SQLite's index, and the number that each account has there: in the order they were written. Triggers keep both.
_INDEX = sa.table("stormpath_search_index", sa.column("rowid", sa.Integer), sa.column("search_text", sa.Text))
_NUMBERS = sa.table("stormpath_search_numbers", sa.column("number", sa.Integer), sa.column("account_id", sa.String))
#: The key that those found in SQLite's index are sorted by: they come from it in this order.
NUMBER = _INDEX.c.rowid
#: The table whose texts it has.
INDEXED = "stormpath_accounts"


def follow(model: Any, sources: frozenset[str], columns: Callable[[Any], dict[str, str]]) -> None:
    """Let the columns that are searched follow the attributes they are made of, whoever sets these.

    :param columns: returns the columns as they must be, of a resource.
    """

    def keep(_mapper: object, _connection: object, resource: Any) -> None:
        if resource.is_new or sources & changed(resource).keys():
            for name, value in columns(resource).items():
                setattr(resource, name, value)

    for event in ("before_insert", "before_update"):
        sa.event.listen(model, event, keep, propagate=True)


def of_account(
    email: str,
    username: str | None = None,
    given_name: str | None = None,
    middle_name: str | None = None,
    surname: str | None = None,
) -> dict[str, str]:
    """Return the columns of an account that are searched, made of its names. Who writes rows in bulk needs them."""
    given = {"email": email, "username": username or email}
    given |= {"given_name": given_name or "", "middle_name": middle_name or "", "surname": surname or ""}
    keys = {f"{name}_key": names.key(value) for name, value in given.items()}
    # An international domain is found as it is written, too.
    fields = dict.fromkeys(filter(None, (names.part(email), *keys.values())))
    return keys | {"search_text": names.search_text(*fields)}


def sought(text: str) -> str | None:
    """Return what search texts have in them where `text` is part of a field, or begins one if it is too short.

    None: no search text has.
    """
    term = names.unmarked(names.part(text.strip())).strip()
    if not term or not names.can_be_sought(text):
        return None
    return term if is_long_enough(term) else names.FIELD + term


def contains(model: Any, terms: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that search texts have these terms in them."""
    return [like(model.search_text, ANY, term, ANY) for term in terms]


def trigrams(model: Any, terms: tuple[str, ...]) -> list[sa.ColumnElement[bool]]:
    """Return the same for PostgreSQL, whose plan must know the terms: for a common one the index is the slowest way.

    A statement that it has seen five times is planned for any term. So each is another one, by a number that is true.
    """
    number: sa.ColumnElement[int] = sa.literal(next(_ASKED), sa.Integer, literal_execute=True)
    return [*contains(model, terms), number > 0] if terms else []


_ASKED = count(1)


def in_all_directories(model: Any) -> list[sa.ColumnElement[bool]]:
    """Return the condition, which is always true, that a resource is in one of the directories that there are."""
    keys = model.__table__.c.directory_id.foreign_keys if "directory_id" in model.__table__.c else ()
    return [model.directory_id.in_(sa.select(key.column)) for key in keys]


# --- SQLite's index ---

_HAS_INDEX: WeakKeyDictionary[sa.Engine, bool] = WeakKeyDictionary()


def is_long_enough(term: str) -> bool:
    """Tell whether an index of texts can be asked for a term."""
    return len(term) >= _LETTERS


def has_index(model: Any) -> bool:
    """Tell whether SQLite has the index of this model's texts. The database is looked at once."""
    if model.__tablename__ != INDEXED:
        return False
    connection = session.connection()
    if connection.engine not in _HAS_INDEX:
        on_sqlite = connection.dialect.name == "sqlite"
        _HAS_INDEX[connection.engine] = on_sqlite and sa.inspect(connection).has_table(_INDEX.name)
    return _HAS_INDEX[connection.engine]


class _InOrder(sa.sql.expression.Join):
    """A join that SQLite makes from left to right."""

    inherit_cache = True


@compiles(_InOrder)
def _spell(join: _InOrder, compiler: Any, **more: Any) -> str:
    more["asfrom"] = True
    left, right = compiler.process(join.left, **more), compiler.process(join.right, **more)
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, **(more | {'asfrom': False}))}"


def found_in_index(model: Any, terms: tuple[str, ...], statement: sa.Select[Any]) -> sa.Select[Any]:
    """Return the statement for those alone whose texts have these terms, asked of the index first.

    A planner that knows little of the index could ask it once for each account.
    """
    numbered = _InOrder(_INDEX, _NUMBERS, _NUMBERS.c.number == NUMBER)
    accounts = _InOrder(numbered, model.__table__, model.__table__.c.id == _NUMBERS.c.account_id)
    quoted = " AND ".join('"{}"'.format(term.replace('"', '""')) for term in terms)
    return statement.select_from(accounts).where(sa.literal_column(_INDEX.name).op("MATCH")(quoted))
