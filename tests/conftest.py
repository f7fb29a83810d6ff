"""A small host app on a database of its own, and what tests do to it again and again."""

import gc
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from stormpath_app import Account, StormpathManager, bulkhead, clock, login_required, user
from stormpath_app.database import database, url as database_url
from stormpath_app.installation import set_up
from stormpath_app.mail.courier import _Thread as MailThread
from stormpath_app.providers import Facebook, GitHub, Google, openid_connect

from .databases import DatabaseServer, Missing, mariadb, postgresql
from .facebook import FacebookServer
from .full_queue import full_queue
from .github import GitHubServer
from .kept import CompiledTemplates, build_addresses_when_asked, keep_compiled_statements
from .openid_provider import OpenIdProvider
from .refilled import Refilled

PASSWORD = "Woot1Loves.Cookies"
SECRET_KEY = "of these tests alone, and long enough for all of them"
#: Where each test that has an app runs.
DATABASES = ["sqlite", "postgresql"]

keep_compiled_statements()
build_addresses_when_asked()

Started = TypeVar("Started")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=DATABASES, help="run on this database alone; without it, on all")


@pytest.hookimpl(trylast=True)  # so that its name comes last in a test's
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that has an app on every database; what is about SQLite's own ways, on that alone."""
    if "dialect" in metafunc.fixturenames:
        one = metafunc.config.getoption("database")
        its_own = metafunc.definition.get_closest_marker("sqlite") is not None
        names = [name for name in DATABASES if one in {None, name} and (name == "sqlite" or not its_own)]
        metafunc.parametrize("dialect", names)


def pytest_collection_finish() -> None:
    """Let the garbage collector look at the rest less often, and no more at the modules and the tests, which stay."""
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(autouse=True)
def _no_mail_thread_is_left() -> Iterator[None]:
    """End the threads that send mails, of hosts' apps as they come: each holds a connection to its database."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, MailThread):
            thread.stop()


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Replace pytest-flask's fixture: it holds one app context open, and with it the user of the first request."""


def make_app(instance: Path, **settings: Any) -> Flask:
    """Return a host app of a few lines. Its doors are closed, though it is being tested."""
    app = Flask("host", instance_path=str(instance))
    app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
    app.config.update(STORMPATH_HASH_CONCURRENCY=64)  # what a test does at once is not refused on a small machine
    app.config.update(STORMPATH_MAIL_DELIVERY="command")  # no thread outlives a test that is not about it
    app.config.update(STORMPATH_ADMIN_URL=None)  # a hundred routes for each app, in tests that are not about them
    app.config.from_pyfile(str(instance / "config.py"), silent=True)
    app.config.update(settings)
    app.jinja_env.bytecode_cache = CompiledTemplates()
    StormpathManager(app)

    @app.get("/")
    def home() -> str:
        return "Hello"

    @app.get("/secret")
    @login_required
    def secret() -> str:
        return f"Hello {user.given_name}"

    return app


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an instance folder with an SQLite file that is set up: tests begin with a copy."""
    instance = tmp_path_factory.mktemp("installed")
    app = make_app(instance)
    with app.app_context():
        set_up(app)
        database.engine.dispose()
    return instance


@pytest.fixture(scope="session")
def refilled(postgresql_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refilled]:
    """Return a PostgreSQL database that is set up, for one test after the other."""

    def make() -> str:
        uri = postgresql_server.new_database()
        app = make_app(tmp_path_factory.mktemp("postgresql"), STORMPATH_DATABASE_URI=uri)
        with app.app_context():
            set_up(app)
            database.engine.dispose()
        return uri

    with closing(Refilled(make)) as refilled:
        yield refilled


@pytest.fixture
def instance(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Return an instance folder of this test's own, set up: it has an SQLite file, or names a PostgreSQL database."""
    folder = tmp_path / "instance"
    if dialect == "sqlite":
        shutil.copytree(request.getfixturevalue("installed"), folder)
    else:
        folder.mkdir()
        uri = request.getfixturevalue("refilled").refill()
        (folder / "config.py").write_text(f"STORMPATH_DATABASE_URI = {uri!r}\n")
    yield folder
    for engines in list(database._app_engines.values()):  # a server has connections for so many apps, and no more
        engines[None].dispose()


@pytest.fixture
def admin_url() -> str | None:
    """Return where the console is; None: there is none, as in most tests."""
    return None


