"""The editors of what a directory asks: nothing is saved unseen, and nothing that was typed is lost."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from stormpath_app import Account, Application, Directory
from stormpath_app.models import active_session
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD
from ..models.test_event import events
from ..together import together

STORMPATH = {
    "min_length": "8",
    "max_length": "100",
    "prevent_reuse": "0",
    "min_lower_case": "1",
    "min_upper_case": "1",
    "min_numeric": "1",
    "min_symbol": "0",
    "min_diacritic": "0",
    "refuses_common": "y",
    "old": "keep",
}


@pytest.fixture
def policy(home_directory):
    """Return where the password policy is edited."""
    return f"/directories/{home_directory}/policy"


@pytest.fixture
def accounts(policy):
    """Return where addresses and names are edited."""
    return f"{policy}/accounts"


def sent(console, path, **changes):
    """Send the form of a page with its version and some changes."""
    page = BeautifulSoup(console.get(path).text, "html.parser")
    version = page.find("input", {"name": "version"})["value"]
    first = STORMPATH if path.endswith("/policy") else {}
    fields = {name: value for name, value in {**first, "version": version, **changes}.items() if value is not None}
    return console.post(path, **fields)


def rules(app, directory_id):
    with app.app_context():
        policy = Directory.get(directory_id).password_policy
        return policy.strength.min_length, policy.preset, policy.strength.checks_before, policy.strength.replaces_before


def text(answer):
    return " ".join(BeautifulSoup(answer.text, "html.parser").get_text(" ").split())


def value(answer, name):
    return BeautifulSoup(answer.text, "html.parser").find(attrs={"name": name})["value"]


# --- Passwords ---


def test_the_rules_and_their_preset_are_shown(owner, policy):
    page = owner.get(policy)
    assert value(page, "min_length") == "8"
    assert BeautifulSoup(page.text, "html.parser").select_one("main [aria-pressed=true]").text.strip() == "Stormpath"
    assert "Nothing changes." in text(page)


def test_a_preset_fills_the_form_and_saves_nothing(app, owner, policy, home_directory, ada):
    page = sent(owner, policy, do="preset:nist-800-63b-4")
    assert (page.status_code, value(page, "min_length"), value(page, "min_numeric")) == (200, "15", "0")
    assert "1 Accounts keep the password they have" in text(page)
    assert "Minimum length 8 → 15" in text(page)
    assert rules(app, home_directory)[:2] == (8, "stormpath")
    assert sent(owner, policy, do="preset:nothing").status_code == 400


def test_what_a_change_touches_is_counted_before_it_is_saved(app, owner, policy, home_directory, ada):
    with app.app_context(), atomic():
        active_session.start(Account.get(ada), Application.current(), remembered=True)
    told = text(sent(owner, policy, do="recount", min_length="12", old="replace"))
    assert "1 Accounts must choose another password when they next log in. 1 Logins end." in told
    told = text(sent(owner, policy, do="recount", min_length="6"))
    assert "Nobody notices" in told
    assert rules(app, home_directory)[:2] == (8, "stormpath")


def test_it_is_saved_and_the_log_tells_by_whom(app, owner, policy, home_directory):
    answer = sent(owner, policy, do="save", min_length="12")
    assert (answer.status_code, rules(app, home_directory)) == (303, (12, None, None, None))
    assert "The password policy was saved." in owner.get(policy).text
    with app.app_context():
        (told,) = events("password_policy.updated")
        assert (told.interface, told.actor_name) == ("admin", "owner@console.example")
        assert told.changes == {"min_length": [8, 12]}


def test_old_passwords_can_be_looked_at_and_left_alone_again(app, owner, policy, home_directory):
    assert "Leave old passwords alone" not in owner.get(policy).text
    sent(owner, policy, do="save", min_length="12", old="check")
    assert rules(app, home_directory)[2] is not None
    assert "are checked at the next login" in owner.get(policy).text
    sent(owner, policy, do="save", min_length="12", old="stop")
    assert rules(app, home_directory)[2] is None


def test_everybody_can_be_asked_at_once(app, owner, policy, home_directory, ada):
    with app.app_context(), atomic():
        active_session.start(Account.get(ada), Application.current(), remembered=True)
    assert sent(owner, policy, do="save", old="replace").status_code == 303
    assert "One login ended." in owner.get(policy).text
    assert rules(app, home_directory)[3] is not None


@pytest.mark.settings(STORMPATH_FRESH_FOR=timedelta(minutes=5))
def test_asking_everybody_needs_the_password_once_more(app, held_clock, owner, policy, home_directory):
    held_clock.at += timedelta(minutes=6)
    asked = sent(owner, policy, do="save", min_length="12", old="replace", password_to_try="Sesame.0pen")
    assert "Enter your password" in asked.text
    assert "Sesame" not in asked.text
    assert rules(app, home_directory)[0] == 8
    again = BeautifulSoup(asked.text, "html.parser")
    fields = {each["name"]: each.get("value", "") for each in again.find("main").find_all("input", {"name": True})}
    answer = owner.post(policy, **{**fields, "password_once_more": PASSWORD})
    assert (answer.status_code, rules(app, home_directory)[0]) == (303, 12)


def test_a_password_is_tried_against_what_is_typed_and_nowhere_to_be_seen(app, owner, policy, home_directory, caplog):
    page = sent(owner, policy, do="try", min_length="12", password_to_try="correct horse")
    told = text(page)
    assert "Characters: 13, at least 12" in told
    assert "Uppercase letters: 0, at least 1" in told
    assert "correct horse" not in page.text
    assert "correct horse" not in caplog.text
    assert value(page, "min_length") == "12"
    assert rules(app, home_directory)[0] == 8
    with app.app_context():
        assert "correct horse" not in str([event.details for event in events()])


def test_the_sites_name_is_no_password(owner, policy):
    told = text(sent(owner, policy, do="try", password_to_try="MyApplication1"))
    assert "It is a name of the account or the site" in told


@together(
    ("field", "typed"),
    [
        ("min_length", "x"),
        ("min_length", ""),
        ("min_length", "0"),
        ("max_length", "256"),
        ("prevent_reuse", "26"),
    ],
)
def test_what_cannot_be_is_told_at_its_field_and_stays_there(app, owner, policy, home_directory, field, typed):
    page = sent(owner, policy, do="save", **{field: typed})
    box = BeautifulSoup(page.text, "html.parser").find("input", {"name": field})
    assert (page.status_code, box["value"], box["aria-invalid"]) == (200, typed, "true")
    assert rules(app, home_directory)[0] == 8


def test_several_mistakes_are_told_together(owner, policy):
    page = BeautifulSoup(sent(owner, policy, do="save", min_length="x", min_symbol="-1").text, "html.parser")
    assert len(page.find_all(attrs={"aria-invalid": "true"})) == 2


def test_lengths_that_contradict_each_other_are_refused(app, owner, policy, home_directory):
    page = sent(owner, policy, do="save", min_length="50", max_length="40")
    assert (page.status_code, value(page, "min_length"), value(page, "max_length")) == (200, "50", "40")
    assert rules(app, home_directory)[0] == 8


def test_two_who_change_it_at_once_are_told_and_nothing_is_overwritten_unseen(app, owner, policy, home_directory):
    old = value(owner.get(policy), "version")
    sent(owner, policy, do="save", min_length="12")
    page = owner.post(policy, **STORMPATH | {"min_length": "9", "version": old, "do": "save"})
    assert page.status_code == 200
    assert "Somebody else changed this" in page.text
    assert "Minimum length is now “12”" in page.text
    assert (value(page, "min_length"), rules(app, home_directory)[0]) == ("9", 12)
    again = owner.post(policy, **STORMPATH | {"min_length": "9", "version": value(page, "version"), "do": "save"})
    assert (again.status_code, rules(app, home_directory)[0]) == (303, 9)


@pytest.mark.parametrize("old", ["", "all", "stop"])
def test_what_cannot_become_of_old_passwords_is_refused(app, owner, policy, home_directory, old):
    assert sent(owner, policy, do="save", min_length="12", old=old).status_code == 200
    assert rules(app, home_directory)[0] == 8


@pytest.mark.parametrize("role", ["viewer", "support", "manager"])
def test_others_look_at_the_rules_and_change_none(app, sign_in, home_directory, policy, accounts, role):
    browser = sign_in(role)
    for path in (policy, accounts):
        page = browser.get(path)
        assert page.status_code == 200
        assert "Save" not in page.text
        assert "disabled" in page.text
        assert browser.post(path, **STORMPATH, do="try").status_code == 403
    assert browser.post(policy, **STORMPATH | {"min_length": "1"}, do="save").status_code == 403
    assert rules(app, home_directory)[0] == 8


def test_a_form_without_its_token_changes_nothing(app, owner, policy, home_directory):
    assert owner.post(policy, **STORMPATH | {"csrf_token": "", "do": "save", "min_length": "9"}).status_code == 400
    assert rules(app, home_directory)[0] == 8


# --- Addresses and names ---


def asked(app, directory_id):
    with app.app_context():
        directory = Directory.get(directory_id)
        policy = directory.account_creation_policy
        required = [field.attribute for field in directory.account_schema.fields if field.required]
        return policy.email_domain_whitelist, policy.email_domain_blacklist, required


def test_domains_and_names_are_saved_together(app, owner, accounts, home_directory, ada):
    lists = {
        "email_domain_whitelist": "rebels.example\r\n\r\n *.rebels.example ",
        "email_domain_blacklist": "spies.example",
    }
    told = text(sent(owner, accounts, do="recount", **lists, surname="y"))
    assert "1 Accounts stay, whatever their address" in told
    assert "0 Accounts have no such name" in told
    assert asked(app, home_directory) == ((), (), [])
    assert sent(owner, accounts, do="save", **lists, surname="y").status_code == 303
    assert asked(app, home_directory) == (("rebels.example", "*.rebels.example"), ("spies.example",), ["surname"])


def test_an_address_is_tried_against_what_is_typed(owner, accounts):
    lists = {"email_domain_whitelist": "rebels.example", "email_domain_blacklist": ""}
    assert "An account may have it." in text(sent(owner, accounts, do="try", email="leia@rebels.example", **lists))
    assert "domain is not allowed" in text(sent(owner, accounts, do="try", email="vader@empire.example", **lists))
    assert "An account may have it." not in text(sent(owner, accounts, do="try", email="nobody", **lists))


def test_a_domain_that_is_none_is_told_and_all_lines_stay(app, owner, accounts, home_directory):
    page = sent(owner, accounts, do="save", email_domain_whitelist="rebels.example\nno domain", given_name="y")
    box = BeautifulSoup(page.text, "html.parser").find("textarea", {"name": "email_domain_whitelist"})
    assert (page.status_code, box.text.split("\n")[-2:]) == (200, ["rebels.example", "no domain"])
    assert asked(app, home_directory) == ((), (), [])


def test_two_who_change_names_at_once_are_told(app, owner, accounts, home_directory):
    old = value(owner.get(accounts), "version")
    sent(owner, accounts, do="save", surname="y")
    page = owner.post(accounts, version=old, do="save", given_name="y")
    assert "Somebody else changed this" in page.text
    assert asked(app, home_directory)[2] == ["surname"]
