"""Rows in the memory of a process: true at every moment, on a file of SQLite without a statement."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, cache
from stormpath_app.cache.memory_store import ChangeLog, LoggedMemory
from stormpath_app.cache.region import Lifetime, NoKeeper, Region
from stormpath_app.database import database, session
from stormpath_app.models import AccountSession, active_session
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, make_app
from ..servers import PATIENCE

LOGINS = Region("sessions", about=0)
POLICIES = Region("policies")
USUAL = dict.fromkeys(("sessions", "applications", "policies"), Lifetime(300, 300))
HAN, LEIA = ("han", "enabled"), ("leia", "enabled")


@pytest.fixture
def file(tmp_path):
    """Return a file with a log as the migration makes it."""
    with sqlite3.connect(tmp_path / "some.db") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE stormpath_cache_changes (n INTEGER PRIMARY KEY AUTOINCREMENT,"
            " mark BLOB NOT NULL DEFAULT (randomblob(8)), account_id TEXT NOT NULL)"
        )
        connection.execute("INSERT INTO stormpath_cache_changes (account_id) VALUES ('')")
    connection.close()
    return str(tmp_path / "some.db")


@pytest.fixture
def write(file):
    """Return a function that commits changes of these accounts."""
    connection = sqlite3.connect(file)

    def write(*account_ids):
        with connection:
            connection.executemany(
                "INSERT INTO stormpath_cache_changes (account_id) VALUES (?)", [(each,) for each in account_ids]
            )

    yield write
    connection.close()


@pytest.fixture
def memory(file):
    return LoggedMemory(10, USUAL, ChangeLog(file))


def fill(memory, row=HAN, region=LOGINS):
    memory.keep(region, row[0], memory.look(region, row[0])[1], row)


def found(memory, key="han", region=LOGINS):
    return memory.look(region, key)[0]


# --- The log of changes ---


def test_a_row_is_found_until_its_account_changes(memory, write):
    fill(memory)
    fill(memory, LEIA)
    assert (found(memory), found(memory, "leia")) == (HAN, LEIA)
    write("han")
    assert (found(memory), found(memory, "leia")) == (None, LEIA)
    fill(memory)
    assert found(memory) == HAN


def test_what_all_share_makes_every_row_worth_nothing(memory, write):
    fill(memory)
    fill(memory, ("p", 8), POLICIES)
    write("leia")
    assert found(memory, "p", POLICIES) == ("p", 8)
    write("")
    assert (found(memory), found(memory, "p", POLICIES)) == (None, None)


def test_a_row_that_was_read_before_a_change_is_not_kept_after_it(memory, write):
    _row, ticket = memory.look(LOGINS, "han")
    write("han")
    memory.keep(LOGINS, "han", ticket, HAN)
    assert found(memory) is None


def test_what_is_rolled_back_changes_nothing(memory, file):
    fill(memory)
    with sqlite3.connect(file) as connection:
        connection.execute("INSERT INTO stormpath_cache_changes (account_id) VALUES ('han')")
        connection.rollback()
    connection.close()
    assert found(memory) == HAN


def test_who_forgets_everything_while_somebody_asks_tells_them_of_a_change(file):
    log = ChangeLog(file)

    class Forgetful(dict):
        def get(self, account_id, default=None):
            log._forget()
            return super().get(account_id, default)

    log._accounts = Forgetful(han=7)
    assert log.has_changed("han", since=log._times)


def test_who_has_missed_a_part_of_the_log_forgets_everything(memory, write, file):
    fill(memory)
    write("leia", "leia", "leia")
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM stormpath_cache_changes WHERE n < 3")
    connection.close()
    assert found(memory) is None


def test_a_copy_of_the_file_that_is_put_back_is_another_log(memory, write, file, tmp_path):
    with sqlite3.connect(file) as connection, sqlite3.connect(tmp_path / "copy.db") as copy:
        connection.backup(copy)
        write("han")
        fill(memory)
        assert found(memory) == HAN
        copy.backup(connection)
    connection.close()
    copy.close()
    write("leia")  # it has the number that han's change had
    assert found(memory) is None


def test_without_a_log_nothing_is_found_and_nothing_kept(tmp_path):
    memory = LoggedMemory(10, USUAL, ChangeLog(str(tmp_path / "none.db")))
    fill(memory)
    assert found(memory) is None


def test_more_changes_than_are_remembered_are_one_of_all(memory, write, monkeypatch):
    monkeypatch.setattr("stormpath_app.cache.memory_store._MOST_CHANGES", 5)
    fill(memory, LEIA)
    write(*"abcdef")
    assert found(memory, "leia") is None
    fill(memory, LEIA)
    assert found(memory, "leia") == LEIA


def test_a_forked_process_has_a_connection_of_its_own_and_begins_with_nothing(memory, write):
    fill(memory)
    (inherited,) = memory._log._readers
    if (child := os.fork()) == 0:  # what is wrong there is an exit code
        ok = found(memory) is None and inherited not in memory._log._readers
        fill(memory)
        write("leia")
        os._exit(0 if ok and found(memory) == HAN else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert found(memory) == HAN


def test_no_thread_waits_for_another_where_there_is_no_news(memory):
    fill(memory)
    with memory._log._lock, ThreadPoolExecutor(1) as pool:
        assert pool.submit(found, memory).result(PATIENCE) == HAN


def test_who_asks_while_others_do_has_a_connection_of_their_own(memory, write):
    fill(memory)
    others = memory._log._take_reader()
    assert found(memory) == HAN
    (mine,) = memory._log._readers
    assert mine.connection is not others.connection
    memory._log._readers.append(others)
    write("han")
    assert found(memory) is None
    fill(memory)
    assert memory._log._take_reader().connection is others.connection
    assert found(memory) == HAN  # by the one that has not heard of the change yet


def test_connections_that_many_needed_at_once_are_not_all_kept(memory, monkeypatch):
    monkeypatch.setattr("stormpath_app.cache.memory_store._MOST_READERS", 2)
    taken = [memory._log._take_reader() for _ in range(4)]
    for reader in taken:
        memory._log._give_back(reader)
    assert list(memory._log._readers) == taken[:2]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        taken[2].connection.execute("SELECT 1")


def test_many_threads_find_what_is_true(memory, write):
    wrong, ends = [], threading.Event()
    stored = done = 0

    def ask():
        while not ends.is_set():
            before = done
            row, ticket = memory.look(LOGINS, "han")
            if row is None:
                memory.keep(LOGINS, "han", ticket, ("han", stored))
            elif row[1] < before:
                wrong.append((row, before))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 300):
        stored = number
        write("han")
        done = number
    ends.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- How long, and how many ---


@pytest.mark.parametrize(("lifetime", "passes"), [(Lifetime(60, 300), 60), (Lifetime(300, 20), 20)])
def test_a_row_is_kept_for_its_time(file, monkeypatch, lifetime, passes):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    memory = LoggedMemory(10, {**USUAL, "sessions": lifetime}, ChangeLog(file))
    fill(memory)
    now += passes - 1
    assert found(memory) == HAN
    now += 1
    assert (found(memory) is None) == (lifetime.ttl == passes)
    now += passes
    assert found(memory) is None


def test_the_oldest_rows_go_first(file):
    memory = LoggedMemory(2, USUAL, ChangeLog(file))
    for name in ("a", "b", "c"):
        fill(memory, (name, "enabled"))
    assert [found(memory, name) for name in ("a", "b", "c")] == [None, ("b", "enabled"), ("c", "enabled")]


# --- Which there is ---


def test_of_a_database_server_nothing_is_kept_in_memory(context):
    kind = LoggedMemory if database.engine.dialect.name == "sqlite" else NoKeeper
    assert isinstance(cache.keeper(), kind)
    assert cache.keeper() is cache.keeper()


@pytest.mark.parametrize("settings", [{"CACHE": False}, {"DATABASE_URI": "sqlite://"}])
def test_in_memory_databases_and_those_who_want_none_have_no_cache(tmp_path, settings):
    app = make_app(tmp_path, **{f"STORMPATH_{name}": value for name, value in settings.items()})
    with app.app_context():
        assert isinstance(cache.keeper(), NoKeeper)


# --- What the triggers write ---


@pytest.fixture
def han(context):
    """Return an account with a login and a group."""
    han = Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
    han.add_group(han.directory.groups.create(name="crew"))
    return han


def log_in(han):
    with atomic():
        return active_session.start(han, Application.current(), remembered=True)


#: Each change, past all verbs; whether it is of all accounts.
CHANGES = {
    "UPDATE stormpath_accounts SET surname = 'S'": False,
    "DELETE FROM stormpath_accounts": False,
    "UPDATE stormpath_account_sessions SET token_hash = 'x'": False,
    "UPDATE stormpath_account_sessions SET expires_at = '2020-01-01'": False,
    "UPDATE stormpath_account_sessions SET rotations = 7": False,
    "UPDATE stormpath_account_sessions SET id = 'x'": False,
    "UPDATE stormpath_account_sessions SET last_seen_at = '2001-01-01'": False,
    "REPLACE INTO stormpath_accounts SELECT * FROM stormpath_accounts": False,
    "REPLACE INTO stormpath_account_sessions SELECT * FROM stormpath_account_sessions": True,
    "INSERT OR REPLACE INTO stormpath_groups SELECT * FROM stormpath_groups": True,
    "REPLACE INTO stormpath_directories SELECT * FROM stormpath_directories": True,
    "REPLACE INTO stormpath_applications SELECT * FROM stormpath_applications": True,
    "DELETE FROM stormpath_account_sessions": False,
    "UPDATE stormpath_group_memberships SET group_id = group_id": False,
    "DELETE FROM stormpath_group_memberships": False,
    "UPDATE stormpath_groups SET status = 'DISABLED'": True,
    "DELETE FROM stormpath_groups": True,
    "UPDATE stormpath_directories SET status = 'DISABLED'": True,
    "UPDATE stormpath_applications SET status = 'DISABLED'": True,
    "UPDATE stormpath_account_store_mappings SET list_index = list_index": True,
    "DELETE FROM stormpath_account_store_mappings": True,
    "UPDATE stormpath_password_policies SET refuses_common = 0": True,
    "UPDATE stormpath_password_strengths SET min_length = 9": True,
}


@pytest.mark.sqlite
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_a_login_is_in_the_log_whoever_wrote_it(context, han, change):
    log_in(han)
    log = ChangeLog(database.engine.url.database)
    log.newest()
    written = sqlite3.connect(database.engine.url.database)
    written.execute(f"PRAGMA foreign_keys = {'OFF' if 'REPLACE' in change else 'ON'}")  # what goes along is logged
    since = log.newest()
    with written:
        written.execute(change)
    written.close()
    log.newest()
    assert log.has_changed(han.id, since=since)
    assert log.has_changed("another", since=since) == CHANGES[change]


@pytest.mark.sqlite
def test_nothing_is_kept_while_a_table_has_lost_its_triggers(context, han):
    log = ChangeLog(database.engine.url.database)
    before = log.newest()
    with database.engine.begin() as connection:
        triggers = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'stormpath_accounts'"
        ).all()
        for name, _sql in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    assert (log.newest(), log.newest()) == (None, None)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE stormpath_accounts SET status = 'DISABLED'")
        for _name, sql in triggers:
            connection.exec_driver_sql(sql)
    assert log.newest() is not None
    assert log.has_changed(han.id, since=before)  # what was kept before as well


@pytest.mark.sqlite
def test_that_a_login_was_seen_or_begins_is_no_change(context, han):
    log = ChangeLog(database.engine.url.database)
    since = log.newest()
    log_in(han)
    with database.engine.begin() as connection:
        connection.execute(sa.update(AccountSession).values(last_seen_at=AccountSession.created_at))
    log.newest()
    assert not log.has_changed(han.id, since=since)


@pytest.mark.sqlite
def test_the_log_is_cut_and_never_to_nothing(context):
    with database.engine.begin() as connection:
        for _ in range(5):
            connection.exec_driver_sql(
                "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000)"
                " INSERT INTO stormpath_cache_changes (account_id) SELECT 'han' FROM c"
            )
        rows = connection.exec_driver_sql("SELECT count(*) FROM stormpath_cache_changes").scalar_one()
    assert 1000 <= rows <= 2000


# --- Who asks ---


def test_what_the_session_wrote_and_did_not_commit_is_seen_by_it(context, han):
    token = log_in(han)
    assert active_session.find(token)
    assert active_session.find(token)
    with atomic():
        session.execute(sa.delete(AccountSession))
        assert active_session.find(token) is None
        session.rollback()
    assert active_session.find(token)


def test_a_statement_that_goes_past_the_account_counts_at_once(context, han):
    token = log_in(han)
    session.remove()
    assert active_session.find(token).account.middle_name is None
    with atomic():
        session.execute(sa.update(Account).values(middle_name="Corellia"))
    session.remove()
    assert active_session.find(token).account.middle_name == "Corellia"
