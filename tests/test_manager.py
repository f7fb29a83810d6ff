"""StormpathManager: the wiring of an app, what it says when something is missing, and what it makes in debug."""

import contextlib
import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import flask_login
import pytest
from bs4 import BeautifulSoup
from flask import Flask, render_template_string
from flask_wtf import CSRFProtect

from stormpath_app import Account, StormpathManager, User, login_required, user
from stormpath_app.database import database
from stormpath_app.installation import set_up

from .conftest import PASSWORD, SECRET_KEY, make_app, token
from .servers import free_port

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def host(tmp_path):
    """Return a function that makes a host app which nobody has set up; engines are disposed of at the end."""
    made = []

    def host(manager=None, *, instance=tmp_path / "instance", before=(), **after):
        app = Flask("host", instance_path=str(instance))
        app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
        app.config.from_pyfile(str(instance / "config.py"), silent=True)
        app.config.update(before)
        if manager is None:
            StormpathManager(app)
        else:
            manager.init_app(app)
        app.config.update(after)
        app.add_url_rule("/", "home", lambda: "Hello")
        app.add_url_rule("/page", "page", lambda: render_template_string("A public page"))
        app.add_url_rule("/secret", "secret", login_required(lambda: f"Hello {user.given_name}"))
        made.append(app)
        return app

    yield host
    for app in made:
        with app.app_context(), contextlib.suppress(Exception):
            database.engine.dispose()


def make_ready(app):
    with app.app_context():
        set_up(app)


def sentences(app):
    with app.app_context():
        return " ".join(problem.sentence for problem in app.extensions["stormpath"].check() if problem.level == "error")


# --- Wiring ---


def test_the_manager_takes_an_app_at_once_or_later(host):
    manager = StormpathManager()
    for app in (host(), host(manager)):
        make_ready(app)
        assert app.test_client().get("/login").status_code == 200
        assert app.extensions["stormpath"].blueprint is app.blueprints["stormpath"]
    assert app.extensions["stormpath"].manager is manager


def test_wiring_makes_no_database(host, tmp_path):
    host()
    assert list(tmp_path.iterdir()) == []


def test_settings_may_follow_the_manager_as_in_the_manual(host):
    app = host(
        STORMPATH_APPLICATION="myapp", STORMPATH_REDIRECT_URL="/dashboard", STORMPATH_API_KEY_FILE="/x.properties"
    )
    make_ready(app)
    assert "Log In - myapp" in app.test_client().get("/login").text
    with app.app_context():
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
        assert app.extensions["stormpath"].manager.application.name == "myapp"
    client = app.test_client()
    data = {"csrf_token": token(client), "login": "han@falcon.example", "password": PASSWORD}
    assert client.post("/login", data=data).location == "/dashboard"


def test_what_must_come_before_the_manager_is_named_when_it_comes_after(host):
    assert "STORMPATH_LOGIN_URL was changed to '/in' after" in sentences(host(STORMPATH_LOGIN_URL="/in"))


def test_a_second_manager_on_one_app_is_refused_with_the_mend(app):
    for again in (StormpathManager, StormpathManager().init_app):
        with pytest.raises(RuntimeError, match="use that one"):
            again(app)


def test_one_manager_serves_two_apps_with_settings_of_their_own(host, tmp_path):
    manager = StormpathManager()
    one = host(
        manager, instance=tmp_path / "one", before={"STORMPATH_LOGIN_URL": "/in"}, STORMPATH_ENABLE_USERNAME=True
    )
    two = host(manager, instance=tmp_path / "two", STORMPATH_APPLICATION="Two")
    for app in (one, two):
        make_ready(app)
    with one.app_context():
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
        assert (manager.application.name, len(manager.application.accounts)) == ("My Application", 1)
    with two.app_context():
        assert (manager.application.name, len(manager.application.accounts)) == ("Two", 0)
    assert one.test_client().get("/secret").location == "/in?next=%2Fsecret"
    assert two.test_client().get("/secret").location == "/login?next=%2Fsecret"
    assert "Username or Email" in one.test_client().get("/in").text
    assert "Username or Email" not in two.test_client().get("/login").text


def test_the_manager_gives_what_the_manual_says(app, account):
    manager = app.extensions["stormpath"].manager
    with app.app_context():
        han = User.from_login("han@falcon.example", PASSWORD)
        assert manager.load_user(han.href).email == "han@falcon.example"
        assert manager.load_user("/v1/accounts/nobody") is None
        assert manager.client.tenant.name == "My Tenant"
        assert [found.name for found in manager.client.applications] == ["My Application", "Stormpath"]
    assert manager.login_view == "stormpath.login"


