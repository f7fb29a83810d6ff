"""An app that brings extensions of its own: they are joined, not replaced."""

from datetime import timedelta

import flask_login
import pytest
from bs4 import BeautifulSoup
from flask import Blueprint, get_flashed_messages, request
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_babel import Babel
from flask_mail import Mail, Message
from flask_wtf import CSRFProtect

from stormpath_app import StormpathManager, current_user, fresh_login_required, login_required, user

from ..conftest import PASSWORD, statements, token
from .conftest import han

BOTH_ORDERS = pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])


def wire(app, *extensions, order=1):
    """Call each with the app, in the order given or its reverse; add a page that asks who is there."""
    made = [extension(app) for extension in extensions[::order]][::order]

    @app.get("/secret")
    @login_required
    def secret():
        return f"Hello {user.given_name}"

    return made


# --- Flask-Login ---


@BOTH_ORDERS
def test_a_login_manager_without_a_loader_stays_and_finds_people_by_our_sessions(bare, log_in, order):
    app = bare()
    theirs, _ours = wire(app, flask_login.LoginManager, StormpathManager, order=order)
    app.add_url_rule(
        "/theirs", "theirs", flask_login.login_required(lambda: flask_login.current_user.email), methods=["GET"]
    )
    han(app)
    client = app.test_client()
    assert client.get("/theirs").location == "/login?next=%2Ftheirs"
    assert log_in(client).status_code == 302
    assert app.login_manager is theirs
    assert client.get("/secret").text == "Hello Han"
    with statements(app) as seen:
        assert client.get("/theirs").text == "han@falcon.example"
    assert len(seen) == 1
    client.set_cookie("remember_token", "somebody|else")  # Flask-Login's own cookie, of another app of this host
    assert client.get("/theirs").text == "han@falcon.example"
    client.get("/logout")
    assert client.get("/theirs").status_code == 302


@BOTH_ORDERS
def test_what_a_hosts_login_manager_says_of_strangers_stays_as_it_is(bare, order):
    app = bare()
    theirs, _ours = wire(app, flask_login.LoginManager, StormpathManager, order=order)
    theirs.unauthorized_handler(lambda: ("Not for you.", 401))

    class Guest(flask_login.AnonymousUserMixin):
        name = "Guest"

    theirs.anonymous_user = Guest
    app.add_url_rule("/who", "who", lambda: current_user.name)
    client = app.test_client()
    assert (client.get("/secret").status_code, client.get("/secret").text) == (401, "Not for you.")
    assert client.get("/who").text == "Guest"


@BOTH_ORDERS
def test_a_login_page_that_the_hosts_login_manager_names_is_the_one(bare, order):
    app = bare()
    theirs, _ours = wire(app, flask_login.LoginManager, StormpathManager, order=order)
    theirs.login_view = "front"
    app.add_url_rule("/front", "front", lambda: "Come in")
    assert app.test_client().get("/secret").location == "/front?next=%2Fsecret"


@BOTH_ORDERS
def test_what_a_hosts_login_manager_says_to_strangers_is_said(bare, order):
    app = bare()
    theirs, _ours = wire(app, flask_login.LoginManager, StormpathManager, order=order)
    theirs.login_message, theirs.login_message_category = "Bitte anmelden.", "info"
    app.add_url_rule("/said", "said", lambda: get_flashed_messages(with_categories=True))
    client = app.test_client()
    client.get("/secret")
    assert client.get("/said").json == [["info", "Bitte anmelden."]]
    theirs.localize_callback = str.upper
    client.get("/secret")
    assert client.get("/said").json == [["info", "BITTE ANMELDEN."]]
    theirs.login_message = None
    client.get("/secret")
    assert client.get("/said").json == []


@BOTH_ORDERS
def test_what_it_says_to_those_who_must_give_the_password_again_is_said(bare, log_in, order):
    app = bare(STORMPATH_FRESH_FOR=timedelta(microseconds=1))
    theirs, _ours = wire(app, flask_login.LoginManager, StormpathManager, order=order)
    theirs.needs_refresh_message, theirs.needs_refresh_message_category = "Noch einmal.", "info"
    app.add_url_rule("/said", "said", lambda: get_flashed_messages(with_categories=True))
    app.add_url_rule("/close", "close", fresh_login_required(lambda: "Closed."))
    han(app)
    client = app.test_client()
    log_in(client)
    client.get("/close")
    assert client.get("/said").json == [["info", "Noch einmal."]]


@BOTH_ORDERS
def test_a_login_page_that_it_has_for_one_blueprint_is_the_one_there(bare, order):
    app = bare()
    theirs, _ours = wire(app, flask_login.LoginManager, StormpathManager, order=order)
    theirs.blueprint_login_views["staff"] = "front"
    staff = Blueprint("staff", __name__, url_prefix="/staff")
    staff.add_url_rule("/", "home", login_required(lambda: "Hello"))
    app.register_blueprint(staff)
    app.add_url_rule("/front", "front", lambda: "Come in")
    assert app.test_client().get("/staff/").location == "/front?next=%2Fstaff%2F"
    assert app.test_client().get("/secret").location == "/login?next=%2Fsecret"


