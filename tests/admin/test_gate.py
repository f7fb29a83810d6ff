"""The gate of the console: who may pass which door, with which form, and what the others are told."""

import re

import pytest

from stormpath_app import Directory
from stormpath_app.admin import gate
from stormpath_app.admin.gate import PASSWORD as PASSWORD_FIELD
from stormpath_app.database import session
from stormpath_app.models import AccountSession, ApiKey, Group, Tenant
from stormpath_app.models.administration import MANAGER, OWNER, ROLES, SUPPORT, VIEWER
from stormpath_app.models.administrator import Administrator, directory

from ..conftest import PASSWORD, token as site_token
from ..together import together
from .conftest import token_of

pytestmark = pytest.mark.sqlite

REDIRECTS = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example/x",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "https:/evil.example",
    "/%2f/evil.example\n",
    "@evil.example",
    "\x00//evil.example",
    ".evil.example",
]


def rules(app):
    """Return each address of the console with something in the place of what varies, and its methods."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("stormpath_admin."):
            values = {name: {"kind": "csv"}.get(name, "nothing") for name in rule.arguments}
            with app.test_request_context():
                found.append((rule.build(values)[1], rule.methods - {"OPTIONS"}, app.view_functions[rule.endpoint]))
    return found


# --- Who ---


def test_nobody_passes_a_door_without_a_login_but_the_public_ones(app, client):
    for path, methods, view in rules(app):
        if gate.needed(view, "GET").role is None:
            continue
        for method in methods:
            answer = client.open(path, method=method)
            assert answer.status_code in ({302} if method in {"GET", "HEAD"} else {401}), (method, path)
            if method == "GET":
                assert answer.location.startswith("/admin/login?next="), path


def test_a_member_of_the_site_is_a_stranger_to_the_console(app, member):
    for path, methods, view in rules(app):
        if gate.needed(view, "GET").role is not None:
            for method in methods:
                assert member.open(path, method=method).status_code in {302, 401}, (method, path)


def test_a_program_is_told_in_json_to_log_in(client):
    answer = client.get("/admin/accounts/", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["message"]) == (401, "Log in first.")


def test_who_was_logged_out_meanwhile_is_told_that_nothing_was_saved(owner, app):
    token = owner.token
    with app.app_context():
        session.query(AccountSession).delete()
        session.commit()
    answer = owner.browser.post("/admin/groups/new", data={"csrf_token": token, "name": "crew"})
    assert answer.status_code == 401
    assert "What you sent was not saved" in answer.text


def test_whoever_is_no_administrator_any_more_is_out_at_once(sign_in, app):
    console = sign_in("support")
    assert console.get("/accounts/").status_code == 200
    with app.app_context():
        Administrator.of(directory().find_account("support@console.example")).revoke()
    assert console.get("/accounts/").status_code == 302


# --- Which role ---


@pytest.mark.parametrize("role", ROLES)
def test_what_says_nothing_is_for_viewers_to_look_at_and_for_owners_to_use(app, sign_in, role):
    for endpoint in ("stormpath_admin.search.index", "stormpath_admin.theme"):
        app.view_functions[endpoint] = lambda: "here"
    console = sign_in(role)
    token = token_of(console.get("/accounts/"))
    console._token = token
    assert console.get("/search/").text == "here"
    assert console.post("/theme", csrf_token=token).status_code == (200 if role == OWNER else 403)


def test_each_door_of_the_console_says_whom_it_is_for(app):
    """What it would otherwise be is safe; but somebody shall have thought of it."""
    for path, _methods, view in rules(app):
        assert hasattr(view, "stormpath_needs"), path


@pytest.mark.parametrize("role", [VIEWER, SUPPORT, MANAGER])
def test_a_screen_for_owners_is_shut_to_all_others_whichever_of_its_pages_they_ask_for(app, sign_in, role):
    with app.app_context():
        key = Tenant.current().api_keys.create().id
    console = sign_in(role)
    for path in ("/api-keys/", "/api-keys/export/csv", "/api-keys/new", f"/api-keys/{key}/"):
        answer = console.get(path)
        assert answer.status_code == 403, path
        assert "may not do this" in answer.text


@pytest.mark.parametrize(
    ("path", "least"),
    [
        ("/groups/new", MANAGER),
        ("/applications/new", OWNER),
        ("/api-keys/new", OWNER),
        ("/groups/action", MANAGER),
        ("/accounts/action", SUPPORT),
    ],
)
def test_a_form_is_refused_to_every_role_below_the_one_it_is_for(sign_in, path, least):
    for role in ROLES:
        answer = sign_in(role).post(path, name="", action="enable" if "groups" in path else "reset")
        assert (answer.status_code != 403) == (ROLES.index(role) >= ROLES.index(least)), (path, role)


def test_a_page_that_is_not_there_is_a_404_that_says_what_may_have_happened(owner):
    answer = owner.get("/accounts/nobody/")
    assert answer.status_code == 404
    assert "it was deleted, or it is not among what you may see" in answer.text
    assert owner.get("/groups/nobody/", headers={"Accept": "application/json"}).json["status"] == 404


# --- Which form ---


def test_a_form_without_a_token_or_with_a_strangers_changes_nothing(app, owner, sign_in, client):
    other = sign_in("owner", email="second@console.example")
    tokens = {
        "none": None,
        "empty": "",
        "long": "x" * 10_000,
        "odd": "é.ü",
        "dots": "...",
        "another login's": other.token,
    }
    tokens["the site's"] = site_token(client)
    tokens["the site's on this browser"] = site_token(owner.browser)
    for name, token in tokens.items():
        fields = {"name": "crew", "csrf_token": token} if token is not None else {"name": "crew"}
        answer = owner.browser.post("/admin/groups/new", data=fields)
        assert answer.status_code == 400, name
    with app.app_context():
        assert session.query(Group).filter_by(name="crew").count() == 0


def test_a_token_from_before_a_login_is_worth_nothing_after_it(app, sign_in, client):
    before = token_of(client.get("/admin/login"))
    with app.app_context():
        Administrator.create("leia@console.example", PASSWORD, OWNER)
    sent = {"csrf_token": before, "login": "leia@console.example", "password": PASSWORD}
    assert client.post("/admin/login", data=sent).status_code == 303
    answer = client.post("/admin/logout", data={"csrf_token": before})
    assert answer.status_code == 400
    assert client.get("/admin/").status_code == 200


def test_a_login_needs_a_token_of_this_browser_too(app, client):
    with app.app_context():
        Administrator.create("leia@console.example", PASSWORD, OWNER)
    answer = client.post("/admin/login", data={"login": "leia@console.example", "password": PASSWORD})
    assert answer.status_code == 400
    assert client.get("/admin/").status_code == 302


def test_a_host_that_protects_its_forms_itself_leaves_ours_to_the_gate(owner):
    assert owner.post("/theme", theme="dark").status_code == 303


def is_ours(location):
    """Tell whether a browser stays on this site."""
    return location.startswith("/") and not location.startswith(("//", "/\\"))


@together("back", REDIRECTS)
def test_no_form_and_no_login_leads_to_another_site(app, owner, back):
    answer = owner.post("/theme", theme="dark", back=back)
    assert answer.status_code < 500
    assert is_ours(answer.location)
    answer = owner.get("/login", query_string={"next": back})
    assert answer.status_code < 500
    assert is_ours(answer.location)


def test_the_url_field_of_flask_admins_forms_leads_nowhere(app, owner, ada):
    """Flask-Admin goes to `url` after each form and each action."""
    sent = {"action": "sign_out", "id": ada, "confirmed": "1"}
    for url in REDIRECTS:
        answer = owner.post("/accounts/action", url=url, **sent)
        assert answer.location.startswith("/admin/accounts/"), url
        answer = owner.browser.post(
            "/admin/accounts/action", query_string={"url": url}, data={"csrf_token": owner.token, **sent}
        )
        assert answer.location == "/admin/accounts/", url


# --- Fresh ---


@pytest.fixture
def crew(app, home_directory):
    """Return the id of a group."""
    with app.app_context():
        return Directory.get(home_directory).create_group(name="crew").id


def hidden(page):
    """Return what the hidden fields of a page's form have."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page.text.split("<main")[1]))


