"""Logins to the console: what opens it, what ends it, and what its forms carry."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Blueprint, jsonify, request

from stormpath_app import Account, Application
from stormpath_app.admin import session as admin_session
from stormpath_app.admin.session import administrator
from stormpath_app.database import database, session
from stormpath_app.errors import NoRole
from stormpath_app.models import AccountSession, Administrator, AuditEvent
from stormpath_app.models.administration import MANAGER, OWNER, SUPPORT, VIEWER
from stormpath_app.models.administrator import console, directory

from ..conftest import PASSWORD, statements
from ..together import together

#: The console's own pages would be in the way of those that try its logins here.
pytestmark = pytest.mark.settings(STORMPATH_ADMIN_URL=None)

LEIA, HAN = "leia@alderaan.example", "han@falcon.example"


@pytest.fixture
def app(app):
    """Return an app with pages as the console's: who is there, in, out, and a form."""
    with app.app_context():
        Administrator.create(LEIA, PASSWORD, OWNER, given_name="Leia")
        Administrator.create(HAN, PASSWORD, SUPPORT)
    app.config["STORMPATH_ADMIN_URL"] = app.extensions["stormpath"].at_registration["ADMIN_URL"] = "/admin"
    pages = Blueprint("stormpath_admin", __name__, url_prefix="/admin")
    pages.after_request(admin_session.finish_response)

    @pages.post("/in/<login>")
    def enter(login):
        try:
            admin_session.log_in(console().find_account(login) or Application.current().find_account(login))
        except NoRole as error:
            return error.message, 403
        return "in"

    @pages.post("/out")
    def leave():
        admin_session.log_out()
        return "out"

    @pages.get("/who")
    def who():
        if not administrator:
            return jsonify(None)
        known = {"login": administrator.account.email, "role": administrator.role, "fresh": administrator.is_fresh}
        limits = administrator.directory_ids
        times = {"idle_at": administrator.idle_at.isoformat(), "expires_at": administrator.expires_at.isoformat()}
        return jsonify(**known, **times, limits=None if limits is None else sorted(limits))

    @pages.get("/token")
    def form():
        return administrator.csrf_token()

    @pages.post("/check")
    def check():
        return jsonify(administrator.is_csrf_token(request.form.get("csrf_token")))

    @pages.post("/change")
    def change():
        assert administrator
        return Account.create("luke@tatooine.example", PASSWORD).id

    app.register_blueprint(pages)
    return app


@pytest.fixture
def leia(client):
    """Return the browser of the owner, who is signed in to the console."""
    assert client.post(f"/admin/in/{LEIA}").text == "in"
    return client


def who(browser):
    return browser.get("/admin/who", buffered=True).json


def sent_by(answer):
    """Return the console's cookies that an answer sets; that of a known device is another matter."""
    return [sent for sent in answer.headers.getlist("Set-Cookie") if "stormpath_admin" in sent]


def cookie(browser):
    return browser.get_cookie("stormpath_admin", path="/admin") or browser.get_cookie(
        "__Secure-stormpath_admin", path="/admin"
    )


# --- What opens it ---


def test_an_administrator_is_known_by_a_cookie_of_the_consoles_own(leia):
    assert (who(leia)["login"], who(leia)["role"], who(leia)["fresh"]) == (LEIA, OWNER, True)
    assert leia.get("/secret").status_code == 302  # the site knows nobody


@pytest.mark.parametrize(
    ("secure", "name"), [(True, "__Secure-stormpath_admin"), (False, "stormpath_admin")], ids=["https", "http"]
)
def test_the_cookie_goes_to_the_console_alone_and_ends_with_the_browser(app, client, secure, name):
    app.config["STORMPATH_COOKIE_SECURE"] = secure
    (sent,) = sent_by(client.post(f"/admin/in/{LEIA}"))
    assert sent.startswith(f"{name}=")
    flags = {part.strip() for part in sent.split(";")[1:]}
    assert flags == {"HttpOnly", "Path=/admin", "SameSite=Lax", *(["Secure"] if secure else [])}


def test_where_the_app_is_mounted_below_a_path_the_cookie_is_too(client):
    (sent,) = sent_by(client.post(f"/admin/in/{LEIA}", base_url="http://localhost/shop"))
    assert "Path=/shop/admin" in sent


