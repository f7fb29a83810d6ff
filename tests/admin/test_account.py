"""The page of one account: what its tabs tell, and what they never tell."""

import json
import re

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account, Application, Directory
from stormpath_app.admin.account import TABS
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed
from stormpath_app.models import AccountSession
from stormpath_app.models.administrator import Administrator

from ..conftest import PASSWORD, statements
from ..together import together

TAB_PATHS = [key for key, _text in TABS]


def path(account_id, tab=""):
    return f"/accounts/{account_id}/{tab}"


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def flashed(answer):
    return [" ".join(alert.text.split()) for alert in soup(answer).select(".sp-alert:not([hidden] *, [hidden])")]


@pytest.fixture
def lived(app, ada):
    """Let the account have some of everything; return its id, and what no page may tell."""
    with app.app_context():
        account = Account.find(ada)
        account.custom_data["plan"] = {"name": "<b>gold</b>", "seats": [1, 2]}
        account.save()
        account.add_group(account.directory.groups.create(name="editors", description="They edit"))
        key = account.api_keys.create(name="Backup")
        here = Application.current()
        token = AccountSession.start(ada, here.id, remembered=True)
        session.commit()
        link = here.mail_password_reset(account).token
        for _ in range(3):
            with pytest.raises(LoginFailed):
                here.authenticate_account(account.email, "wrong")
        stored = session.scalar(sa.select(Account.password_hash).where(Account.id == ada))
        nonce = session.scalar(sa.text("SELECT nonce FROM stormpath_outbox_messages"))
        secrets = [key.secret, token, link, stored, stored[-31:], nonce]
    return ada, secrets


# --- Tabs ---


@pytest.mark.parametrize("role", ["viewer", "owner"])
def test_each_tab_is_a_page_that_marks_itself_and_tells_no_secret(sign_in, lived, subtests, role):
    account_id, secrets = lived
    console = sign_in(role)
    for tab in TAB_PATHS:
        with subtests.test(tab):
            answer = console.get(path(account_id, tab))
            assert answer.status_code == 200
            current = soup(answer).select('.sp-tabs [aria-current="page"]')
            assert [link["href"] for link in current] == [f"/admin{path(account_id, tab)}"]
            assert soup(answer).h1.text == "Ada Lovelace"
            for secret in secrets:
                assert secret not in answer.text
            assert "<b>gold" not in answer.text


@together("tab", TAB_PATHS)
def test_a_new_account_without_anything_has_all_tabs(owner, ada, tab):
    assert owner.get(path(ada, tab)).status_code == 200


@pytest.mark.parametrize("tab", [*TAB_PATHS, "edit", "disable", "delete"])
def test_what_is_not_in_scope_is_not_found(app, sign_in, ada, tab):
    with app.app_context():
        elsewhere = Directory.create(name="Staff").create_account(email="eve@example.com", password=PASSWORD).id
        someone = Administrator.create("someone@console.example", PASSWORD, "viewer").account.id
    owner, limited = sign_in("owner"), sign_in("manager", directories=["Staff"])
    assert owner.get(path(elsewhere, tab)).status_code == 200
    assert limited.get(path(elsewhere, tab)).status_code == 200
    assert limited.get(path(ada, tab)).status_code == 404
    assert owner.get(path(someone, tab)).status_code == 404
    for nobody in ("0353QuDJUTzgm3zO2H0Sat", "x", "%00", "..", "' OR 1=1", "x" * 300):
        assert owner.get(path(nobody, tab)).status_code == 404


@together("tab", ["", "messages", "timeline", "groups", "api-keys", "custom-data"])
def test_what_an_address_cannot_ask_for_is_no_error(owner, lived, tab):
    for query in ("before=%00", "before=x", "after=%F0%9F%92%A9", "add=%00", "add=" + "x" * 500, "q=1", "page=-1"):
        assert owner.get(f"{path(lived[0], tab)}?{query}").status_code == 200
    assert owner.get(f"{path(lived[0], '')}?application=none").status_code == 404


