"""A database that is gone, silent, locked, or ends what was begun: never a hang, a 500 or half a change."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import OperationalError

from stormpath_app import Account, Application, StormpathManager, connections, hashers, login_required
from stormpath_app.database import database, url
from stormpath_app.installation import set_up
from stormpath_app.models import AccountSession, OutboxMessage
from stormpath_app.transactions import reading

from .conftest import PASSWORD, SECRET_KEY, _started, make_app, token
from .databases import mariadb, postgresql

#: What only a hang takes, in seconds.
HANG = 20


@pytest.fixture(scope="module", params=[postgresql, mariadb], ids=["postgresql", "mariadb"])
def server(request):
    """Start a server that these tests may stop."""
    yield from _started(request.param, request.config)


@pytest.fixture(scope="module")
def uri(server, tmp_path_factory):
    """Return a database of the server, where Han has an account."""
    uri = server.new_database()
    with running(tmp_path_factory.mktemp("first"), uri) as app, app.app_context():
        set_up(app)
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
    return uri


@contextlib.contextmanager
def running(folder, uri, **settings):
    urls = {"STORMPATH_ADMIN_URL": "/admin", "STORMPATH_HEALTH_URL": "/health"}
    app = make_app(folder, STORMPATH_DATABASE_URI=uri, **urls, **settings)
    yield app
    with app.app_context():
        database.engine.dispose()


@pytest.fixture
def site(uri, tmp_path):
    """Return an app that did nothing yet."""
    with running(tmp_path, uri) as app:
        yield app


@pytest.fixture
def han(site, log_in):
    """Return Han's browser."""
    client = site.test_client()
    log_in(client)
    assert client.get("/secret").status_code == 200
    return client


def refused(answer):
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "stormpath" not in answer.headers.get("Set-Cookie", "")
    assert "cannot reach its data" in answer.text
    assert "Error" not in answer.text


def unhealthy(client):
    answer = client.get("/health")
    assert (answer.status_code, answer.json, answer.headers["Retry-After"]) == (503, {"status": "unavailable"}, "5")
    assert client.get("/health/live").json == {"status": "ok"}


def login_form(client):
    return {"csrf_token": token(client), "login": "han@falcon.example", "password": PASSWORD}


def test_while_the_database_is_away_doors_and_pages_say_so_and_the_rest_goes_on(site, server, han, log_in, caplog):
    stranger = site.test_client()
    form = login_form(stranger)
    with server.stopped():
        began = time.monotonic()
        refused(han.get("/secret"))
        refused(han.get("/login"))
        refused(stranger.post("/login", data=form))
        stranger.set_cookie("__Secure-stormpath_admin", f"{'a' * 22}.secret")
        refused(stranger.get("/admin/accounts/"))
        unhealthy(stranger)
        assert stranger.get("/secret").status_code == 302  # who shows nothing is nobody, which takes no database
        assert stranger.get("/").status_code == 200
        assert time.monotonic() - began < HANG
    assert "The database does not answer: OperationalError: " in caplog.text
    assert han.get("/secret").status_code == 200
    assert log_in(stranger).status_code == 302


def test_a_database_that_says_nothing_is_not_waited_for(server, han, monkeypatch):
    monkeypatch.setattr(connections, "TRUSTED", 0)
    with server.frozen():
        began = time.monotonic()
        refused(han.get("/secret"))
        unhealthy(han)
        assert time.monotonic() - began < HANG
    assert han.get("/secret").status_code == 200
    assert han.get("/health").json == {"status": "ok"}


def test_a_site_that_starts_without_its_database_serves_when_it_is_there(site, server, log_in):
    client = site.test_client()
    with server.stopped():
        unhealthy(client)
        refused(client.get("/login"))
        assert client.get("/").status_code == 200
        answer = client.get("/secret", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json["status"], answer.headers["Retry-After"]) == (503, 503, "5")
    assert log_in(client).status_code == 302


def test_many_requests_to_a_site_that_starts_on_a_silent_database_do_not_wait_one_after_the_other(site, server):
    with server.frozen(), ThreadPoolExecutor(12) as threads:
        began = time.monotonic()
        for answer in threads.map(lambda _number: site.test_client().get("/login"), range(12)):
            refused(answer)
        assert time.monotonic() - began < HANG


def end_connections(app):
    """End every connection of the app, as the server's administrator does, or a failover."""
    outside = sa.create_engine(url(app), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        if connection.dialect.name == "postgresql":
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
            return
        mine = "id <> connection_id() AND db = database()"
        for other in connection.exec_driver_sql(f"SELECT id FROM information_schema.processlist WHERE {mine}"):
            connection.exec_driver_sql(f"KILL {other.id}")


@pytest.fixture
def trusted(monkeypatch):
    """Let no connection be asked whether it is alive, however slow the machine is."""
    monkeypatch.setattr(connections, "TRUSTED", 3600)


def test_a_page_asks_again_where_the_server_ended_its_connection(trusted, site, han):
    for _round in range(3):
        end_connections(site)
        assert han.get("/secret").status_code == 200


def logins():
    with reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(AccountSession))


