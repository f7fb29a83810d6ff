"""The doors that ask for groups: who may pass, who may not, and where those go."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import make_response, render_template_string

from stormpath_app import Account, Application, Group, groups_required, user
from stormpath_app.models import Client, Directory, active_session
from stormpath_app.transactions import atomic

from .conftest import PASSWORD, make_app, reads, statements, token
from .test_authentication import SESSION

NEEDS_ANOTHER = "This page needs another account."
MAY_NOT = "Your account may not do this."
LOG_IN = "Log in to open this page."
LOST = "What you sent was not saved."


@pytest.fixture
def member(app, client, account):
    """Return the browser of Han, who is logged in and in no group; there is a group of admins.

    No request was sent yet, so that the test can add views.
    """
    with app.app_context(), atomic():
        Application.current().groups.create(name="admins")
        han = Application.current().find_account("solo")
        client.set_cookie(SESSION, active_session.start(han, Application.current(), remembered=False))
    return client


@pytest.fixture
def han(app, member):
    """Return a function that does something with Han and the admins, as another process would."""

    def act(work):
        with app.app_context():
            return work(Application.current().find_account("solo"), Application.current().default_group_store())

    return act


def door(app, groups=("admins",), body=lambda: "inside", path="/door", methods=("GET", "POST"), **how):
    """Add a view behind a door."""
    app.add_url_rule(path, path[1:], groups_required(list(groups), **how)(body), methods=list(methods))


def is_in(client, path="/door"):
    return client.get(path).status_code == 200


def change(resource, **attributes):
    for name, value in attributes.items():
        setattr(resource, name, value)
    resource.save()


# --- Who may pass ---


def test_the_old_manuals_views_work_to_the_letter(app, member, han):
    @app.route("/admins")
    @groups_required(["admins"])
    def admins_only():
        """A top-secret view only accessible to admins."""
        return "admins"

    @app.route("/free_and_admins")
    @groups_required(["free users", "admins"])
    def free_users_and_admins_only():
        """Only free users and admins can access this view."""
        return "both"

    @app.route("/any_user")
    @groups_required(["free users", "paid users", "admins"], all=False)
    def any_user():
        """A view accessible to any user, but only if they're logged in."""
        return "any"

    paths = ("/admins", "/free_and_admins", "/any_user")
    assert [is_in(member, path) for path in paths] == [False, False, False]
    han(lambda user, directory: user.add_group(directory.groups.create({"name": "free users"})))
    assert [is_in(member, path) for path in paths] == [False, False, True]
    han(lambda user, directory: user.add_group("admins"))
    assert [member.get(path).text for path in paths] == ["admins", "both", "any"]
    assert admins_only.__doc__ == "A top-secret view only accessible to admins."


@pytest.mark.parametrize("groups", [["ADMINS"], (" admins ",), {"\uff41dmins"}, ["admins", "Admins"]])
@pytest.mark.parametrize("given_as", [lambda groups: groups, iter])
def test_a_group_may_be_written_in_any_case_and_come_in_any_list(app, member, han, groups, given_as):
    door(app, given_as(groups))
    assert not is_in(member)
    han(lambda han, _: han.add_group("admins"))
    assert is_in(member)


@pytest.mark.parametrize(
    "way",
    [lambda group: group, lambda group: group.href, lambda group: f"https://api.example.com{group.href}"],
    ids=["itself", "href", "href of another host"],
)
def test_a_group_may_be_given_by_itself_or_by_its_href_whatever_its_name_becomes(app, member, han, way):
    door(app, [han(lambda _, directory: way(directory.find_group("admins")))])
    assert not is_in(member)
    han(lambda han, _: han.add_group("admins"))
    assert is_in(member)
    han(lambda _, directory: change(directory.find_group("admins"), name="rulers"))
    assert is_in(member)


def test_a_view_keeps_its_name_and_gets_its_arguments(app, member, han):
    han(lambda han, _: han.add_group("admins"))

    @app.get("/door/<int:number>")
    @groups_required(["admins"])
    def numbered(number):
        """Return the number."""
        return str(number)

    assert (numbered.__name__, numbered.__doc__) == ("numbered", "Return the number.")
    assert member.get("/door/7").text == "7"


def test_a_view_may_be_a_coroutine(app, member, han):
    pytest.importorskip("asgiref")

    async def later():
        return "inside"

    door(app, body=later)
    with ThreadPoolExecutor(1) as thread:  # as in test_login_required.py
        assert thread.submit(is_in, member).result() is False
        han(lambda han, _: han.add_group("admins"))
        assert thread.submit(is_in, member).result() is True


