"""The history of our tables: what people have in them comes through every step, up and down, on every database."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from stormpath_app import migrations
from stormpath_app.database import database
from stormpath_app.installation import downgrade_schema, schema_revision, set_up, upgrade_schema

from .conftest import make_app

#: All revisions, the oldest first: those that are made later are tried too.
REVISIONS = [
    script.revision for script in ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions("base", "heads")
][::-1]
MOMENT = datetime(2026, 11, 24, 12, 0, 0, 123456)  # noqa: DTZ001 - most databases have no zones
#: A value for each type; a longer text may be JSON, and this is.
VALUES = {
    bool: False,
    datetime: MOMENT,
    date: MOMENT.date(),
    bytes: b"some",
    dict: {},
    object: {},
    float: 0.5,
    Decimal: Decimal(5),
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def app(request, tmp_path):
    """Return an app on an empty database; its context is open."""
    uri = None if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_server").new_database()
    app = make_app(tmp_path, STORMPATH_DATABASE_URI=uri)
    with app.app_context():
        yield app
        database.engine.dispose()


def tables():
    """Return our tables, as they are at this revision, those that others point at first."""
    found = sa.MetaData()
    # The index of texts is the database's to fill.
    found.reflect(database.engine, only=lambda name, _: migrations.is_of_the_models(name, "table"))
    return [table for table in found.sorted_tables if table.name != migrations.VERSION_TABLE]


def value(column, number, rows):
    """Return what the column of the row with this number has: where it points, the row with that number."""
    for key in column.foreign_keys:
        return rows.get((key.column.table.name, number), {}).get(key.column.name)
    kind = column.type.python_type
    if kind is int:
        return number
    if kind is str:
        return f"{number}-{column.name}"[: column.type.length] if column.type.length else "{}"
    return MOMENT.replace(tzinfo=UTC) if getattr(column.type, "timezone", False) else VALUES[kind]


def versions_of(table, number, rows):
    """Yield a row of the table: full; where its rules forbid that, with less and less of what may be missing."""
    row = {column.name: value(column, number, rows) for column in table.columns if column.computed is None}
    optional = [column.name for column in table.columns if column.nullable]
    pointing = [column.name for column in table.columns if column.nullable and column.foreign_keys]
    for without in ([], *([name] for name in pointing), pointing, optional):
        yield {name: found for name, found in row.items() if name not in without}


def insert(connection, table, number, rows):
    for row in versions_of(table, number, rows):
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(table), row)
            return row
        except (sa.exc.IntegrityError, sa.exc.OperationalError) as error:  # as MariaDB calls a CHECK
            refused = error
    raise AssertionError(f"No row fits into {table.name}") from refused


def fill():
    """Put a row into each table, beside those of earlier revisions; return them: table and number -> row."""
    number, rows = REVISIONS.index(schema_revision()) + 1, {}
    with database.engine.begin() as connection:
        for table in tables():
            rows[table.name, number] = insert(connection, table, number, rows)
    return rows


def assert_kept(rows):
    """Look for each row by its primary key; the columns that are still there have what they had."""
    now = {table.name: table for table in tables()}
    with database.engine.connect() as connection:
        for (name, _number), row in rows.items():
            table = now[name]
            same = [column == row[column.name] for column in table.primary_key]
            found = connection.execute(sa.select(table).where(*same)).mappings().one_or_none()
            assert found is not None, f"a row of {name} is gone: {row}"
            assert {key: found[key] for key in row.keys() & found.keys()} == {
                key: row[key] for key in row.keys() & found.keys()
            }
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_a_site_of_any_revision_has_is_there_after_one_upgrade(app, revision):
    upgrade_schema(revision)
    rows = fill()
    upgrade_schema()
    assert schema_revision() == migrations.newest()
    assert_kept(rows)


def test_rows_come_through_every_step_up_and_down_and_up_again(app):
    rows = {}
    for revision in REVISIONS:
        upgrade_schema(revision)
        assert_kept(rows)
        rows |= fill()
    for number, revision in reversed(list(enumerate(REVISIONS[:-1], start=1))):
        downgrade_schema(revision)
        rows = {key: row for key, row in rows.items() if key[1] <= number}  # what was made later may need what goes
        assert_kept(rows)
    upgrade_schema()
    assert_kept(rows)
    downgrade_schema("base")
    assert tables() == []
    set_up(app)
    assert schema_revision() == migrations.newest()
