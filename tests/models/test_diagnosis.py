"""The login doctor: what a login would meet now, found out without logging in."""

from itertools import product

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, origin, throttle
from stormpath_app.database import session
from stormpath_app.errors import AccountNotFound, LoginFailed, WrongPassword
from stormpath_app.models import AuditEvent, Group
from stormpath_app.models.diagnosis import FAILED, PASSED, UNKNOWN, WARNED
from stormpath_app.providers import Identity
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..falcon import SOCIAL
from ..together import together

EMAIL = "han@falcon.example"
HOME = origin.Origin(address="192.0.2.1", user_agent="Mozilla/5.0 (Windows NT 10.0) Firefox/153.0")

pytestmark = pytest.mark.usefixtures("held_clock")


@pytest.fixture
def here(context):
    return Application.current()


@pytest.fixture
def han(here):
    return Account.create(EMAIL, PASSWORD, "Han", "Solo", username="solo")


def fail(login=EMAIL, times=1):
    """Try wrong passwords."""
    for _ in range(times):
        with origin.acting(HOME), pytest.raises(LoginFailed):
            Application.current().authenticate_account(login, "wrong")


def real(login=EMAIL):
    """Log in with the right password; return the class of what is raised, None where nothing is."""
    try:
        Application.current().authenticate_account(login, PASSWORD)
    except LoginFailed as error:
        return type(error)
    return None


def kinds(found, state=FAILED):
    return [step.kind for step in found.steps if step.state == state]


def step(found, kind):
    (one,) = [step for step in found.steps if step.kind == kind]
    return one


def verbs(found, kind):
    return [(remedy.verb, remedy.target) for remedy in step(found, kind).remedies]


def write(model, resource_id, **values):
    """Let a row be so, whatever the rules."""
    with atomic():
        session.execute(sa.update(model).where(model.id == resource_id).values(**values))
    session.expire_all()


# --- It says what a login would do ---


@pytest.mark.parametrize("store", ["directory", "member", "stranger", "disabled group"])
def test_it_says_for_every_state_what_a_login_really_does(here, han, store):
    directory = han.directory
    if store != "directory":
        group = directory.groups.create(name="crew", status="DISABLED" if store == "disabled group" else "ENABLED")
        here.account_store_mappings[0].delete()
        here.add_account_store(group)
        if store != "stranger":
            han.add_group(group)
    hash_ = session.scalar(sa.select(Account.password_hash).where(Account.id == han.id))
    told = set()
    for app, place, status, stored, must_change, is_locked in product(
        ["ENABLED", "DISABLED"],
        ["ENABLED", "DISABLED"],
        ["ENABLED", "DISABLED", "UNVERIFIED"],
        [hash_, None],
        [False, True],
        [False, True],
    ):
        write(Application, here.id, status=app)
        write(Directory, directory.id, status=place)
        write(Account, han.id, status=status, password_hash=stored, must_change_password=must_change)
        with atomic():
            throttle.unlock(han.id)
        for _ in range(5 * is_locked):
            throttle.reserve(han.id)
        found = here.diagnose(EMAIL)
        wanted = real()
        assert (found.can_log_in, found.account) == (wanted is None, han)
        if found.error is AccountNotFound:  # it is told first what would be mended first
            wanted = AccountNotFound
        assert found.error is wanted, (app, place, status, stored, must_change, is_locked)
        told.add(found.error)
    assert len(told) == (8 if store in {"directory", "member"} else 2)


def test_an_application_without_account_stores_has_nothing_to_ask(here, han):
    here.account_store_mappings[0].delete()
    found = here.diagnose(EMAIL)
    assert (found.error, real(), kinds(found)) == (found.error, found.error, ["account_stores"])
    assert verbs(found, "account_stores") == [("map", here)]


@together("login", ["nobody@falcon.example", "", "\0", "x" * 1000, "\ud800"])
def test_a_login_that_nobody_has_is_not_found(here, han, login):
    found = here.diagnose(login)
    assert (found.can_log_in, found.error, found.account) == (False, real(login), None)
    assert kinds(found) == ["account"]
    assert step(found, "account").sentence == "No account has this name"


# --- It changes nothing ---


def counted():
    return [session.execute(sa.select(table)).all() for table in (AuditEvent.__table__, throttle.attempts)]


def test_it_counts_nothing_and_writes_nothing(app, here, han):
    fail(times=3)
    before = counted()
    with statements(app) as seen:
        here.diagnose(EMAIL)
    assert [line for line in seen if not line.startswith("SELECT")] == []
    assert counted() == before


def test_what_is_set_and_not_saved_stays_so(here, han):
    han.surname = "Organa"
    here.diagnose(EMAIL)
    assert han.surname == "Organa"


