"""What an administrator does for an account: by whom, from where, and what is left behind."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, clock, throttle
from stormpath_app.admin.accounts import AccountsView
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed, PointedAt
from stormpath_app.models import AccountSession, AuditEvent, DeletedAccount, OutboxMessage
from stormpath_app.models.administration import ROLES
from stormpath_app.models.message import FAILED, SENT
from stormpath_app.providers import Identity

from ..conftest import PASSWORD
from ..falcon import SOCIAL
from ..together import together
from .test_account import flashed, path, soup

pytestmark = pytest.mark.sqlite

OTHER = "Kessel12.Parsecs"
#: Each POST of an account, and the least role that may send it; fields that it needs.
ACTIONS = {
    "send-reset": "support",
    "link": "support",
    "must-change": "support",
    "unlock": "support",
    "resend": "support",
    "mail-again": "support",
    "sign-out": "support",
    "end-session": "support",
    "keep-password": "manager",
    "enable": "manager",
    "disable": "manager",
    "lock-down": "manager",
    "verify": "manager",
    "groups": "manager",
    "edit": "manager",
    "custom-data": "manager",
    "delete": "manager",
    "restore": "manager",
    "identities/link": "manager",
    "identities/unlink": "manager",
    "api-keys/disable": "manager",
    "api-keys/enable": "owner",
    "password": "manager",
}
#: Those that ask for the password once more where it was not given just now.
FRESH = {"link", "lock-down", "delete", "password", "identities/link", "identities/unlink"}


def events(kind):
    return session.scalars(sa.select(AuditEvent).where(AuditEvent.kind == kind).order_by(AuditEvent.id)).all()


def log_in(password=PASSWORD):
    return Application.current().authenticate_account("ada@example.com", password)


def act(console, account_id, action, **fields):
    """Send the form; return what is flashed on the page that follows."""
    answer = console.post(path(account_id, action), **fields)
    assert answer.status_code == 303, answer.text
    return flashed(console.browser.get(answer.location))


# --- Who may ---


def test_every_form_of_an_account_is_among_these(app):
    prefix = "/admin/accounts/<id>/"
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(prefix) and "POST" in rule.methods]
    assert {rule.rule.removeprefix(prefix) for rule in rules} == ACTIONS.keys()


@pytest.mark.settings(STORMPATH_ADMIN_MAY_SET_PASSWORD=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_form_is_for_its_role_and_higher_ones_alone(app, sign_in, ada, action):
    allowed = ROLES[ROLES.index(ACTIONS[action]) :]
    with app.app_context():
        before = len(session.scalars(sa.select(AuditEvent.id)).all())
    for role in ROLES:
        if role not in allowed:
            assert sign_in(role).post(path(ada, action)).status_code == 403
    anonymous = app.test_client()
    assert anonymous.post(f"/admin{path(ada, action)}").status_code in {400, 401}
    with app.app_context():
        assert Account.find(ada).status == "ENABLED"
        kinds = [event.kind for event in session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id).offset(before))]
        assert {kind for kind in kinds if kind.startswith("account.")} <= {"account.created", "account.group_added"}
    least = sign_in(ACTIONS[action], email="least@console.example")
    assert least.post(path(ada, action)).status_code in {200, 303, 400, 404}


@together("action", ACTIONS)
def test_no_form_works_without_the_token_of_this_login(owner, ada, action):
    answer = owner.browser.post(f"/admin{path(ada, action)}", data={"csrf_token": "x"})
    assert answer.status_code == 400


@together("action", ACTIONS)
def test_nothing_is_done_by_looking(app, owner, ada, action):
    owner.get(path(ada, action))
    with app.app_context():
        account = Account.find(ada)
        assert (account.status, account.must_change_password) == ("ENABLED", False)
        assert log_in()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_account_out_of_scope_is_not_touched(app, sign_in, ada, action):
    with app.app_context():
        Directory.create(name="Staff")
    app.config["STORMPATH_ADMIN_MAY_SET_PASSWORD"] = True
    limited = sign_in("manager", directories=["Staff"])
    assert limited.post(path(ada, action)).status_code == (403 if ACTIONS[action] == "owner" else 404)
    with app.app_context():
        assert log_in()


@pytest.mark.settings(STORMPATH_ADMIN_MAY_SET_PASSWORD=True)
@pytest.mark.parametrize("action", sorted(FRESH))
def test_what_is_dangerous_asks_for_the_password_once_more(app, owner, ada, action, monkeypatch):
    monkeypatch.setattr("stormpath_app.admin.session.SignedIn.is_fresh", property(lambda _self: False))
    answer = owner.post(path(ada, action), reason="asked by phone", password=OTHER)
    assert (answer.status_code, "Enter your password" in answer.text) == (200, True)
    assert OTHER not in answer.text
    with app.app_context():
        assert log_in()


@pytest.mark.parametrize("action", ["unlock", "sign-out"])
@pytest.mark.parametrize("back", ["sessions", "security", "", "//evil.example", "https://evil.example/", "\0"])
def test_it_leads_back_to_the_tab_it_came_from_and_nowhere_else(owner, ada, action, back):
    answer = owner.post(path(ada, action), back=back)
    tab = back if back in {"sessions", "security"} else ""
    assert answer.location == f"/admin{path(ada, tab)}"


# --- A password ---


def test_a_reset_mail_is_written_and_its_trace_names_who_asked(app, owner, ada):
    assert act(owner, ada, "send-reset") == ["A mail with a link to a new password is on its way to ada@example.com."]
    with app.app_context():
        assert [mail.kind for mail in session.scalars(sa.select(OutboxMessage))] == ["reset"]
        (event,) = events("password_reset.requested")
        assert (event.account_id, event.interface, event.actor_name) == (ada, "admin", "owner@console.example")


@pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL)
def test_who_comes_by_a_provider_has_no_password_to_reset(app, owner):
    with app.app_context():
        chewie = Application.current().enter("falcon", Identity("1139", "chewie@falcon.example")).id
    page = owner.get(path(chewie)).text
    assert "What a login to My Application with Falcon Pass would meet now" in page
    assert "Reset password" not in page
    assert act(owner, chewie, "send-reset") == ["This account logs in with another site, and has no password here."]
    assert act(owner, chewie, "must-change") == [
        "Account must change password cannot be changed here: it comes from the provider."
    ]


def test_a_reset_mail_that_cannot_be_says_why(app, owner, ada):
    for _ in range(3):
        act(owner, ada, "send-reset")
    assert "Too many mails" in act(owner, ada, "send-reset")[0]


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True, STORMPATH_BASE_URL="https://www.example.com")
def test_a_link_is_shown_once_and_opens_the_page_for_a_new_password(app, owner, ada):
    page = owner.post(path(ada, "link"))
    link = soup(page).select_one("#link").text
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
    assert link.startswith("https://www.example.com/forgot/change?sptoken=")
    visitor = app.test_client()
    assert visitor.get(link, follow_redirects=True).status_code == 200
    with app.app_context():
        token = link.partition("sptoken=")[2]
        assert session.scalars(sa.select(OutboxMessage)).all() == []
        Application.current().reset_account_password(token, OTHER)
        assert log_in(OTHER)
        (event,) = events("password_reset.link_created")
        assert (event.account_id, event.actor_name, token in event.details) == (ada, "owner@console.example", False)


def test_where_no_page_takes_a_link_the_setting_is_named(app, owner, ada):
    assert "STORMPATH_ENABLE_FORGOT_PASSWORD is off" in act(owner, ada, "link")[0]
    with app.app_context():
        assert events("password_reset.link_created") == []


def test_a_password_that_must_be_changed_may_be_kept_again(app, owner, ada):
    act(owner, ada, "must-change")
    with app.app_context(), pytest.raises(LoginFailed):
        log_in()
    assert "once they have chosen another password" in owner.get(path(ada)).text
    act(owner, ada, "keep-password")
    with app.app_context():
        assert log_in()


@pytest.mark.settings(STORMPATH_ADMIN_MAY_SET_PASSWORD=True)
def test_a_temporary_password_must_be_changed_by_whoever_uses_it(app, owner, ada):
    assert owner.get(path(ada, "password")).status_code == 200
    refused = owner.post(path(ada, "password"), password="x")
    assert (refused.status_code, "minimum length" in refused.text) == (200, True)
    assert owner.post(path(ada, "password")).status_code == 200
    assert "must choose another" in act(owner, ada, "password", password=OTHER)[0]
    with app.app_context():
        assert Account.find(ada).must_change_password
        with pytest.raises(LoginFailed, match="Choose a new password"):
            log_in(OTHER)


def test_no_administrator_sets_a_password_where_the_site_says_so(owner, ada):
    assert owner.get(path(ada, "password")).status_code == 404
    assert owner.post(path(ada, "password"), password=OTHER).status_code == 404
    assert "temporary" not in owner.get(path(ada)).text


# --- Let in or not ---


def test_an_account_is_disabled_for_a_reason_and_enabled(app, owner, ada):
    assert "disabled" in act(owner, ada, "disable", reason="asked by phone")[0]
    with app.app_context():
        event = events("account.updated")[-1]
        assert (event.reason, event.changes["status"]) == ("asked by phone", ["ENABLED", "DISABLED"])
        with pytest.raises(LoginFailed):
            log_in()
    act(owner, ada, "enable")
    with app.app_context():
        assert log_in()


def test_a_locked_account_is_unlocked(app, owner, ada):
    with app.app_context():
        with pytest.raises(LoginFailed):
            log_in("wrong")
        until = clock.now() + timedelta(minutes=10)
        session.execute(sa.update(throttle.attempts).values(failures=9, blocked_until=until))
        session.commit()
    page = owner.get(path(ada))
    assert "Locked until" in soup(page).select_one(".sp-head").text
    assert "Locked until" in soup(page).select_one(".sp-stop").text
    act(owner, ada, "unlock")
    with app.app_context():
        assert log_in()


def test_a_lock_down_shuts_every_door_and_says_why(app, owner, ada):
    with app.app_context():
        key = Account.find(ada).api_keys.create()
        AccountSession.start(ada, Application.current().id, remembered=True)
        session.commit()
    (told,) = act(owner, ada, "lock-down", reason="stolen laptop")
    assert told == "ada@example.com is locked down. One login ended. One API key is disabled."
    with app.app_context():
        account = Account.find(ada)
        assert (account.status, account.sessions) == ("DISABLED", [])
        assert not account.api_keys.get_key(key.id).is_enabled
        (event,) = events("account.locked_down")
        assert event.reason == "stolen laptop"


# --- The address ---


def test_an_address_is_taken_as_verified(app, owner, ada):
    with app.app_context():
        account = Account.find(ada)
        account.status = "UNVERIFIED"
        account.save()
    assert "taken as verified" in act(owner, ada, "verify")[0]
    with app.app_context():
        assert log_in()


def test_a_verification_mail_is_sent_where_the_directory_asks_for_it(app, owner, ada):
    assert act(owner, ada, "resend") == ["Email addresses are not confirmed here."]
    with app.app_context():
        policy = Account.find(ada).directory.account_creation_policy
        policy.verification_email_status = "ENABLED"
        policy.save()
    assert "on its way" in act(owner, ada, "resend")[0]


# --- Messages ---


@pytest.fixture
def failed(app, ada):
    """Return the ids of three mails that failed: with a link, with another, and without."""
    with app.app_context():
        account = Account.find(ada)
        policy = account.directory.account_creation_policy
        policy.verification_email_status = "ENABLED"
        policy.save()
        Application.current().mail_password_reset(account)
        account.send_verification_email()
        account.change_password(PASSWORD, OTHER)
        session.execute(sa.update(OutboxMessage).values(status=FAILED, nonce=None, last_error="550 no such user"))
        session.commit()
        return {mail.kind: mail.id for mail in session.scalars(sa.select(OutboxMessage))}


def test_a_mail_that_failed_is_told_with_why(owner, ada, failed):
    page = owner.get(path(ada, "messages"))
    assert page.text.count("550 no such user") == 3
    assert "A mail could not be sent" in owner.get(path(ada)).text


@pytest.mark.parametrize("kind", ["reset", "verification", "password_changed"])
def test_a_mail_that_failed_is_sent_again_with_a_link_that_works(app, owner, ada, failed, kind):
    (told,) = act(owner, ada, "mail-again", message=failed[kind], back="messages")
    assert told in {
        "A mail with a new link is on its way to ada@example.com.",
        "The mail to ada@example.com is tried again now.",
    }
    with app.app_context():
        waiting = session.scalars(sa.select(OutboxMessage).where(OutboxMessage.status == "QUEUED")).all()
        assert [mail.kind for mail in waiting] == [kind]
        assert (waiting[0].nonce is not None) == (kind != "password_changed")


def test_a_mail_of_somebody_else_is_not_sent_again(app, owner, ada, failed):
    with app.app_context():
        other = Account.create("bob@example.com", PASSWORD).id
    for message in (failed["reset"], "", "x", "%00"):
        assert owner.post(path(other, "mail-again"), message=message).status_code == 404


# --- Logins ---


def test_one_login_ends_and_then_all_do(app, owner, ada):
    with app.app_context():
        for _ in range(3):
            AccountSession.start(ada, Application.current().id, remembered=True)
        session.commit()
        first = Account.find(ada).sessions[0].id
    page = soup(owner.get(path(ada, "sessions")))
    assert len(page.select(".sp-rows li")) == 3
    act(owner, ada, "end-session", session=first, back="sessions")
    assert act(owner, ada, "end-session", session=first) == ["That login had ended already."]
    assert act(owner, ada, "sign-out") == ["ada@example.com is logged out everywhere: 2 logins ended."]
    with app.app_context():
        assert Account.find(ada).sessions == []


def test_a_login_of_somebody_else_does_not_end(app, owner, ada):
    with app.app_context():
        other = Account.create("bob@example.com", PASSWORD).id
        AccountSession.start(other, Application.current().id, remembered=True)
        session.commit()
        theirs = Account.find(other).sessions[0].id
    act(owner, ada, "end-session", session=theirs)
    with app.app_context():
        assert len(Account.find(other).sessions) == 1


# --- Groups and API keys ---


def test_a_group_is_found_added_and_removed(app, owner, ada):
    with app.app_context():
        directory = Account.find(ada).directory
        group = directory.groups.create(name="editors").id
    page = soup(owner.get(f"{path(ada, 'groups')}?add=edit"))
    (add,) = page.select('main form[method="post"] [aria-label="Add to editors"]')
    form = add.find_parent("form")
    fields = {field["name"]: field["value"] for field in form.select("input")} | {"csrf_token": owner.token}
    assert owner.browser.post(form["action"], data=fields).status_code == 303
    with app.app_context():
        assert Account.find(ada).has_group("editors")
    assert "It is in all groups that are like “edit”" in owner.get(f"{path(ada, 'groups')}?add=edit").text
    act(owner, ada, "groups", do="remove", group=group)
    assert act(owner, ada, "groups", do="remove", group=group) == ["The requested resource does not exist."]
    with app.app_context():
        assert not Account.find(ada).has_group("editors")
    assert "No group of" in owner.get(f"{path(ada, 'groups')}?add=nothing").text


def test_a_group_of_another_directory_is_none(app, owner, ada):
    with app.app_context():
        elsewhere = Directory.create(name="Staff").groups.create(name="editors").id
        owners = Directory.named("Stormpath Administrators").find_group("owner").id
    for group in (elsewhere, owners, "", "x"):
        assert owner.post(path(ada, "groups"), do="add", group=group).status_code == 404
    with app.app_context():
        assert list(Account.find(ada).groups) == []


def test_an_api_key_is_disabled_and_its_secret_is_nowhere(app, owner, ada):
    with app.app_context():
        key = Account.find(ada).api_keys.create(name="Backup")
        other = Account.create("bob@example.com", PASSWORD).api_keys.create()
    assert key.secret not in owner.get(path(ada, "api-keys")).text
    assert act(owner, ada, "api-keys/disable", key=key.id) == ["Backup is disabled."]
    assert act(owner, ada, "api-keys/enable", key=key.id) == ["Backup is enabled."]
    for nobodys in (other.id, "", "x"):
        assert owner.post(path(ada, "api-keys/disable"), key=nobodys).status_code == 404


# --- Deleting, and back ---


def test_a_deleted_account_says_so_on_its_page_and_comes_back_by_one_button(app, owner, ada):
    with app.app_context():
        Account.find(ada).add_group(Account.find(ada).directory.groups.create(name="editors"))
    page = owner.get(path(ada, "delete"))
    assert "membership in editors" in page.text
    told = act(owner, ada, "delete", reason="asked by mail")
    assert told == ["ada@example.com was deleted."]
    gone = soup(owner.get(path(ada)))
    assert "is deleted" in gone.h1.text
    with app.app_context():
        assert Account.find(ada) is None
        (event,) = events("account.deleted")
        assert (event.reason, event.actor_name) == ("asked by mail", "owner@console.example")
    assert owner.get(path(ada, "security")).status_code == 404
    assert "is back" in act(owner, ada, "restore")[0]
    with app.app_context():
        assert log_in()
        assert Account.find(ada).has_group("editors")


def test_a_name_that_was_taken_meanwhile_keeps_it_away_and_is_told(app, owner, ada):
    act(owner, ada, "delete")
    with app.app_context():
        Account.create("ada@example.com", PASSWORD)
    assert "already exists" in act(owner, ada, "restore")[0]


def test_groups_that_are_gone_are_named(app, owner, ada):
    with app.app_context():
        Account.find(ada).add_group(Account.find(ada).directory.groups.create(name="editors"))
    act(owner, ada, "delete")
    with app.app_context():
        Application.current().default_account_store().find_group("editors").delete()
    assert act(owner, ada, "restore")[-1] == "These groups are gone meanwhile: editors."


def test_links_go_and_come_back_or_are_named(app, owner, ada):
    with app.app_context():
        captain = Directory.create(name="Rebels").create_account(email="captain@rebels.example", password=PASSWORD)
        Account.find(ada).account_links.create(right_account=captain)
    assert "links with the accounts captain@rebels.example" in owner.get(path(ada, "delete")).text
    act(owner, ada, "delete")
    assert "is back" in act(owner, ada, "restore")[-1]
    act(owner, ada, "delete")
    with app.app_context():
        Directory.named("Rebels").find_account("captain@rebels.example").delete()
    assert act(owner, ada, "restore")[-1] == "It is linked no more with: captain@rebels.example."


def test_who_may_not_see_it_cannot_restore_it(app, sign_in, owner, ada):
    with app.app_context():
        Directory.create(name="Staff")
    act(owner, ada, "delete")
    limited = sign_in("manager", directories=["Staff"])
    assert limited.get(path(ada)).status_code == 404
    assert limited.post(path(ada, "restore")).status_code == 404
    assert sign_in("viewer").get(path(ada)).status_code == 200
    with app.app_context():
        assert DeletedAccount.find(ada)


def test_what_was_not_deleted_cannot_be_restored(owner, ada):
    assert owner.post(path(ada, "restore")).status_code == 404


def test_a_row_of_the_host_that_points_at_it_is_told_before_and_refused(app, owner, ada, monkeypatch):
    monkeypatch.setattr(DeletedAccount, "tables_of_host", staticmethod(lambda _account: (["orders"], ["wishes"])))

    def refuse(_account):
        raise PointedAt(["orders"])

    monkeypatch.setattr(DeletedAccount, "take", refuse)
    page = owner.get(path(ada, "delete"))
    assert "Your app has data that points at it: orders." in page.text
    assert "rows in wishes go with it, and do not come back" in page.text
    answer = owner.post(path(ada, "delete"))
    assert (answer.status_code, "as other data points at it: orders" in answer.text) == (200, True)


def test_mails_that_were_sent_have_no_button(app, owner, ada):
    act(owner, ada, "send-reset")
    with app.app_context():
        session.execute(sa.update(OutboxMessage).values(status=SENT))
        session.commit()
    assert "Send again" not in owner.get(path(ada, "messages")).text


@pytest.mark.parametrize("gone", ["email = 'ada@example.com'", "0 = 0"], ids=["the account", "everybody"])
@pytest.mark.parametrize("action", ["verify", "disable", "delete"])
def test_who_is_deleted_meanwhile_is_told_of_and_no_error(owner, ada, outside, monkeypatch, action, gone):
    find = AccountsView.get_one

    def find_and_delete(view, account_id):
        found = find(view, account_id)
        with outside.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM stormpath_accounts WHERE {gone}")
        return found

    assert owner.token
    monkeypatch.setattr(AccountsView, "get_one", find_and_delete)
    answer = owner.post(f"/accounts/{ada}/{action}", do="add", group="x")
    assert answer.status_code in {404, 409}
