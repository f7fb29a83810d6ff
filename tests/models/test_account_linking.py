"""The ways that somebody logs in by: linked, removed, and taken over by whose address it is."""

import dataclasses

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, origin
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountDisabled,
    AccountLinkMalformed,
    AccountNotVerified,
    AccountsAlreadyLinked,
    LastWayIn,
    LinkedElsewhere,
    LoginOutdated,
    ProviderLacksEmail,
    ProviderNotMapped,
    ResourceNotFound,
    TokenRefused,
    WrongPassword,
)
from stormpath_app.models import (
    AccountLink,
    AccountSession,
    FormerPassword,
    OneTimeToken,
    OutboxMessage,
    one_time_token,
)
from stormpath_app.providers import Identity

from ..conftest import PASSWORD, statements
from .test_event import events
from .test_linking import HAN, SOCIAL, cloud, count, says

pytestmark = pytest.mark.settings(STORMPATH_ENABLE_GOOGLE=True, STORMPATH_SOCIAL=SOCIAL)
OTHER = Identity("2187", email="finn@jakku.example", is_email_verified=True)


@pytest.fixture
def here(context):
    return Application.current()


@pytest.fixture
def han(here):
    return cloud(here)


def forget_password(account):
    session.execute(sa.update(Account).where(Account.id == account.id).values(password_hash=None))
    session.commit()


# --- Linked ---


def test_a_linked_provider_is_a_way_into_the_account(here, han, held_clock):
    link = here.link("google", HAN, han)
    assert link.confirmed_at == held_clock.at
    assert here.enter("google", HAN) is han
    (by_google,) = han.linked_accounts
    assert (by_google.directory.provider_id, by_google.provider_data.subject) == ("google", HAN.subject)


def test_an_address_need_not_be_the_same_or_verified_to_be_linked(here, han):
    here.link("google", dataclasses.replace(OTHER, is_email_verified=False), han)
    (by_google,) = han.linked_accounts
    assert (by_google.email_verification_status, by_google.status) == ("UNVERIFIED", "ENABLED")
    assert here.enter("google", OTHER) is han


@pytest.mark.settings(STORMPATH_ENABLE_REGISTRATION=False, STORMPATH_VERIFY_EMAIL=True)
def test_linking_is_no_registration(here, han):
    here.link("google", dataclasses.replace(OTHER, is_email_verified=False), han)
    assert count(OutboxMessage) == 0
    assert here.enter("google", OTHER) is han


@pytest.mark.settings(STORMPATH_VERIFY_EMAIL=True)
@pytest.mark.parametrize("end", ["unlinked", "deleted", "unmapped"])
def test_who_was_linked_with_an_address_of_anybodys_is_let_in_by_the_link_alone(here, han, end):
    unproven = dataclasses.replace(OTHER, is_email_verified=False)
    here.link("google", unproven, han)
    assert here.enter("google", unproven) is han
    assert next(way for way in here.ways_in(han).providers if way.provider_id == "google").is_linked
    if end == "unlinked":
        here.unlink(han, "google")
    elif end == "deleted":
        han.delete()
    else:
        here.default_account_store_mapping.delete()
    with pytest.raises(AccountNotVerified):
        here.enter("google", unproven)
    assert here.enter("google", OTHER).email_verification_status == "VERIFIED"


def test_somebody_who_came_by_a_provider_before_can_link_that_later(here, han):
    by_google = here.enter("google", OTHER)
    here.link("google", OTHER, han)
    assert list(han.linked_accounts) == [by_google]


def test_a_link_that_was_not_confirmed_is_then(here, han):
    by_google = here.provider_account("google", HAN)
    link = AccountLink.join(han, by_google)
    assert here.link("google", HAN, han) is link
    assert link.confirmed_at is not None
    with pytest.raises(AccountsAlreadyLinked):
        here.link("google", HAN, han)


def test_an_account_of_a_provider_is_linked_with_one_and_an_account_with_one_of_each_provider(here, han):
    here.link("google", HAN, han)
    chewie = cloud(here, "chewie@falcon.example")
    with pytest.raises(LinkedElsewhere) as caught:
        here.link("google", HAN, chewie)
    assert caught.value.account_id == here.find_provider_account("google", HAN).id
    with pytest.raises(LinkedElsewhere) as caught:
        here.link("google", OTHER, han)
    assert caught.value.account_id == han.id
    assert here.find_provider_account("google", OTHER) is None  # nothing is left of it
    here.link("github", OTHER, han)
    assert count() == 2


def test_an_account_that_came_by_a_provider_is_linked_from_the_other_one(here):
    by_google = here.enter("google", HAN)
    with pytest.raises(AccountLinkMalformed):
        here.link("github", HAN, by_google)
    assert here.find_provider_account("github", HAN) is None


@pytest.mark.parametrize(
    ("provider", "identity", "error"),
    [("facebook", HAN, ProviderNotMapped), ("google", dataclasses.replace(HAN, email=None), ProviderLacksEmail)],
)
def test_what_a_login_would_be_refused_for_is_not_linked(here, han, provider, identity, error):
    with pytest.raises(error):
        here.link(provider, identity, han)
    assert count() == 0