@pytest.mark.parametrize("tab", TAB_PATHS)
def test_a_tab_asks_little_of_the_database_however_much_there_is(app, owner, lived, tab):
    account_id, _secrets = lived
    with app.app_context():
        account = Account.find(account_id)
        for number in range(30):
            account.add_group(account.directory.groups.create(name=f"group {number}"))
            account.api_keys.create(name=f"key {number}")
    owner.get(path(account_id, tab))
    with statements(app) as seen:
        answer = owner.get(path(account_id, tab))
    assert len(seen) <= 32, "\n".join(seen)
    assert len(answer.data) < 150_000


# --- Overview ---


def test_the_overview_says_first_whether_they_can_log_in(app, owner, ada):
    page = soup(owner.get(path(ada)))
    assert page.select_one("#doctor").text.strip() == "Ada Lovelace can log in"
    assert page.select(".sp-stop") == []
    with app.app_context():
        account = Account.find(ada)
        account.status = "DISABLED"
        account.save()
    page = soup(owner.get(path(ada)))
    verdict = " ".join(page.select_one("#doctor").text.split())
    assert verdict == "Ada Lovelace cannot log in One of 9 checks fails"
    (stop,) = page.select(".sp-stop")
    assert "Account is disabled" in stop.text
    assert stop.form["action"] == f"/admin{path(ada, 'enable')}"
    assert len(page.select(".sp-unreached")) == 3


def test_a_viewer_sees_what_fails_and_no_button(app, sign_in, ada):
    with app.app_context():
        account = Account.find(ada)
        account.status = "DISABLED"
        account.save()
    page = soup(sign_in("viewer").get(path(ada)))
    assert "Account is disabled" in page.select_one(".sp-stop").text
    assert page.select('.sp-head form, .sp-cols form[method="post"]') == []


def test_the_doctor_can_be_asked_about_another_application(app, owner, ada):
    with app.app_context():
        shop = Application.create(name="Shop", create_directory=True)
        shop_id, place = shop.id, shop.default_account_store().id
    page = soup(owner.get(f"{path(ada)}?application={shop_id}"))
    assert page.select_one("#doctor").text.strip().startswith("Ada Lovelace cannot log in")
    assert "Shop does not ask My Application Directory" in page.select_one(".sp-stop").text
    assert page.select_one(".sp-stop a")["href"].startswith(f"/admin/applications/{shop_id}/")
    assert place not in page.select_one(".sp-stop").text


def test_the_doctor_leaves_no_trace(app, owner, ada):
    with app.app_context():
        before = session.scalar(sa.text("SELECT count(*) FROM stormpath_audit_events"))
    owner.get(path(ada))
    with app.app_context():
        assert session.scalar(sa.text("SELECT count(*) FROM stormpath_audit_events")) == before


# --- JSON ---


def test_the_json_is_what_the_resource_tells(app, owner, lived):
    page = soup(owner.get(path(lived[0], "json")))
    told = json.loads(page.select_one("#resource").text)
    with app.app_context():
        account = Account.find(lived[0])
        assert told.keys() == dict(account).keys()
        names = {"Account": Account}
        exec(page.select_one("#code").text.replace("print(dict(account))", ""), names)
        assert names["account"].id == lived[0]
    assert "password_hash" not in page.text


# --- Edit ---


def form_of(page):
    """Return what the form of a page would send."""
    form = soup(page).select_one("main form[novalidate]")
    fields = {field["name"]: field.get("value", "") for field in form.select("input[name]")}
    for choice in form.select("select"):
        chosen = choice.select_one("[selected]")
        fields[choice["name"]] = chosen["value"] if chosen else ""
    for area in form.select("textarea"):
        fields[area["name"]] = area.text.removeprefix("\n")
    return fields


def edit(console, account_id, **changes):
    fields = form_of(console.get(path(account_id, "edit")))
    fields.pop("csrf_token")
    return console.post(path(account_id, "edit"), **{**fields, **changes})