@pytest.mark.parametrize("stores", [1, 8])
def test_its_statements_do_not_grow_with_the_account_stores(app, here, han, stores):
    for number in range(stores - 1):
        here.add_account_store(Directory.create(name=f"Moon {number}"))
    session.expunge_all()
    here = Application.current()
    here.diagnose(EMAIL)  # what is loaded once, is
    session.rollback()
    with statements(app) as seen:
        here.diagnose(EMAIL)
    assert len(seen) <= 9


# --- What it tells ---


def test_all_steps_pass_for_somebody_who_can_log_in(here, han):
    found = here.diagnose("SOLO")
    assert (found.can_log_in, found.error, found.verdict) == (True, None, "Han Solo can log in")
    assert kinds(found, PASSED) == [
        *("application", "account_stores", "account"),
        *("lock", "password", "status", "verification", "must_change_password"),
    ]
    assert kinds(found, UNKNOWN) == ["network"]
    assert step(found, "account").sentence == "Found in My Application Directory"


def test_behind_the_first_that_fails_each_says_what_would_be(here, han):
    han.status, han.must_change_password = "DISABLED", True
    han.save()
    found = here.diagnose(EMAIL)
    assert (found.verdict, kinds(found)) == ("Han Solo cannot log in", ["status", "must_change_password"])
    assert [step.kind for step in found.steps if not step.is_reached] == [
        *("verification", "must_change_password", "network")
    ]
    assert verbs(found, "status") == [("enable", han)]


def test_a_lock_is_told_with_its_end_its_cause_and_who_is_let_in(here, han, held_clock):
    fail(times=5)
    for seconds in (1, 2, 4, 8):
        held_clock.forward(seconds=seconds)
        fail()
    found = here.diagnose(EMAIL)
    locked = step(found, "lock")
    assert (locked.state, locked.sentence) == (FAILED, "Locked until 12:00:31 UTC")
    assert locked.detail == (
        "9 wrong passwords in a row, the last at 12:00:15 UTC, all from 192.0.2.1."
        " A browser that they logged in with before is let in."
    )
    assert verbs(found, "lock")[0] == ("unlock", han)
    assert [failure.why for failure in found.failures] == ["Wrong password"] * 5
    assert (found.failures[0].address, found.failures[0].device) == ("192.0.2.1", "Firefox on Windows")
    han.unlock()
    assert here.diagnose(EMAIL).can_log_in


def test_addresses_that_differ_are_all_named(here, han, held_clock):
    fail(times=4)
    with origin.acting(origin.Origin(address="198.51.100.1")), pytest.raises(LoginFailed):
        here.authenticate_account(EMAIL, "wrong")
    held_clock.forward(milliseconds=1)
    assert step(here.diagnose(EMAIL), "lock").detail.startswith(
        "5 wrong passwords in a row, the last at 12:00:00 UTC, from 192.0.2.1, 198.51.100.1."
    )


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True, STORMPATH_THROTTLE={"hard_stop": 5})
def test_the_hard_stop_is_told_with_the_mail_that_ends_it(here, han, held_clock):
    fail(times=5)
    held_clock.forward(days=3)
    found = here.diagnose(EMAIL)
    assert step(found, "lock").sentence == "Locked until a new password is set by mail"
    assert verbs(found, "lock") == [("unlock", han), ("reset", han)]
    assert found.error is real()


@pytest.mark.settings(STORMPATH_THROTTLE=False)
def test_without_a_throttle_nobody_is_locked(here, han):
    fail(times=20)
    assert here.diagnose(EMAIL).can_log_in


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3})
def test_a_network_that_is_blocked_is_a_warning_as_they_may_be_elsewhere(here, han):
    fail("leia@alderaan.example", times=2)
    fail()
    found = here.diagnose(EMAIL)
    network = step(found, "network")
    assert (found.can_log_in, network.state) == (True, WARNED)
    assert network.sentence == "192.0.2.1 is blocked until 12:15 UTC"
    assert network.detail == "The address of the last failure. 3 failures came from there."
    assert found.verdict == "Han Solo can log in, but not from everywhere"
    with origin.acting(HOME):
        assert real() is not None


def test_the_network_of_the_last_login_is_looked_at_too(here, han):
    with origin.acting(HOME):
        assert real() is None
    network = step(here.diagnose(EMAIL), "network")
    assert (network.state, network.sentence) == (PASSED, "192.0.2.1 is below its limit")
    assert network.detail == "The last address"


def test_an_address_that_must_be_confirmed_is_told_with_both_ways_out(here, han):
    policy = han.directory.account_creation_policy
    policy.verification_email_status = "ENABLED"
    policy.save()
    leia = Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    found = here.diagnose(leia.email)
    assert (found.error, kinds(found)) == (real(leia.email), ["verification"])
    assert verbs(found, "verification") == [("verify", leia), ("resend", leia)]
    assert [(mail.kind, mail.status) for mail in found.mails] == [("verification", "QUEUED")]
    leia.verify()
    assert here.diagnose(leia.email).can_log_in


