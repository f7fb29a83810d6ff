"""Logging in by a provider: who somebody is there, which account they have here, and whether they are let in."""

import dataclasses

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, User, signals
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountAlreadyExists,
    AccountDisabled,
    AccountKnown,
    AccountNotFound,
    AccountNotVerified,
    ApplicationDisabled,
    CreatedByProvider,
    DirectoryDisabled,
    EmailDomainNotWhitelisted,
    GroupDisabled,
    KeptByProvider,
    LoginFailed,
    NoPassword,
    NoSuchAccount,
    PropertyError,
    PropertyRequired,
    ProviderAlreadyMapped,
    ProviderLacksEmail,
    ProviderNotMapped,
    ProviderRefused,
    RegistrationClosed,
    StormpathError,
    TooManyAttempts,
    WrongPassword,
)
from stormpath_app.models import DeletedAccount, Provider, ProviderData
from stormpath_app.origin import Origin, acting
from stormpath_app.providers import Identity
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..falcon import SOCIAL, Falcon
from ..together import together
from .test_concurrency import at_once
from .test_event import events

HAN = Identity(
    "1138",
    email="han@falcon.example",
    is_email_verified=True,
    given_name="Han",
    surname="Solo",
    user_info={"sub": "1138", "ship": "Falcon"},
    access_token="access",
    refresh_token="refresh",
)

pytestmark = pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL)


def but(**changes):
    return dataclasses.replace(HAN, **changes)


UNPROVEN = but(is_email_verified=False)


@pytest.fixture(autouse=True)
def people():
    """Let the provider know Han, by the code "han"."""
    Falcon.people = {"han": HAN}
    Falcon.asked = []
    return Falcon.people


@pytest.fixture
def site(context):
    return Application.current()


@pytest.fixture
def mirror(site):
    """Return the directory of the provider, with Han in it."""
    return site.enter("falcon", HAN).directory


def enter(identity=HAN):
    return Application.current().enter("falcon", identity)


def save(resource, **attributes):
    for name, value in attributes.items():
        setattr(resource, name, value)
    resource.save()


def count(model):
    return session.scalar(sa.select(sa.func.count()).select_from(model))


def anew(account):
    """Return the account as the database has it."""
    session.expire_all()
    return Account.get(account.href)


# --- The ways in ---


def test_the_providers_of_the_settings_and_of_the_account_stores_are_ways_in(app, site):
    provider = {"provider_id": "rebels", "provider_type": "oidc", "client_id": "site", "client_secret": "Hoth"}
    rebels = Directory.create(
        name="Rebels", provider={**provider, "name": "Rebel ID", "issuer": "https://hoth.example"}
    )
    site.add_account_store(rebels)
    with statements(app) as seen:
        found = Application.current().login_providers()
    assert len(seen) == 1
    assert [(config.provider_id, config.name) for config in found] == [
        ("falcon", "Falcon Pass"),
        ("rebels", "Rebel ID"),
    ]
    assert (found[1].client_secret, site.login_provider("rebels").client_secret) == ("", "Hoth")
    assert site.login_provider("rebels").issuer == "https://hoth.example"


def test_what_the_settings_say_of_a_provider_wins(app, site):
    mine = {"provider_id": "falcon", "client_id": "of the directory", "client_secret": "of the directory"}
    site.add_account_store(Directory.create(name="Mine", provider=mine))
    assert site.login_provider("falcon").client_id == "site"
    app.config["STORMPATH_SOCIAL"] = {}
    assert site.login_provider("falcon").client_id == "of the directory"


def test_a_directory_that_nobody_told_what_this_site_is_there_is_no_way_in(app, site, mirror):
    app.config["STORMPATH_SOCIAL"] = {}
    assert site.login_providers() == []
    with pytest.raises(ProviderNotMapped) as caught:
        site.login_provider("falcon")
    assert caught.value.code == 5201


