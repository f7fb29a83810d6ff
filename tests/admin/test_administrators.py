"""The screen of administrators: owners invite, change, limit, disable and remove, with their password at hand."""

import re

import pytest

from stormpath_app.models import Account, Administrator, Directory, administrator
from stormpath_app.models.administration import MANAGER, OWNER, SUPPORT, VIEWER

from ..conftest import PASSWORD
from ..payloads import HTML
from .test_entry import log_in

HAN = "han@falcon.example"


@pytest.fixture
def han(app):
    """Return the id of another administrator, who supports."""
    with app.app_context():
        return Administrator.create(HAN, PASSWORD, SUPPORT, given_name="Han", surname="Solo").account.id


def known(app, account_id):
    """Return what an administrator is: role, ids of directories, status; None: it is gone."""
    with app.app_context():
        account = Account.find(account_id)
        found = account and Administrator.of(account)
        return account and (found and found.role, found and found.directory_ids, account.status)


def was(owner, account_id):
    return re.search('name="was" value="([^"]*)"', owner.get(f"/administrators/{account_id}/").text)[1]


def give(owner, account_id, **fields):
    return owner.post(f"/administrators/{account_id}/role", was=was(owner, account_id), **fields)


# --- The list ---


def test_the_list_tells_role_limits_state_and_last_login(app, owner, han):
    with app.app_context():
        Administrator.grant(Account.get(han), SUPPORT, directories=[Directory.create(name="Rebels")])
        Administrator.invite("luke@tatooine.example", VIEWER)
    log_in(app.test_client(), HAN)
    page = owner.get("/administrators/").text
    rows = [re.sub(r"<[^>]+>|\s+", " ", row).split() for row in re.findall("<tr role.*?</tr>", page, re.DOTALL)[1:]]
    assert [" ".join(row) for row in rows] == [
        "HS Han Solo han@falcon.example support 1 Enabled just now",
        "L luke@tatooine.example viewer All Invited Never",
        "O owner@console.example owner All Enabled Never",
    ]


@pytest.mark.parametrize("role", [VIEWER, SUPPORT, MANAGER])
def test_nobody_but_an_owner_sees_it(sign_in, han, role):
    other = sign_in(role)
    assert "/admin/administrators/" not in other.get("/").text
    for path in ("", "invite", f"{han}/", f"{han}/remove"):
        assert other.get(f"/administrators/{path}").status_code == 403


def test_an_account_of_another_directory_is_not_found(owner, ada):
    for path in ("", "remove"):
        assert owner.get(f"/administrators/{ada}/{path}").status_code == 404
    for path in ("role", "status", "remove", "invitation"):
        assert owner.post(f"/administrators/{ada}/{path}", role=OWNER, status="DISABLED").status_code == 404


# --- Inviting ---


def test_several_are_invited_at_once_and_those_who_cannot_be_stay_in_the_form(app, owner, han, outbox):
    answer = owner.post(
        "/administrators/invite", emails=f"luke@tatooine.example, {HAN}\n chewie", role=MANAGER, follow=True
    )
    assert answer.status_code == 200
    assert "already exists" in answer.text
    assert re.search(r"<textarea[^>]*>\s*han@falcon.example\s+chewie</textarea>", answer.text)
    assert [mail.to for mail in outbox] == ["luke@tatooine.example"]
    assert "One invitation is on its way." in answer.text


def test_an_invitation_may_be_limited(app, owner, outbox):
    with app.app_context():
        rebels = Directory.create(name="Rebels").id
    owner.post("/administrators/invite", emails=HAN, role=SUPPORT, directories=rebels)
    with app.app_context():
        found = administrator.directory().find_account(HAN).id
    assert known(app, found) == (SUPPORT, {rebels}, "UNVERIFIED")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"emails": ""}, "You must provide an email address."),
        ({"role": "emperor"}, "Not a valid choice"),
        ({"directories": "nowhere"}, "not there any more"),
        ({"emails": " ".join(f"p{number}@example.com" for number in range(21))}, "Invite 20 at once at most."),
    ],
    ids=["nobody", "no role", "no directory", "too many"],
)
def test_what_cannot_be_invited_is_told_and_nothing_leaves(app, owner, outbox, fields, told):
    answer = owner.post("/administrators/invite", **{"emails": HAN, "role": SUPPORT, **fields})
    assert (answer.status_code, told in answer.text) == (200, True)
    assert len(outbox) == 0
    with app.app_context():
        assert len(administrator.directory().accounts) == 1


