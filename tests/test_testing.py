"""The fixtures for the tests of host apps: each test here runs a small suite of a host."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from setuptools.config.setupcfg import read_configuration

import stormpath_app

from .servers import ROOT
from .test_docs import blocks

pytest_plugins = ["pytester"]

#: A host of a few lines. `app` holds no context open; `held` does, as many suites do.
HOST = """
import pytest
from flask import Flask, Response, stream_with_context
from stormpath_app import Account, StormpathManager, fresh_login_required, groups_required, login_required, user
from stormpath_app.testing import PASSWORD

SETTINGS = {}

@pytest.fixture
def app(tmp_path):
    app = Flask("host", instance_path=str(tmp_path / "instance"))
    app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY="of the tests of a host, long enough")
    app.config.update(STORMPATH_DATABASE_URI="sqlite://", WTF_CSRF_ENABLED=False)
    app.config.update(SETTINGS)
    StormpathManager(app)
    app.add_url_rule("/secret", "secret", login_required(lambda: f"Hello {user.given_name}"))
    app.add_url_rule("/fresh", "fresh", fresh_login_required(lambda: "fresh"))
    app.add_url_rule("/admins", "admins", groups_required(["admins"])(lambda: "admins"))

    @app.get("/stream")
    @login_required
    def stream():
        return Response(stream_with_context(f"{n} {user.given_name}," for n in range(3)))

    return app

@pytest.fixture
def held(app):
    with app.app_context():
        yield app
"""

#: What a host's suite wants, whatever context is open.
PEOPLE = """
def test_two_people_and_a_stranger(login_as, make_account, app):
    han, leia = make_account(given_name="Han"), make_account("leia@alderaan.example", given_name="Leia")
    one, two, nobody = login_as(han), login_as("LEIA@alderaan.example"), app.test_client()
    for _ in range(2):
        assert one.get("/secret").text == "Hello Han"
        assert two.get("/secret").text == "Hello Leia"
        assert nobody.get("/secret").status_code == 302
    one.get("/logout")
    assert one.get("/secret").status_code == 302
    assert two.get("/secret").text == "Hello Leia"

def test_a_person_signs_in_by_the_page(login_as, make_account, app):
    client = app.test_client()
    client.post("/login", data={"login": make_account(given_name="Han").email, "password": PASSWORD})
    assert client.get("/secret").text == "Hello Han"
    assert app.test_client().get("/secret").status_code == 302

def test_what_a_request_did_is_there_for_the_next(login_as, make_account, app):
    han = make_account(given_name="Han")
    client = login_as(han)
    with app.app_context():
        known = Account.get(han.href)
        known.given_name = "Ben"
        known.save()
    assert client.get("/secret").text == "Hello Ben"
"""


@pytest.fixture
def suite(pytester, monkeypatch):
    """Return a function that runs a host's suite; warnings are errors in it."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delitem(sys.modules, "stormpath_app.testing", raising=False)  # pytest wants to be the one to load it

    def suite(*parts, settings="", options=()):
        pytester.makepyfile(HOST.replace("SETTINGS = {}", f"SETTINGS = dict({settings})") + "\n".join(parts))
        return pytester.runpytest_inprocess("-p", "stormpath_app.testing", "-p", "no:randomly", "-W", "error", *options)

    return suite


WITHOUT_PYTEST_FLASK = ("-p", "no:flask", "-p", "no:pytest-flask")


@pytest.mark.parametrize("options", [WITHOUT_PYTEST_FLASK, ()], ids=["alone", "beside pytest-flask"])
@pytest.mark.parametrize("context", ["", "held"], ids=["no context", "a context held open"])
@pytest.mark.parametrize("settings", ["", "STORMPATH_COOKIE_SECURE=False"], ids=["__Host- cookies", "plain cookies"])
def test_people_who_are_signed_in_are_each_themselves(suite, options, context, settings):
    using = f"\npytestmark = pytest.mark.usefixtures({context!r})\n" if context else ""
    suite(using, PEOPLE, settings=settings, options=options).assert_outcomes(passed=3)


def test_pytest_flask_is_there_and_does_what_these_tests_are_about(suite):
    trap = """
def test_everybody_is_the_first_one(app, make_account):
    han = make_account()
    app.test_client().post("/login", data={"login": han.email, "password": PASSWORD})
    assert app.test_client().get("/secret").status_code == 200
"""
    suite(trap).assert_outcomes(passed=1)
    suite(trap, options=WITHOUT_PYTEST_FLASK).assert_outcomes(failed=1)