def test_a_disabled_directory_is_no_way_in_though_the_settings_name_its_provider(site, mirror):
    save(mirror, status="DISABLED")
    assert site.login_providers() == []
    with pytest.raises(ProviderNotMapped):
        site.identify("falcon", "han")
    with pytest.raises(DirectoryDisabled):
        enter()
    with pytest.raises(DirectoryDisabled):
        enter(but(subject="1139", email="lando@bespin.example"))


def test_a_directory_of_another_application_is_no_way_in(app, site, mirror):
    app.config["STORMPATH_SOCIAL"] = {}
    save(mirror.provider, client_id="site", client_secret="Kessel")
    other = Application.create(name="Other")
    assert [config.provider_id for config in site.login_providers()] == ["falcon"]
    assert other.login_providers() == []
    with pytest.raises(ProviderNotMapped):
        other.enter("falcon", HAN)
    assert other.find_provider_account("falcon", HAN) is None


# --- Who somebody is ---


def test_the_provider_is_asked_with_what_it_is_to_be_sent_back(site):
    how = {"redirect_uri": "https://site.example/back", "verifier": "v", "nonce": "n"}
    assert site.identify("falcon", "han", **how) is HAN
    assert Falcon.asked == [how]
    assert site.identify("falcon", access_token="han") is HAN


def test_where_they_came_back_to_is_the_directorys_unless_told(site, mirror):
    with pytest.raises(PropertyRequired) as caught:
        site.identify("falcon", "han")
    assert caught.value.property == "redirect_uri"
    save(mirror.provider, redirect_uri="https://site.example/mine")
    site.identify("falcon", "han")
    assert Falcon.asked[-1]["redirect_uri"] == "https://site.example/mine"


@pytest.mark.parametrize("what", [{}, {"code": ""}, {"access_token": ""}], ids=str)
def test_a_code_or_a_token_is_needed(site, what):
    with pytest.raises(PropertyRequired):
        site.identify("falcon", **what)


def test_no_provider_is_asked_while_a_transaction_is_open(site):
    with atomic(), pytest.raises(RuntimeError, match="not asked inside atomic"):
        site.identify("falcon", "han")
    with atomic(), pytest.raises(RuntimeError, match="rolled back"):
        enter()
    seen = []
    Falcon.people = {}
    session.execute(sa.select(Account.id))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Falcon, "from_access_token", lambda *_: seen.append(session().in_transaction()) or HAN)
        site.identify("falcon", access_token="han")
    assert seen == [False]


def test_what_a_provider_refuses_is_no_login(site):
    with pytest.raises(ProviderRefused) as caught:
        site.get_provider_account("falcon", access_token="another's")
    assert caught.value.code == 7200
    assert count(ProviderData) == 0


@together("subject", ["", None, 7, "7" * 256, "7\0", "7 ", " 7", "\ud800"])
def test_who_has_no_id_at_the_provider_is_nobody(site, subject):
    with pytest.raises(ProviderRefused):
        enter(but(subject=subject))
    assert count(ProviderData) == 0


# --- For the first time ---


def test_at_the_first_login_the_directory_and_the_account_are_made(site):
    account = enter()
    directory = account.directory
    assert (directory.name, directory.provider_id) == (f"{site.name}-falcon", "falcon")
    mapping = site.account_store_mappings[-1]
    assert (mapping.account_store, mapping.is_default_account_store, mapping.is_default_group_store) == (
        *(directory, False, False),
    )
    assert len(site.account_store_mappings) == 2
    assert (account.email, account.full_name, account.username) == ("han@falcon.example", "Han Solo", HAN.email)
    assert (account.status, account.email_verification_status) == ("ENABLED", "VERIFIED")
    assert account.is_new_account
    assert not directory.provider.has_client_secret
    data = account["provider_data"]
    assert (data.provider_id, data.user_info) == ("falcon", HAN.user_info)
    assert (data.access_token, data.refresh_token) == (None, None)
    (created,) = [event for event in events("account.created") if event.account_id == account.id]
    assert created.application_id == site.id
    assert events("login.succeeded")[-1].data == {"provider": "falcon"}
    assert events("login.succeeded")[-1].account_id == account.id


