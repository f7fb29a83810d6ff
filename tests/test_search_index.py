"""The index of texts: what a migration makes of it where it may, and that nothing depends on it."""

import sqlite3

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application
from stormpath_app.database import database
from stormpath_app.installation import downgrade_schema, set_up, upgrade_schema
from stormpath_app.models import Client

from .conftest import PASSWORD, make_app, statements

BEFORE = "0005"
CREATE_VIRTUAL_TABLE = 29  # SQLite's SQLITE_CREATE_VTABLE


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def app(request, tmp_path):
    """Return an app on a database of its own, set up."""
    uri = None if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_server").new_database()
    yield from opened(make_app(tmp_path, STORMPATH_DATABASE_URI=uri))


@pytest.fixture
def sqlite_without_fts5(tmp_path, monkeypatch):
    """Return an app on an SQLite that knows no virtual tables."""
    made = sqlite3.connect

    def connect(*args, **kwargs):
        connection = made(*args, **kwargs)
        connection.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == CREATE_VIRTUAL_TABLE else sqlite3.SQLITE_OK
        )
        return connection

    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect)
    monkeypatch.setattr(sqlite3, "connect", connect)
    yield from opened(make_app(tmp_path))


@pytest.fixture
def postgresql_as_a_guest(postgresql_server, tmp_path):
    """Return an app on a PostgreSQL where it may make tables, and no extension."""
    url = postgresql_server.new_database()
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS guest")
        connection.exec_driver_sql("CREATE ROLE guest LOGIN")
        connection.exec_driver_sql("GRANT ALL ON SCHEMA public TO guest")
    guest = sa.make_url(url).set(username="guest").render_as_string()
    yield from opened(make_app(tmp_path, STORMPATH_DATABASE_URI=guest))
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP OWNED BY guest")
        connection.exec_driver_sql("DROP ROLE guest")
    engine.dispose()


def opened(app):
    set_up(app)
    with app.app_context():
        yield app
    with app.app_context():
        database.engine.dispose()


def create():
    Account.create("leia@alderaan.example", PASSWORD, "Léia", "Organa")
    Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="captain", middle_name="Leiam")


def found(wanted):
    return "".join(account.email[0] for account in Application.current().accounts.search(wanted))


def check():
    """Look for those two in each way."""
    assert [found(text) for text in ("LEIA", "le", "eia", "captain", "exam", "zzz")] == [
        "lh",
        "lh",
        "lh",
        "h",
        "lh",
        "",
    ]
    assert [found({"given_name": text}) for text in ("leia", "léia", "l*", "*n*")] == ["", "l", "l", "h"]
    assert [found({"middle_name": text}) for text in ("leiam", "*iam", "lei*")] == ["h", "h", "h"]
    assert found({"username": "LEIA@alderaan.example"}) == "l"


def is_there():
    with database.engine.connect() as connection:
        inspector = sa.inspect(connection)
        indexes = {index["name"] for index in inspector.get_indexes("stormpath_accounts")}
        return "stormpath_search_index" in indexes | set(inspector.get_table_names())


def test_accounts_of_the_version_before_are_found_after_an_upgrade(app):
    create()
    Client().directories.create(name="Empire", description="Those who strike back")
    downgrade_schema(BEFORE)
    assert not is_there()
    assert not [name for name in columns("stormpath_accounts") if name.endswith(("_key", "search_text"))]
    upgrade_schema()
    assert is_there() == (database.engine.dialect.name != "mysql")
    check()
    assert [one.name for one in Client().directories.search("strike")] == ["Empire"]
    Account.create("lando@cloud.example", PASSWORD, "Lando")
    assert found("lando") == "l"


def columns(table):
    return [column["name"] for column in sa.inspect(database.engine).get_columns(table)]


def test_a_downgrade_loses_nobody(app):
    create()
    downgrade_schema(BEFORE)
    with database.engine.connect() as connection:
        for table, rows in (("accounts", 2), ("login_names", 3), ("applications", 2)):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM stormpath_{table}").scalar() == rows
    upgrade_schema()
    assert Application.current().authenticate_account("captain", PASSWORD)


def test_an_sqlite_without_fts5_answers_alike(sqlite_without_fts5):
    create()
    assert not is_there()
    check()


def test_a_postgresql_that_allows_no_extension_answers_alike(postgresql_as_a_guest):
    create()
    assert not is_there()
    check()


def test_sqlite_looks_for_its_index_once_and_then_asks_it(tmp_path):
    for app in opened(make_app(tmp_path)):
        create()
        accounts = Client().accounts
        accounts.search("leia")[:1]
        with statements(app) as seen:
            accounts.search("leia")[:1]
            len(accounts.search("leia"))
        assert [("MATCH" in statement, "LIKE" in statement) for statement in seen] == [(True, False)] * 2


def test_the_numbers_of_accounts_outlive_a_vacuum(tmp_path):
    for _app in opened(make_app(tmp_path)):
        create()
        Application.current().find_account("leia@alderaan.example").delete()
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
        Account.create("lando@cloud.example", PASSWORD, "Lando")
        assert [account.given_name for account in Client().accounts.search("lan")] == ["Lando"]
        assert [account.given_name for account in Client().accounts.search("captain")] == ["Han"]
        with database.engine.connect() as connection:
            connection.exec_driver_sql(
                "INSERT INTO stormpath_search_index (stormpath_search_index, rank) VALUES ('integrity-check', 1)"
            )
