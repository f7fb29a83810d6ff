"""Whose account is logged in when somebody comes by a provider, as the account linking policy has it."""

import contextlib
import dataclasses

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountDisabled,
    AccountNotVerified,
    DirectoryDisabled,
    GroupDisabled,
    LoginFailed,
    StormpathError,
)
from stormpath_app.models import AccountLink, OutboxMessage
from stormpath_app.models.linking import account_to_enter, links_by_itself
from stormpath_app.providers import Identity

from ..conftest import PASSWORD, statements
from ..payloads import EMAIL_ALIKE
from .test_event import events

SOCIAL = {
    "GOOGLE": {"client_id": "falcon", "client_secret": "kessel"},
    "GITHUB": {"client_id": "falcon", "client_secret": "kessel"},
}
pytestmark = pytest.mark.settings(STORMPATH_ENABLE_GOOGLE=True, STORMPATH_SOCIAL=SOCIAL)

HAN = Identity("1138", email="han@falcon.example", is_email_verified=True, given_name="Han", surname="Solo")


@pytest.fixture
def here(context):
    return Application.current()


def says(here, status="ENABLED", provisioning="DISABLED", matching=None):
    """Let the policy say this."""
    policy = here.account_linking_policy
    policy.status, policy.automatic_provisioning, policy.matching_property = status, provisioning, matching
    policy.save()


def come(here, identity=HAN, provider="google"):
    """Return the account that somebody has by a provider, and the one that they are logged in to."""
    account = here.provider_account(provider, identity)
    return account, account_to_enter(here, account, identity)


def cloud(here, email=HAN.email, verified=True, **more):
    account = here.accounts.create(email=email, password=PASSWORD, given_name="Han", surname="Solo", **more)
    if verified:
        account.verify()
    return account


def count(model=AccountLink):
    return session.scalar(sa.select(sa.func.count()).select_from(model))


# --- The table ---

ITSELF, LINKED, MADE = "itself", "linked", "made"


@pytest.mark.parametrize(
    ("status", "provisioning", "matching", "is_there", "outcome"),
    [
        ("ENABLED", "DISABLED", None, True, ITSELF),
        ("ENABLED", "DISABLED", None, False, ITSELF),
        ("ENABLED", "DISABLED", "email", True, LINKED),
        ("ENABLED", "DISABLED", "email", False, ITSELF),
        ("ENABLED", "ENABLED", None, True, ITSELF),
        ("ENABLED", "ENABLED", None, False, MADE),
        ("ENABLED", "ENABLED", "email", True, LINKED),
        ("ENABLED", "ENABLED", "email", False, MADE),
        *(
            ("DISABLED", provisioning, matching, is_there, ITSELF)
            for provisioning in ("DISABLED", "ENABLED")
            for matching in (None, "email")
            for is_there in (True, False)
        ),
    ],
)
def test_who_is_logged_in_is_as_the_policy_says(here, status, provisioning, matching, is_there, outcome):
    says(here, status, provisioning, matching)
    known = cloud(here) if is_there else None
    account, entered = come(here)
    if outcome == ITSELF:
        assert (entered, count()) == (account, 0)
    elif outcome == LINKED:
        assert (entered, list(account.linked_accounts)) == (known, [known])
    else:
        assert entered.directory is here.default_account_store()
        assert list(account.linked_accounts) == [entered]
    assert come(here) == (account, entered)  # and again


def test_nobody_is_linked_by_itself_at_first(here):
    known = cloud(here)
    account, entered = come(here)
    assert (entered, list(known.account_links)) == (account, [])


def test_a_link_by_the_policy_is_not_a_confirmed_one_and_both_accounts_are_told(here):
    says(here, matching="email")
    known = cloud(here)
    account, _entered = come(here)
    (link,) = account.account_links
    assert link.confirmed_at is None
    assert {event.account_id: event.data["confirmed"] for event in events("account.linked")} == {
        known.id: False,
        account.id: False,
    }


def test_a_made_account_has_the_names_a_verified_address_and_no_password(here):
    says(here, provisioning="ENABLED")
    here.default_account_store().account_creation_policy.verification_email_status = "ENABLED"
    here.default_account_store().account_creation_policy.save()
    _account, made = come(here, dataclasses.replace(HAN, middle_name="Corellian"))
    assert (made.email, made.full_name, made.status) == (HAN.email, "Han Corellian Solo", "ENABLED")
    assert made.email_verification_status == "VERIFIED"
    assert session.scalar(sa.select(Account.password_hash).where(Account.id == made.id)) is None
    assert count(OutboxMessage) == 0
    with pytest.raises(LoginFailed):
        here.authenticate_account(HAN.email, PASSWORD)
    created = [event for event in events("account.created") if event.account_id == made.id]
    assert created[0].application_id == here.id