# --- Removed ---


def test_a_way_in_is_removed_and_the_account_by_the_provider_stays(here, han):
    here.link("google", HAN, han)
    by_google = here.find_provider_account("google", HAN)
    here.unlink(han, "google")
    assert count() == 0
    assert here.enter("google", HAN) is by_google


@pytest.mark.parametrize("provider", ["google", "github", "\0", ""])
def test_what_is_not_linked_is_not_removed(here, han, provider):
    with pytest.raises(ResourceNotFound):
        here.unlink(han, provider)


def test_the_last_way_in_is_not_removed(here, han):
    for provider in ("google", "github"):
        here.link(provider, HAN, han)
    forget_password(han)
    here.unlink(han, "google")
    with pytest.raises(LastWayIn) as caught:
        here.unlink(han, "github")
    assert (caught.value.status, count()) == (409, 1)
    han.password = PASSWORD
    han.save()
    here.unlink(han, "github")
    assert count() == 0


@pytest.mark.parametrize("closed", ["unconfirmed", "account", "directory", "unmapped", "not set"])
def test_a_way_that_is_closed_is_none_that_is_left(app, here, han, closed):
    for provider in ("google", "github"):
        here.link(provider, HAN, han)
    forget_password(han)
    by_github = here.find_provider_account("github", HAN)
    if closed == "unconfirmed":
        next(iter(by_github.account_links)).delete()
        AccountLink.join(han, by_github)
    elif closed == "account":
        by_github.status = "DISABLED"
        by_github.save()
    elif closed == "directory":
        by_github.directory.status = "DISABLED"
        by_github.directory.save()
    elif closed == "unmapped":
        next(mapping for mapping in here.account_store_mappings if mapping.directory is by_github.directory).delete()
    else:
        app.config["STORMPATH_SOCIAL"] = {"GOOGLE": SOCIAL["GOOGLE"]}
    with pytest.raises(LastWayIn):
        here.unlink(han, "google")
    assert not next(way for way in here.ways_in(han).providers if way.provider_id == "google").can_be_removed


def test_an_account_that_came_by_a_provider_cannot_lose_it(here):
    by_google = here.enter("google", HAN)
    with pytest.raises(ResourceNotFound):
        here.unlink(by_google, "google")


def test_the_log_tells_what_was_removed(here, han):
    here.link("google", HAN, han)
    here.unlink(han, "google")
    assert {event.account_id for event in events("account.unlinked")} > {han.id}


# --- Shown ---


def test_the_ways_in_are_told_with_what_can_be_removed(here, han, held_clock):
    here.link("google", HAN, han)
    ways = here.ways_in(han)
    assert (ways.has_password, ways.can_link) == (True, True)
    google, github = sorted(ways.providers, key=lambda way: way.provider_id != "google")
    assert (google.name, google.is_linked, google.linked_at, google.can_be_removed) == (
        *("Google", True),
        *(held_clock.at, True),
    )
    assert (github.provider_id, github.is_linked, github.linked_at, github.can_be_removed) == (
        *("github", False),
        *(None, False),
    )
    forget_password(han)
    ways = here.ways_in(han)
    assert (ways.has_password, any(way.can_be_removed for way in ways.providers)) == (False, False)
    here.link("github", HAN, han)
    assert all(way.can_be_removed for way in here.ways_in(han).providers)


def test_who_came_by_a_provider_has_that_way_alone(here):
    ways = here.ways_in(here.enter("google", HAN))
    assert (ways.has_password, ways.can_link) == (False, False)
    assert {way.provider_id: (way.is_linked, way.can_be_removed) for way in ways.providers} == {
        "google": (True, False),
        "github": (False, False),
    }


def test_a_link_that_does_not_count_is_not_shown_as_one(here, han):
    AccountLink.join(han, here.provider_account("google", HAN))
    assert not any(way.is_linked for way in here.ways_in(han).providers)
    says(here)
    assert [way.provider_id for way in here.ways_in(han).providers if way.is_linked] == ["google"]


def test_the_ways_in_cost_few_statements(app, here, han):
    for provider in ("google", "github"):
        here.link(provider, HAN, han)
    session.expunge_all()
    here, han = Application.get(here.id), Account.get(han.id)
    with statements(app) as seen:
        assert sum(way.is_linked for way in here.ways_in(han).providers) == 2
    assert len(seen) == 4  # the providers, the links, the password, and its directory


# --- Taken over ---


@pytest.fixture
def squatted(here):
    """Return an account that a stranger made with Han's address, with all that they could have hung on it."""
    account = cloud(here, verified=False)
    account.password = "Sabacc7.Dealer"
    account.save()
    here.link("github", OTHER, account)
    AccountSession.start(account.id, here.id, remembered=True)
    account.api_keys.create()
    account.request_email_change("stranger@jakku.example")
    return account