@BOTH_ORDERS
def test_what_is_missing_is_told_though_the_hosts_login_manager_asks_who_is_there_for_every_template(bare, order):
    app = bare(STORMPATH_APPLICATION="Falcon", STORMPATH_BCRYPT_COST=40)
    app.debug = True
    wire(app, flask_login.LoginManager, StormpathManager, order=order)
    app.context_processor(lambda: {"cart": f"of {current_user.email}"})
    for page in ("/login", "/secret"):
        answer = app.test_client().get(page)
        assert answer.status_code == 503
        assert "STORMPATH_BCRYPT_COST" in answer.text


# --- CSRFProtect ---


def test_a_hosts_csrf_protection_lets_our_forms_pass_and_keeps_its_own_closed(bare, log_in):
    app = bare()
    app.config["STORMPATH_ENABLE_LOGOUT"] = False
    wire(app, CSRFProtect, StormpathManager)
    app.add_url_rule("/transfer", "transfer", lambda: "Done", methods=["POST"])
    app.add_url_rule("/leave", "stormpath.logout", lambda: "Gone", methods=["POST"])
    han(app)
    client = app.test_client()
    assert client.post("/transfer").status_code == 400
    assert client.post("/leave").status_code == 400  # the host's own view, though at a name of ours
    assert log_in(client).status_code == 302
    assert client.post("/login", data={"login": "han@falcon.example", "password": PASSWORD}).status_code == 400
    assert client.post("/transfer", data={"csrf_token": token(client, "/login?next=/")}).text == "Done"


def test_a_csrf_field_of_another_name_is_as_good_and_as_stale(bare):
    app = bare(WTF_CSRF_FIELD_NAME="mark")
    wire(app, CSRFProtect, StormpathManager)
    han(app)
    client = app.test_client()
    form = {"login": "han@falcon.example", "password": PASSWORD}
    stale = client.post("/login", data={**form, "mark": "stale"})
    assert stale.status_code == 400
    assert "This page was open for too long." in stale.text
    mark = BeautifulSoup(stale.text, "html.parser").find("input", {"name": "mark"})["value"]
    assert client.post("/login", data={**form, "mark": mark}).status_code == 302


# --- Flask-Mail, Flask-Babel, Flask-Admin ---


@BOTH_ORDERS
def test_a_hosts_flask_mail_goes_on_sending(bare, order):
    app = bare()
    mail, _ours = wire(app, Mail, StormpathManager, order=order)
    with app.app_context(), mail.record_messages() as sent:
        mail.send(Message("Hello", sender="shop@falcon.example", recipients=["han@falcon.example"]))
    assert [message.subject for message in sent] == ["Hello"]
    assert app.extensions["mail"] is mail.state


@BOTH_ORDERS
def test_a_hosts_flask_babel_and_our_pages_stand_side_by_side(bare, order):
    app = bare()
    wire(app, lambda app: Babel(app, locale_selector=lambda: request.args.get("lang", "en")), StormpathManager)
    page = app.test_client().get("/login?lang=de")
    assert page.status_code == 200
    assert BeautifulSoup(page.text, "html.parser").find("input", {"name": "login"})


@BOTH_ORDERS
def test_a_hosts_flask_admin_asks_our_user_who_may_come_in(bare, log_in, order):
    app = bare()

    class Door:
        def is_accessible(self):
            return current_user.is_authenticated

        def inaccessible_callback(self, _name, **_more):
            return app.login_manager.unauthorized()

    class Home(Door, AdminIndexView):
        @expose("/")
        def index(self):
            return f"Back office of {user.email}"

    class Reports(Door, BaseView):
        @expose("/")
        def index(self):
            return "Reports"

    def admin(app):
        admin = Admin(app, name="Shop", index_view=Home())
        admin.add_view(Reports(endpoint="reports"))
        return admin

    app.config.update(STORMPATH_ADMIN_URL="/accounts")
    wire(app, admin, StormpathManager, order=order)
    han(app)
    client = app.test_client()
    assert client.get("/accounts/").location == "/accounts/login?next=/accounts/"
    for path in ("/admin/", "/admin/reports/"):
        assert client.get(path).status_code == 302
    log_in(client)
    assert client.get("/admin/").text == "Back office of han@falcon.example"
    assert client.get("/admin/reports/").text == "Reports"


@BOTH_ORDERS
def test_a_hosts_flask_admin_at_the_address_of_our_console_is_named_with_what_moves_ours(bare, order):
    app = bare()
    wire(app, lambda app: Admin(app, name="Shop"), StormpathManager, order=order)
    with app.app_context():
        (told,) = [problem.sentence for problem in app.extensions["stormpath"].check()]
    assert told.startswith("This app has a page of its own at /admin/ (endpoint 'admin.index'), where ours is:")
    assert told.endswith("set STORMPATH_ADMIN_URL to another path, or to None.")
