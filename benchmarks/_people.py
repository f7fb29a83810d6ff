"""A crowd with names as unlike as those of people are, and how tables are filled with very many rows."""

import contextlib
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from stormpath_app import Account
from stormpath_app.database import database
from stormpath_app.models import LoginName
from stormpath_app.models.base import new_id
from stormpath_app.models.search_text import of_account

EMAIL, PASSWORD = "han@falcon.example", "Woot1Loves.Cookies"
#: What is written at once.
CHUNK = 10_000

#: What is said to a connection that fills: to keep what it changes in memory, and to look at no foreign key.
_QUICK = {
    "sqlite": ["PRAGMA cache_size = -250000", "PRAGMA synchronous = OFF", "PRAGMA foreign_keys = OFF"],
    "postgresql": ["SET maintenance_work_mem = '500MB'", "SET session_replication_role = replica"],
}
#: A table's indexes and triggers, as far as no constraint makes them.
_BESIDE = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :table AND type <> 'table' AND sql <> ''",
    "postgresql": "SELECT 'index', indexname, indexdef FROM pg_indexes"
    " WHERE tablename = :table AND indexname NOT IN (SELECT conname FROM pg_constraint)",
}


def fill(person: Account, accounts: int) -> None:
    """Write so many others in bulk, with their login names."""
    table = Account.__table__
    with filling(database.engine) as connection:
        row = dict(connection.execute(sa.select(table).where(table.c.id == person.id)).mappings().one())
        with without_indexes(connection, table), without_indexes(connection, LoginName.__table__):
            for some in crowd(row["password_modified_at"], accounts):
                insert(connection, table, some, {name: row[name] for name in row.keys() - some[0].keys()})
            names = sa.select(table.c.directory_id, table.c.email_key, table.c.id).where(table.c.id > person.id)
            keys = ["directory_id", "name_key", "account_id"]
            connection.execute(sa.insert(LoginName).from_select(keys, names.order_by(table.c.email_key)))
            if connection.dialect.name == "sqlite":
                tell("The index of texts")
                ids = "SELECT id FROM stormpath_accounts ORDER BY id"
                connection.exec_driver_sql(f"INSERT OR IGNORE INTO stormpath_search_numbers (account_id) {ids}")
                connection.exec_driver_sql(
                    "INSERT INTO stormpath_search_index (stormpath_search_index) VALUES ('rebuild')"
                )


def crowd(now: datetime, accounts: int) -> Iterator[list[dict[str, Any]]]:
    """Yield what people do not have alike; 21 of them are called Rarebird."""
    draw = random.Random(7)
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in ("a", "e", "i", "o", "u", "an", "ek", "or")]
    given = ["Anakin", "Andor", *("".join(draw.choices(syllables, k=2)).title() for _ in range(400))]
    surnames = ["".join(draw.choices(syllables, k=3)).title() for _ in range(20_000)]
    rare = set(draw.sample(range(accounts), min(accounts, 21)))
    for numbers in chunks("Accounts", accounts):
        some = []
        for number in numbers:
            first, last = draw.choice(given), "Rarebird" if number in rare else draw.choice(surnames)
            email = f"{first}.{last}{number}@{draw.choice(syllables)}.example".lower()
            mine = {"id": new_id(), "email": email, "given_name": first, "surname": last}
            mine["password_modified_at"] = now - timedelta(seconds=number)
            mine["status"] = "UNVERIFIED" if number % 1000 == 999 else "ENABLED"
            some.append(mine | of_account(email, None, first, None, last))
        yield some


# --- Filling ---


@contextlib.contextmanager
def filling(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection that writes quickly, and is closed at the end, as nothing else may be asked by it."""
    with engine.connect() as connection:
        connection.detach()
        for statement in _QUICK[engine.dialect.name]:
            connection.exec_driver_sql(statement)
        yield connection
        connection.commit()


@contextlib.contextmanager
def without_indexes(connection: sa.Connection, table: Any) -> Iterator[None]:
    """Make a table's indexes anew at the end, which is quicker than row by row; what its triggers do is left out."""
    beside = connection.execute(sa.text(_BESIDE[connection.dialect.name]), {"table": table.name}).all()
    for kind, name, _sql in beside:
        connection.exec_driver_sql(f"DROP {kind} {name}")
    yield
    tell(f"Indexes of {table.name}")
    for _kind, _name, sql in beside:
        connection.exec_driver_sql(sql)


def insert(connection: sa.Connection, table: Any, rows: list[dict[str, Any]], alike: dict[str, Any]) -> None:
    """Write rows. What all have alike is in the statement, and not sent with each."""
    literals = {
        name: sa.literal(value, table.c[name].type).compile(connection, compile_kwargs={"literal_binds": True})
        for name, value in alike.items()
    }
    values = {name: sa.literal_column(str(literal)) for name, literal in literals.items()}
    connection.execute(sa.insert(table).values(values), rows)


def tidy(engine: sa.Engine) -> None:
    """Do what a server would do while something is measured."""
    tell("VACUUM")
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql("VACUUM")
        connection.exec_driver_sql("ANALYZE")
    tell("")


def chunks(what: str, count: int) -> Iterator[range]:
    """Yield the numbers below a count, some at a time, and tell how far they are."""
    for first in range(0, count, CHUNK):
        tell(f"{what}: {first:,} of {count:,}")
        yield range(first, min(first + CHUNK, count))


def tell(step: str) -> None:
    """Show what is being done, over what was shown before; "" ends it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{step}", end="", file=sys.stderr, flush=True)