def test_who_has_told_no_name_is_anonymous(site):
    assert enter(but(given_name=None, surname=" \x07")).full_name == "Anonymous Anonymous"


@pytest.mark.settings(STORMPATH_KEEP_PROVIDER_TOKENS=True)
def test_the_providers_tokens_are_kept_where_that_is_asked_for_and_encrypted(app, site):
    account = enter()
    assert (account.provider_data.access_token, account.provider_data.refresh_token) == ("access", "refresh")
    stored = session.execute(sa.select(ProviderData.sealed_access_token, ProviderData.sealed_refresh_token)).one()
    assert all(text.startswith("fernet:") for text in stored)
    enter(but(access_token="newer", refresh_token=None))
    assert (account.provider_data.access_token, account.provider_data.refresh_token) == ("newer", "refresh")
    app.config["STORMPATH_KEEP_PROVIDER_TOKENS"] = False
    enter()
    assert anew(account).provider_data.access_token is None


def test_a_provider_that_tells_no_address_makes_no_account(site):
    with pytest.raises(ProviderLacksEmail) as caught:
        enter(but(email=None))
    assert (caught.value.code, caught.value.name) == (7201, "Falcon Pass")
    with pytest.raises(PropertyError):
        enter(but(email="nonsense"))
    assert count(ProviderData) == 0


def test_a_directory_of_that_name_with_accounts_of_its_own_is_left_alone(site):
    Directory.create(name=f"{site.name}-FALCON")
    assert enter().directory.name == f"{site.name}-falcon 2"


def test_a_directory_that_was_taken_away_comes_back_with_its_accounts(site, mirror):
    (before,) = mirror.accounts
    site.account_store_mappings[-1].delete()
    assert site.find_provider_account("falcon", HAN) is None
    assert enter() is before


def test_the_directory_asks_of_addresses_what_the_default_account_store_does(site):
    policy = site.default_account_store().account_creation_policy
    save(policy, email_domain_whitelist=["falcon.example"], verification_email_status="ENABLED")
    with pytest.raises(EmailDomainNotWhitelisted):
        enter(but(email="han@bespin.example"))
    asked = enter().directory.account_creation_policy
    assert (asked.email_domain_whitelist, asked.verifies) == (("falcon.example",), True)


@pytest.mark.settings(STORMPATH_VERIFY_EMAIL=True)
def test_the_directory_verifies_addresses_where_the_settings_say_so(site):
    save(site.default_account_store().account_creation_policy, verification_email_status="DISABLED")
    assert enter().directory.account_creation_policy.verifies


def test_a_group_of_a_providers_directory_lets_its_members_in_and_takes_who_is_new(site):
    pilots = Directory.create(name="All", provider={"provider_id": "falcon"}).create_group(name="Pilots")
    site.add_account_store(pilots)
    han = enter()
    assert list(han.groups) == [pilots]
    han.remove_group(pilots)
    with pytest.raises(AccountNotFound):
        enter()
    save(pilots, status="DISABLED")
    with pytest.raises(GroupDisabled):
        enter()
    assert site.login_providers() == []


@pytest.mark.parametrize("subjects", [["1138"] * 6, [str(number) for number in range(6)]], ids=["one", "six"])
def test_of_many_first_logins_at_once_one_makes_the_directory(app, subjects):
    def come(subject):
        enter(but(subject=subject, email=f"{subject}@falcon.example"))

    assert at_once(app, come, *subjects) == ["done"] * 6
    with app.app_context():
        site = Application.current()
        (mirror,) = [store.directory for store in site.account_store_mappings if not store.directory.is_cloud]
        assert len(mirror.accounts) == count(ProviderData) == len(set(subjects))
        assert count(Provider) == 1
        assert [store.list_index for store in site.account_store_mappings] == [0, 1]
        assert len(events("login.succeeded")) == 6


# --- And again ---