# --- Roles and limits ---


def test_a_role_and_its_limits_are_changed_and_lifted(app, owner, han):
    with app.app_context():
        rebels = Directory.create(name="Rebels").id
    assert give(owner, han, role=MANAGER, directories=rebels).status_code == 303
    assert known(app, han) == (MANAGER, {rebels}, "ENABLED")
    give(owner, han, role=VIEWER)
    assert known(app, han) == (VIEWER, None, "ENABLED")
    page = owner.get(f"/administrators/{han}/").text
    assert "A role taken away" in page
    assert "owner@console.example" in page


def test_two_owners_who_change_one_role_at_once_are_told(app, owner, han):
    before = was(owner, han)
    give(owner, han, role=MANAGER)
    answer = owner.post(f"/administrators/{han}/role", was=before, role=VIEWER, follow=True)
    assert "Somebody else changed this role" in answer.text
    assert known(app, han)[0] == MANAGER


def test_the_last_owner_stays(app, owner, han):
    with app.app_context():
        me = administrator.directory().find_account("owner@console.example").id
    for path, fields in (("role", {"role": VIEWER}), ("status", {"status": "DISABLED"}), ("remove", {})):
        extra = {"was": was(owner, me)} if path == "role" else {}
        answer = owner.post(f"/administrators/{me}/{path}", **fields, **extra, follow=True)
        assert "only owner of the console" in answer.text
    assert known(app, me) == (OWNER, None, "ENABLED")
    give(owner, han, role=OWNER)
    assert give(owner, me, role=VIEWER).status_code == 303
    assert owner.get("/administrators/").status_code == 403


# --- Out ---


def test_who_is_disabled_is_out_at_once_and_comes_back(app, owner, han):
    browser = app.test_client()
    log_in(browser, HAN)
    owner.post(f"/administrators/{han}/status", status="DISABLED")
    assert known(app, han)[2] == "DISABLED"
    assert browser.get("/admin/").status_code == 302
    owner.post(f"/administrators/{han}/status", status="ENABLED")
    assert log_in(browser, HAN).status_code == 303


def test_who_is_removed_is_gone_once_that_is_confirmed(app, owner, han):
    assert "Remove Han Solo" in owner.get(f"/administrators/{han}/remove").text
    assert known(app, han) is not None
    answer = owner.post(f"/administrators/{han}/remove", follow=True)
    assert f"{HAN} is no administrator any more." in answer.text
    assert known(app, han) is None


@pytest.mark.parametrize("status", ["", "UNVERIFIED", "x"])
def test_there_is_no_other_status(owner, han, status):
    assert owner.post(f"/administrators/{han}/status", status=status).status_code == 400


def test_who_is_invited_is_neither_enabled_nor_disabled_by_hand(app, owner, outbox):
    with app.app_context():
        invited = Administrator.invite(HAN, VIEWER).account.id
    assert owner.post(f"/administrators/{invited}/status", status="ENABLED").status_code == 400
    assert "Send invitation again" in owner.get(f"/administrators/{invited}/").text


def test_an_invitation_is_sent_again_to_who_has_one_alone(owner, han):
    assert owner.post(f"/administrators/{han}/invitation").status_code == 404


# --- The password once more ---


@pytest.mark.parametrize("path", ["role", "status", "remove", "invitation"])
def test_a_change_needs_the_password_if_it_was_given_long_ago(app, owner, han, held_clock, path):
    held_clock.at = held_clock.at.replace(year=2027)
    browser = app.test_client()
    log_in(browser, "owner@console.example")
    for _ in range(2):
        held_clock.forward(minutes=10)
        browser.get("/admin/", buffered=True)
    form = re.search('name="csrf_token" value="([^"]+)"', browser.get("/admin/search/").text)[1]
    sent = {"csrf_token": form, "role": MANAGER, "status": "DISABLED", "was": "support all"}
    asked = browser.post(f"/admin/administrators/{han}/{path}", data=sent)
    assert "Enter your password" in asked.text
    assert known(app, han) == (SUPPORT, None, "ENABLED")


def test_names_are_shown_as_they_are_and_run_nothing(app, owner):
    for number, name in enumerate(HTML):
        with app.app_context():
            made = Administrator.create(f"p{number}@example.com", PASSWORD, VIEWER, given_name=name, surname=name)
        for path in ("", f"{made.account.id}/" if False else ""):
            assert name not in owner.get(f"/administrators/{path}").text or "<" not in name