# --- Who may not ---


def _others(directory):
    """Return a group of the same name in another directory."""
    return Client().directories.create(name="Empire").groups.create(name="admins")


STAYS_OUT = {
    "in no group": lambda han, here: None,
    "in another group": lambda han, here: han.add_group(here.groups.create(name="admins of nothing")),
    "the group is disabled": lambda han, here: change(here.find_group("admins"), status="DISABLED"),
    "the group is deleted": lambda han, here: here.find_group("admins").delete(),
    "a new group has its name": lambda han, here: (
        here.find_group("admins").delete(),
        here.groups.create(name="admins"),
    ),
    "the group has another name": lambda han, here: change(here.find_group("admins"), name="rulers"),
    "he left it": lambda han, here: han.remove_group("admins"),
    "the group took him out": lambda han, here: here.find_group("admins").remove_account(han),
    "the membership is deleted": lambda han, here: next(iter(han.group_memberships)).delete(),
    "another directory has such a group": lambda han, here: (_others(here), han.remove_group("admins")),
}


@pytest.mark.parametrize("what", STAYS_OUT)
def test_who_is_not_in_the_group_stays_out_at_the_very_next_request(app, member, han, what):
    ran = []
    door(app, body=lambda: ran.append(1) or "inside")
    if "no group" not in what and "another group" not in what:
        han(lambda han, _: han.add_group("admins"))
        assert is_in(member)
        ran.clear()
    han(STAYS_OUT[what])
    for method in ("GET", "HEAD", "POST"):
        assert member.open("/door", method=method).status_code == 302
    assert ran == []
    assert is_in(member, "/secret")


@pytest.mark.parametrize("what", ["account", "directory", "application"])
def test_who_is_disabled_is_a_stranger_whatever_the_groups(app, member, han, what):
    door(app)
    han(lambda han, _: han.add_group("admins"))
    find = {"account": lambda han: han, "directory": lambda han: han.directory, "application": lambda _: current()}[
        what
    ]
    han(lambda han, _: change(find(han), status="DISABLED"))
    assert member.get("/door", headers={"Accept": "application/json"}).status_code == 401


def current():
    return Application.current()


def test_a_group_of_another_directory_opens_with_its_own_people_alone(app, member, han, log_in):
    """A name means the group of the account's own directory; a Group, or a href, means that one."""

    def make_other(_han, here):
        other = Client().directories.create(name="Rebels")
        Application.current().add_account_store(other)
        theirs = other.groups.create(name="admins")
        theirs.add_account(other.accounts.create(email="leia@alderaan.example", password=PASSWORD))
        return here.find_group("admins").href, theirs.href

    ours, theirs = han(make_other)
    for path, group in (("/name", "admins"), ("/ours", ours), ("/theirs", theirs)):
        door(app, [group], path=path)
    leia = app.test_client()
    log_in(leia, "leia@alderaan.example")
    paths = ("/name", "/ours", "/theirs")
    assert [is_in(member, path) for path in paths] == [False, False, False]
    assert [is_in(leia, path) for path in paths] == [True, False, True]
    han(lambda han, _: han.add_group("admins"))
    assert [is_in(member, path) for path in paths] == [True, True, False]


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
    door(app)
    answer = app.test_client().get("/door")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302 if is_closed else 200, "no-store")


def test_options_pass_as_a_browser_asks_them_before_it_says_who_it_is(app, member):
    door(app, body=lambda: ("", 204), methods=["GET", "OPTIONS"])
    assert (app.test_client().options("/door").status_code, member.options("/door").status_code) == (204, 204)
    assert member.get("/door").status_code == 302


def test_what_is_behind_a_door_is_kept_by_no_cache_nor_is_the_refusal(app, member, han):
    door(app)
    door(app, path="/own", body=lambda: make_response("inside", {"Cache-Control": "private, max-age=60"}))
    assert member.get("/door").headers["Cache-Control"] == "no-store"
    han(lambda han, _: han.add_group("admins"))
    assert member.get("/door").headers["Cache-Control"] == "no-store"
    assert member.get("/own").headers.getlist("Cache-Control") == ["private, max-age=60"]
    assert "Cookie" in member.get("/door").headers["Vary"]


# --- Where they go ---