def test_whoever_has_the_same_id_is_the_same_person_whatever_they_are_called(site):
    han = enter()
    renamed = but(email="general@rebels.example", given_name="General", middle_name="H.", surname="Organa")
    again = enter(renamed)
    assert (again, again.is_new_account) == (han, False)
    assert (anew(han).full_name, han.email) == ("General H. Organa", "general@rebels.example")
    assert han.email_verification_status == "VERIFIED"
    assert site.find_account("han@falcon.example") is None
    assert count(ProviderData) == 1


@pytest.mark.parametrize("identity", [but(subject="1139"), but(subject="1139", is_email_verified=False)], ids=str)
def test_whoever_has_another_id_is_another_person_whatever_their_address(site, identity):
    han = enter()
    with pytest.raises(AccountAlreadyExists) as caught:
        enter(identity)
    assert not isinstance(caught.value, AccountKnown)
    assert site.find_provider_account("falcon", identity) is None
    assert site.find_provider_account("falcon", HAN) is han


def test_ids_differ_by_capital_letters(site):
    enter(but(subject="aB"))
    assert enter(but(subject="Ab", email="lando@bespin.example")).is_new_account


def test_an_id_is_that_of_its_provider_alone(app, site):
    app.config["STORMPATH_SOCIAL"] = {**SOCIAL, "EMPIRE": {**SOCIAL["FALCON"], "kind": "falcon"}}
    han = enter()
    other = site.enter("empire", HAN)
    assert other is not han
    assert (other.directory.provider_id, other.email) == ("empire", han.email)


def test_what_the_provider_does_not_tell_any_more_stays(site):
    enter()
    han = enter(but(email=None, given_name=None, surname=None))
    assert (han.full_name, han.email) == ("Han Solo", "han@falcon.example")


def test_a_login_that_changes_nothing_writes_its_line_in_the_log_alone(app, site):
    enter()
    session.remove()
    Application.current()
    with statements(app) as seen:
        enter()
    assert [text.split()[0] for text in seen if text.startswith(("INSERT", "UPDATE", "DELETE"))] == ["INSERT"]
    assert len([text for text in seen if text.startswith("SELECT")]) == 3  # who it is, its link, and the policy


def test_the_profile_is_the_last_one_that_was_told(site):
    enter()
    assert anew(enter(but(user_info={"ship": "X-Wing"}))).provider_data.user_info == {"ship": "X-Wing"}


def test_an_address_that_another_account_of_the_provider_has_is_left_alone(site):
    lando = enter(but(subject="1139", email="lando@bespin.example"))
    enter()
    assert enter(but(email="lando@bespin.example")).email == "han@falcon.example"
    assert anew(lando).email == "lando@bespin.example"


@pytest.mark.parametrize("address", ["nonsense", "han@hutt.example", "h" * 300 + "@falcon.example"])
def test_an_address_that_no_account_of_the_directory_may_have_is_left_alone(site, mirror, address):
    save(mirror.account_creation_policy, email_domain_blacklist=["hutt.example"])
    assert enter(but(email=address)).email == "han@falcon.example"


def test_an_address_that_the_provider_did_not_verify_is_taken_where_nobody_is_asked_to_confirm_any(site, mirror):
    assert enter(but(email="new@falcon.example", is_email_verified=False)).email == "new@falcon.example"
    assert anew(enter(UNPROVEN)).email_verification_status == "UNVERIFIED"
    Account.create("leia@alderaan.example", PASSWORD)
    assert enter(but(email="leia@alderaan.example", is_email_verified=False)).email == HAN.email
    save(mirror.account_creation_policy, verification_email_status="ENABLED")
    assert enter(but(email="new@falcon.example", is_email_verified=False)).email == HAN.email


def test_an_address_that_the_provider_verified_meanwhile_is_verified(site):
    han = enter(UNPROVEN)
    assert han.email_verification_status == "UNVERIFIED"
    enter()
    assert anew(han).email_verification_status == "VERIFIED"
    enter(UNPROVEN)
    assert anew(han).email_verification_status == "VERIFIED"