# --- Verified on both sides, or nothing ---


@pytest.mark.parametrize("is_verified", [False, None, "true", 1])
@pytest.mark.parametrize("provisioning", ["DISABLED", "ENABLED"])
def test_an_address_that_the_provider_did_not_verify_links_and_makes_nothing(here, provisioning, is_verified):
    says(here, provisioning=provisioning, matching="email")
    cloud(here)
    account = here.provider_account("google", HAN)
    for identity in (dataclasses.replace(HAN, is_email_verified=is_verified), dataclasses.replace(HAN, email=None)):
        assert account_to_enter(here, account, identity) is account
    assert count() == 0


def test_an_address_that_its_account_did_not_confirm_links_nothing(here):
    says(here, provisioning="ENABLED", matching="email")
    cloud(here, verified=False)
    account, entered = come(here)
    assert (entered, count()) == (account, 0)


def test_an_account_by_a_provider_with_an_address_that_is_not_verified_is_not_linked(here):
    says(here, matching="email")
    cloud(here)
    account = here.provider_account("google", dataclasses.replace(HAN, is_email_verified=False))
    assert account_to_enter(here, account, HAN) is account


def test_another_address_than_the_account_has_links_nothing(here):
    says(here, matching="email")
    cloud(here, "lando@cloud.example")
    account = here.provider_account("google", HAN)
    assert account_to_enter(here, account, dataclasses.replace(HAN, email="lando@cloud.example")) is account


@pytest.mark.parametrize(("known", "alike"), EMAIL_ALIKE)
def test_an_address_that_only_folds_to_the_accounts_links_nothing(here, known, alike):
    says(here, matching="email")
    han = cloud(here, known)
    with contextlib.suppress(StormpathError):
        assert here.enter("google", dataclasses.replace(HAN, email=alike)) is not han
    assert count() == 0


def test_an_address_that_the_provider_spells_anew_proves_that_spelling_alone(here):
    says(here, matching="email")
    han = here.enter("google", dataclasses.replace(HAN, email="strasse@falcon.example", is_email_verified=False))
    cloud(here, "strasse@falcon.example")
    assert here.enter("google", dataclasses.replace(HAN, email="straße@falcon.example")) is han
    assert (han.email, han.email_verification_status, count()) == ("straße@falcon.example", "VERIFIED", 0)


def test_a_username_is_no_address(here):
    says(here, matching="email")
    cloud(here, "other@falcon.example", username="han")
    account, entered = come(here, dataclasses.replace(HAN, email="han@falcon.example"))
    assert entered is account


# --- Where it is linked ---


@pytest.mark.parametrize("closed", ["none", "disabled", "group"])
def test_the_default_account_store_must_be_a_directory_that_is_open(here, closed):
    says(here, provisioning="ENABLED", matching="email")
    store = here.default_account_store()
    if closed == "none":
        here.default_account_store_mapping.delete()
    elif closed == "disabled":
        store.status = "DISABLED"
        store.save()
    else:
        here.add_account_store(store.groups.create(name="crew"), is_default=True)
    account, entered = come(here)
    assert (entered, count()) == (account, 0)


def test_what_the_default_account_store_refuses_stays_with_the_provider(here):
    says(here, provisioning="ENABLED")
    account = here.provider_account("google", HAN)
    policy = here.default_account_store().account_creation_policy
    policy.email_domain_blacklist = ("falcon.example",)
    policy.save()
    assert account_to_enter(here, account, HAN) is account
    assert here.default_account_store().find_account(HAN.email) is None


def test_an_account_that_has_a_link_with_the_provider_already_gets_no_second_one(here):
    says(here, matching="email")
    known = cloud(here)
    first = here.provider_account("google", Identity("1", email="solo@falcon.example", is_email_verified=True))
    known.account_links.create(right_account=first)
    account, entered = come(here)
    assert (entered, list(known.linked_accounts)) == (account, [first])


def test_one_account_is_linked_with_several_providers(here):
    says(here, matching="email")
    known = cloud(here)
    accounts = [come(here, provider=provider)[0] for provider in ("google", "github")]
    assert list(known.linked_accounts) == accounts


# --- Links that there are ---


@pytest.mark.parametrize("is_confirmed", [True, False])
@pytest.mark.parametrize("status", ["ENABLED", "DISABLED"])
def test_a_disabled_policy_lets_none_but_confirmed_links_count(here, status, is_confirmed):
    says(here, status)
    known, account = cloud(here, "captain@falcon.example", verified=False), here.provider_account("google", HAN)
    AccountLink.join(known, account, is_confirmed=is_confirmed)
    entered = account_to_enter(here, account, dataclasses.replace(HAN, is_email_verified=False))
    assert entered is (known if is_confirmed or status == "ENABLED" else account)


