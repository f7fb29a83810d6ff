"""Who an account is elsewhere: the tab with its identities, and what is not done for an account without a password."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory
from stormpath_app.admin.gate import PASSWORD as PASSWORD_FIELD
from stormpath_app.database import session
from stormpath_app.models import AccountLink
from stormpath_app.providers import Identity

from ..conftest import PASSWORD
from ..payloads import HTML
from .conftest import token_of

PROFILE = {"sub": "1234567890", "name": "Ada King", "locale": "en-GB"}


@pytest.fixture
def google(app):
    """Return the id of a directory of Google, which the site asks."""
    with app.app_context():
        given = {"provider_id": "google", "client_id": "1", "client_secret": "a secret"}
        directory = Directory.create(name="By Google", provider=given)
        Application.current().add_account_store(directory)
        return directory.id


@pytest.fixture
def king(app, google):
    """Return the id of an account that came by Google."""
    identity = Identity(
        "1234567890", "ada@example.com", is_email_verified=True, given_name="Ada", surname="King", user_info=PROFILE
    )
    with app.app_context():
        return Application.current().provider_account("google", identity).id


def link(app, one, other, *, is_confirmed=False):
    with app.app_context():
        return AccountLink.join(Account.get(one), Account.get(other), is_confirmed=is_confirmed).id


def linked(app, account_id):
    with app.app_context():
        return [account.id for account in Account.get(account_id).linked_accounts]


# --- What is shown ---


def test_the_tab_shows_what_the_provider_told(owner, king, google):
    page = owner.get(f"/accounts/{king}/identities").text
    for part in (
        "1234567890",
        "What Google told",
        "en-GB",
        "Linked with no account",
        f"/directories/{google}/provider",
    ):
        assert part in page


def test_an_account_that_came_by_no_provider_says_so(owner, ada):
    page = owner.get(f"/accounts/{ada}/identities").text
    assert "made here, and by no provider" in page
    assert "told</h2>" not in page


def test_links_are_shown_at_both_ends_and_whether_their_owner_confirmed_them(app, owner, ada, king):
    link(app, ada, king)
    assert "Not confirmed" in owner.get(f"/accounts/{ada}/identities").text
    assert f"/accounts/{ada}/identities" in owner.get(f"/accounts/{king}/identities").text
    with app.app_context():
        next(iter(Account.get(ada).account_links)).confirm()
    page = owner.get(f"/accounts/{ada}/identities").text
    assert "Not confirmed" not in page
    assert "Confirmed" in page


def test_what_a_provider_told_is_shown_and_not_read_by_the_browser(app, owner, king):
    for text in HTML:
        with app.app_context():
            data = Account.get(king).provider_data
            data.tell({"name": text}, None, None)
            data.save()
        page = owner.get(f"/accounts/{king}/identities").text
        assert "<script>alert" not in page.lower()
        assert "onerror=" not in page.lower() or "&lt;" in page


def test_no_token_of_a_provider_is_on_any_page(app, owner, king):
    app.config["STORMPATH_KEEP_PROVIDER_TOKENS"] = True
    with app.app_context():
        data = Account.get(king).provider_data
        data.tell(PROFILE, "an-access-token", "a-refresh-token")
        data.save()
    for tab in ("", "identities", "json", "timeline", "security"):
        page = owner.get(f"/accounts/{king}/{tab}").text
        assert "an-access-token" not in page
        assert "a-refresh-token" not in page


# --- Linking ---


def test_an_account_of_another_directory_is_found_and_linked(app, sign_in, ada, king):
    manager = sign_in("manager")
    page = manager.get(f"/accounts/{ada}/identities?add=ada").text
    assert f'name="account" value="{king}"' in page
    assert f'name="account" value="{ada}"' not in page
    answer = manager.post(f"/accounts/{ada}/identities/link", account=king, back="identities", follow=True)
    assert "ada@example.com is linked with ada@example.com (By Google)." in answer.text
    assert linked(app, ada) == [king]
    with app.app_context():
        (made,) = Account.get(ada).account_links
        assert made.confirmed_at is None  # nobody proved anything


def test_the_search_can_be_of_one_directory(app, owner, ada, king, google):
    with app.app_context():
        other = Directory.create(name="Rebels")
        rebel = other.accounts.create(email="ada@rebels.example", password=PASSWORD).id
        rebels = other.id
    assert f'value="{king}"' in owner.get(f"/accounts/{ada}/identities?add=ada&directory={google}").text
    page = owner.get(f"/accounts/{ada}/identities?add=ada&directory={rebels}").text
    assert f'name="account" value="{rebel}"' in page
    assert f'name="account" value="{king}"' not in page
    assert owner.get(f"/accounts/{ada}/identities?add=ada&directory=nowhere").status_code == 404


def test_what_is_linked_already_or_elsewhere_is_told(app, owner, ada, king):
    link(app, ada, king)
    again = owner.post(f"/accounts/{ada}/identities/link", account=king, back="identities", follow=True)
    assert 'class="sp-alert sp-bad"' in again.text
    with app.app_context():
        second = Account.create("grace@example.com", PASSWORD, "Grace", "Hopper").id
    owner.post(f"/accounts/{second}/identities/link", account=king, back="identities")
    assert linked(app, second) == []


def test_an_account_is_not_linked_within_its_directory(app, owner, ada):
    with app.app_context():
        second = Account.create("grace@example.com", PASSWORD, "Grace", "Hopper").id
    assert owner.post(f"/accounts/{ada}/identities/link", account=second).status_code == 404


def test_a_link_ends(app, owner, ada, king):
    made = link(app, ada, king, is_confirmed=True)
    answer = owner.post(f"/accounts/{ada}/identities/unlink", link=made, back="identities", follow=True)
    assert "linked with ada@example.com (By Google) no more" in answer.text
    assert linked(app, ada) == []
    log = owner.get("/log/").text
    assert "Account ada@example.com linked with ada@example.com (By Google) no more" in log


@pytest.mark.parametrize("end", ["ada", "king"])
def test_the_last_way_in_to_an_account_stays(app, owner, ada, king, end):
    made = link(app, ada, king, is_confirmed=True)
    with app.app_context():
        session.execute(sa.update(Account).where(Account.id == ada).values(password_hash=None))
        session.commit()
    account = {"ada": ada, "king": king}[end]
    answer = owner.post(f"/accounts/{account}/identities/unlink", link=made, back="identities", follow=True)
    assert "only way to log in" in answer.text
    assert linked(app, ada) == [king]


def test_a_link_of_somebody_else_is_not_ended(app, owner, ada, king):
    made = link(app, ada, king)
    with app.app_context():
        second = Account.create("grace@example.com", PASSWORD, "Grace", "Hopper").id
    for wrong in (made, "", "x", "'"):
        assert owner.post(f"/accounts/{second}/identities/unlink", link=wrong).status_code == 404
    assert linked(app, ada) == [king]


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_managers_link_and_nobody_below_them(app, sign_in, ada, king, role):
    browser = sign_in(role)
    page = browser.get(f"/accounts/{ada}/identities?add=ada")
    assert page.status_code == 200
    assert 'name="account"' not in page.text
    assert browser.post(f"/accounts/{ada}/identities/link", account=king).status_code == 403
    made = link(app, ada, king)
    assert browser.post(f"/accounts/{ada}/identities/unlink", link=made).status_code == 403
    assert linked(app, ada) == [king]


def test_the_password_is_asked_for_before(app, stale, ada, king):
    page = stale.post(f"/accounts/{ada}/identities/link", account=king, back="identities")
    assert "Enter your password" in page.text
    assert linked(app, ada) == []
    fields = {"account": king, "back": "identities", PASSWORD_FIELD: PASSWORD, "csrf_token": token_of(page)}
    assert stale.post(f"/accounts/{ada}/identities/link", **fields).status_code == 303
    assert linked(app, ada) == [king]


def test_who_is_limited_sees_no_account_of_other_directories_and_links_none(app, sign_in, ada, king):
    made = link(app, ada, king)
    manager = sign_in("manager", directories=["By Google"])
    page = manager.get(f"/accounts/{king}/identities?add=ada").text
    assert "not among what you may see" in page
    assert ada not in page
    assert manager.post(f"/accounts/{king}/identities/link", account=ada).status_code == 404
    assert manager.post(f"/accounts/{king}/identities/unlink", link=made).status_code == 404
    assert linked(app, king) == [ada]


# --- An account without a password ---


def test_its_names_and_address_are_read_and_not_typed(app, owner, king):
    page = owner.get(f"/accounts/{king}/edit").text
    assert "They come from Google" in page
    assert 'name="email"' not in page
    with app.app_context():
        version = str(Account.get(king).version)
    fields = {"status": "DISABLED", "email": "other@example.com", "given_name": "Eve", "version": version}
    assert owner.post(f"/accounts/{king}/edit", **fields).status_code == 303
    with app.app_context():
        account = Account.get(king)
        assert (account.email, account.given_name, account.status) == ("ada@example.com", "Ada", "DISABLED")


def test_no_action_is_offered_that_needs_a_password(owner, king):
    for tab in ("", "security", "edit"):
        page = owner.get(f"/accounts/{king}/{tab}").text
        for words in (
            "Reset password",
            "Copy link",
            "Must change password",
            "Forget wrong passwords",
            "Set a temporary",
        ):
            assert words not in page
    assert "None: they log in with Google" in owner.get(f"/accounts/{king}/security").text


@pytest.mark.parametrize("path", ["send-reset", "link", "must-change", "keep-password", "unlock", "password", "resend"])
def test_what_needs_a_password_says_that_there_is_none(app, owner, king, path):
    app.config["STORMPATH_ADMIN_MAY_SET_PASSWORD"] = True
    answer = owner.post(f"/accounts/{king}/{path}", password=PASSWORD, follow=True)
    assert answer.status_code in {200, 404}
    with app.app_context():
        assert Account.get(king).password_hash is None


def test_its_doctor_walks_the_way_of_a_login_by_its_provider(app, owner, ada, king):
    page = owner.get(f"/accounts/{king}/").text
    assert "Ada King can log in" in page
    assert "with Google would meet now" in page
    assert "Found in By Google" in page  # whoever else has the address, with a password
    with app.app_context():
        account = Account.get(king)
        account.status = "DISABLED"
        account.save()
    assert "Ada King cannot log in" in owner.get(f"/accounts/{king}/").text


def test_new_accounts_are_made_in_no_directory_of_a_provider(app, owner, google):
    assert f'value="{google}"' not in owner.get(f"/accounts/new?directory={google}").text
    fields = {"directory": google, "email": "han@falcon.example", "status": "ENABLED"}
    page = owner.post("/accounts/new", **fields)
    assert "come from its provider" in page.text
    with app.app_context():
        assert len(Directory.get(google).accounts) == 0


def test_groups_are_made_in_a_directory_of_a_provider_and_its_accounts_added(app, owner, king, google):
    assert f'value="{google}"' in owner.get("/groups/new").text
    owner.post("/groups/new", name="Countesses", directory=google, status="ENABLED")
    with app.app_context():
        group = Directory.get(google).find_group("Countesses").id
    owner.post(f"/accounts/{king}/groups", do="add", group=group)
    with app.app_context():
        assert [each.name for each in Account.get(king).groups] == ["Countesses"]