def test_pytest_flasks_own_fixtures_go_on_working(suite):
    suite(
        """
from flask import url_for

def test_it(client, login_as, make_account):
    assert client.get(url_for("secret")).status_code == 302
    assert login_as(make_account(given_name="Han")).get(url_for("secret")).text == "Hello Han"
    assert client.get(url_for("secret")).status_code == 302
"""
    ).assert_outcomes(passed=1)


def test_a_login_is_a_session_record_of_a_person_who_just_gave_the_password(suite):
    suite(
        """
from stormpath_app.database import session
from stormpath_app.models import AccountSession
import sqlalchemy as sa

def test_it(login_as, make_account, app):
    han = make_account()
    client = login_as(han)
    assert client.get("/fresh").text == "fresh"
    assert login_as(han, fresh=False).get("/fresh").status_code == 302
    with app.app_context():
        rows = session.scalars(sa.select(AccountSession).order_by(AccountSession.created_at)).all()
        assert [(row.account_id, row.remembered) for row in rows] == [(han.id, True)] * 2
        session.delete(rows[0])
        session.commit()
    assert client.get("/secret").status_code == 302
"""
    ).assert_outcomes(passed=1)


def test_a_browser_can_be_looked_into_as_any_test_client(suite):
    suite(
        """
import flask

def test_it(login_as, make_account):
    client = login_as(make_account(given_name="Han"))
    with client:
        assert client.get("/secret").text == "Hello Han"
        assert (flask.request.path, user.given_name) == ("/secret", "Han")
        assert client.get("/stream").text == "0 Han,1 Han,2 Han,"
    assert client.get("/stream").text == "0 Han,1 Han,2 Han,"
    with client.session_transaction() as session:
        session["seen"] = True
    with client.session_transaction() as session:
        assert session["seen"]
    assert client.get("/secret/", follow_redirects=True).status_code == 404
""",
        options=WITHOUT_PYTEST_FLASK,
    ).assert_outcomes(passed=1)


def test_a_hosts_own_test_client_stays_and_is_back_after_the_test(suite):
    suite(
        """
from flask.testing import FlaskClient

class Own(FlaskClient):
    def shout(self, path):
        return self.get(path).text.upper()

apps = []

def test_it(app, login_as, make_account):
    apps.append(app)
    assert app.test_client_class is not None

def test_own(app, request):
    assert apps[0].test_client_class is None
    app.test_client_class = Own
    login_as, make_account = map(request.getfixturevalue, ("login_as", "make_account"))
    assert login_as(make_account(given_name="Han")).shout("/secret") == "HELLO HAN"
"""
    ).assert_outcomes(passed=2)


def test_accounts_are_each_their_own_with_a_password_that_is_known_and_groups_that_are_made(suite):
    suite(
        """
def test_it(make_account, login_as, app):
    one, two = make_account(), make_account(groups=["admins"], username="leia")
    three = make_account("han@falcon.example", "Another1.Password", groups=["Admins", "crew"], surname="Solo")
    assert one.email != two.email
    assert login_as(one).get("/admins").status_code == 302
    assert login_as("leia").get("/admins").text == login_as(three).get("/admins").text == "admins"
    with app.app_context():
        assert Account.from_login(one.email, PASSWORD).id == one.id
        assert Account.from_login("han@falcon.example", "Another1.Password").surname == "Solo"
        assert sorted(group.name for group in three.directory.groups) == ["admins", "crew"]
        three.status = "DISABLED"
        three.save()
    with pytest.raises(ValueError, match="han@falcon.example is DISABLED"):
        login_as(three)
    with pytest.raises(LookupError, match="no account 'nobody@example.com'"):
        login_as("nobody@example.com")
"""
    ).assert_outcomes(passed=1)


def test_an_account_comes_by_a_provider_and_nobody_is_asked(suite):
    suite(
        """
def test_it(app, make_account, login_as):
    app.config["STORMPATH_SOCIAL"] = {"GITHUB": {"client_id": "any", "client_secret": "any"}}
    more = {"provider": "github", "given_name": "Han", "custom_data": {"a": 1}}
    han = make_account("han@falcon.example", groups=["admins"], **more)
    assert login_as(han).get("/admins").text == "admins"
    with app.app_context():
        han = Account.get(han.href)
        assert (han.provider_data.provider_id, han.full_name, han.custom_data["a"]) == ("github", "Han Anonymous", 1)
        assert make_account(provider="github").email != make_account(provider="github").email
    with pytest.raises(Exception, match="cannot be changed here"):
        make_account(provider="github", password=PASSWORD)
    with pytest.raises(Exception, match="not possible here"):
        make_account(provider="nobody")
"""
    ).assert_outcomes(passed=1)