def test_the_first_account_store_with_a_linked_account_decides(here):
    account, known = here.provider_account("google", HAN), cloud(here)
    rebels = Directory.create(name="Rebels")
    rebel = rebels.create_account(email=HAN.email, password=PASSWORD)
    for other in (known, rebel):
        AccountLink.join(other, account, is_confirmed=True)
    assert account_to_enter(here, account, HAN) is known
    mapping = here.add_account_store(rebels, list_index=0)
    assert account_to_enter(here, account, HAN) is rebel
    rebels.status = "DISABLED"
    rebels.save()
    assert account_to_enter(here, account, HAN) is known
    mapping.delete()
    assert account_to_enter(here, account, HAN) is known


def test_a_link_with_an_account_of_another_application_is_none_here(here):
    account = here.provider_account("google", HAN)
    rebel = Directory.create(name="Rebels").create_account(email=HAN.email, password=PASSWORD)
    AccountLink.join(rebel, account, is_confirmed=True)
    assert account_to_enter(here, account, HAN) is account


def test_a_link_of_two_accounts_by_providers_is_no_login(here):
    account, other = (here.provider_account(provider, HAN) for provider in ("google", "github"))
    AccountLink.join(account, other, is_confirmed=True)
    assert account_to_enter(here, account, HAN) is account


def test_a_group_lets_its_linked_members_in_alone(here):
    account, rebels = here.provider_account("google", HAN), Directory.create(name="Rebels")
    rebel, pilots = rebels.create_account(email=HAN.email, password=PASSWORD), rebels.groups.create(name="pilots")
    AccountLink.join(rebel, account, is_confirmed=True)
    here.add_account_store(pilots)
    assert account_to_enter(here, account, HAN) is account
    rebel.add_group(pilots)
    assert account_to_enter(here, account, HAN) is rebel
    pilots.status = "DISABLED"
    pilots.save()
    with pytest.raises(GroupDisabled):
        account_to_enter(here, account, HAN)


def test_nobody_gets_round_a_disabled_directory_by_a_provider(here):
    account, known = here.provider_account("google", HAN), cloud(here)
    AccountLink.join(known, account, is_confirmed=True)
    known.directory.status = "DISABLED"
    known.directory.save()
    with pytest.raises(DirectoryDisabled):
        account_to_enter(here, account, HAN)
    with pytest.raises(DirectoryDisabled):
        here.enter("google", HAN)
    assert [event.data["code"] for event in events("login.failed")] == [7106]


@pytest.mark.parametrize(
    ("whose", "status", "error"),
    [(0, "DISABLED", AccountDisabled), (1, "DISABLED", AccountDisabled), (1, "UNVERIFIED", AccountNotVerified)],
)
def test_who_is_linked_must_be_enabled_and_who_comes_by_the_provider_not_disabled(here, whose, status, error):
    both = here.provider_account("google", HAN), cloud(here)
    AccountLink.join(*both, is_confirmed=True)
    both[whose].status = status
    both[whose].save()
    with pytest.raises(error):
        here.enter("google", HAN)


def test_a_login_by_a_linked_account_is_the_other_ones(here):
    account, known = here.provider_account("google", HAN), cloud(here)
    AccountLink.join(known, account, is_confirmed=True)
    assert here.enter("google", HAN) is known
    assert [event.account_id for event in events("login.succeeded")] == [known.id]


def test_a_link_is_looked_up_in_one_statement(app, here):
    account, known = here.provider_account("google", HAN), cloud(here)
    AccountLink.join(known, account, is_confirmed=True)
    with statements(app) as seen:
        assert account_to_enter(here, account, HAN) is known
    assert len(seen) == 1


# --- Without a page ---


def test_a_policy_that_matches_addresses_links_without_a_page(here):
    known = cloud(here)
    assert not links_by_itself(here, known, HAN)
    says(here, provisioning="ENABLED")
    assert not links_by_itself(here, known, HAN)
    says(here, matching="email")
    assert links_by_itself(here, known, HAN)
    assert not links_by_itself(here, known, dataclasses.replace(HAN, is_email_verified=False))
    assert here.enter("google", HAN) is known


def test_an_account_that_did_not_confirm_its_address_or_is_elsewhere_is_asked_by_a_page(here):
    says(here, matching="email")
    assert not links_by_itself(here, cloud(here, verified=False), HAN)
    rebel = Directory.create(name="Rebels").create_account(email=HAN.email, password=PASSWORD)
    rebel.verify()
    assert not links_by_itself(here, rebel, HAN)