@pytest.mark.parametrize("order", ["before", "after"])
def test_an_app_that_loads_users_itself_is_told_so(tmp_path, order):
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4, STORMPATH_DATABASE_URI="sqlite://")
    theirs = flask_login.LoginManager()
    theirs.user_loader(lambda _id: None)
    for wire in (theirs.init_app, StormpathManager().init_app)[:: 1 if order == "before" else -1]:
        wire(app)
    assert "loads users itself" in sentences(app)


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_page_of_the_hosts_at_an_address_of_ours_is_named_with_the_setting_that_moves_ours(tmp_path, order):
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4, STORMPATH_DATABASE_URI="sqlite://")
    steps = (lambda: app.add_url_rule("/login", "mine", lambda: "mine"), lambda: StormpathManager(app))
    for step in steps[:: 1 if order == "before" else -1]:
        step()
    assert "STORMPATH_LOGIN_URL to another path, or STORMPATH_ENABLE_LOGIN to False." in sentences(app)


def test_of_a_page_that_no_setting_switches_off_only_another_path_is_told(tmp_path):
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4, STORMPATH_DATABASE_URI="sqlite://")
    app.add_url_rule("/verify/change", "mine", lambda: "mine")
    StormpathManager(app)
    assert "set STORMPATH_VERIFY_URL to another path." in sentences(app)


# --- Not ready ---


#: What is wrong with an app on a database that is ready, and what must be said of it.
UNFIT = {
    "no database": ({"STORMPATH_DATABASE_URI": "sqlite:///{}/none.db"}, "flask stormpath init"),
    "no driver": ({"STORMPATH_DATABASE_URI": "nosuch://x/y"}, "STORMPATH_DATABASE_URI does not answer"),
    "no secret": ({"STORMPATH_DATABASE_URI": "sqlite:///{}/none.db", "SECRET_KEY": None}, "SECRET_KEY is not set"),
    "no such application": ({"STORMPATH_APPLICATION": "Falcon"}, "There is no application 'Falcon'"),
    "a typing error": ({"STORMPATH_ENABLE_LOGON": True}, "Did you mean STORMPATH_ENABLE_LOGIN?"),
    "a wrong kind": ({"STORMPATH_ENABLE_USERNAME": "no"}, "STORMPATH_ENABLE_USERNAME is 'no'"),
    "a base URL that is none": ({"STORMPATH_BASE_URL": 5}, "STORMPATH_BASE_URL is 5"),
    "a broken base URL": ({"STORMPATH_BASE_URL": "http://["}, "STORMPATH_BASE_URL is 'http://['"),
    "a base template that is none": ({"STORMPATH_BASE_TEMPLATE": None}, "STORMPATH_BASE_TEMPLATE is None"),
    "a base template that is not there": ({"STORMPATH_BASE_TEMPLATE": "no.html"}, "no.html"),
    "another template that is not there": ({"STORMPATH_VERIFY_EMAIL_SENT_TEMPLATE": "no.html"}, "no.html"),
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(("unfit", "sentence"), UNFIT.values(), ids=UNFIT)
@pytest.mark.sqlite
def test_what_is_wrong_is_told_in_the_log_and_on_the_page_only_in_debug(
    host, instance, tmp_path, caplog, unfit, sentence, debug
):
    named = {name: value.format(tmp_path) if isinstance(value, str) else value for name, value in unfit.items()}
    app = host(instance=instance, **named)
    app.debug = debug
    client = app.test_client()
    for page in ("/login", "/secret"):
        caplog.clear()
        answer = client.get(page)
        text = BeautifulSoup(answer.text, "html.parser").get_text()
        assert answer.status_code == 503
        assert answer.headers["Cache-Control"] == "no-store"
        assert "This site is not set up yet." in text
        assert sentence in caplog.text
        assert (sentence in text) == debug


def test_public_pages_go_on_while_something_is_missing(host):
    client = host().test_client()
    assert client.get("/").status_code == 200
    assert client.get("/page").status_code == 200  # even one with a template
    assert client.get("/nowhere").status_code == 404


def test_all_mistakes_are_told_at_once(host):
    found = sentences(host(STORMPATH_REDIRECT_URL=5, STORMPATH_LOGIN_PATH="/in", STORMPATH_BCRYPT_COST=40))
    assert all(name in found for name in ("STORMPATH_REDIRECT_URL", "STORMPATH_LOGIN_PATH", "STORMPATH_BCRYPT_COST"))


def test_the_page_that_says_so_has_its_style(host):
    app = host()
    href = re.search(r'rel="stylesheet" href="([^"]+)"', app.test_client().get("/login").text)[1]
    with app.test_client().get(href) as style:
        assert style.status_code == 200


def test_an_app_is_ready_once_it_is_mended_without_a_restart(host):
    app = host(STORMPATH_APPLICATION="Falcon")
    client = app.test_client()
    assert client.get("/login").status_code == 503
    make_ready(app)
    assert client.get("/login").status_code == 200
    assert client.get("/secret").status_code == 302


def test_a_database_in_memory_is_always_set_up(host):
    app = host(STORMPATH_DATABASE_URI="sqlite://")
    assert app.test_client().get("/login").status_code == 200


def test_in_debug_only_what_is_ours_is_made(host, tmp_path):
    app = host(STORMPATH_DATABASE_URI=f"sqlite:///{tmp_path / 'theirs.db'}")
    app.debug = True
    assert app.test_client().get("/login").status_code == 503
    assert list(tmp_path.iterdir()) == []


def test_in_debug_an_instance_folder_that_cannot_be_written_is_told(host, tmp_path):
    (tmp_path / "instance").write_text("a file")
    app = host(SECRET_KEY=None)
    app.debug = True
    assert app.test_client().get("/login").status_code == 503


# --- As people start it ---

EIGHT_LINES = """\
from flask import Flask
from stormpath_app import StormpathManager, login_required, user

app = Flask(__name__)
stormpath_manager = StormpathManager(app)

@app.get("/")
@login_required
def home():
    return f"Hello {user.given_name}"
"""

RUN = """
if __name__ == "__main__":
    app.run(debug=True, port=int(__import__("sys").argv[1]))
"""

FLASK_RUN = [sys.executable, "-m", "flask", "--app", "app", "run"]


def environment():
    """Return this process's environment without settings that somebody may have made for a site of their own."""
    foreign = ("FLASK_", "STORMPATH_", "WERKZEUG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(folder, command):
    """Start an app as a person does, at a free port; give a function that sends a request, and the log's file."""
    port = str(free_port())
    command = [*command, *([port] if command[-1] == "app.py" else ["--port", port])]
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def ask(page, **form):
        data = urlencode(form).encode() if form else None
        try:
            with opener.open(f"http://127.0.0.1:{port}{page}", data, timeout=60) as answer:
                return answer.status, answer.url.partition(port)[2], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, page, error.read().decode()

    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=1):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield ask, log
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its own session: itself, and the reloader's child
        process.wait()


def csrf_token(page):
    return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]


