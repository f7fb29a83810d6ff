"""What is written to the database is noticed, whoever writes it and however, on every database."""

import contextlib
import importlib
import logging

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from stormpath_app import Account, Application, Directory, Group, StormpathManager, clock
from stormpath_app.cache import changes
from stormpath_app.cache.reach import KNOWN
from stormpath_app.cache.shared import ALL
from stormpath_app.database import database, metadata, session
from stormpath_app.installation import set_up
from stormpath_app.models import AccountSession
from stormpath_app.models.group_membership import GroupMembership
from stormpath_app.models.session import confirm, seen
from stormpath_app.transactions import atomic, beside
from tests.conftest import PASSWORD, SECRET_KEY, make_app

LOGINS = AccountSession.__table__
ACCOUNTS = Account.__table__


class Told:
    """A keeper that notes what it is told, in the order of the commits."""

    tenant_id = "tenant"

    def __init__(self):
        self.log, self.can_be_reached = [], True

    def mark(self, of, mark):
        self.log.append(("mark", *sorted(of)))
        return self.can_be_reached

    def renew(self, of, mark=None):
        self.log.append(("renew", *sorted(of)))
        return self.can_be_reached

    def since(self):
        log, self.log = self.log, []
        return log


@pytest.fixture
def told(context):
    told = Told()
    changes.watch(database.engine, told)

    def committed(connection):
        told.log.append(("commit",))

    event.listen(database.engine, "commit", committed)
    yield told
    event.remove(database.engine, "commit", committed)


@pytest.fixture
def han(told):
    han = Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
    told.since()
    return han


def of(told):
    """Return what the keeper was told of, once for each commit that it was told of before and after."""
    told_of = [entry for entry in told.since() if entry != ("commit",)]
    marked, renewed = told_of[::2], told_of[1::2]
    assert [("renew", *mark[1:]) for mark in marked] == renewed
    return [set(mark[1:]) for mark in marked]


def test_the_tables_that_are_watched_are_those_whose_changes_sqlite_logs():
    migration = importlib.import_module("stormpath_app.migrations.versions.0020_cache")
    assert {table: column for table, (column, _events) in migration.OF_ACCOUNTS.items()} == changes.OF_ACCOUNTS
    assert set(migration.OF_ALL) == changes.OF_ALL
    everything = {**{table: events for table, (_c, events) in migration.OF_ACCOUNTS.items()}, **migration.OF_ALL}
    assert {table for table, events in everything.items() if "INSERT" not in events} == changes._NEW_IS_NO_CHANGE
    for table, column in changes.OF_ACCOUNTS.items():
        assert column in metadata.tables[table].c


# --- Verbs ---


def test_a_change_is_told_before_the_commit_and_after_it(told, han):
    han.given_name = "Henry"
    han.save()
    assert told.since() == [("mark", han.id), ("commit",), ("renew", han.id)]


def test_what_a_verb_changes_of_one_account_is_told_as_of_that_account(told, han):
    group = Group(name="crew", directory_id=han.directory_id)
    with atomic() as current:
        current.add(group)
    told.since()
    for verb in (
        lambda: han.change_password(PASSWORD, f"{PASSWORD}2"),
        lambda: group.add_account(han),
        lambda: group.remove_account(han),
        han.lock_down,
        lambda: setattr(han, "status", "ENABLED") or han.save(),
    ):
        verb()
        assert set().union(*of(told)) == {han.id}, verb


def test_what_a_verb_changes_of_all_is_told_as_of_all(told, han):
    directory, application = session.get(Directory, han.directory_id), Application.current()
    for verb in (
        lambda: setattr(directory, "description", "of the ship") or directory.save(),
        lambda: setattr(application, "description", "of the ship") or application.save(),
        lambda: (
            setattr(directory.password_policy.strength, "min_length", 12) or directory.password_policy.strength.save()
        ),
    ):
        verb()
        assert set().union(*of(told)) == {ALL}, verb


def test_a_deleted_account_is_told_as_one(told, han):
    their_id = han.id
    han.delete()
    assert set().union(*of(told)) == {their_id}


def test_a_new_account_and_its_login_change_nothing_that_is_kept_of_others(told):
    leia = Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    with atomic():
        AccountSession.start(leia.id, Application.current().id, remembered=True)
    assert set().union(*of(told)) <= {leia.id}


def test_many_accounts_written_at_once_are_told_one_by_one(told, han):
    leia = Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    told.since()
    with atomic() as current:
        for account in (han, leia):
            account.middle_name = "X"
            account.save()
        current.flush()
    assert of(told) == [{han.id, leia.id}]