def test_of_two_logins_at_once_that_change_a_profile_both_are_let_in(app):
    with app.app_context():
        enter()

    def come(number):
        enter(but(given_name=f"Han {number}", user_info={"number": number}))

    assert at_once(app, come, *range(6)) == ["done"] * 6


def test_a_deleted_account_that_is_restored_is_still_the_same_person(site):
    han = enter()
    DeletedAccount.take(han).restore()
    session.expire_all()
    assert enter().id == han.id


# --- An address that nobody has verified ---


@pytest.fixture
def verifying(site):
    """Let the site confirm addresses."""
    save(site.default_account_store().account_creation_policy, verification_email_status="ENABLED")


def test_an_address_that_the_provider_did_not_verify_is_confirmed_by_mail(site, verifying, outbox):
    with pytest.raises(AccountNotVerified):
        enter(UNPROVEN)
    han = site.find_provider_account("falcon", HAN)
    assert (han.status, han.email_verification_status) == ("UNVERIFIED", "UNVERIFIED")
    assert events("login.failed")[-1].data == {"code": 7102, "provider": "falcon"}
    with pytest.raises(AccountNotVerified):
        enter(UNPROVEN)
    (mail,) = outbox
    assert mail.to == HAN.email
    han.verify()
    assert enter(UNPROVEN) is han
    assert han.email_verification_status == "VERIFIED"


@pytest.mark.parametrize("verified", ["true", "false", 1, None])
def test_an_address_is_verified_by_true_alone(site, verified):
    assert enter(but(is_email_verified=verified)).email_verification_status == "UNVERIFIED"


def test_an_address_that_the_provider_verifies_later_lets_in(site, verifying):
    with pytest.raises(AccountNotVerified):
        enter(UNPROVEN)
    assert (enter().status, enter().email_verification_status) == ("ENABLED", "VERIFIED")


def test_who_need_not_confirm_their_address_any_more_is_let_in(site, verifying, outbox):
    with pytest.raises(AccountNotVerified):
        enter(UNPROVEN)
    site.provider_account("falcon", UNPROVEN, registration_workflow_enabled=False)
    assert enter(UNPROVEN).email_verification_status == "UNVERIFIED"
    lando = but(subject="1139", email="lando@bespin.example", is_email_verified=False)
    assert site.provider_account("falcon", lando, registration_workflow_enabled=False).status == "ENABLED"
    assert list(outbox) == []


def test_nobody_learns_that_another_account_of_the_provider_has_an_address(site, verifying, outbox):
    enter()
    with pytest.raises(AccountNotVerified):
        enter(but(subject="1139", is_email_verified=False))
    assert count(ProviderData) == 1
    assert [mail.to for mail in outbox] == [HAN.email]


# --- Who has an account with this address already ---


@pytest.fixture
def known(site):
    """Return an account with a password and Han's address."""
    return Account.create("HAN@falcon.example", PASSWORD)


def test_who_has_an_account_with_a_verified_address_is_asked(site, known):
    with pytest.raises(AccountKnown) as caught:
        enter()
    assert (caught.value.account, caught.value.is_email_verified) == (known, True)
    assert (caught.value.code, count(ProviderData)) == (2001, 0)
    assert events("login.failed") == []


def test_who_did_not_prove_an_address_is_told_of_an_account_where_registration_tells(site, known):
    with pytest.raises(AccountKnown) as caught:
        enter(UNPROVEN)
    assert not caught.value.is_email_verified
    assert count(ProviderData) == 0


def test_an_address_that_is_only_alike_proves_nothing(site, known):
    with pytest.raises(AccountKnown) as caught:
        enter(but(email="\uff48an@falcon.example"))
    assert not caught.value.is_email_verified


def test_who_did_not_prove_an_address_learns_nothing_where_addresses_are_confirmed(site, known, verifying):
    with pytest.raises(AccountNotVerified):
        enter(UNPROVEN)
    social = site.find_provider_account("falcon", HAN)
    assert (social.status, social.directory_id != known.directory_id) == ("UNVERIFIED", True)


