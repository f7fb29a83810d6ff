"""Changes: what is written to the database, noticed at the engine, whoever writes it, for rows that a store keeps.

A statement tells whose rows it changes: those of the accounts that its conditions name, or of all. What it cannot tell
(`WHERE session.id = …`) is told beside it: `statement.execution_options(stormpath_about=[account_id])`.

These watch every engine, as a host's may be shared, and as a host's own code may write before any of ours was asked:
they leave at once where nothing of ours is written.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import elements, operators
from sqlalchemy.sql.dml import UpdateBase

from ..direct import listen_to_writes
from . import stamps
from .reach import KNOWN, NEXT
from .shared import ALL, Shared, now
from .tables import generation

#: Tables whose changes are of one account, and the column with its id.
OF_ACCOUNTS = {
    "stormpath_accounts": "id",
    "stormpath_account_sessions": "account_id",
    "stormpath_group_memberships": "account_id",
}
#: Tables whose changes are of all.
OF_ALL = frozenset(
    {
        "stormpath_groups",
        "stormpath_directories",
        "stormpath_applications",
        "stormpath_account_store_mappings",
        "stormpath_providers",
        "stormpath_password_policies",
        "stormpath_password_strengths",
    }
)
#: Of these, new rows change nothing that is known.
_NEW_IS_NO_CHANGE = frozenset({*OF_ACCOUNTS, *OF_ALL}) - {
    "stormpath_group_memberships",
    "stormpath_account_store_mappings",
    "stormpath_providers",
}
_NAMES = re.compile(rf"\b(?:{'|'.join([*OF_ACCOUNTS, *OF_ALL])})\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|REPLACE|MERGE|TRUNCATE|COPY|LOAD|ALTER|DROP)\b", re.IGNORECASE)
_INSERTS = re.compile(r"\s*INSERT\s+INTO\b(?!.*\bON\s+(?:CONFLICT|DUPLICATE)\b)", re.IGNORECASE | re.DOTALL)
#: In the `info` of a connection: what it has changed; whose the rows are that the unit of work is about to write.
_CHANGE, _OWNERS = "stormpath_cache_change", "stormpath_cache_owners"

_logger = logging.getLogger("stormpath_app")
_keepers: WeakKeyDictionary[sa.Engine, Shared] = WeakKeyDictionary()

#: Makes the keeper of an engine's app, if it has one, and watches for it; the package sets it.
make: Callable[[sa.Engine], object] = lambda _engine: None  # noqa: E731 - it is to be set


def watch(engine: sa.Engine, keeper: Shared) -> None:
    """Tell a keeper of what is written with an engine."""
    _keepers[_itself(engine)] = keeper


class _Change:
    """What a connection has written since it was checked out: the ids of accounts, or ALL."""

    def __init__(self, keeper: Shared) -> None:
        self.keeper, self.of = keeper, set[str]()
        self._mark: str | None = None
        #: Whether readers know of it: by the store, or by the database.
        self.is_told = False

    def tell(self) -> None:
        """Let what is changed be true no more, where the store can be reached."""
        self._mark = self._mark or stamps.mark(now())  # now, as a transaction may be older than marks live
        self.is_told = self.keeper.mark(self.of, self._mark)

    def finish(self) -> None:
        """Let it be true from now on as it is now. What was rolled back gets new stamps too, which is harmless."""
        self.keeper.renew(self.of, self._mark)


# --- What a statement changes ---


def changed(statement: str, context: Any) -> set[str]:
    """Return whose rows a statement changes: ids of accounts, or ALL; nothing, where it changes none."""
    is_one = ";" not in statement
    if is_one and statement.startswith("SELECT"):
        return set()
    written = _written(statement, context.compiled)
    if written and is_one and _INSERTS.match(statement):
        written -= _NEW_IS_NO_CHANGE
    if not written:
        return set()
    about = context.execution_options.get("stormpath_about")
    if isinstance(about, str) or not all(isinstance(each, str) for each in about or ()):
        about = None  # no list of ids
    if about is None and len(written) == 1:
        about = _accounts(written.pop(), context)
    return {ALL} if about is None else set(about)


def _written(statement: str, compiled: Any) -> set[str]:
    """Return the tables that we watch and a statement writes; of a text, all that it names."""
    dml = getattr(compiled, "statement", None)
    if isinstance(dml, UpdateBase) and isinstance(dml.table, sa.Table) and not compiled.ctes:
        return {dml.table.name} & {*OF_ACCOUNTS, *OF_ALL}
    return set(map(str.lower, _NAMES.findall(statement))) if _WRITES.search(statement) else set()


def _accounts(table: str, context: Any) -> list[str] | None:
    """Return the ids of the accounts whose rows of a table are changed; None where it cannot be told."""
    column = OF_ACCOUNTS.get(table)
    dml = getattr(context.compiled, "statement", None)
    if column is None or not isinstance(dml, UpdateBase):
        return None
    if context.isinsert:
        return _values(column, context)
    for name in _named(dml, context.compiled, table, column):
        return _values(name, context)
    owners = context.root_connection.info.get(_OWNERS, {})
    for name in _named(dml, context.compiled, table, "id"):
        ids = _values(name, context)
        return [owners[row_id] for row_id in ids] if ids and owners.keys() >= set(ids) else None
    return None


def _values(name: str, context: Any) -> list[str] | None:
    """Return the values of a parameter in each execution. An IN has more of them: `id_1_1`, `id_1_2`."""
    rows = context.compiled_parameters
    found = [value for row in rows for key, value in row.items() if key == name or key.startswith(f"{name}_")]
    return found if found and all(isinstance(value, str) for value in found) else None


def _named(dml: Any, compiled: Any, table: str, column: str) -> Iterator[str]:
    """Yield the parameters that a column must be one of, by conditions that must all be met."""
    waiting = list(getattr(dml, "_where_criteria", ()))
    for criterion in waiting:
        if isinstance(criterion, elements.BooleanClauseList) and criterion.operator is operators.and_:
            waiting += criterion.clauses
        elif isinstance(criterion, elements.BinaryExpression) and criterion.operator in {operators.eq, operators.in_op}:
            left: Any = criterion.left
            is_it = getattr(left, "name", "") == column and getattr(getattr(left, "table", None), "name", "") == table
            if is_it and criterion.right in compiled.bind_names:
                yield compiled.bind_names[criterion.right]


# --- What the engine tells ---


def _guarded(listener: Callable[..., None]) -> Callable[..., None]:
    """Let a mistake of ours break no statement and no commit of anybody's."""

    def guarded(*arguments: Any) -> None:
        try:
            listener(*arguments)
        except Exception:
            _logger.exception("The cache could not be told of a change; what it keeps is true again when it runs out.")

    return guarded