# --- Statements ---

STATEMENTS = {
    "the account by its id": (sa.update(Account).where(Account.id == "one").values(middle_name="X"), {"one"}),
    "a table's": (sa.update(ACCOUNTS).where(ACCOUNTS.c.id == "one").values(middle_name="X"), {"one"}),
    "and more": (sa.update(Account).where(Account.id == "one", Account.version > 7).values(middle_name="X"), {"one"}),
    "several ids": (sa.update(Account).where(Account.id.in_(["one", "two"])).values(middle_name="X"), {"one", "two"}),
    "one or another": (
        sa.update(Account).where(sa.or_(Account.id == "one", Account.version > 7)).values(middle_name="X"),
        {ALL},
    ),
    "all but one": (sa.delete(Account).where(Account.id != "one"), {ALL}),
    "no condition": (sa.delete(AccountSession), {ALL}),
    "by a name": (sa.delete(Account).where(Account.email == "one"), {ALL}),
    "another table's column": (
        sa.delete(AccountSession).where(
            AccountSession.account_id.in_(sa.select(Account.id).where(Account.id == "one"))
        ),
        {ALL},
    ),
    "the logins of an account": (sa.delete(AccountSession).where(AccountSession.account_id == "one"), {"one"}),
    "a login": (sa.delete(AccountSession).where(AccountSession.id == "one"), {ALL}),
    "a login of whom we are told": (
        sa.delete(AccountSession).where(AccountSession.id == "one").execution_options(stormpath_about=["two"]),
        {"two"},
    ),
    "what is told to be of nobody": (sa.delete(AccountSession).execution_options(stormpath_about=()), None),
    "when a login was seen, which can end it": (
        sa.update(AccountSession).where(AccountSession.id == "one").values(last_seen_at=sa.func.now()),
        {ALL},
    ),
    "an id that is not in a list": (sa.delete(AccountSession).execution_options(stormpath_about="two"), {ALL}),
    "ids that are none": (sa.delete(AccountSession).execution_options(stormpath_about=["two", None]), {ALL}),
    "memberships of an account": (sa.delete(GroupMembership).where(GroupMembership.account_id == "one"), {"one"}),
    "groups": (sa.update(Group).where(Group.id == "one").values(description="X"), {ALL}),
    "a text": (sa.text("UPDATE stormpath_accounts SET middle_name = 'X' WHERE id = 'one'"), {ALL}),
    "small letters": (sa.text("\n  delete from stormpath_account_sessions where id = 'one'"), {ALL}),
    "a comment before": (sa.text("/* a page */ DELETE FROM stormpath_account_sessions"), {ALL}),
    "another table": (sa.text("UPDATE stormpath_outbox_messages SET status = 'X'"), None),
    "a table that is called alike": (sa.text("DELETE FROM stormpath_accounts_custom_data WHERE 1 = 0"), None),
    "what is only read": (sa.select(Account.id), None),
    "a text that reads": (sa.text("SELECT id FROM stormpath_accounts"), None),
}


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "text",
    [
        "UPDATE STORMPATH_ACCOUNTS SET middle_name = 'X'",
        'DELETE FROM "Stormpath_Account_Sessions"',
    ],
)
def test_names_of_tables_count_however_they_are_written(told, text):
    with database.engine.begin() as connection:
        connection.exec_driver_sql(text)
    assert of(told) == [{ALL}]


def test_a_text_of_several_statements_is_more_than_its_first(told, dialect):
    if dialect == "sqlite":
        pytest.skip("SQLite's driver takes one")
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO stormpath_accounts SELECT * FROM stormpath_accounts WHERE 1 = 0;"
            " DELETE FROM stormpath_accounts"
        )
    assert of(told) == [{ALL}]


def test_that_a_login_was_seen_or_its_new_secret_shown_is_no_change(told, han):
    seen(database.engine, "one", clock.now(), clock.now())
    confirm("one", clock.now())
    assert told.since() == [("commit",)] * 2


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_tells_whose_rows_it_changes(told, name):
    statement, expected = STATEMENTS[name]
    session.execute(statement, execution_options={"synchronize_session": False} if statement.is_dml else {})
    session.commit()
    assert of(told) == ([] if expected is None else [expected])