def test_who_may_not_log_in_to_the_application_cannot_be_signed_in(suite):
    suite(
        """
from stormpath_app import Directory

def test_it(app, login_as, make_account):
    make_account()
    with app.app_context():
        stranger = Directory.create(name="Elsewhere").create_account(email="x@example.com", password=PASSWORD)
    with pytest.raises(ValueError, match="x@example.com: .* may not log in to the Application"):
        login_as(stranger)
"""
    ).assert_outcomes(passed=1)


def test_hashes_are_quick_where_nothing_is_set_and_only_for_the_test(suite):
    suite(
        """
import sqlalchemy as sa
from stormpath_app.database import session

apps = []

def costs(app):
    with app.app_context():
        return [stored.split("$")[2][-1] for stored in session.scalars(sa.select(Account.password_hash))]

def test_nothing_is_set(app, make_account):
    make_account()
    apps.append(app)
    assert costs(app) == ["4"]

def test_the_host_has_chosen(app, request):
    assert apps[0].config["STORMPATH_BCRYPT_COST"] == 12
    app.config["STORMPATH_BCRYPT_COST"] = 5
    request.getfixturevalue("make_account")()
    assert costs(app) == ["5"]
"""
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("app.config['TESTING'] = False", "app.config['TESTING'] is not on"),
        ("del app.extensions['stormpath']", "has no StormpathManager"),
        ("app.config['STORMPATH_APPLICATION'] = 'Missing'", "There is no application 'Missing'"),
    ],
)
def test_an_app_that_is_not_for_tests_or_not_right_is_told_what_it_needs(suite, change, told):
    done = suite(
        f"""
@pytest.fixture
def wrong(app):
    with app.app_context():
        assert not list(Account.current_application().accounts)  # the first application is there by now
    {change}

def test_it(wrong, login_as):
    pass
""",
        options=WITHOUT_PYTEST_FLASK,
    )
    done.assert_outcomes(errors=1)
    assert told in done.stdout.str()


def test_a_database_in_a_file_is_set_up(suite, pytester):
    for uri in (None, f"sqlite:///{pytester.path}/people.db"):
        suite(PEOPLE, settings=f"STORMPATH_DATABASE_URI={uri!r}").assert_outcomes(passed=3)


SHARED = """
from flask_sqlalchemy import SQLAlchemy

@pytest.fixture
def app(tmp_path):
    db = SQLAlchemy()
    app = Flask("host", instance_path=str(tmp_path / "instance"))
    app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY="of the tests of a host, long enough")
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///" + FILE and URI(tmp_path), WTF_CSRF_ENABLED=False)
    db.init_app(app)
    StormpathManager(app, db=db)
    app.add_url_rule("/secret", "secret", login_required(lambda: f"Hello {user.given_name}"))
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()

def test_an_account_of_the_hosts_own_fixture(app, login_as):
    with app.app_context():
        han = Account.create("han@falcon.example", PASSWORD, "Han")
    assert login_as(han).get("/secret").text == "Hello Han"
"""


@pytest.mark.parametrize("where", ["'sqlite://'", "f'sqlite:///{path}/host.db'"], ids=["in memory", "in a file"])
@pytest.mark.parametrize("options", [WITHOUT_PYTEST_FLASK, ()], ids=["alone", "beside pytest-flask"])
def test_accounts_can_be_in_the_hosts_own_database(suite, where, options):
    host = SHARED.replace('"sqlite:///" + FILE and URI(tmp_path)', where.replace("{path}", "{tmp_path}"))
    if "///" in where:  # a host's file is set up by itself for those who ask for an account
        host = host.replace("(app, login_as)", "(login_as, app)")
    suite(host, PEOPLE, options=options).assert_outcomes(passed=4)


# --- For those who do not use it ---


