"""Prepared: what is asked with every request, by the driver's own way; nobody can tell it from SQLAlchemy's."""

import logging
import socket
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.exc import DBAPIError

from stormpath_app import Account, prepared
from stormpath_app.database import database
from stormpath_app.models import AccountSession
from stormpath_app.prepared import Prepared

from .conftest import PASSWORD

#: A row with what is read by a type: a moment, a bool, and none at all.
FIND = Prepared(
    sa.select(
        Account.email_key, Account.created_at, Account.must_change_password, Account.middle_name, Account.version
    ).where(Account.id == bindparam("account_id"), Account.status == "ENABLED")
)


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo")


@pytest.fixture
def usual_way(monkeypatch):
    """Return a list that gets an entry for each time that SQLAlchemy's way was gone."""
    gone, read = [], prepared.read

    def note(ask):
        gone.append(ask)
        return read(ask)

    monkeypatch.setattr(prepared, "read", note)
    return gone


def test_a_row_is_what_sqlalchemy_would_return(han, usual_way):
    row = FIND.first({"account_id": han.id})
    with database.engine.connect() as connection:
        assert row == tuple(connection.execute(FIND.statement, {"account_id": han.id}).one())
    email, created_at, must_change, middle_name, version = row
    assert (email, must_change, middle_name, version) == ("han@falcon.example", False, None, 1)
    assert must_change is False
    assert datetime.now(UTC) > created_at
    assert created_at.tzinfo is UTC
    assert usual_way == []


def test_nothing_is_returned_where_there_is_none_and_a_value_is_never_part_of_the_statement(han):
    for wanted in ("nobody", "", "' OR 1=1 --", "%s", "%(account_id)s", "?", ":account_id"):
        assert FIND.first({"account_id": wanted}) is None


@pytest.mark.parametrize("event", ["before_cursor_execute", "after_cursor_execute", "before_execute", "after_execute"])
def test_who_listens_to_the_engine_hears_of_it_as_of_any_other(han, usual_way, event):
    heard, engine = [], database.engine

    def note(_connection, statement_or_cursor, *_more):
        heard.append(statement_or_cursor)

    sa.event.listen(engine, event, note)
    try:
        assert FIND.first({"account_id": han.id})[0] == "han@falcon.example"
    finally:
        sa.event.remove(engine, event, note)
    assert len(heard) == len(usual_way) == 1
    assert FIND.first({"account_id": han.id})[0] == "han@falcon.example"
    assert len(heard) == len(usual_way) == 1


def test_who_has_statements_logged_reads_of_it(han, caplog, monkeypatch):
    monkeypatch.setattr(database.engine, "echo", True)
    with caplog.at_level(logging.INFO, "sqlalchemy.engine"):
        FIND.first({"account_id": han.id})
    assert "stormpath_accounts" in caplog.text


def test_a_connection_that_was_lost_is_made_anew(han, usual_way):
    pooled = database.engine.raw_connection()
    driver = pooled.dbapi_connection
    pooled.close()
    if database.engine.dialect.name == "sqlite":
        driver.close()
    else:
        with socket.fromfd(driver.fileno(), socket.AF_INET, socket.SOCK_STREAM) as line:
            line.shutdown(socket.SHUT_RDWR)
    assert FIND.first({"account_id": han.id})[0] == "han@falcon.example"
    assert len(usual_way) == 1
    assert FIND.first({"account_id": han.id})[0] == "han@falcon.example"
    assert len(usual_way) == 1


def test_what_the_database_refuses_is_an_error_of_sqlalchemys(context):
    missing = Prepared(sa.select(sa.column("a")).select_from(sa.table("stormpath_nothing")))
    with pytest.raises(DBAPIError, match="stormpath_nothing"):
        missing.first({})
    assert FIND.first({"account_id": "nobody"}) is None


def test_no_connection_is_kept_and_no_transaction_left_open(han):
    for _ in range(20):  # more than the pool has
        FIND.first({"account_id": han.id})
    pool = database.engine.pool
    assert pool.checkedout() == 0
    with database.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert getattr(driver, "autocommit", None) is not True
        assert connection.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 0