def test_who_did_not_prove_an_address_learns_nothing_of_another_account_store(site):
    others = Directory.create(name="Others")
    site.add_account_store(others)
    others.create_account(email=HAN.email, password=PASSWORD)
    assert enter(UNPROVEN).email_verification_status == "UNVERIFIED"


def test_asking_for_addresses_that_are_known_is_counted(app, site, known):
    app.config["STORMPATH_THROTTLE"] = {"network_failures": 2}
    with acting(Origin(address="192.0.2.1")):
        for expected in (AccountKnown, AccountKnown, TooManyAttempts):
            with pytest.raises(expected):
                enter(UNPROVEN)
        with pytest.raises(AccountKnown):
            enter()


@pytest.mark.parametrize("closed", ["directory", "store", "mirror"])
def test_an_account_that_could_not_log_in_here_is_none_that_is_known(app, site, closed):
    if closed == "store":
        Directory.create(name="Elsewhere").create_account(email=HAN.email, password=PASSWORD)
    elif closed == "directory":
        store = Directory.create(name="Closed")
        site.add_account_store(store)
        store.create_account(email=HAN.email, password=PASSWORD)
        save(store, status="DISABLED")
    else:
        app.config["STORMPATH_SOCIAL"] = {**SOCIAL, "EMPIRE": {**SOCIAL["FALCON"], "kind": "falcon"}}
        site.enter("empire", HAN)
    assert site.account_known_by_email("falcon", HAN) is None
    assert enter().is_new_account


@together("email", [None, "", "nonsense", "h\0n@falcon.example", "\ud800@falcon.example"])
def test_an_address_that_is_none_is_nobodys(site, email):
    assert site.account_known_by_email("falcon", but(email=email)) is None


def test_an_account_that_is_linked_with_somebody_else_of_the_provider_is_not_theirs(site, known):
    other = site.provider_account("falcon", but(subject="1139", email="lando@bespin.example"))
    known.account_links.create(right_account=other)
    known.verify()
    assert site.account_known_by_email("falcon", HAN) is None
    assert site.account_known_by_email("empire", HAN) is known
    assert enter().is_new_account


def test_a_link_does_not_keep_an_unconfirmed_account_from_whose_address_it_is(site, known):
    squatter = but(subject="1139", email="greedo@rodia.example")
    site.link("falcon", squatter, known)
    with pytest.raises(AccountKnown) as caught:
        enter()
    assert caught.value.account is known
    site.take_over("falcon", HAN, known)
    assert enter() is known
    assert enter(squatter) is not known
    assert site.account_known_by_email("falcon", HAN) is None


def test_a_host_that_asks_gets_an_account_beside_the_one_with_the_address(site, known):
    assert site.get_provider_account("falcon", access_token="han").directory.provider_id == "falcon"
    assert anew(known).directory.is_cloud


# --- Who may come ---


@pytest.mark.settings(STORMPATH_ENABLE_REGISTRATION=False)
def test_a_closed_site_stays_closed_and_lets_those_in_who_were_there(app, site):
    for come in (enter, lambda: site.get_provider_account("falcon", access_token="han")):
        with pytest.raises(RegistrationClosed) as caught:
            come()
        assert (caught.value.status, isinstance(caught.value, LoginFailed)) == (403, True)
    assert count(ProviderData) == 0
    assert events("login.failed")[-1].data == {"code": 403, "provider": "falcon"}
    app.config["STORMPATH_ENABLE_REGISTRATION"] = True
    enter()
    app.config["STORMPATH_ENABLE_REGISTRATION"] = False
    assert not enter().is_new_account


@pytest.mark.settings(STORMPATH_ENABLE_REGISTRATION=False)
def test_a_closed_site_asks_whoever_has_an_account_and_tells_nobody_else_of_it(site, known):
    with pytest.raises(AccountKnown):
        enter()
    with pytest.raises(RegistrationClosed):
        enter(UNPROVEN)


