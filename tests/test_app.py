"""The runnable site: what a stranger and a member see, and when it refuses to start."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from stormpath_app import Account, Application
from stormpath_app.app import create_app
from stormpath_app.database import database
from stormpath_app.errors import NotReady

from .conftest import PASSWORD, SECRET_KEY

ROOT = Path(__file__).resolve().parent.parent
CHEAP = {"TESTING": True, "LOGIN_DISABLED": False, "SECRET_KEY": SECRET_KEY, "STORMPATH_BCRYPT_COST": 4}


@pytest.fixture
def app(instance, request):
    """Return the site, set up."""
    settings = {name: value for mark in request.node.iter_markers("settings") for name, value in mark.kwargs.items()}
    site = create_app({**CHEAP, **settings}, instance_path=str(instance))
    yield site
    with site.app_context():
        database.engine.dispose()


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def texts(answer, selector):
    return [tag.get_text(" ", strip=True) for tag in soup(answer).select(selector)]


def test_a_stranger_is_welcomed_and_shown_the_two_ways_in(client):
    answer = client.get("/")
    assert texts(answer, "h1") == ["Welcome to My Application"]
    links = {link.text: link["href"] for link in soup(answer).select("main a")}
    assert links["Create an Account"] == "/register"
    assert links["Log In"] == "/login"
    assert texts(answer, "form") == []


@pytest.mark.settings(STORMPATH_ENABLE_REGISTRATION=False)
def test_a_site_without_registration_does_not_offer_it(client):
    links = {link["href"] for link in soup(client.get("/")).select("a")}
    assert "/login" in links
    assert "/register" not in links


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)
def test_a_member_sees_the_account_and_a_way_out(client, account, log_in):
    log_in(client)
    answer = client.get("/")
    assert texts(answer, "h1") == ["Hello Han"]
    facts = dict(zip(texts(answer, "dt"), texts(answer, "dd"), strict=True))
    assert (facts["Name"], facts["Email"], facts["Username"]) == ("Han Solo", "han@falcon.example", "solo")
    assert facts["Directory"] == "My Application Directory"
    assert "python manage.py set-password han@falcon.example" in texts(answer, "code")
    way_out = soup(answer).select_one("form[action='/logout']")
    data = {"csrf_token": way_out.select_one("[name=csrf_token]")["value"]}
    assert client.post("/logout", data=data).location == "/"
    assert texts(client.get("/"), "h1") == ["Welcome to My Application"]


def test_a_member_sees_the_groups_and_the_command_that_comes_next(app, client, account, log_in):
    def groups(work):
        with app.app_context():
            work(Application.current().default_group_store())
        page = client.get("/")
        facts = dict(zip(texts(page, "dt"), texts(page, "dd"), strict=True))
        commands = [text for text in texts(page, "code") if "group" in text]
        return facts.get("Groups"), commands

    log_in(client)
    assert groups(lambda _: None) == (None, ["python manage.py create-group admins"])
    add = "python manage.py add-to-group han@falcon.example 'free users'"
    assert groups(lambda directory: directory.groups.create(name="free users")) == (None, [add])
    assert groups(lambda directory: directory.get_account("solo").add_group("free users")) == ("free users", [])
    both = groups(lambda directory: directory.groups.create(name="<crew>").add_account("solo"))
    assert both == ("free users, <crew>", [])
    assert not [text for text in texts(app.test_client().get("/"), "code") if "group" in text]


def test_a_command_can_be_pasted_into_a_shell_whatever_a_name_holds(app, client, log_in):
    with app.app_context():
        Account.create("o'`ls`&@falcon.example", PASSWORD)
    log_in(client, "o'`ls`&@falcon.example")
    [command] = [text for text in texts(client.get("/"), "code") if "set-password" in text]
    assert shlex.split(command) == ["python", "manage.py", "set-password", "o'`ls`&@falcon.example"]


def test_a_member_without_names_or_username_is_greeted_all_the_same(app, client, log_in):
    with app.app_context():
        Account.create("solo@falcon.example", PASSWORD)
    log_in(client, "solo@falcon.example")
    answer = client.get("/")
    assert answer.status_code == 200
    assert "None" not in answer.text
    assert "Username" not in texts(answer, "dt")


def test_names_are_shown_as_text(app, client, log_in):
    with app.app_context():
        Account.create("x@falcon.example", PASSWORD, "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
    log_in(client, "x@falcon.example")
    page = soup(client.get("/"))
    assert not page.select("script, img")
    assert "Hello <script>alert(1)</script>" in page.h1.text


def test_the_secret_page_asks_who_is_there_and_leads_back(client, account, log_in):
    sent = client.get("/secret")
    assert sent.location == "/login?next=%2Fsecret"
    assert log_in(client, page=sent.location).location == "/secret"
    answer = client.get("/secret")
    assert texts(answer, "h1") == ["Members only"]
    assert "You are logged in as han@falcon.example." in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_members_home_page_is_kept_by_no_shared_cache(client, account, log_in):
    log_in(client)
    answer = client.get("/")
    assert "Cookie" in answer.headers["Vary"]
    assert {"no-store", "private"} & set(answer.headers.get("Cache-Control", "").replace(",", " ").split())


def test_the_sites_own_pages_are_shown_in_no_frame_and_run_nothing_foreign(client, account, log_in):
    log_in(client)
    for page in ("/", "/secret"):
        policy = client.get(page).headers.get("Content-Security-Policy", "")
        for part in ("frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"):
            assert part in policy
        assert client.get(page).headers.get("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize(
    "secure",
    [
        pytest.param(True),
        pytest.param(False, marks=pytest.mark.settings(STORMPATH_COOKIE_SECURE=False)),
        pytest.param(False, marks=pytest.mark.settings(STORMPATH_BASE_URL="http://localhost:5000")),
        pytest.param(True, marks=pytest.mark.settings(STORMPATH_BASE_URL="https://www.example.com")),
    ],
)
def test_the_cookie_of_forms_travels_as_the_login_cookies_do(client, account, log_in, secure):
    """Where they differ, a browser keeps one and drops the other, and every form is refused."""
    form = client.get("/login").headers["Set-Cookie"]
    logins = log_in(client).headers.getlist("Set-Cookie")
    assert {"; Secure" in cookie for cookie in (form, *logins) if "stormpath" in cookie or "session" in cookie} == {
        secure
    }
    assert "HttpOnly" in form
    assert "SameSite=Lax" in form


@pytest.mark.settings(STORMPATH_PROXY_COUNT=1)
def test_behind_a_proxy_the_public_address_is_believed(client):
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "www.example.com"}
    assert "cannot work over plain http" not in client.get("/login", headers=headers).text


def test_without_a_proxy_nobody_is_believed(client):
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    answer = client.get("/login", headers=headers)
    assert "cannot work over plain http" in answer.text
    assert "evil.example" not in answer.text


# --- Starting ---


@pytest.mark.sqlite
def test_settings_come_from_the_instance_folder_then_the_environment_then_the_call(instance, monkeypatch):
    (instance / "config.py").write_text("STORMPATH_REDIRECT_URL = '/file'\nSTORMPATH_LOGIN_URL = '/in'\n")
    monkeypatch.setenv("FLASK_STORMPATH_REDIRECT_URL", '"/variable"')
    for given, expected in (({}, "/variable"), ({"STORMPATH_REDIRECT_URL": "/call"}, "/call")):
        site = create_app({**CHEAP, **given}, instance_path=str(instance))
        assert site.config["STORMPATH_REDIRECT_URL"] == expected
        assert site.url_map.bind("x").match("/in")[0] == "stormpath.login"
        with site.app_context():
            database.engine.dispose()


def test_a_site_that_is_not_set_up_refuses_to_start_and_makes_nothing(tmp_path):
    with pytest.raises(NotReady) as refused:
        create_app(CHEAP, instance_path=str(tmp_path / "instance"))
    assert any("init" in problem for problem in refused.value.problems)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (None, "SECRET_KEY is not set"),
        ("super secret key", "SECRET_KEY is one that anybody would try"),
        ("short", "SECRET_KEY has 5 bytes"),
    ],
)
def test_a_site_without_a_secret_of_its_own_refuses_to_start(instance, key, sentence):
    with pytest.raises(NotReady) as refused:
        create_app({"SECRET_KEY": key}, instance_path=str(instance))
    assert sentence in " ".join(refused.value.problems)


def test_the_secret_that_was_generated_is_used(instance):
    (instance / "stormpath_secret_key").write_text("one that was generated for this very instance\n")
    site = create_app({**CHEAP, "SECRET_KEY": None}, instance_path=str(instance))
    assert site.secret_key == "one that was generated for this very instance"
    with site.app_context():
        database.engine.dispose()


def test_a_server_that_is_started_too_early_says_which_command_mends_it(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "STORMPATH_"))}
    ours = {"PYTHONPATH": str(ROOT), "STORMPATH_INSTANCE_PATH": str(tmp_path / "instance")}
    done = subprocess.run(
        [sys.executable, "-c", "from stormpath_app.app import create_app; create_app()"],
        env={**kept, **ours},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "SECRET_KEY is not set" in done.stderr
    assert "init`" in done.stderr
    assert list(tmp_path.iterdir()) == []