@pytest.fixture
def app(instance: Path, admin_url: str | None, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """Return an app, set up; `@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)` sets it up otherwise."""
    marks = list(request.node.iter_markers("settings"))
    settings = {name: value for mark in reversed(marks) for name, value in mark.kwargs.items()}
    app = make_app(instance, **{"STORMPATH_ADMIN_URL": admin_url, **settings})
    yield app
    with app.app_context():
        database.engine.dispose()


@pytest.fixture
def outside(app: Flask) -> sa.Engine:
    """Return an engine on the app's database that is not the app's: a host's own, or a person's at a prompt."""
    return sa.create_engine(database_url(app), poolclass=sa.NullPool)


@contextmanager
def closed(engine: sa.Engine, table: str, change: str) -> Iterator[None]:
    """Let the database refuse each change ("INSERT", "UPDATE") of a table."""
    if engine.dialect.name == "sqlite":
        close = f"CREATE TRIGGER closed BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, 'closed'); END"
        reopen = "DROP TRIGGER closed"
    else:
        close = f"ALTER TABLE {table} ADD CONSTRAINT closed CHECK (false) NOT VALID"  # new rows alone
        reopen = f"ALTER TABLE {table} DROP CONSTRAINT closed"
    with engine.begin() as connection:
        connection.exec_driver_sql(close)
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql(reopen)


@pytest.fixture(scope="session")
def postgresql_server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """Start PostgreSQL, once for each process of the tests."""
    yield from _started(postgresql, request.config)


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """Start MariaDB, once for each process of the tests."""
    yield from _started(mariadb, request.config)


def _started(
    server: Callable[[], AbstractContextManager[DatabaseServer]], config: pytest.Config
) -> Iterator[DatabaseServer]:
    if config.getoption("database") not in {None, server.__name__}:
        pytest.skip(f"--database={config.getoption('database')}")
    with found_here(server()) as found:
        yield found


@contextmanager
def found_here(server: AbstractContextManager[Started]) -> Iterator[Started]:
    """Start a server. Where the machine has none, what needs it is skipped, but not where all tests must run."""
    try:
        with server as found:
            yield found
    except Missing as missing:
        if os.environ.get("CI") in {"true", "1"}:
            raise
        pytest.skip(f"{missing}: `make test` says how to get it")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a browser."""
    return app.test_client()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """Hold an app context for tests of resources. Tests that send requests must not: requests would share it."""
    with app.app_context():
        yield app


@pytest.fixture
def account(app: Flask) -> dict[str, str]:
    """Return the attributes of somebody who has an account: Han Solo, with PASSWORD."""
    with app.app_context():
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="solo")
    return {"email": "han@falcon.example", "username": "solo", "password": PASSWORD}


def token(client: FlaskClient, page: str = "/login") -> str:
    """Return the CSRF token of a page's form."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(page).text)
    assert found, f"{page} has no form"
    return found[1]


@pytest.fixture
def log_in() -> Callable[..., Any]:
    """Return a function that sends the login form of a browser and returns the answer."""

    def log_in(client: FlaskClient, login: str = "han@falcon.example", password: str = PASSWORD, **how: Any) -> Any:
        page = how.pop("page", "/login")
        data = {"csrf_token": token(client), "login": login, "password": password}
        return client.post(page, data=data, **how)

    return log_in


@pytest.fixture
def member(client: FlaskClient, account: dict[str, str], log_in: Callable[..., Any]) -> FlaskClient:
    """Return the browser of Han, who is logged in."""
    log_in(client)
    return client


@pytest.fixture
def overloaded(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[None]]:
    """Return a block inside which others have every place for a hash, and nobody waits for one."""
    app.config["STORMPATH_HASH_CONCURRENCY"] = 1
    monkeypatch.setattr(bulkhead, "PATIENCE", 0)

    def overloaded() -> AbstractContextManager[None]:
        with app.app_context():
            return bulkhead._here().place()

    return overloaded


@pytest.fixture
def crowded(app: Flask) -> Callable[[], AbstractContextManager[None]]:
    """Return a block inside which nobody else may wait for a place for a hash, either."""

    @contextmanager
    def crowded() -> Iterator[None]:
        with app.app_context(), full_queue():
            yield

    return crowded


@pytest.fixture
def does(app: Flask) -> list[Callable[[], Any]]:
    """Return a list that takes what the host's page `/do` does; it must be there before the first request."""
    bodies: list[Callable[[], Any]] = []

    @app.get("/do")
    def do() -> Any:
        return bodies[-1]()

    return bodies


@pytest.fixture
def register() -> Callable[..., Any]:
    """Return a function that sends the registration form of a browser and returns the answer."""

    def register(client: FlaskClient, page: str = "/register", **fields: str) -> Any:
        data = {
            "csrf_token": token(client, page),
            "given_name": "Leia",
            "surname": "Organa",
            "email": "leia@alderaan.example",
            "password": PASSWORD,
            **fields,
        }
        return client.post(page, data=data)

    return register


class HeldClock:
    """The time, as the test wants it."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

    def forward(self, **duration: float) -> None:
        """Let time pass."""
        self.at += timedelta(**duration)


@pytest.fixture
def held_clock(monkeypatch: pytest.MonkeyPatch) -> HeldClock:
    """Hold the clock."""
    held = HeldClock()
    monkeypatch.setattr(clock, "now", lambda: held.at)
    return held


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Collect the SQL statements that the app sends."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    with app.app_context():
        engine = database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def reads(app: Flask) -> int:
    """Return how many statements tell who asks, once it is known: none where the log of changes of SQLite tells it."""
    with app.app_context():
        return 0 if database.engine.dialect.name == "sqlite" else 1


# --- Sites that people log in with ---


@pytest.fixture
def openid_provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenIdProvider]:
    """Return an OpenID Connect provider, where Han is logged in."""
    monkeypatch.setattr(openid_connect, "_documents", {})  # another server may have had its port
    with OpenIdProvider().running() as provider:
        yield provider


@pytest.fixture
def google(openid_provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> OpenIdProvider:
    """Return what is Google in this test, where Han is logged in."""
    monkeypatch.setattr(Google, "issuer", openid_provider.url)
    monkeypatch.setattr(Google, "tokeninfo_endpoint", f"{openid_provider.url}/tokeninfo")
    return openid_provider


@pytest.fixture
def facebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[FacebookServer]:
    """Return what is Facebook in this test, where Leia is logged in."""
    with FacebookServer().running() as server:
        monkeypatch.setattr(Facebook, "authorization_endpoint", f"{server.url}/dialog/oauth")
        monkeypatch.setattr(Facebook, "graph", server.url)
        yield server


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    """Return what is GitHub in this test, where Chewbacca is logged in."""
    with GitHubServer().running() as server:
        monkeypatch.setattr(GitHub, "authorization_endpoint", f"{server.url}/login/oauth/authorize")
        monkeypatch.setattr(GitHub, "token_endpoint", f"{server.url}/login/oauth/access_token")
        monkeypatch.setattr(GitHub, "api", f"{server.url}/api")
        yield server