def test_a_stranger_is_sent_to_the_login_page_and_back(app, client, account, log_in, member, han):
    door(app)
    stranger = app.test_client()
    answer = stranger.get("/door?a=b")
    assert (answer.status_code, answer.location) == (302, "/login?next=%2Fdoor%3Fa%3Db")
    assert LOG_IN in stranger.get(answer.location).text
    han(lambda han, _: han.add_group("admins"))
    assert log_in(stranger, page=answer.location).location == "/door?a=b"
    assert stranger.get("/door?a=b").text == "inside"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_looks_is_told_by_the_login_page_that_it_takes_another_account(app, member, method):
    door(app)
    assert member.open("/door?a=b", method=method).location == "/login?next=%2Fdoor%3Fa%3Db"
    with member.get("/door?a=b", follow_redirects=True) as page:
        assert (page.status_code, page.request.path) == (200, "/login")
        assert NEEDS_ANOTHER in page.text
        assert "You are logged in as han@falcon.example." in page.text
        assert LOG_IN not in page.text
        assert MAY_NOT not in page.text
        assert "Back to My Application" in page.text
        assert "Create an Account" not in page.text  # it would lead who is logged in straight back
    assert member.get("/login").location == "/"


def test_who_logs_in_there_with_another_account_comes_in(app, member, han):
    door(app)

    def make_leia(_han, here):
        leia = here.accounts.create(email="leia@alderaan.example", password=PASSWORD)
        leia.add_group("admins")

    han(make_leia)
    where = member.get("/door").location
    form = {"csrf_token": token(member, where), "login": "leia@alderaan.example", "password": PASSWORD}
    assert member.post(where, data=form, follow_redirects=True).text == "inside"


def test_who_logs_in_there_with_an_account_that_may_not_either_is_asked_again(app, member):
    door(app)
    where = member.get("/door").location
    form = {"csrf_token": token(member, where), "login": "solo", "password": PASSWORD}
    page = member.post(where, data=form, follow_redirects=True)
    assert (page.status_code, NEEDS_ANOTHER in page.text) == (200, True)


FLASHES = (
    "{% for category, text in get_flashed_messages(with_categories=true) %}{{ category }}: {{ text }};{% endfor %}"
)


def test_who_sends_is_told_on_the_page_where_the_way_ends(app, member):
    app.config["STORMPATH_REDIRECT_URL"] = "/start"
    app.add_url_rule("/start", "start", lambda: render_template_string(FLASHES))
    door(app)
    for _ in range(3):  # as a script may
        assert member.post("/door").location == "/login"
    with member.post("/door", follow_redirects=True) as page:
        told = f"warning: {MAY_NOT} {LOST} Log in with another account to send it.;"
        assert (page.request.path, page.text) == ("/start", told)
    assert member.get("/start").text == ""


def test_who_sends_from_a_page_that_is_closed_too_is_led_in_no_circle(app, member):
    app.config["STORMPATH_REDIRECT_URL"] = "/door"
    door(app)
    with member.post("/door", follow_redirects=True) as page:
        assert (page.status_code, page.request.path, page.request.args["next"]) == (200, "/login", "/door")
        assert MAY_NOT in page.text
        assert NEEDS_ANOTHER in page.text


def test_a_stranger_who_sends_is_told_to_log_in(app, client):
    door(app)
    with client.post("/door", follow_redirects=True) as page:
        assert page.request.path == "/login"
        assert f"{LOST} Log in, then send it once more." in page.text
        assert MAY_NOT not in page.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_program_is_told_in_json_whether_it_must_log_in_or_may_not(app, member, han, method):
    door(app)
    wants = {"headers": {"Accept": "application/json"}, "method": method}
    for browser, status, message in ((app.test_client(), 401, "Log in first."), (member, 403, MAY_NOT)):
        answer = browser.open("/door", **wants)
        assert (answer.status_code, answer.json) == (status, {"status": status, "code": status, "message": message})
        assert answer.headers["Cache-Control"] == "no-store"
        assert "location" not in answer.headers
    assert MAY_NOT not in member.get("/login?next=/").text  # nothing waits to be shown to a person
    han(lambda han, _: han.add_group("admins"))
    assert member.open("/door", **wants).text == "inside"


@pytest.mark.parametrize("view", [None, "nowhere"])
def test_without_a_login_page_the_answer_is_401_and_to_who_is_logged_in_403(app, member, view):
    door(app)
    app.extensions["stormpath"].manager.login_view = view
    assert (app.test_client().get("/door").status_code, member.get("/door").status_code) == (401, 403)