@pytest.mark.parametrize("command", [[*FLASK_RUN, "--debug"], [sys.executable, "app.py"]], ids=["flask run", "app.run"])
def test_eight_lines_in_debug_set_themselves_up_and_a_person_comes_in(tmp_path, command):
    (tmp_path / "app.py").write_text(EIGHT_LINES + RUN)
    with running(tmp_path, command) as (ask, log):
        status, where, page = ask("/")
        assert (status, where) == (200, "/login?next=%2F"), page
        assert "cannot work over plain http" not in page
        person = {"given_name": "Leia", "surname": "Organa", "email": "leia@alderaan.example", "password": PASSWORD}
        _status, _where, page = ask("/register?next=/")
        assert ask("/register?next=/", csrf_token=csrf_token(page), **person) == (200, "/", "Hello Leia")
        said = log.read_text()
    assert "Traceback" not in said
    assert "locked" not in said
    made = {file.name: oct(file.stat().st_mode & 0o777) for file in (tmp_path / "instance").iterdir()}
    assert made.items() >= {"stormpath.db": "0o600", "stormpath_secret_key": "0o600"}.items()
    assert (tmp_path / "instance" / ".gitignore").read_text() == "*\n"


def test_the_same_without_debug_answers_503_and_makes_nothing(tmp_path):
    (tmp_path / "app.py").write_text(EIGHT_LINES)
    with running(tmp_path, FLASK_RUN) as (ask, log):
        for page in ("/", "/login"):
            status, _where, text = ask(page)
            assert status == 503
            assert "This site is not set up yet." in text
            assert "SECRET_KEY" not in text
        assert "SECRET_KEY is not set." in log.read_text()
        assert "flask stormpath init" in log.read_text()
    assert {file.name for file in tmp_path.iterdir()} <= {"app.py", "log", "__pycache__"}


def test_processes_that_set_up_at_the_same_moment_do_not_trip_over_each_other(tmp_path):
    (tmp_path / "app.py").write_text(EIGHT_LINES)
    program = "import app; app.app.debug = True; print(app.app.test_client().get('/').status_code, app.app.secret_key)"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = {process.communicate(timeout=120)[0] for process in started}
    assert [process.returncode for process in started] == [0, 0]
    assert len(said) == 1
    assert said.pop().startswith("302 ")
    app = make_app(tmp_path / "instance")
    with app.app_context():
        assert len(app.extensions["stormpath"].manager.client.applications) == 2
        database.engine.dispose()


# --- Clients that read JSON, and a host's own CSRF protection ---


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda client, **how: client.get("/secret", **how), 401),
        (lambda client, **how: client.post("/login", data=b"{}", content_type="application/json", **how), 415),
        (lambda client, **how: client.post("/login", data={"password": "x" * 100_000}, **how), 413),
    ],
    ids=["a closed door", "not a form", "too long"],
)
def test_a_client_that_prefers_json_reads_its_errors_so(client, send, status):
    answer = send(client, headers={"Accept": "application/json"})
    assert answer.status_code == status
    assert answer.json.keys() == {"status", "code", "message"}
    assert answer.json["status"] == status
    assert send(client, headers={"Accept": "*/*"}).mimetype == "text/html"


@pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])
def test_with_a_hosts_csrf_protection_a_refused_form_comes_again_with_what_was_typed(tmp_path, order):
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4, STORMPATH_DATABASE_URI="sqlite://")
    for wire in (CSRFProtect, StormpathManager)[::order]:
        wire(app)
    answer = app.test_client().post("/login", data={"login": "han@falcon.example", "password": PASSWORD})
    assert answer.status_code == 400
    assert 'value="han@falcon.example"' in answer.text
