"""The doors: when they are closed, what they say, and what they leave to the view."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import make_response
from flask_login import user_unauthorized

from stormpath_app import current_user, login_required

from .conftest import make_app


@pytest.mark.parametrize(
    ("testing", "login_disabled", "is_closed"),
    [
        (False, None, True),
        (False, False, True),
        (False, True, False),
        (True, None, False),
        (True, False, True),
        (True, True, False),
    ],
)
def test_testing_opens_doors_unless_login_disabled_says_what_is_true(instance, testing, login_disabled, is_closed):
    app = make_app(instance, TESTING=testing, STORMPATH_BCRYPT_COST=10)
    app.config.pop("LOGIN_DISABLED")
    if login_disabled is not None:
        app.config["LOGIN_DISABLED"] = login_disabled
    app.add_url_rule("/door", "door", login_required(lambda: "inside"))
    assert app.test_client().get("/door").status_code == (302 if is_closed else 200)


def door(app, body=lambda: "inside", **rule):
    app.add_url_rule("/door", "door", login_required(body), **rule)


def test_a_stranger_is_told_why_the_login_page_comes(client):
    with client.get("/secret", follow_redirects=True) as page:
        assert page.request.path == "/login"
        assert "Log in to open this page." in page.text
    assert "Log in to open this page." not in client.get("/login").text


def test_who_knocked_many_times_is_told_once(client):
    for _ in range(20):
        client.get("/secret")  # as a script of a page does, which never opens where it is sent
    assert client.get("/login").text.count("Log in to open this page.") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_looks_is_led_back(client, method):
    assert client.open("/secret", method=method).location == "/login?next=%2Fsecret"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_who_sends_is_not_led_back_as_a_link_cannot_send_again(app, client, method):
    door(app, methods=["POST", "PUT", "PATCH", "DELETE"])
    assert client.open("/door", method=method).location == "/login"


def test_the_way_back_is_right_below_a_path_too(client):
    answer = client.get("/secret?a=b", base_url="http://localhost/shop")
    assert answer.location == "/shop/login?next=%2Fshop%2Fsecret%3Fa%3Db"


def test_options_pass_as_a_browser_asks_them_before_it_says_who_it_is(app, client):
    door(app, lambda: ("", 204), methods=["GET", "OPTIONS"], provide_automatic_options=False)
    assert client.options("/door").status_code == 204
    assert client.options("/secret").status_code == 200
    assert client.get("/door").status_code == 302


def test_what_is_behind_a_door_is_kept_by_no_cache_nor_is_the_refusal(client, account, log_in):
    assert client.get("/secret").headers["Cache-Control"] == "no-store"
    log_in(client)
    assert client.get("/secret").headers["Cache-Control"] == "no-store"


def test_a_view_may_say_otherwise_about_caches(app, client, account, log_in):
    door(app, lambda: make_response("inside", {"Cache-Control": "private, max-age=60"}))
    log_in(client)
    assert client.get("/door").headers.getlist("Cache-Control") == ["private, max-age=60"]


def test_a_door_that_testing_opens_is_kept_by_no_cache_either(app, client):
    app.config["LOGIN_DISABLED"] = True
    door(app)
    answer = client.get("/door")
    assert (answer.text, answer.headers["Cache-Control"]) == ("inside", "no-store")


def test_a_view_keeps_its_name_and_gets_its_arguments(app, client, account, log_in):
    @login_required
    def numbered(number):
        """Return the number."""
        return str(number)

    app.add_url_rule("/door/<int:number>", view_func=numbered)
    assert (numbered.__name__, numbered.__doc__) == ("numbered", "Return the number.")
    log_in(client)
    assert client.get("/door/7").text == "7"


def test_a_view_may_ask_by_itself_as_the_manual_says(app, client, account, log_in):
    def at_times():
        if not current_user.is_authenticated:
            return app.login_manager.unauthorized()
        return f"Hello {current_user.given_name}"

    app.add_url_rule("/door", "door", at_times)
    assert client.get("/door").location == "/login?next=%2Fdoor"
    log_in(client)
    assert client.get("/door").text == "Hello Han"


def test_nothing_of_the_view_runs_for_a_stranger(app, client):
    ran = []
    door(app, lambda: ran.append(1) or "inside", methods=["GET", "POST", "HEAD"])
    for method in ("GET", "HEAD", "POST"):
        client.open("/door", method=method)
    assert ran == []


def test_an_app_may_send_strangers_to_a_login_page_of_its_own(app, client):
    app.add_url_rule("/mine", "mine", lambda: "my own")
    app.extensions["stormpath"].manager.login_view = "mine"
    assert client.get("/secret").location == "/mine?next=%2Fsecret"


@pytest.mark.parametrize("view", ["/elsewhere", "https://id.example/login?client=1"])
def test_that_page_may_be_an_address_as_in_flask_login(app, client, view):
    app.extensions["stormpath"].manager.login_view = view
    answer = client.get("/secret")
    assert answer.status_code == 302
    assert answer.location.startswith(view)
    assert "next=" in answer.location


@pytest.mark.parametrize("view", [None, "nowhere"])
def test_without_a_login_page_the_answer_is_401(app, client, view):
    app.extensions["stormpath"].manager.login_view = view
    assert client.get("/secret").status_code == 401


def test_flask_logins_signal_tells_of_a_closed_door(app, client):
    heard = []

    def note(sender):
        heard.append(sender is app)

    with user_unauthorized.connected_to(note, app):
        client.get("/secret")
    assert heard == [True]


def test_a_view_may_be_a_coroutine(app, client, account, log_in):
    pytest.importorskip("asgiref")

    async def later():
        return f"Hello {current_user.given_name}"

    door(app, later)
    # In a thread, as servers do: the browser that another test drives may have left an event loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(client.get, "/door").result().status_code == 302
        thread.submit(log_in, client).result()
        assert thread.submit(client.get, "/door").result().text == "Hello Han"