def test_a_suite_that_asks_for_no_fixture_meets_nothing_of_ours(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(
        """
import sys

def test_it(request):
    assert "stormpath_app.testing" in sys.modules
    heavy = {"flask", "sqlalchemy", "stormpath_app.models", "stormpath_app.manager"}
    assert not heavy & set(sys.modules)
    assert not [name for name in request.fixturenames if "stormpath" in name]
"""
    )
    plugins = ("-p", "stormpath_app.testing", *WITHOUT_PYTEST_FLASK, "-p", "no:playwright")
    done = pytester.runpytest_subprocess(*plugins)
    done.assert_outcomes(passed=1)


def test_every_name_of_the_package_is_there_when_it_is_asked_for():
    for name in stormpath_app.__all__:
        asked = f"import sys, stormpath_app; assert 'flask' not in sys.modules; stormpath_app.{name}"
        if name in {"StormpathError", "User", "user"}:  # one of each kind, each in a Python of its own
            subprocess.run([sys.executable, "-W", "error", "-c", asked], check=True, cwd=ROOT)
        assert getattr(stormpath_app, name) is not None
        assert name in dir(stormpath_app)
    with pytest.raises(AttributeError, match="no attribute 'Acount'"):
        _ = stormpath_app.Acount


def test_pytest_finds_the_fixtures_where_the_package_is_installed():
    (line,) = read_configuration(ROOT / "setup.cfg")["options"]["entry_points"]["pytest11"]
    name, _, value = line.partition(" = ")
    assert name == value == "stormpath_app.testing"
    assert EntryPoint(name, value, "pytest11").load().login_as


@pytest.mark.usefixtures("suite")
def test_the_tests_of_the_manual_pass(pytester):
    code = "\n".join(blocks(ROOT / "docs/testing.md", "python"))
    pytester.makepyfile(test_manual=code)
    pytester.runpytest_inprocess("-p", "stormpath_app.testing", "-W", "error").assert_outcomes(passed=4)


# --- Mails ---


def test_the_mails_that_left_are_in_the_outbox(suite):
    suite(
        """
def test_a_reset(app, outbox, make_account):
    han = make_account("han@falcon.example")
    assert list(outbox) == []
    browser = app.test_client()
    browser.post("/forgot", data={"email": "han@falcon.example"})
    assert len(outbox) == 1
    (mail,) = outbox
    assert mail.to == "han@falcon.example"
    assert mail.subject and mail.text and mail.html
    assert outbox[-1] is mail and outbox[:1] == [mail]
    (link,) = [link for link in mail.links if "sptoken=" in link]
    assert browser.get(link, follow_redirects=True).status_code == 200

def test_another_test_begins_with_none(outbox):
    assert len(outbox) == 0

def test_within_a_context(held, outbox, make_account):
    make_account("leia@alderaan.example")
    held.test_client().post("/forgot", data={"email": "leia@alderaan.example"})
    assert [mail.to for mail in outbox] == ["leia@alderaan.example"]
""",
        settings="STORMPATH_ENABLE_FORGOT_PASSWORD=True",
    ).assert_outcomes(passed=3)


def test_a_mail_that_cannot_be_rendered_fails_the_test_that_looks(suite):
    outcomes = suite(
        """
def test_it(app, outbox, make_account, monkeypatch):
    from stormpath_app.mail import rendering
    make_account("han@falcon.example")
    app.test_client().post("/forgot", data={"email": "han@falcon.example"})
    monkeypatch.setattr(rendering, "render", lambda _message: 1 / 0)
    len(outbox)
""",
        settings="STORMPATH_ENABLE_FORGOT_PASSWORD=True",
    )
    outcomes.assert_outcomes(failed=1)
    outcomes.stdout.fnmatch_lines(["*reset mail to han@falcon.example did not leave: *ZeroDivisionError*"])


def test_the_outbox_has_none_of_the_mails_that_a_host_sends_itself(suite):
    suite(
        """
def test_it(app, outbox, make_account):
    from flask_mail import Mail, Message
    mail = Mail(app)
    make_account("han@falcon.example")
    with app.app_context(), mail.record_messages() as all_of_them:
        mail.send(Message("Theirs", sender="a@host.example", recipients=["b@host.example"], body="x"))
        app.test_client().post("/forgot", data={"email": "han@falcon.example"})
        assert [one.to for one in outbox] == ["han@falcon.example"]
    assert len(all_of_them) == 2
""",
        settings="STORMPATH_ENABLE_FORGOT_PASSWORD=True",
    ).assert_outcomes(passed=1)
