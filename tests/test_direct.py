"""What is asked with every request, by the driver's own way: the row is the one that SQLAlchemy would return."""

import logging
import socket
from datetime import UTC, datetime

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.exc import OperationalError, ProgrammingError

from stormpath_app import Account, direct, login_required, user
from stormpath_app.database import database
from stormpath_app.direct import Direct
from stormpath_app.models import AccountSession

from .conftest import PASSWORD, token

#: A row with what is read by a type: a moment, a bool, and none at all.
FIND = Direct(
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
    gone, by_sqlalchemy = [], Direct._by_sqlalchemy

    def note(self, *how):
        gone.append(self)
        return by_sqlalchemy(self, *how)

    monkeypatch.setattr(Direct, "_by_sqlalchemy", note)
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
    assert usual_way == []


def test_what_the_database_refuses_is_an_error_of_sqlalchemys_and_not_asked_again(context, usual_way):
    missing = Direct(sa.select(sa.column("a")).select_from(sa.table("stormpath_nothing")))
    with pytest.raises((OperationalError, ProgrammingError), match="stormpath_nothing"):  # as the driver has it
        missing.first({})
    assert FIND.first({"account_id": "nobody"}) is None
    assert usual_way == []


def test_who_listens_to_errors_hears_of_them(context):
    heard = []

    def note(failed):
        heard.append(failed.statement)

    sa.event.listen(database.engine, "handle_error", note)
    try:
        with pytest.raises((OperationalError, ProgrammingError)):
            Direct(sa.select(sa.column("a")).select_from(sa.table("stormpath_nothing"))).first({})
    finally:
        sa.event.remove(database.engine, "handle_error", note)
    (statement,) = heard
    assert "stormpath_nothing" in statement


def test_what_a_host_sets_at_the_begin_of_each_transaction_is_set_for_it(han):
    begun = []

    def note(connection):
        begun.append(connection)

    sa.event.listen(database.engine, "begin", note)
    try:
        FIND.first({"account_id": han.id})
    finally:
        sa.event.remove(database.engine, "begin", note)
    assert len(begun) == 1


def test_a_host_that_asks_each_connection_something_first_breaks_nothing(han):
    def ask(connection):
        connection.execute(sa.select(1))

    sa.event.listen(database.engine, "engine_connect", ask)
    try:
        assert FIND.first({"account_id": han.id})[0] == "han@falcon.example"
    finally:
        sa.event.remove(database.engine, "engine_connect", ask)
    assert database.engine.pool.checkedout() == 0


class Ended(BaseException):
    """What ends a greenlet in the middle of its work."""


def test_who_is_ended_in_the_middle_leaves_nothing_behind(han, monkeypatch):
    def end(*_how):
        raise Ended

    with monkeypatch.context() as patched:
        patched.setattr(direct._Compiled, "first", end)
        with pytest.raises(Ended):
            FIND.first({"account_id": han.id})
    assert database.engine.pool.checkedout() == 0
    assert FIND.first({"account_id": han.id})[0] == "han@falcon.example"


def test_an_engine_with_its_tables_in_another_schema_is_asked_for_those(han, monkeypatch):
    engine = database.engine.execution_options(schema_translate_map={None: "elsewhere"})
    monkeypatch.setitem(database.engines, None, engine)
    with pytest.raises((OperationalError, ProgrammingError), match="elsewhere"):
        FIND.first({"account_id": han.id})


@pytest.fixture
def sent(app, monkeypatch):
    """Return a list of what drivers are sent, whichever way it goes."""
    texts = []
    with app.app_context():
        engine = database.engine
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "checkout", lambda driver, *_more: driver.set_trace_callback(texts.append))
    else:
        execute = psycopg.Cursor.execute

        def note(cursor, text, *more, **how):
            texts.append(text)
            return execute(cursor, text, *more, **how)

        monkeypatch.setattr(psycopg.Cursor, "execute", note)
    return texts


def test_a_page_sends_the_driver_one_statement_where_nothing_is_kept(app, client, sent, usual_way):
    app.config.update(STORMPATH_CACHE=False, LOGIN_DISABLED=False)
    app.add_url_rule("/name", "name", login_required(lambda: user.given_name))
    with app.app_context():
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
    client.post("/login", data={"csrf_token": token(client), "login": "han@falcon.example", "password": PASSWORD})
    for _page in range(3):
        sent.clear()
        assert client.get("/name").text == "Han"
        (statement,) = sent
        assert "stormpath_account_sessions" in statement
    assert usual_way == []


def test_no_connection_is_kept_and_no_transaction_left_open(han):
    for _ in range(20):  # more than the pool has
        FIND.first({"account_id": han.id})
    pool = database.engine.pool
    assert pool.checkedout() == 0
    with database.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert getattr(driver, "autocommit", None) is not True
        assert connection.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 0
