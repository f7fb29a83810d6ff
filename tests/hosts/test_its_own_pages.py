"""An app with pages of its own: at our addresses, in our places, round ours; and old ways to wire them."""

import pytest
from flask import Blueprint, redirect, render_template_string, request, url_for

from stormpath_app import StormpathManager, login_required, login_user, user
from stormpath_app.errors import LoginFailed

from ..conftest import PASSWORD, token
from .conftest import han

INLINE = "<script>document.title = 'mine'</script>"


def add_secret(app):
    app.add_url_rule("/secret", "secret", login_required(lambda: f"Hello {user.given_name}"))


def errors(app):
    with app.app_context():
        found = app.extensions["stormpath"].check()
    return " ".join(problem.sentence for problem in found if problem.level == "error")


# --- Its own /login and /settings ---


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_page_of_its_own_at_login_is_named_and_ours_can_move(bare, order, log_in):
    for address, complaint in (("/login", "STORMPATH_LOGIN_URL"), ("/sign-in", "")):
        app = bare(STORMPATH_LOGIN_URL=address)
        wiring = [lambda app: app.add_url_rule("/login", "their_login", lambda: "Theirs"), StormpathManager]
        for wire in wiring if order == "before" else wiring[::-1]:
            wire(app)
        add_secret(app)
        app.add_url_rule("/settings", "settings", lambda: "Their settings")
        assert complaint in errors(app)
        assert bool(errors(app)) is bool(complaint)
    han(app)
    client = app.test_client()
    assert client.get("/login").text == "Theirs"
    assert client.get("/settings").text == "Their settings"
    assert client.get("/secret").location == "/sign-in?next=%2Fsecret"
    answer = client.post(
        "/sign-in?next=%2Fsecret",
        data={"csrf_token": token(client, "/sign-in"), "login": "han@falcon.example", "password": PASSWORD},
    )
    assert answer.location == "/secret"
    assert client.get("/secret").text == "Hello Han"


# --- A view of ours switched off, the app's own in its place ---


def test_a_view_of_its_own_can_take_the_name_and_place_of_ours(bare):
    app = bare(STORMPATH_ENABLE_LOGIN=False)
    manager = StormpathManager(app)
    add_secret(app)

    def enter():
        if request.method == "POST":
            try:
                found = manager.application.authenticate_account(request.form["who"], request.form["word"])
            except LoginFailed as error:
                return error.message, 400
            login_user(found.account)
            return redirect(url_for("secret"))
        return render_template_string(INLINE)

    app.add_url_rule("/enter", "stormpath.login", enter, methods=["GET", "POST"])
    han(app)
    client = app.test_client()
    assert client.get("/login").status_code == 404
    assert client.get("/secret").location == "/enter?next=%2Fsecret"
    page = client.get("/enter")
    assert page.text == INLINE
    assert "Content-Security-Policy" not in page.headers  # it is not for us to forbid its scripts
    assert client.post("/enter", data={"who": "han@falcon.example", "word": "wrong"}).status_code == 400
    long = {"who": "han@falcon.example", "word": PASSWORD, "more": "x" * 100_000}
    assert client.post("/enter", data=long).location == "/secret"
    assert client.get("/secret").text == "Hello Han"
    assert 'href="/enter"' in app.test_client().get("/register").text  # our own pages lead there


def test_a_login_view_can_be_named_as_ever(bare):
    app = bare(STORMPATH_ENABLE_LOGIN=False)
    manager = StormpathManager()
    manager.init_app(app)
    manager.login_view = "enter"
    add_secret(app)
    app.add_url_rule("/enter", "enter", lambda: "Come in")
    assert app.test_client().get("/secret").location == "/enter?next=%2Fsecret"


def test_without_any_login_page_a_closed_door_says_401(bare):
    app = bare(STORMPATH_ENABLE_LOGIN=False)
    StormpathManager(app)
    add_secret(app)
    assert app.test_client().get("/secret").status_code == 401


# --- Our blueprint under a prefix ---


@pytest.mark.parametrize("prefix", ["/members", "/members/area", None])
def test_the_blueprint_can_be_registered_by_the_app_itself(bare, prefix):
    app = bare()
    manager = StormpathManager()
    manager.init_app(app, register_blueprint=False)
    app.register_blueprint(manager.blueprint, url_prefix=prefix)
    add_secret(app)
    han(app)
    here, client = prefix or "", app.test_client()
    assert errors(app) == ""
    assert client.get("/secret").location == f"{here}/login?next=%2Fsecret"
    page = client.get(f"{here}/login")
    assert f'href="{here}/stormpath/static/stormpath.css"' in page.text
    with client.get(f"{here}/stormpath/static/stormpath.css") as style:
        assert style.status_code == 200
    answer = client.post(
        f"{here}/login?next=%2Fsecret",
        data={"csrf_token": token(client, f"{here}/login"), "login": "han@falcon.example", "password": PASSWORD},
    )
    assert answer.location == "/secret"
    assert client.get("/secret").text == "Hello Han"
    assert client.get(f"{here}/logout").location == "/"
    assert client.get("/secret").status_code == 302
    assert "Content-Security-Policy" in page.headers


def test_a_blueprint_that_nobody_registered_is_told(bare):
    app = bare()
    manager = StormpathManager()
    with pytest.raises(RuntimeError, match="register_blueprint=False"):
        _ = manager.blueprint
    manager.init_app(app, register_blueprint=False)
    assert "app.register_blueprint(stormpath_manager.blueprint)" in errors(app)
    add_secret(app)
    assert (app.test_client().get("/secret").status_code, app.test_client().get("/login").status_code) == (503, 404)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("how", ["renamed", "inside another"])
def test_a_blueprint_under_another_name_is_told_on_its_pages(bare, how, debug):
    app = bare()
    app.debug = debug
    manager = StormpathManager()
    manager.init_app(app, register_blueprint=False)
    if how == "renamed":
        app.register_blueprint(manager.blueprint, name="members", url_prefix="/members")
    else:
        members = Blueprint("members", __name__, url_prefix="/members")
        members.register_blueprint(manager.blueprint)
        app.register_blueprint(members)
    answer = app.test_client().get("/members/login")
    assert (answer.status_code, answer.mimetype) == (503, "text/plain")
    assert ("without `name`" in answer.text) is debug


# --- Settings that come late ---


def test_settings_may_change_while_the_app_runs(bare):
    app = bare()
    StormpathManager(app)
    han(app)
    client = app.test_client()
    assert client.get("/login").status_code == 200
    app.config["STORMPATH_REDIRECT_URL"] = "/dashboard"
    app.config["STORMPATH_ENABLE_USERNAME"] = True
    page = client.get("/login")
    assert "Username or Email" in page.text
    data = {"csrf_token": token(client), "login": "han@falcon.example", "password": PASSWORD}
    assert client.post("/login", data=data).location == "/dashboard"