def test_names_are_changed_by_a_form(app, owner, ada):
    answer = edit(owner, ada, given_name="Augusta", username="ada", middle_name="")
    assert (answer.status_code, answer.location) == (303, f"/admin{path(ada)}")
    with app.app_context():
        account = Account.find(ada)
        assert (account.full_name, account.username, account.status) == ("Augusta Lovelace", "ada", "ENABLED")


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"email": "x"}, "email", "invalid"),
        ({"email": ""}, "email", "Give it an email address."),
        ({"email": "bob@example.com"}, "email", "already exists"),
        ({"username": "bob@example.com"}, "username", "already exists"),
        ({"username": "x@y"}, "username", "invalid"),
        ({"given_name": "x" * 256}, "given_name", "maximum length"),
        ({"status": "OWNER"}, "status", ""),
    ],
)
def test_a_refused_form_comes_again_with_what_was_typed(app, owner, ada, changes, field, sentence):
    with app.app_context():
        Account.create("bob@example.com", PASSWORD, "Bob", "Babbage")
    answer = edit(owner, ada, surname="Byron", **changes)
    assert answer.status_code == 200
    assert sentence in soup(answer).select_one(f"#{field}-error").text
    assert form_of(answer)["surname"] == "Byron"
    with app.app_context():
        assert Account.find(ada).surname == "Lovelace"


FORGED = {
    "directory_id": "0353QuDJUTzgm3zO2H0Sat",
    "directory": "0353QuDJUTzgm3zO2H0Sat",
    "id": "0353QuDJUTzgm3zO2H0Sat",
    "href": "/v1/accounts/0353QuDJUTzgm3zO2H0Sat",
    "groups": "owner",
    "is_admin": "1",
    "password": "Kessel12.Parsecs",
    "password_hash": "$2b$12$abc",
    "must_change_password": "true",
    "email_verification_status": "VERIFIED",
    "custom_data": '{"admin": true}',
    "created_at": "2001-01-01",
    "version_id": "7",
}


def test_fields_that_the_form_does_not_have_change_nothing(app, owner, ada):
    columns = sa.select(Account.__table__).where(Account.id == ada)
    with app.app_context():
        before = dict(session.execute(columns).mappings().one())
    assert edit(owner, ada, given_name="Augusta", **FORGED).status_code == 303
    with app.app_context():
        after = dict(session.execute(columns).mappings().one())
        changed = {name for name in before if before[name] != after[name]}
        assert changed == {"given_name", "given_name_key", "search_text", "modified_at", "version"}
        assert len(Account.find(ada).custom_data) == 0


def test_who_is_told_of_a_change_is_told_of_no_username_that_was_never_given(sign_in, ada):
    first, second = sign_in("manager"), sign_in("owner")
    stale = form_of(second.get(path(ada, "edit")))
    stale.pop("csrf_token")
    edit(first, ada, given_name="Augusta")
    (told,) = flashed(second.post(path(ada, "edit"), **{**stale, "surname": "Byron"}))
    assert "First name is now “Augusta”." in told
    assert "Username is now" not in told


def test_the_second_of_two_who_edit_at_once_is_told_field_by_field(app, sign_in, ada):
    first, second = sign_in("manager"), sign_in("owner")
    stale = form_of(second.get(path(ada, "edit")))
    stale.pop("csrf_token")
    edit(first, ada, given_name="Augusta", username="ada")
    answer = second.post(path(ada, "edit"), **{**stale, "surname": "Byron"})
    assert answer.status_code == 200
    (told,) = flashed(answer)
    assert "Somebody else changed this since you opened it." in told
    assert "First name is now “Augusta”." in told
    assert form_of(answer)["surname"] == "Byron"
    with app.app_context():
        assert Account.find(ada).full_name == "Augusta Lovelace"
    again = form_of(answer)
    again.pop("csrf_token")
    assert second.post(path(ada, "edit"), **again).status_code == 303
    with app.app_context():
        assert Account.find(ada).full_name == "Ada Byron"