def test_an_app_may_send_them_to_a_login_page_of_its_own(app, member):
    door(app)
    app.add_url_rule("/mine", "mine", lambda: "my own")
    app.extensions["stormpath"].manager.login_view = "mine"
    assert member.get("/door").location == "/mine?next=%2Fdoor"


# --- In a view ---


def test_a_closed_page_costs_what_a_signed_in_page_does_however_often_groups_are_asked_for(app, member, han):
    door(app, body=lambda: str(user.has_group("admins") and not user.has_groups(["admins", "crew"])))
    assert not is_in(member)  # the first request also looks whether all is set up
    with statements(app) as seen:
        assert not is_in(member)
    assert len(seen) == reads(app)
    han(lambda han, _: han.add_group("admins"))
    assert member.get("/door").text == "True"
    with statements(app) as seen:
        assert member.get("/door").text == "True"
    assert len(seen) == reads(app)


CHANGES = {
    "he comes in": (lambda: user.add_group("crew"), "crew", True),
    "the group takes him in": (lambda: crew().add_account(user), "crew", True),
    "he leaves": (lambda: user.remove_group("admins"), "admins", False),
    "the group is disabled": (lambda: change(admins(), status="DISABLED"), "admins", False),
    "the group is deleted": (lambda: admins().delete(), "admins", False),
    "the group gets another name": (lambda: change(admins(), name="rulers"), "rulers", True),
    "the membership is deleted": (lambda: next(iter(user.group_memberships)).delete(), "admins", False),
}


def admins():
    return user.directory.find_group("admins")


def crew():
    return user.directory.find_group("crew")


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_in_a_request_is_true_in_it_at_once(app, member, han, what):
    act, group, becomes = CHANGES[what]

    def body():
        before = user.has_group(group)
        act()
        return {"before": before, "after": user.has_group(group)}

    han(lambda han, here: (here.groups.create(name="crew"), han.add_group("admins")))
    door(app, body=body)
    assert member.get("/door").json == {"before": not becomes, "after": becomes}


def test_who_is_read_again_is_in_the_groups_of_now(app, member, han):
    def body():
        han(lambda han, _: han.remove_group("admins"))
        before = user.has_group("admins")  # it was true when the request began
        user.refresh()
        return {"before": before, "after": user.has_group("admins")}

    han(lambda han, _: han.add_group("admins"))
    door(app, body=body)
    assert member.get("/door").json == {"before": True, "after": False}


def test_a_template_may_ask_for_the_groups_of_a_stranger_too(app, member, han):
    words = "{{ user.has_group('admins') }} {{ user.in_group('admins') }} {{ user.has_groups(['admins'], all=False) }}"
    app.add_url_rule("/words", "words", lambda: render_template_string(words))
    assert app.test_client().get("/words").text == member.get("/words").text == "False False False"
    han(lambda han, _: han.add_group("admins"))
    assert member.get("/words").text == "True True True"


# --- What cannot be asked for ---


@pytest.mark.parametrize("groups", ["admins", None, 7, lambda: "a view", Group])
def test_a_door_for_what_is_no_list_is_refused_when_it_is_made(groups):
    with pytest.raises(TypeError, match=r"takes a list, such as \['admins'\]"):
        groups_required(groups)


@pytest.mark.parametrize("groups", [[None], [7], [b"admins"], [["admins"]], [Directory]], ids=repr)
def test_a_door_for_what_is_no_group_is_refused_when_it_is_made(groups):
    with pytest.raises(TypeError, match="A group is a Group, its name or its href"):
        groups_required(groups)


@pytest.mark.parametrize("groups", [[], (), set(), iter([])])
def test_a_door_for_no_group_at_all_is_refused_when_it_is_made(groups):
    with pytest.raises(ValueError, match="login_required"):
        groups_required(groups, all=False)


def test_an_account_is_no_group(app, member, han):
    with pytest.raises(TypeError, match="A group is a Group"):
        groups_required([han(lambda han, _: han)])
    assert isinstance(han(lambda han, _: han), Account)


def test_a_group_that_was_joined_in_what_is_rolled_back_opens_nothing(app, member):
    def join_and_fail():
        with contextlib.suppress(ZeroDivisionError), atomic():
            Application.current().find_account("solo").add_group("admins")
            assert user.has_group("admins")  # who it is was asked in the middle
            raise ZeroDivisionError
        return str(user.has_group("admins"))

    app.add_url_rule("/join", "join", join_and_fail)
    assert member.get("/join").text == "False"