def test_what_is_dangerous_asks_for_the_password_once_more_and_goes_on_with_the_very_form(app, stale, crew):
    asked = stale.post(f"/groups/{crew}/delete", typed="crew")
    assert asked.status_code == 200
    assert "Enter your password" in asked.text
    fields = hidden(asked)
    assert fields["typed"] == "crew"
    done = stale.browser.post(f"/admin/groups/{crew}/delete", data={**fields, PASSWORD_FIELD: PASSWORD})
    assert done.status_code == 303
    with app.app_context():
        assert Group.find(crew) is None


def test_a_page_that_was_only_opened_is_opened_after_the_password_and_nothing_is_sent_to_it(app, stale):
    """The form of a new API key needs no field: it must not be taken for sent."""
    asked = stale.get("/api-keys/new")
    assert "Enter your password" in asked.text
    fields = hidden(asked)
    with app.app_context():
        before = session.query(ApiKey).count()
    answer = stale.browser.post("/admin/api-keys/new", data={**fields, PASSWORD_FIELD: PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/admin/api-keys/new")
    with app.app_context():
        assert session.query(ApiKey).count() == before
    assert stale.get("/api-keys/new").status_code == 200


def test_a_wrong_password_is_told_and_nothing_that_was_sent_is_lost(app, stale, crew):
    asked = stale.post(f"/groups/{crew}/delete", typed="crew")
    again = stale.browser.post(f"/admin/groups/{crew}/delete", data={**hidden(asked), PASSWORD_FIELD: "wrong"})
    assert "The password is wrong." in again.text
    assert hidden(again)["typed"] == "crew"
    assert "wrong" not in set(hidden(again).values())
    with app.app_context():
        assert Group.find(crew) is not None


def test_guesses_of_the_password_are_slowed_down(held_clock, stale, crew):
    fields = hidden(stale.post(f"/groups/{crew}/delete", typed="crew"))
    for _guess in range(7):
        answer = stale.browser.post(f"/admin/groups/{crew}/delete", data={**fields, PASSWORD_FIELD: "wrong"})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert hidden(answer)["typed"] == "crew"


def test_where_too_many_come_at_once_the_password_is_asked_for_again(app, stale, crew, overloaded):
    fields = {**hidden(stale.post(f"/groups/{crew}/delete", typed="crew")), PASSWORD_FIELD: PASSWORD}
    with overloaded():
        answer = stale.browser.post(f"/admin/groups/{crew}/delete", data=fields)
    assert (answer.status_code, answer.headers["Retry-After"], hidden(answer)["typed"]) == (429, "5", "crew")
    assert "Too many people are logging in at this moment." in answer.text
    assert stale.browser.post(f"/admin/groups/{crew}/delete", data=fields).status_code == 303


def test_the_password_makes_a_new_login_and_the_old_one_is_worth_nothing(app, stale, crew):
    asked = stale.post(f"/groups/{crew}/delete", typed="no")
    old = stale.browser.get_cookie("__Secure-stormpath_admin", path="/admin").value
    stale.browser.post(f"/admin/groups/{crew}/delete", data={**hidden(asked), PASSWORD_FIELD: PASSWORD})
    assert stale.browser.get_cookie("__Secure-stormpath_admin", path="/admin").value != old
    thief = app.test_client()
    thief.set_cookie("__Secure-stormpath_admin", old, path="/admin", secure=True)
    assert thief.get("/admin/").status_code == 302


@pytest.mark.parametrize("page", ["login", "forgot", "enter", "invitation", "login/password", "forgot/change"])
def test_a_stranger_sends_as_little_as_on_the_pages_of_the_site(client, page):
    assert client.post(f"/admin/{page}", data={"login": "x" * 70_000}).status_code == 413


def test_a_form_has_no_more_fields_than_a_page_has(app, stale, ada):
    """Each would come back on the page that asks for the password once more."""
    form = "a=1&" * 100_000 + f"csrf_token={stale.token}"
    answer = stale.browser.post(
        f"/admin/accounts/{ada}/lock-down", data=form, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 413
    assert len(answer.data) < 50_000