@pytest.mark.settings(STORMPATH_ENABLE_REGISTRATION=False)
def test_a_closed_site_lets_those_in_whom_its_policy_links(site, known):
    save(known, email_verification_status="VERIFIED")
    save(site.account_linking_policy, status="ENABLED", matching_property="email")
    assert enter() is known
    assert enter(but(email="other@falcon.example")) is known
    with pytest.raises(RegistrationClosed):
        enter(but(subject="1139", email="lando@bespin.example"))


@pytest.mark.settings(
    STORMPATH_ENABLE_REGISTRATION=False, STORMPATH_SOCIAL={"FALCON": {**SOCIAL["FALCON"], "register": True}}
)
def test_a_provider_may_register_on_a_closed_site(site):
    assert enter().is_new_account


@pytest.mark.settings(STORMPATH_SOCIAL={"FALCON": {**SOCIAL["FALCON"], "register": False}})
def test_a_provider_may_be_for_those_who_have_an_account_alone(site):
    with pytest.raises(RegistrationClosed):
        enter()


# --- Who is let in ---


def test_a_disabled_account_is_not_let_in_nor_told_anything_new(site):
    han = enter()
    save(han, status="DISABLED")
    with pytest.raises(AccountDisabled):
        enter(but(given_name="General"))
    with pytest.raises(AccountDisabled):
        site.get_provider_account("falcon", access_token="han")
    assert anew(han).given_name == "Han"
    assert events("login.failed")[-1].data == {"code": 7101, "provider": "falcon"}
    assert events("login.failed")[-1].account_id == han.id


def test_an_account_that_was_disabled_elsewhere_since_it_was_read_is_not_let_in(site, outside):
    han = enter()
    with outside.begin() as connection:
        connection.execute(sa.update(Account).where(Account.id == han.id).values(status="DISABLED"))
    assert han.status == "ENABLED"
    with pytest.raises(AccountDisabled):
        enter()


def test_a_disabled_application_lets_nobody_in(site):
    enter()
    save(site, status="DISABLED")
    with pytest.raises(ApplicationDisabled):
        enter()


def test_a_receiver_is_told_who_was_not_let_in(app, site):
    han, heard = enter(), []
    save(han, status="DISABLED")

    def hear(_app, **told):
        heard.append((told["login"], told["account"], type(told["error"])))

    with signals.login_failed.connected_to(hear, app), pytest.raises(AccountDisabled):
        enter()
    assert heard == [(HAN.email, han, AccountDisabled)]


@pytest.mark.parametrize("password", ["", "None", PASSWORD])
def test_nobody_logs_in_by_a_password_to_an_account_of_a_provider(site, password):
    enter()
    with pytest.raises(WrongPassword):
        site.authenticate_account(HAN.email, password)


def test_an_account_of_a_provider_keeps_nobody_from_their_password(site):
    enter()
    others = Directory.create(name="Others")
    site.add_account_store(others)  # behind the provider's
    leia = others.create_account(email=HAN.email, password=PASSWORD)
    assert site.authenticate_account(HAN.email, PASSWORD).account is leia
    assert site.diagnose(HAN.email).account is leia


# --- What is the provider's to change ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "other@falcon.example"),
        ("username", "solo"),
        ("given_name", "General"),
        ("middle_name", "H."),
        ("surname", "Organa"),
        ("password", PASSWORD),
        ("must_change_password", True),
    ],
)
def test_what_the_provider_tells_of_an_account_cannot_be_changed_here(site, name, value):
    han = enter()
    with pytest.raises(KeptByProvider) as caught:
        save(han, **{name: value})
    assert (caught.value.code, caught.value.property) == (7202, name)
    han.new_password = None
    assert not [one for one in events("account.updated") if one.account_id == han.id]
    assert anew(han).email == HAN.email
    assert not session.scalar(sa.select(Account.password_hash).where(Account.id == han.id))


def test_status_custom_data_and_groups_are_the_sites_own(site):
    han = enter()
    han.custom_data["ship"] = "Falcon"
    save(han, status="DISABLED")
    save(han, status="ENABLED", email_verification_status="UNVERIFIED")
    han.add_group(han.directory.groups.create(name="pilots"))
    assert (anew(han).custom_data["ship"], han.in_group("pilots")) == ("Falcon", True)
    assert enter() is han


