"""The database: transactions, what is told after them, and the engine."""

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from stormpath_app import Account, Application, StormpathManager
from stormpath_app.database import database, session
from stormpath_app.installation import set_up
from stormpath_app.models import Tenant
from stormpath_app.signals import user_created, user_updated
from stormpath_app.transactions import announce, atomic, is_atomic, release

from .conftest import PASSWORD, make_app


@pytest.fixture
def tenant(context):
    return Tenant.current()


@pytest.fixture
def stored(context, outside):
    """Return a function that reads the tenant's name past the app."""

    def read():
        with outside.connect() as connection:
            return connection.scalar(sa.select(Tenant.name))

    return read


def rename(tenant, name="Ours"):
    tenant.name = name
    tenant.save()


@pytest.fixture
def heard(context):
    """Return what a receiver of user_updated heard."""
    found = []

    def hear(_sender, **payload):
        found.append(payload)

    with user_updated.connected_to(hear, context):
        yield found


# --- Transactions ---


def test_what_is_changed_in_a_block_is_there_at_its_end(tenant, stored):
    with atomic():
        rename(tenant)
    assert stored() == "Ours"


def rename_and_fail(tenant, error=ValueError):
    with atomic():
        rename(tenant)
        announce(user_updated, dict)
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_block_that_raises_changes_nothing_and_tells_nobody(tenant, stored, heard, error):
    with pytest.raises(error):
        rename_and_fail(tenant, error)
    assert not is_atomic()
    with atomic():
        pass
    assert stored() == "My Tenant"
    assert heard == []


def test_a_block_inside_another_is_there_when_that_one_ends(tenant, stored):
    with atomic() as outer:
        with atomic() as inner:
            rename(tenant)
        assert inner is outer
        assert is_atomic()
        assert stored() == "My Tenant"
    assert not is_atomic()
    assert stored() == "Ours"


def test_an_error_after_a_block_inside_undoes_that_one_too(tenant, stored):
    with contextlib.suppress(ValueError), atomic():
        with atomic():
            rename(tenant)
        raise ValueError
    assert stored() == "My Tenant"


def test_the_database_takes_changes_again_after_an_error(tenant, stored):
    with pytest.raises(sa.exc.IntegrityError), atomic() as current:
        current.add(Tenant(name="Twin", key=tenant.key))
    with atomic():
        rename(tenant)
    assert stored() == "Ours"


def test_slow_work_can_be_done_with_no_transaction_open_and_nothing_is_written_by_that(tenant, stored):
    release()
    assert not session().in_transaction()
    tenant.name = "Not saved"
    release()
    assert stored() == "My Tenant"


def test_what_was_left_unsaved_ends_with_the_app_context(app, stored):
    with app.app_context():
        Tenant.current().name = "Not saved"
    with app.app_context():
        assert Tenant.current().name == "My Tenant"


# --- What is told after the commit ---


def test_a_signal_comes_when_the_change_is_there_to_stay(tenant, stored, context):
    def hear(_sender):
        found.append((stored(), is_atomic()))

    found = []
    with user_updated.connected_to(hear, context):
        with atomic():
            rename(tenant)
            announce(user_updated, dict)
            with atomic():
                announce(user_updated, dict)
            assert found == []
        assert found == [("Ours", False)] * 2


def test_a_receiver_that_fails_is_logged_and_undoes_nothing(tenant, stored, heard, context, caplog):
    def fail(_sender, **_payload):
        raise RuntimeError("a receiver's own mistake")

    with user_created.connected_to(fail, context), atomic():
        rename(tenant)
        announce(user_created, dict)
        announce(user_updated, lambda: {"user": "told all the same"})
    assert stored() == "Ours"
    assert heard == [{"user": "told all the same"}]
    assert "a receiver's own mistake" in caplog.text


def test_a_receiver_may_change_things_itself(tenant, stored, context):
    def rename_it(_sender):
        with atomic():
            rename(tenant, "By the receiver")

    with user_updated.connected_to(rename_it, context), atomic():
        announce(user_updated, dict)
    assert stored() == "By the receiver"


# --- The engine ---


@pytest.fixture
def make(tmp_path):
    """Return a function that makes an app, not set up, and forgets its connections after the test."""
    made = []

    def make(**settings):
        made.append(make_app(tmp_path / "elsewhere", **settings))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            if app in database._app_engines:
                database.engine.dispose()


def test_the_database_is_the_one_that_the_settings_name_at_first_use(make, tmp_path):
    app = make()
    app.config["STORMPATH_DATABASE_URI"] = f"sqlite:///{tmp_path}/later.db"
    set_up(app)
    with app.app_context():
        assert database.engine.url.database == f"{tmp_path}/later.db"
        assert database.engine is database.engine


def test_a_relative_file_is_in_the_instance_folder(make, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    app = make(STORMPATH_DATABASE_URI="sqlite:///accounts.db")
    set_up(app)
    with app.app_context():
        assert database.engine.url.database == f"{tmp_path}/elsewhere/accounts.db"


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_sets_itself_up_and_lives_as_long_as_the_app(make, uri):
    app = make(STORMPATH_DATABASE_URI=uri)
    with app.app_context():
        Account.create("han@falcon.example", PASSWORD)
    with app.app_context():
        assert [account.email for account in Application.current().accounts] == ["han@falcon.example"]


def test_only_a_lock_is_waited_for_when_a_file_is_opened(make, tmp_path, monkeypatch):
    file = tmp_path / "readonly.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it waits for what will not change"))
    app = make(STORMPATH_DATABASE_URI=f"sqlite:///file:{file}?mode=ro&uri=true")
    with app.app_context(), pytest.raises(sa.exc.OperationalError, match="readonly"):
        database.engine.connect()


@pytest.mark.sqlite
def test_our_file_lets_readers_pass_writers_and_keeps_references_whole(context):
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_reads_pass_while_somebody_writes(client, account, log_in, outside):
    log_in(client)
    with outside.connect() as writer:
        writer.execute(sa.update(Account.__table__).values(given_name="Nobody"))
        assert client.get("/secret").text == "Hello Han"
        writer.rollback()


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_hosts_own_flask_sqlalchemy_keeps_its_place_and_its_data(instance, order):
    app = Flask("host", instance_path=str(instance))
    app.config.update(TESTING=True, STORMPATH_BCRYPT_COST=4, SQLALCHEMY_DATABASE_URI="sqlite://")
    app.config.from_pyfile(str(instance / "config.py"), silent=True)
    theirs = SQLAlchemy()
    joining = [theirs.init_app, StormpathManager().init_app]
    for init_app in joining if order == "before" else reversed(joining):
        init_app(app)
    assert app.extensions["sqlalchemy"] is theirs
    with app.app_context():
        theirs.session.execute(sa.text("CREATE TABLE ships (name)"))
        Account.create("han@falcon.example", PASSWORD)
        assert sa.inspect(theirs.session.connection()).get_table_names() == ["ships"]
        assert not sa.inspect(database.engine).has_table("ships")
    with app.app_context():
        theirs.engine.dispose()
        database.engine.dispose()


def test_a_moment_is_utc_to_the_microsecond_whatever_zone_it_was_written_in(tenant, app):
    tenant.created_at = datetime(2026, 11, 24, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    tenant.save()
    with app.app_context():
        assert Tenant.current().created_at == datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
        assert Tenant.current().created_at.tzinfo is UTC