def test_on_mariadb_they_tell_the_same(mariadb_server, tmp_path):
    app = make_app(tmp_path, STORMPATH_DATABASE_URI=mariadb_server.new_database())
    with app.app_context():
        set_up(app)
        told = Told()
        changes.watch(database.engine, told)
        for name, (statement, expected) in STATEMENTS.items():
            session.execute(statement, execution_options={"synchronize_session": False} if statement.is_dml else {})
            session.commit()
            assert of(told) == ([] if expected is None else [expected]), name
        han = Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
        crew = session.get(Directory, han.directory_id).groups.create({"name": "crew"})
        told.since()
        crew.add_account(han)
        crew.remove_account(han)
        assert of(told) == [{han.id}] * 2
        told.can_be_reached = False
        han.middle_name = "X"
        han.save()
        assert generation(app) != 0
        database.engine.dispose()


def test_the_parameters_of_many_executions_are_all_told_and_not_those_of_the_first_time(told):
    statement = sa.delete(LOGINS).where(LOGINS.c.account_id == sa.bindparam("whose"))
    with database.engine.begin() as connection:
        connection.execute(statement, {"whose": "one"})
    with database.engine.begin() as connection:
        connection.execute(statement, [{"whose": "two"}, {"whose": "three"}])
    assert of(told) == [{"one"}, {"two", "three"}]


def test_new_memberships_are_told_as_of_their_accounts_also_many_at_once(told, han):
    people = [Account.create(f"{name}@falcon.example", PASSWORD, name, "X") for name in ("a", "b", "c")]
    group = Group(name="crew", directory_id=han.directory_id)
    with atomic() as current:
        current.add(group)
    told.since()
    with atomic() as current:
        current.add_all([GroupMembership(account_id=person.id, group_id=group.id) for person in people])
    assert of(told) == [{person.id for person in people}]


@pytest.mark.parametrize(
    "upsert",
    [
        "INSERT INTO stormpath_accounts (id) SELECT 'x' WHERE 1 = 0 ON CONFLICT (id) DO UPDATE SET id = 'x'",
        "INSERT OR REPLACE INTO stormpath_accounts (id) SELECT 'x' WHERE 1 = 0",
        "REPLACE INTO stormpath_accounts (id) SELECT 'x' WHERE 1 = 0",
        "WITH x AS (SELECT 1) DELETE FROM stormpath_accounts WHERE 1 = 0",
    ],
)
@pytest.mark.sqlite
def test_a_row_that_may_take_the_place_of_another_is_a_change(told, upsert):
    with contextlib.suppress(SQLAlchemyError), database.engine.begin() as connection:
        connection.exec_driver_sql(upsert)
    assert set().union(*of_any(told)) == {ALL}


def of_any(told):
    return [set(entry[1:]) for entry in told.since() if entry != ("commit",)]


# --- Transactions ---


def test_every_way_to_commit_is_noticed(told, han):
    statement = sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X")
    with database.engine.begin() as connection:
        connection.execute(statement)
    assert of(told) == [{han.id}]
    with database.engine.connect() as connection:
        connection.execute(statement)
        connection.commit()
    assert of(told) == [{han.id}]
    with beside() as connection:
        connection.execute(statement)
    assert of(told) == [{han.id}]
    with Session(database.engine) as another, another.begin():
        another.execute(statement)
    assert of(told) == [{han.id}]


def test_a_connection_that_is_kept_is_told_of_with_its_next_transaction(told, han):
    statement = sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X")
    with database.engine.connect() as connection:
        for _time in range(2):
            connection.execute(statement)
            connection.commit()
        connection.execute(sa.select(1))
        assert told.since() == [("mark", han.id), ("commit",), ("renew", han.id)] * 2


def test_what_was_rolled_back_is_not_marked_and_may_get_new_stamps(told, han):
    with database.engine.connect() as connection:
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
        connection.rollback()
    assert told.since() == [("renew", han.id)]


def test_what_a_savepoint_took_back_is_told_too(told, han):
    with database.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        savepoint = connection.begin_nested()
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
        savepoint.rollback()
    assert of(told) == [{han.id}]


def test_where_every_statement_commits_by_itself_it_is_told_before_it_runs(told, han):
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
        assert told.log == [("mark", han.id)]
    assert told.since() == [("mark", han.id), ("renew", han.id)]


def test_a_commit_in_two_steps_is_told_before_the_first(told, han, dialect):
    if dialect == "sqlite":
        pytest.skip("SQLite has none")
    with database.engine.connect() as connection:
        transaction = connection.begin_twophase()
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
        transaction.prepare()
        assert told.log == [("mark", han.id)]
        transaction.commit()
    assert told.since() == [("mark", han.id), ("renew", han.id)]