def test_a_site_s_login_never_opens_the_console_nor_the_consoles_the_site(app, client, log_in):
    with app.app_context():
        Application.current().add_account_store(directory())
    log_in(client, LEIA)
    assert client.get("/secret").status_code == 200
    for name in ("stormpath_session", "stormpath_token"):
        value = client.get_cookie(f"__Host-{name}").value
        for shown in (value, value[:66]):
            client.set_cookie("__Secure-stormpath_admin", shown, path="/admin")
            assert who(client) is None
    other = app.test_client()
    assert other.post(f"/admin/in/{LEIA}").text == "in"
    value = cookie(other).value
    for name in ("stormpath_session", "stormpath_token"):
        third = app.test_client()
        third.set_cookie(f"__Host-{name}", value)
        assert third.get("/secret").status_code == 302


def test_an_account_without_a_role_is_not_let_in(app, client, account):
    with app.app_context():
        directory().accounts.create(email="luke@tatooine.example", password=PASSWORD)
    for login in ("luke@tatooine.example", "solo"):
        answer = client.post(f"/admin/in/{login}")
        assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (403, [])
        assert "no role in the console" in answer.text


@together("value", ["", "x", "a.b", "é" * 66, "0" * 22 + "." + "x" * 43, "0" * 22 + ".\0"])
def test_what_never_was_a_token_is_nobody(client, value):
    client.set_cookie("__Secure-stormpath_admin", value, path="/admin")
    assert who(client) is None


def test_a_new_login_is_worth_another_cookie_and_the_one_before_nothing(app, leia):
    before = cookie(leia).value
    leia.post(f"/admin/in/{LEIA}")
    assert cookie(leia).value != before
    assert who(leia)["login"] == LEIA
    other = app.test_client()
    other.set_cookie("__Secure-stormpath_admin", before, path="/admin")
    assert who(other) is None
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 1


# --- What ends it ---


def test_logging_out_ends_it_and_leaves_the_site_s_login(app, client, account, log_in):
    log_in(client)
    client.post(f"/admin/in/{LEIA}")
    value = cookie(client).value
    assert client.post("/admin/out").text == "out"
    assert cookie(client) is None
    client.set_cookie("__Secure-stormpath_admin", value, path="/admin")
    assert who(client) is None
    assert client.get("/secret").text == "Hello Han"
    with app.app_context():
        assert session.scalar(sa.select(AuditEvent.interface).where(AuditEvent.kind == "logout")) == "admin"


def _set(name, value):
    def change(account):
        setattr(account, name, value)
        account.save()

    return change


def _close(table, where):
    def change(_account):
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET status = 'DISABLED' WHERE {where}")

    return change


