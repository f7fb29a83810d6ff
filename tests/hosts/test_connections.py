"""A host's PostgreSQL: its connections are used sparingly, and stay as the host made them."""

import contextlib

import psycopg
import pytest
import sqlalchemy as sa

from stormpath_app import Account, user
from stormpath_app.models import Tenant, active_session

from ..conftest import PASSWORD
from ..devices import close, cookies
from .test_a_shared_database import Host

PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%stormpath_account_sessions%'"
ONE = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 5}


@pytest.fixture
def make(postgresql_server, tmp_path):
    """Return a function that makes a shop on PostgreSQL, with the engine's options, and Han's account in it."""
    made = []

    def make(**options):
        host = Host(tmp_path, postgresql_server.new_database(), SQLALCHEMY_ENGINE_OPTIONS=options)
        made.append(host.set_up())
        with host.app.app_context():
            Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
        return host

    yield make
    for host in made:
        with host.app.app_context():
            host.db.engine.dispose()


@pytest.fixture
def member(log_in):
    """Return a function that makes the browser of Han, who is logged in."""

    def member(host):
        client = host.app.test_client()
        assert log_in(client).status_code == 302
        return client

    return member


def test_a_signed_in_page_opens_no_transaction_so_that_its_statement_stays_prepared(make, member):
    host = make(pool_size=1)
    han = member(host)
    for _ in range(8):  # psycopg prepares what it sends for the sixth time
        assert han.get("/name").text == "Han"
    with host.app.app_context():
        assert host.db.session.scalar(sa.text(PREPARED)) == 1


def test_a_host_finds_its_connections_as_it_made_them(make, member):
    host = make(**ONE)
    han = member(host)
    with host.app.app_context():
        engine = host.db.engine
    level = psycopg.IsolationLevel.SERIALIZABLE
    engine.dispose()
    sa.event.listen(engine, "connect", lambda connection, _: connection.set_isolation_level(level))
    assert han.get("/name").text == "Han"
    with engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert (driver.autocommit, driver.isolation_level) == (False, level)
        assert connection.scalar(sa.text("SHOW transaction_isolation")) == "serializable"


def test_a_host_that_is_in_a_transaction_is_asked_in_that_one(make, member):
    host = make(**ONE)

    @host.app.get("/changed")
    def changed():
        host.db.session.execute(sa.update(Account).values(given_name="Lando"))
        name = user.given_name  # as this transaction sees it
        host.db.session.rollback()
        return name

    han = member(host)
    assert han.get("/changed").text == "Lando"
    assert han.get("/name").text == "Han"


def test_a_connection_that_ended_meanwhile_is_made_anew_and_nobody_notices(make, member):
    host = make(**ONE)
    han = member(host)
    with host.app.app_context(), host.db.engine.connect() as connection:
        number = connection.connection.dbapi_connection.info.backend_pid
    with psycopg.connect(_plain(host), autocommit=True) as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [number])
    assert han.get("/name").text == "Han"


def _plain(host):
    with host.app.app_context():
        return host.db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_with_one_connection_alone_nobody_waits_for_a_second(make, member):
    class Impatient(sa.QueuePool):
        def _do_get(self):
            assert self.checkedout() == 0, "a connection is waited for"
            return super()._do_get()

    host = make(poolclass=Impatient, **ONE)

    @host.app.get("/reads")
    def reads():
        host.db.session.scalar(sa.select(Tenant.name))  # from now on the request has the connection
        return user.given_name

    han = close(member(host))
    before = cookies(han)
    assert han.get("/reads").text == "Han"
    assert cookies(han) == before  # the token is replaced when it can be
    assert han.get("/name").text == "Han"
    assert cookies(han).token != before.token


def test_a_table_that_is_altered_under_a_running_site_is_read_all_the_same(make, member):
    host = make()
    han = member(host)
    wanted = {"session_id": "nobody's", "application": "my application"}
    with host.app.app_context():
        engine, find = host.db.engine, active_session._FIND
    with contextlib.ExitStack() as held:
        for _ in range(3):
            driver = held.enter_context(engine.connect()).connection.dbapi_connection
            driver.autocommit = True
            for _time in range(8):  # after some it is prepared
                find._for(engine.dialect).first(driver, wanted)
            assert driver.execute(PREPARED).fetchone() == (1,)
            driver.autocommit = False
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE stormpath_accounts ALTER COLUMN middle_name TYPE varchar(999)")
    assert [han.get("/name").text for _page in range(5)] == ["Han"] * 5


def test_a_listener_that_leaves_a_transaction_open_breaks_no_page(make, member):
    host = make(pool_size=1)

    def name(driver, _record):
        driver.execute("SET application_name = 'shop'")

    with host.app.app_context():
        sa.event.listen(host.db.engine, "connect", name)
        host.db.engine.dispose()
    han = member(host)
    assert [han.get("/name").text for _page in range(3)] == ["Han"] * 3


def test_a_page_reads_what_is_there_now_though_a_pool_ends_no_transaction(mariadb_server, tmp_path, member):
    uri = mariadb_server.new_database()
    host = Host(tmp_path, uri, SQLALCHEMY_ENGINE_OPTIONS={"pool_reset_on_return": None, **ONE})
    host.set_up()
    with host.app.app_context():
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
    han = member(host)
    assert han.get("/name").text == "Han"
    tool = sa.create_engine(uri, poolclass=sa.NullPool)
    with tool.begin() as connection:
        connection.exec_driver_sql("UPDATE stormpath_accounts SET given_name = 'Chewie'")
    assert han.get("/name").text == "Chewie"
    with host.app.app_context():
        host.db.engine.dispose()