def test_no_account_is_created_in_a_providers_directory_but_by_its_provider(site, mirror):
    pilots = mirror.groups.create(name="pilots")
    names = {"email": "lando@bespin.example", "password": PASSWORD}
    for create in (mirror.accounts.create, mirror.create_account, pilots.create_account):
        with pytest.raises(CreatedByProvider) as caught:
            create(names)
        assert caught.value.code == 6100
    with pytest.raises(CreatedByProvider):
        Account(directory=mirror, directory_id=mirror.id, email="lando@bespin.example").save()
    assert len(mirror.accounts) == 1


def test_no_mail_leads_to_a_password_of_an_account_of_a_provider(site, outbox):
    han = enter()
    for ask in (site.mail_password_reset, site.create_password_reset_token):
        with pytest.raises(NoPassword, match="logs in with another site"):
            ask(han)
    with pytest.raises(NoSuchAccount) as caught:
        site.send_password_reset_email(HAN.email)
    assert (caught.value.message, caught.value.code) == ("Invalid email address.", 2016)
    assert "logs in by a provider" in caught.value.developer_message
    site.request_password_reset(HAN.email)
    assert list(outbox) == []
    with pytest.raises(KeptByProvider):
        han.request_email_change("new@falcon.example")


@pytest.mark.parametrize(
    ("of", "default", "code"),
    [
        ("directory", "is_default_account_store", 5106),
        ("group", "is_default_account_store", 5108),
        ("directory", "is_default_group_store", 5110),
    ],
)
def test_nothing_new_goes_to_a_providers_directory_by_default(site, mirror, of, default, code):
    if of == "group":
        site.add_account_store(mirror.groups.create(name="pilots"))
    mapping = site.account_store_mappings[-1]
    with pytest.raises(StormpathError) as caught:
        save(mapping, **{default: True})
    assert caught.value.code == code
    session.expire_all()
    assert not getattr(site.account_store_mappings[-1], default)


def test_an_application_has_one_directory_of_a_provider(site, mirror):
    other = Directory.create(name="Other", provider={"provider_id": "falcon"})
    with pytest.raises(ProviderAlreadyMapped) as caught:
        site.add_account_store(other)
    assert (caught.value.status, caught.value.code) == (409, 5200)
    with pytest.raises(ProviderAlreadyMapped):
        site.add_account_store(other.groups.create(name="pilots"))
    site.add_account_store(mirror.groups.create(name="pilots"))
    Application.create(name="Other site").add_account_store(other)
    site.add_account_store(Directory.create(name="Another"))


# --- As Stormpath and Flask-Stormpath have it ---


def test_get_provider_account_tells_whether_the_account_is_new(site):
    assert site.get_provider_account("falcon", access_token="han").is_new_account
    assert not site.get_provider_account("falcon", access_token="han").is_new_account


@pytest.mark.settings(
    STORMPATH_ENABLE_GOOGLE=True,
    STORMPATH_ENABLE_FACEBOOK=True,
    STORMPATH_SOCIAL={
        "GOOGLE": {**SOCIAL["FALCON"], "kind": "falcon"},
        "FACEBOOK": {**SOCIAL["FALCON"], "kind": "falcon"},
    },
)
def test_a_user_comes_from_google_and_facebook(site):
    google = User.from_google("han")
    assert (google.directory.name, google.provider_data.provider_id) == (f"{site.name}-google", "google")
    assert Falcon.asked[-1]["redirect_uri"] == "postmessage"  # as Google's own script has it
    User.from_google("han", redirect_uri="https://site.example/google")
    assert Falcon.asked[-1]["redirect_uri"] == "https://site.example/google"
    facebook = User.from_facebook("han")
    assert facebook.directory.name == f"{site.name}-facebook"
    assert site.get_provider_account(Provider.GOOGLE, code="han") is google