def test_a_connection_that_is_lost_while_it_commits_leaves_its_marks(told, han, monkeypatch):
    dialect = database.engine.dialect

    def lose(_connection):
        raise dialect.loaded_dbapi.OperationalError("gone")

    monkeypatch.setattr(dialect, "do_commit", lose)
    monkeypatch.setattr(dialect, "is_disconnect", lambda *_error: True)
    with pytest.raises(SQLAlchemyError), database.engine.begin() as connection:
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
    assert told.since() == [("mark", han.id), ("commit",)]


def generation(app):
    with database.engine.connect() as connection:
        return connection.execute(KNOWN).one().n


def test_a_writer_that_cannot_reach_the_store_raises_the_generation_with_its_change(told, han, context):
    before = generation(context)
    told.can_be_reached = False
    han.given_name = "Henry"
    han.save()
    assert generation(context) != before
    assert session.scalar(sa.select(Account.given_name).where(Account.id == han.id)) == "Henry"
    with database.engine.connect() as connection:
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
        connection.rollback()
    assert generation(context) != before


def test_so_does_one_whose_statements_commit_by_themselves(told, han, context):
    before = generation(context)
    told.can_be_reached = False
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
    assert generation(context) != before


def test_a_generation_that_cannot_be_raised_keeps_nobody_from_committing(told, han, context, caplog):
    told.can_be_reached = False
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE stormpath_cache_generation RENAME TO gone")
    told.since()
    han.given_name = "Henry"
    with caplog.at_level(logging.ERROR):
        han.save()
    assert "could not be told of a change" in caplog.text
    with database.engine.begin() as connection:
        assert connection.scalar(sa.select(Account.given_name).where(Account.id == han.id)) == "Henry"
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO stormpath_cache_generation")


def test_a_mistake_of_ours_keeps_nobody_from_committing(told, han, monkeypatch, caplog):
    def fail(*_arguments):
        raise ZeroDivisionError

    for method in ("mark", "renew"):
        monkeypatch.setattr(told, method, fail)
    han.given_name = "Henry"
    han.save()
    monkeypatch.setattr(changes, "changed", fail)
    han.middle_name = "X"
    han.save()
    assert session.scalar(sa.select(Account.middle_name).where(Account.id == han.id)) == "X"
    assert caplog.text.count("could not be told of a change") >= 3


# --- Engines ---


def test_an_engine_that_is_not_the_apps_is_none_of_ours(told, han, outside):
    with outside.begin() as connection:
        connection.execute(sa.update(ACCOUNTS).where(ACCOUNTS.c.id == han.id).values(middle_name="X"))
    assert told.since() == []


def test_an_engine_is_of_its_app_where_another_is_current_or_none(app, instance, monkeypatch):
    other = make_app(instance)
    made = []
    monkeypatch.setattr(changes, "make", lambda engine: made.append(database.app_of(engine)))
    with app.app_context():
        engine = database.engine
    change = sa.update(ACCOUNTS).values(middle_name="X")
    with engine.begin() as connection:
        connection.execute(change)
    with other.app_context(), engine.begin() as connection:
        connection.execute(change)
    assert made == [app, app]
    assert database.app_of(sa.create_engine("sqlite://")) is None


@pytest.mark.parametrize("settings", [{"STORMPATH_CACHE": {"store": "redis"}}])
def test_a_keeper_is_made_by_a_write_outside_an_app_context(instance, settings):
    app = make_app(instance, **settings)
    with app.app_context():
        engine = database.engine
    with engine.begin() as connection:
        changes.make(connection.engine)
    assert engine in changes._keepers


@pytest.mark.sqlite
def test_a_hosts_own_session_is_noticed_and_its_other_tables_are_none_of_ours(tmp_path, monkeypatch):
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
    app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/host.db")
    db = SQLAlchemy(app)
    StormpathManager(app, db=db)

    class Ship(db.Model):
        id = db.Column(db.Integer, primary_key=True)

    with app.app_context():
        db.create_all()
        set_up(app)
        told = Told()
        monkeypatch.setattr(changes, "make", lambda _engine: changes.watch(database.engine, told))
        han = Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
        their_id = han.id
        told.since()
        db.session.add(Ship())
        db.session.commit()
        assert told.since() == []
        db.session.add(Ship())
        db.session.get(Account, their_id).given_name = "Henry"
        db.session.get(Account, their_id).save()
        db.session.execute(sa.delete(AccountSession).where(AccountSession.account_id == their_id))
        db.session.commit()
        assert {their_id} == set().union(*of(told))
        db.engine.dispose()