def test_a_login_whose_connection_is_ended_is_none_and_the_next_one_is(trusted, site, han, log_in, monkeypatch):
    def lose(*how, verify=hashers.verify):
        end_connections(site)  # while the hash was being made
        return verify(*how)

    stranger = site.test_client()
    form = login_form(stranger)
    with site.app_context():
        before = logins()
    with monkeypatch.context() as patched:
        patched.setattr(hashers, "verify", lose)
        refused(stranger.post("/login", data=form))
    with site.app_context():
        assert logins() == before
    assert log_in(stranger).status_code == 302


def test_a_connection_that_rested_is_asked_before_it_is_used(site, han, log_in, monkeypatch):
    monkeypatch.setattr(connections, "TRUSTED", 0)
    stranger = site.test_client()
    form = login_form(stranger)
    end_connections(site)
    assert stranger.post("/login", data=form).status_code == 302


def test_changes_that_the_server_undoes_for_each_other_make_one_account_and_one_mail(uri, tmp_path, register):
    uri = sa.make_url(uri)
    if uri.get_backend_name() == "postgresql":
        uri = uri.update_query_dict({"options": "-c default_transaction_isolation=serializable"})
    else:
        uri = uri.update_query_dict({"init_command": "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"})
    with running(tmp_path, uri.render_as_string(hide_password=False)) as app:
        with app.app_context():
            policy = Application.current().default_account_store().home.account_creation_policy
            policy.verification_email_status = "ENABLED"
            policy.save()
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _number: register(app.test_client()), range(16)))
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert register(app.test_client()).status_code == 200
        with app.app_context(), reading() as connection:
            assert connection.scalars(sa.select(OutboxMessage.kind)).all().count("verification") == 1
            emails = connection.scalars(sa.select(Account.email)).all()
            assert emails.count("leia@alderaan.example") == 1


def test_a_host_that_shares_its_database_has_the_same_answers(uri, server, tmp_path, log_in):
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
    app.config.update(SQLALCHEMY_DATABASE_URI=uri, STORMPATH_MAIL_DELIVERY="command", STORMPATH_HEALTH_URL="/health")
    db = SQLAlchemy(app)
    StormpathManager(app, db=db)
    app.add_url_rule("/secret", "secret", login_required(lambda: "Hello"))
    client = app.test_client()
    log_in(client)
    assert client.get("/secret").status_code == 200
    with server.stopped():
        refused(client.get("/secret"))
        unhealthy(client)
    assert client.get("/secret").status_code == 200
    with app.app_context():
        db.engine.dispose()


def test_what_goes_wrong_in_a_hosts_own_statement_is_the_hosts(client, does, context):
    does.append(lambda: database.session.execute(sa.text("SELECT 1 FROM no_such_table_of_the_host")).first() or "")
    with pytest.raises((OperationalError, sa.exc.ProgrammingError)):
        client.get("/do")


# --- SQLite, whose one write lock somebody else has ---


@contextlib.contextmanager
def locked(outside):
    with outside.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.rollback()


@pytest.fixture
def impatient(app):
    """Let the app wait for a lock as long as a test may take, and not as long as a person would."""
    with app.app_context():
        with database.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
        database.engine.dispose()
        sa.event.listen(database.engine, "connect", lambda driver, _record: driver.execute("PRAGMA busy_timeout = 100"))


@pytest.mark.sqlite
def test_who_writes_waits_for_a_lock_that_somebody_has_for_a_moment(client, account, outside, log_in):
    answers = []
    form = login_form(client)
    with locked(outside):
        login = threading.Thread(target=lambda: answers.append(client.post("/login", data=form)))
        login.start()
        login.join(1)
        assert answers == []
    login.join(HANG)
    assert [answer.status_code for answer in answers] == [302]


@pytest.mark.sqlite
def test_while_somebody_keeps_the_lock_changes_are_refused_and_reads_go_on(
    impatient, app, account, outside, log_in, register
):
    member, stranger = app.test_client(), app.test_client()
    log_in(member)
    form = login_form(stranger)
    with locked(outside):
        refused(stranger.post("/login", data=form))
        refused(register(app.test_client()))
        assert member.get("/secret").status_code == 200
    assert log_in(stranger).status_code == 302
    assert register(app.test_client()).status_code == 302


@pytest.mark.sqlite
def test_no_page_is_kept_by_a_lock_that_only_its_last_seen_waits_for(member, outside, held_clock):
    held_clock.forward(days=1)
    with locked(outside):
        began = time.monotonic()
        assert member.get("/secret").status_code == 200  # with what follows it
        assert time.monotonic() - began < 9  # the lock is waited for ten seconds


@pytest.mark.sqlite
@pytest.mark.settings(STORMPATH_ADMIN_URL="/admin")
def test_why_is_told_on_the_page_in_debug_alone(impatient, app, account, outside):
    client = app.test_client()
    form = login_form(client)
    app.debug = True
    with locked(outside):
        assert "database is locked" in client.post("/login", data=form).text