def test_who_must_choose_another_password_is_not_said_to_be_shut_out(here, han):
    han.must_change_password = True
    han.save()
    found = here.diagnose(EMAIL)
    assert (found.can_log_in, found.error) == (False, real())
    assert found.verdict == "Han Solo can log in once they have chosen another password"


# --- Which account store ---


def test_the_account_stores_are_named_in_the_order_they_are_asked(here, han):
    here.add_account_store(Directory.create(name="Rebels", status="DISABLED"), list_index=0)
    found = here.diagnose(EMAIL)
    stores = step(found, "account_stores")
    assert stores.sentence == "2 account stores are asked, in this order"
    assert stores.detail == "Rebels (disabled), My Application Directory"
    assert found.can_log_in


def test_another_account_that_is_found_first_is_why_this_one_cannot_log_in(here, han):
    rebels = Directory.create(name="Rebels")
    other = rebels.create_account(email=EMAIL, password="Kessel12.Parsecs")
    here.add_account_store(rebels, list_index=0)
    assert here.diagnose(EMAIL).account == other
    found = here.diagnose(EMAIL, han)
    assert (found.account, kinds(found), found.can_log_in) == (han, ["account"], False)
    assert step(found, "account").sentence == "Rebels has another account with this name, and is asked first"
    assert verbs(found, "account") == [("reorder", here)]


def test_a_disabled_directory_that_has_the_account_is_why(here, han):
    han.directory.status = "DISABLED"
    han.directory.save()
    found = here.diagnose(EMAIL)
    assert (found.account, step(found, "account").sentence) == (han, "Directory My Application Directory is disabled")
    assert verbs(found, "account") == [("enable", han.directory)]
    assert not step(found, "lock").is_reached


def test_a_directory_that_is_not_asked_is_why(here, han):
    leia = Directory.create(name="Rebels").create_account(email="leia@alderaan.example", password=PASSWORD)
    found = here.diagnose(leia.email, leia)
    assert (found.account, found.error) == (leia, AccountNotFound)
    assert step(found, "account").sentence == "My Application does not ask Rebels"
    assert verbs(found, "account") == [("map", here)]


def test_a_group_that_is_the_account_store_says_what_is_missing(here, han):
    crew = han.directory.groups.create(name="crew")
    here.account_store_mappings[0].delete()
    here.add_account_store(crew)
    assert verbs(here.diagnose(EMAIL), "account") == [("add_to_group", crew)]
    han.add_group(crew)
    assert here.diagnose(EMAIL).can_log_in
    Group.get(crew.href).status = "DISABLED"
    crew.save()
    assert verbs(here.diagnose(EMAIL), "account") == [("enable", crew)]


# --- Accounts that come by a provider ---


@pytest.fixture
def chewie(here):
    """Return an account that came by a provider."""
    return here.enter("falcon", Identity("1139", "chewie@falcon.example", given_name="Chewbacca", surname="Kashyyyk"))


@pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL)
def test_who_comes_by_a_provider_is_said_to_have_no_password(here, chewie):
    found = here.diagnose(chewie.email)
    assert found.verdict == "Chewbacca Kashyyyk logs in with Falcon Pass, and has no password"
    assert (kinds(found), found.error) == (["password"], WrongPassword)
    assert step(found, "password").sentence == "They log in with Falcon Pass, and have no password"
    assert not step(found, "password").remedies
    assert "must_change_password" not in [step.kind for step in found.steps]


@pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL)
def test_who_comes_by_a_provider_and_is_disabled_cannot_log_in(here, chewie):
    chewie.status = "DISABLED"
    chewie.save()
    found = here.diagnose(chewie.email)
    assert found.verdict == "Chewbacca Kashyyyk cannot log in"
    assert kinds(found) == ["password", "status"]


@pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL)
def test_a_login_by_a_provider_asks_for_no_password_and_for_nobody_else(here, chewie):
    here.default_account_store().create_account(email=chewie.email, password=PASSWORD)
    found = here.diagnose(chewie.email, chewie).without_password()
    assert (found.account, found.can_log_in, found.verdict) == (chewie, True, "Chewbacca Kashyyyk can log in")
    chewie.status = "DISABLED"
    chewie.save()
    found = here.diagnose(chewie.email, chewie).without_password()
    assert (kinds(found), found.verdict) == (["status"], "Chewbacca Kashyyyk cannot log in")


@pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL)
def test_those_with_passwords_are_looked_for_first(here, chewie):
    others = Directory.create(name="Others")
    here.add_account_store(others)
    other = others.create_account(email=chewie.email, password=PASSWORD)
    found = here.diagnose(chewie.email)
    assert (found.account, found.can_log_in, real(chewie.email)) == (other, True, None)
    assert step(found, "account_stores").detail.endswith(f"Others, {here.name}-falcon")