def test_whose_address_it_is_takes_an_unconfirmed_account_over(here, squatted):
    link = here.take_over("google", HAN, squatted)
    assert link.confirmed_at is not None
    assert here.enter("google", HAN) is squatted
    assert (squatted.email_verification_status, squatted.status) == ("VERIFIED", "ENABLED")
    assert here.enter("github", OTHER) is not squatted
    for password in (PASSWORD, "Sabacc7.Dealer"):
        with pytest.raises(WrongPassword):
            here.authenticate_account(HAN.email, password)
    assert (squatted.sessions, [key.status for key in squatted.api_keys]) == ([], ["DISABLED"])
    assert (count(OneTimeToken), count(FormerPassword), count()) == (0, 0, 1)


def test_what_was_mailed_before_works_no_more(here, squatted):
    token = one_time_token.raw(session.scalar(sa.select(OutboxMessage.nonce).where(OutboxMessage.nonce.is_not(None))))
    here.take_over("google", HAN, squatted)
    with pytest.raises(TokenRefused):
        Account.confirm_email_change(token)
    assert squatted.email == HAN.email


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_a_password_that_is_reset_ends_the_links_of_whoever_made_the_account(here, is_confirmed):
    account = cloud(here, verified=is_confirmed)
    here.link("google", OTHER, account)
    here.reset_account_password(here.create_password_reset_token(account).token, "Sabacc7.Dealer")
    assert (here.enter("google", OTHER) is account) == is_confirmed


def test_an_account_that_waits_for_its_address_is_enabled_by_it(here, squatted):
    squatted.status = "UNVERIFIED"
    squatted.save()
    here.take_over("google", HAN, squatted)
    assert squatted.status == "ENABLED"


def test_the_log_tells_who_was_shut_out(here, squatted):
    here.take_over("google", HAN, squatted)
    (told,) = events("account.taken_over")
    assert (told.account_id, told.data["links"], told.data["api_keys"]) == (squatted.id, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"is_email_verified": False},
        {"is_email_verified": "true"},
        {"email": "stranger@jakku.example"},
        {"email": "hän@falcon.example"},
        {"email": "\uff48an@falcon.example"},
    ],
)
def test_who_did_not_prove_the_address_takes_nothing_over(here, squatted, changes):
    with pytest.raises(LoginOutdated):
        here.take_over("google", dataclasses.replace(HAN, **changes), squatted)
    assert here.authenticate_account(HAN.email, "Sabacc7.Dealer").account is squatted
    assert here.find_provider_account("google", HAN) is None


def test_a_confirmed_account_is_not_taken_over(here, squatted, outside):
    with outside.begin() as connection:  # just now, elsewhere
        is_it = Account.__table__.c.id == squatted.id
        connection.execute(sa.update(Account.__table__).where(is_it).values(email_verification_status="VERIFIED"))
    with pytest.raises(LoginOutdated):
        here.take_over("google", HAN, squatted)
    assert here.authenticate_account(HAN.email, "Sabacc7.Dealer").account is squatted


def test_a_disabled_account_is_not_taken_over(here, squatted):
    squatted.status = "DISABLED"
    squatted.save()
    with pytest.raises(AccountDisabled):
        here.take_over("google", HAN, squatted)
    assert squatted.status == "DISABLED"


def test_an_account_of_another_application_or_a_provider_is_not_taken_over(here):
    elsewhere = Directory.create(name="Rebels").create_account(email=HAN.email, password=PASSWORD)
    by_github = here.provider_account("github", dataclasses.replace(HAN, is_email_verified=False))
    for account in (elsewhere, by_github):
        with pytest.raises(LoginOutdated):
            here.take_over("google", HAN, account)


def test_where_the_identity_is_linked_elsewhere_nothing_is_taken_over(here, squatted):
    here.link("google", HAN, cloud(here, "captain@falcon.example"))
    with pytest.raises(LinkedElsewhere):
        here.take_over("google", HAN, squatted)
    assert here.authenticate_account(HAN.email, "Sabacc7.Dealer").account is squatted
    assert [key.status for key in squatted.api_keys] == ["ENABLED"]


@pytest.mark.parametrize(("address", "is_verified"), [("han@falcon.example", True), ("h.solo@falcon.example", False)])
def test_who_links_the_address_that_their_provider_verified_need_not_confirm_it(context, address, is_verified):
    here = Application.current()
    han = cloud(here, "han@falcon.example", verified=False, status="UNVERIFIED")
    here.link("google", dataclasses.replace(OTHER, email=address), han)
    told = ("VERIFIED", "ENABLED") if is_verified else ("UNVERIFIED", "UNVERIFIED")
    assert (han.email_verification_status, han.status) == told


def test_a_login_that_ended_while_somebody_was_at_the_provider_links_nothing(context):
    here = Application.current()
    han = cloud(here)
    with origin.acting(origin.Origin(actor=han.id, session="ended-meanwhile")), pytest.raises(LoginOutdated):
        here.link("google", OTHER, han)
    assert count(AccountLink) == 0
    assert here.find_provider_account("google", OTHER) is None