def test_another_address_needs_the_password_once_more(app, owner, ada, monkeypatch):
    monkeypatch.setattr("stormpath_app.admin.session.SignedIn.is_fresh", property(lambda _self: False))
    answer = edit(owner, ada, email="ada@lovelace.example")
    assert "Enter your password" in answer.text
    with app.app_context():
        assert Account.find(ada).email == "ada@example.com"
    fields = {field["name"]: field["value"] for field in soup(answer).select("main input[type=hidden]")}
    assert owner.post(path(ada, "edit"), **fields, password_once_more=PASSWORD).status_code == 303
    with app.app_context():
        account = Account.find(ada)
        assert (account.email, account.email_verification_status) == ("ada@lovelace.example", "UNVERIFIED")
    owner._token = None  # the login is another one now
    assert edit(owner, ada, surname="Byron").status_code == 303


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_who_may_not_edit_cannot(app, sign_in, ada, role):
    console = sign_in(role)
    assert console.get(path(ada, "edit")).status_code == 403
    assert console.post(path(ada, "edit"), email="x@example.com", version="1").status_code == 403


# --- New ---


def new(console, **fields):
    given = {"email": "new@example.com", "given_name": "New", "status": "ENABLED", **fields}
    return console.post("/accounts/new", **given)


def test_a_new_account_has_a_password_that_nobody_knows(app, owner, home_directory):
    answer = new(owner, directory=home_directory)
    assert (answer.status_code, re.fullmatch(r"/admin/accounts/\w{22}/", answer.location) is not None) == (303, True)
    with app.app_context():
        account = Application.current().find_account("new@example.com")
        assert (account.given_name, account.email_verification_status) == ("New", "UNVERIFIED")
        assert session.scalar(sa.select(Account.password_hash).where(Account.id == account.id))
    assert "Nobody knows its password yet" in owner.get(answer.location.removeprefix("/admin")).text
    assert owner.get("/accounts/new").text.count('type="password"') == 0


@pytest.mark.parametrize("page", ["/accounts/new", "/groups/new"])
def test_what_is_new_is_offered_the_directory_where_the_sites_own_go(app, owner, sign_in, home_directory, page):
    with app.app_context():
        Directory.create(name="A directory before it")
    chosen = soup(owner.get(page)).select_one("#directory option[selected]")
    assert chosen["value"] == home_directory
    limited = sign_in("manager", directories=["A directory before it"])
    assert home_directory not in limited.get(page).text


@pytest.mark.parametrize("rules", [{}, {"min_symbol": 4, "min_diacritic": 3, "max_length": 12}, {"min_length": 80}])
def test_it_keeps_the_rules_of_any_directory(app, owner, home_directory, rules):
    with app.app_context():
        strength = Directory.find(home_directory).password_policy.strength
        for name, value in rules.items():
            strength[name] = value
        strength.save()
    assert new(owner, directory=home_directory).status_code == 303


@pytest.mark.settings(STORMPATH_ADMIN_MAY_SET_PASSWORD=True)
def test_where_administrators_may_a_new_account_has_a_password_for_once(app, owner, home_directory):
    assert new(owner, directory=home_directory, password=PASSWORD, is_verified="y").status_code == 303
    with app.app_context():
        account = Application.current().find_account("new@example.com")
        assert (account.must_change_password, account.email_verification_status) == (True, "VERIFIED")
    refused = new(owner, directory=home_directory, email="other@example.com", password="x")
    assert (refused.status_code, "minimum length" in refused.text) == (200, True)


def test_a_password_is_not_taken_where_administrators_may_set_none(app, owner, home_directory):
    assert new(owner, directory=home_directory, password=PASSWORD).status_code == 303
    with app.app_context(), pytest.raises(LoginFailed):
        Application.current().authenticate_account("new@example.com", PASSWORD)


def test_a_directory_out_of_scope_gets_no_account(app, sign_in, home_directory):
    with app.app_context():
        Directory.create(name="Staff")
        administrators = Directory.named("Stormpath Administrators").id
    limited = sign_in("manager", directories=["Staff"])
    assert new(limited, directory=home_directory).status_code == 404
    assert new(sign_in("owner"), directory=administrators).status_code == 404
    assert new(sign_in("owner", email="o@console.example"), directory="").status_code == 200