def _collect(
    connection: sa.Connection, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool
) -> None:
    """Remember what is written until it is committed; where nobody will commit, it is told at once."""
    of = changed(statement, context)
    if not of:
        return
    change = connection.info.get(_CHANGE)
    if change is None or change.is_told:
        _finish(connection.info)
        keeper = _keeper(connection)
        if keeper is None:
            return
        change = connection.info[_CHANGE] = _Change(keeper)
    change.of |= of
    if connection._is_autocommit_isolation():
        change.tell()


def _keeper(connection: sa.Connection) -> Shared | None:
    engine = _itself(connection.engine)
    keeper = _keepers.get(engine)
    if keeper is None:  # nobody has asked for it yet
        make(engine)
        keeper = _keepers.get(engine)
    if keeper is not None and keeper.tenant_id is None:
        if not sa.inspect(connection).has_table(generation.name):  # a migration makes it, some day
            return None
        known = connection.execute(KNOWN).first()
        keeper.tenant_id = known.tenant_id if known else None
    return keeper if keeper and keeper.tenant_id else None


def _commit(connection: sa.Connection, *_more: Any) -> None:
    """Tell the store of a change before it is there; where it cannot be told, tell the database, in the same commit."""
    change = connection.info.get(_CHANGE)
    if change is None or change.is_told:
        return
    change.tell()
    if not change.is_told:
        change.is_told = True
        with nullcontext() if connection._is_autocommit_isolation() else connection.begin_nested():
            connection.execute(NEXT)


def _rollback(connection: sa.Connection) -> None:
    if connection._is_autocommit_isolation():  # nothing is rolled back
        _commit(connection)


def _itself(engine: sa.Engine) -> sa.Engine:
    """Return the engine that one with other options was made from."""
    while isinstance(engine, OptionEngine):
        engine = engine._proxied
    return engine


def _note_owner(mapper: Any, connection: sa.Connection, row: Any) -> None:
    """Remember whose row will be written by its own id alone."""
    column = OF_ACCOUNTS.get(getattr(mapper.local_table, "name", ""))
    if column is not None and column in row.__dict__:
        connection.info.setdefault(_OWNERS, {})[row.id] = row.__dict__[column]


def _begin(connection: sa.Connection) -> None:
    _finish(connection.info)  # it was not checked in since its last transaction


def _check_in(driver: Any, record: Any) -> None:
    if driver is None:  # it was lost, perhaps while it committed: marks stay until the server has made up its mind
        record.info.pop(_CHANGE, None)
    _finish(record.info)


def _finish(info: Any) -> None:
    info.pop(_OWNERS, None)
    change = info.pop(_CHANGE, None)
    if change is not None:
        change.finish()


listen_to_writes(_guarded(_collect))
for _target, _name, _listener in (
    (sa.Engine, "commit", _commit),
    (sa.Engine, "prepare_twophase", _commit),
    (sa.Engine, "commit_twophase", _commit),
    (sa.Engine, "rollback", _rollback),
    (sa.Engine, "begin", _begin),
    (sa.Pool, "checkin", _check_in),
    (Mapper, "before_update", _note_owner),
    (Mapper, "before_delete", _note_owner),
):
    event.listen(_target, _name, _guarded(_listener))