ENDS = {
    "new password": _set("password", "Another1.Password"),
    "must change": _set("must_change_password", True),
    "disabled": _set("status", "DISABLED"),
    "signed out": lambda account: account.sign_out(),
    "lost role": lambda account: Administrator.of(account).revoke(),
    "deleted": lambda account: account.delete(),
    "application": _close("stormpath_applications", "name_key = 'stormpath'"),
    "directory": _close("stormpath_directories", "name_key = 'stormpath administrators'"),
    "role disabled": _close("stormpath_groups", "name_key = 'support'"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_it_ends_at_the_next_request_with(app, client, end):
    client.post(f"/admin/in/{HAN}")
    assert who(client)["role"] == SUPPORT
    with app.app_context():
        end(directory().find_account(HAN))
    assert who(client) is None


def test_another_role_and_limit_hold_at_the_next_request(app, client):
    client.post(f"/admin/in/{HAN}")
    with app.app_context():
        home = Application.current().default_account_store()
        Administrator.grant(directory().find_account(HAN), MANAGER, directories=[home])
        known = [home.id]
    assert (who(client)["role"], who(client)["limits"]) == (MANAGER, known)
    with app.app_context():
        Administrator.grant(directory().find_account(HAN), VIEWER)
    assert (who(client)["role"], who(client)["limits"]) == (VIEWER, None)


def test_it_ends_after_a_quarter_of_an_hour_without_activity(leia, held_clock):
    for _ in range(3):
        leia.post(f"/admin/in/{LEIA}")
        held_clock.forward(minutes=14, seconds=59)
        assert who(leia) is not None
    held_clock.forward(minutes=15)
    assert who(leia) is None


def test_it_ends_after_twelve_hours_whatever_happens(leia, held_clock):
    leia.post(f"/admin/in/{LEIA}")
    for _ in range(6 * 12 - 1):
        held_clock.forward(minutes=10)
        assert who(leia) is not None
    assert who(leia)["expires_at"] == (held_clock.at + timedelta(minutes=10)).isoformat()
    held_clock.forward(minutes=10)
    assert who(leia) is None


@pytest.mark.settings(STORMPATH_ADMIN_IDLE=60, STORMPATH_ADMIN_LIFETIME=timedelta(minutes=5))
def test_both_times_are_settings_and_hold_for_logins_that_are_there(app, leia, held_clock):
    leia.post(f"/admin/in/{LEIA}")
    assert who(leia)["idle_at"] == (held_clock.at + timedelta(minutes=1)).isoformat()
    assert who(leia)["expires_at"] == (held_clock.at + timedelta(minutes=5)).isoformat()
    app.config["STORMPATH_ADMIN_LIFETIME"] = 30
    held_clock.forward(seconds=30)
    assert who(leia) is None


def test_the_password_is_fresh_for_a_quarter_of_an_hour(leia, held_clock):
    leia.post(f"/admin/in/{LEIA}")
    held_clock.forward(minutes=10)
    assert who(leia)["fresh"] is True
    held_clock.forward(minutes=5)
    assert who(leia)["fresh"] is False


# --- What it costs ---


def test_who_is_there_costs_one_statement_and_a_write_a_minute(app, leia, held_clock):
    leia.post(f"/admin/in/{LEIA}")
    for seconds, sent in ((30, ["SELECT"]), (30, ["SELECT", "UPDATE"]), (59, ["SELECT"])):
        held_clock.forward(seconds=seconds)
        with statements(app) as seen:
            assert who(leia)["limits"] is None
        assert [statement.split()[0] for statement in seen] == sent


# --- Its forms ---


def test_a_form_is_taken_from_the_login_it_was_made_for_alone(app, leia):
    mine = leia.get("/admin/token").text
    assert leia.post("/admin/check", data={"csrf_token": mine}).json is True
    assert leia.get("/admin/token").text != mine
    other = app.test_client()
    other.post(f"/admin/in/{LEIA}")
    assert other.post("/admin/check", data={"csrf_token": mine}).json is False
    leia.post(f"/admin/in/{LEIA}")
    assert leia.post("/admin/check", data={"csrf_token": mine}).json is False


@together("value", [None, "", ".", "a.b", "é.é", "x" * 300, "a" * 22 + "." + "0" * 64])
def test_no_other_text_is_a_forms_token(leia, value):
    assert leia.post("/admin/check", data={"csrf_token": value} if value else {}).json is False


def test_a_form_s_token_outlives_a_new_key(app, leia):
    mine = leia.get("/admin/token").text
    app.config.update(SECRET_KEY="another key, which is long enough too", SECRET_KEY_FALLBACKS=[app.secret_key])
    assert leia.post("/admin/check", data={"csrf_token": mine}).json is True


def test_a_stranger_has_no_forms(client):
    assert client.post("/admin/check", data={"csrf_token": "a.b"}).json is False


# --- Who acts ---


def test_what_is_done_in_the_console_is_done_by_the_administrator(app, client, account, log_in):
    log_in(client)  # and not by who is logged in to the site
    client.post(f"/admin/in/{LEIA}")
    luke = client.post("/admin/change").text
    with app.app_context():
        found = session.scalar(sa.select(AuditEvent).where(AuditEvent.account_id == luke))
        leia = directory().find_account(LEIA)
        assert (found.kind, found.actor_id, found.interface) == ("account.created", leia.id, "admin")
        assert found.address == "127.0.0.1"


def test_a_page_tells_when_the_login_ends_that_this_very_request_keeps_alive(leia, held_clock):
    leia.post(f"/admin/in/{LEIA}")
    held_clock.forward(minutes=14)
    assert who(leia)["idle_at"] == (held_clock.at + timedelta(minutes=15)).isoformat()
    held_clock.forward(minutes=14, seconds=59)
    assert who(leia) is not None
