"""Application: its account stores, and the one door to logging in."""

import contextlib

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, hashers, origin
from stormpath_app.database import database, session
from stormpath_app.errors import (
    AccountAlreadyExists,
    AccountDisabled,
    AccountNotFound,
    AccountNotVerified,
    AccountStoreAlreadyMapped,
    AccountStoreNotMapped,
    AlreadyExists,
    ApplicationDisabled,
    DefaultAccountStoreDisabled,
    DirectoryDisabled,
    DirectoryNameTaken,
    LoginFailed,
    NoAccountStores,
    NoDefaultAccountStore,
    NotReady,
    PropertyRequired,
    StormpathError,
    TooManyAttempts,
    UnknownProperty,
    WrongPassword,
)
from stormpath_app.models import Client
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD
from ..test_hashers import rounds
from ..together import together
from .test_event import events

OTHER = "Kessel12.Parsecs"
HOME = origin.Origin(address="192.0.2.1")
LOGIN = "han@falcon.example"


@pytest.fixture
def application(context):
    """Return an application without account stores."""
    return Client().applications.create(name="Shop")


@pytest.fixture
def customers(application):
    return Client().directories.create(name="Customers")


@pytest.fixture
def staff(application):
    return Client().directories.create(name="Staff")


@pytest.fixture
def han(application, customers):
    """Return an account of the application's one store."""
    application.add_account_store(customers, is_default=True)
    return application.accounts.create(email=LOGIN, password=PASSWORD, username="solo")


def disable(resource):
    resource.status = "DISABLED"
    resource.save()


def stores(application):
    session.expire_all()
    return [
        (mapping.account_store.name, mapping.is_default_account_store) for mapping in application.account_store_mappings
    ]


# --- Applications ---


def test_an_application_is_what_it_was_created_with(context):
    created = Client().applications.create({"name": "Shop"}, description="Of spare parts", status="disabled")
    created.refresh()
    assert (created.name, created.description, created.status) == ("Shop", "Of spare parts", "DISABLED")
    assert Application.get(created.href) is Application.named("SHOP") is created
    assert (stores(created), created.default_account_store_mapping, created.default_group_store_mapping) == (
        [],
        None,
        None,
    )


@together(
    ("given", "error"),
    [
        ({}, PropertyRequired),
        ({"name": "my application"}, AlreadyExists),
        ({"name": "Bar", "nmae": "x"}, UnknownProperty),
        ({"name": "Bar", "status": "UNVERIFIED"}, StormpathError),
        ({"name": "Bar", "description": "x" * 4001}, StormpathError),
        ({"name": "Bar", "create_directory": "MY application directory"}, DirectoryNameTaken),
    ],
)
def test_an_application_that_cannot_be_leaves_nothing_behind(context, given, error):
    logged = len(events())
    with pytest.raises(error):
        Client().applications.create(**given)
    assert [one.name for one in Client().applications] == ["My Application", "Stormpath"]
    assert len(Client().directories) == 2
    assert len(events()) == logged


@pytest.mark.parametrize(("asked", "name"), [(True, "Shop Directory 2"), ("Customers", "Customers")])
def test_an_application_can_have_a_directory_made_with_it(context, asked, name):
    Client().directories.create(name="Shop Directory")
    created = Client().applications.create(name="Shop", create_directory=asked)
    assert stores(created) == [(name, True)]
    assert created.default_group_store_mapping is created.default_account_store_mapping
    assert created.default_account_store().name == name


def test_a_deleted_application_leaves_its_directory_and_accounts(application, han):
    application.delete()
    assert Account.get(han.id).directory.name == "Customers"
    assert [event.target_name for event in events("application.deleted")] == ["Shop"]


def test_an_application_that_the_settings_misspell_is_told_with_those_there_are(context, application):
    context.config["STORMPATH_APPLICATION"] = "Shpo"
    with pytest.raises(NotReady) as caught:
        Application.current()
    assert (
        "There is no application 'Shpo'; the database has: 'My Application', 'Shop'." in caught.value.developer_message
    )


# --- Account stores ---


def test_account_stores_are_asked_in_the_order_they_were_mapped(application, customers, staff):
    application.add_account_store(staff)
    application.add_account_store(customers)
    assert [name for name, _ in stores(application)] == ["Staff", "Customers"]


def test_a_store_is_mapped_behind_the_others_after_one_was_taken_away_too(application, customers, staff):
    third = Client().directories.create(name="Third")
    mapping = application.add_account_store(third)
    application.add_account_store(staff)
    mapping.delete()
    application.add_account_store(customers)
    assert [name for name, _ in stores(application)] == ["Staff", "Customers"]


def test_a_new_default_takes_the_place_of_the_old_one(application, customers, staff):
    application.add_account_store(customers, is_default=True)
    application.add_account_store(staff, is_default=True)
    assert stores(application) == [("Customers", False), ("Staff", True)]
    assert application.accounts.create(email=LOGIN, password=PASSWORD).directory is staff


def test_a_store_is_mapped_once(application, customers):
    application.add_account_store(customers)
    with pytest.raises(AccountStoreAlreadyMapped) as caught:
        application.add_account_store(customers)
    assert (caught.value.status, caught.value.code) == (409, 5104)
    assert stores(application) == [("Customers", False)]


def test_a_store_that_was_taken_away_is_asked_no_more(application, han):
    application.account_store_mappings[0].delete()
    with pytest.raises(NoAccountStores):
        application.authenticate_account(LOGIN, PASSWORD)
    assert [event.kind for event in events() if event.application_id == application.id][-2:] == [
        *("account_store.unmapped", "login.failed"),
    ]


@pytest.mark.parametrize("is_mapped", [True, False])
def test_new_accounts_need_a_default_store(application, customers, is_mapped):
    if is_mapped:
        application.add_account_store(customers)
    with pytest.raises(NoDefaultAccountStore) as caught:
        application.accounts.create(email=LOGIN, password=PASSWORD)
    assert caught.value.code == 5100


def test_new_accounts_need_a_default_store_that_is_open(application, han):
    disable(han.directory)
    with pytest.raises(DefaultAccountStoreDisabled) as caught:
        application.accounts.create(email="leia@alderaan.example", password=PASSWORD)
    assert caught.value.code == 5101
    assert len(application.accounts) == 1


# --- Logging in ---


@pytest.mark.parametrize("login", [LOGIN, "HAN@Falcon.Example", " solo ", "SOLO"])
def test_the_owner_is_let_in_by_either_name(application, han, login):
    assert application.authenticate_account(login, PASSWORD).account is han


NONE = ["", " ", "\0", "\ud800", "x" * 5000, "%", None, 5, ["x"], {"a": 1}, True]


@pytest.mark.settings(STORMPATH_THROTTLE=False)
def test_nobody_else_is_let_in_and_all_are_told_the_same(application, han, subtests):
    attempts = [
        *((LOGIN, password) for password in (*NONE, OTHER, PASSWORD.lower(), PASSWORD + " ", "x" * 1_048_576)),
        *((login, PASSWORD) for login in (*NONE, "nobody", "han@falcon", f"{LOGIN}\0", "x" * 1_048_576)),
        *zip(NONE, NONE, strict=True),
    ]
    for login, password in attempts:
        with subtests.test(login=ascii(login)[:30], password=ascii(password)[:30]):
            with pytest.raises(LoginFailed) as caught:
                application.authenticate_account(login, password)
            is_too_long = isinstance(password, str) and len(password) > hashers.LONGEST  # nobody is looked for then
            assert type(caught.value) is (WrongPassword if login == LOGIN or is_too_long else AccountNotFound)
            assert (str(caught.value), caught.value.status) == ("Invalid username or password.", 400)


def test_the_first_store_that_knows_the_login_decides(application, customers, staff):
    customers.accounts.create(email=LOGIN, password=PASSWORD)
    behind = staff.accounts.create(email=LOGIN, password=OTHER)
    for store in (customers, staff):
        application.add_account_store(store)
    with pytest.raises(WrongPassword):
        application.authenticate_account(LOGIN, OTHER)
    assert application.authenticate_account(LOGIN, PASSWORD).account.directory is customers
    assert application.authenticate_account(LOGIN, OTHER, account_store=staff).account is behind
    disable(customers)
    assert application.authenticate_account(LOGIN, OTHER).account is behind


def test_a_store_that_is_disabled_lets_nobody_in_even_where_it_is_named(application, han):
    disable(han.directory)
    for named, error in ((None, AccountNotFound), (han.directory, DirectoryDisabled)):
        with pytest.raises(error, match=r"^Invalid username or password\.$"):
            application.authenticate_account(LOGIN, PASSWORD, account_store=named)


def test_a_store_that_is_not_the_applications_is_not_asked(application, han, staff):
    staff.accounts.create(email="leia@alderaan.example", password=PASSWORD)
    with pytest.raises(AccountStoreNotMapped) as caught:
        application.authenticate_account("leia@alderaan.example", PASSWORD, account_store=staff)
    assert caught.value.code == 5114


def test_an_application_without_stores_lets_nobody_in(application):
    with pytest.raises(NoAccountStores) as caught:
        application.authenticate_account(LOGIN, PASSWORD)
    assert (caught.value.code, str(caught.value)) == (5105, "Invalid username or password.")


def test_an_application_that_is_disabled_lets_nobody_in(application, han):
    disable(application)
    with pytest.raises(ApplicationDisabled):
        application.authenticate_account(LOGIN, PASSWORD)


@pytest.mark.parametrize(("status", "error"), [("DISABLED", AccountDisabled), ("UNVERIFIED", AccountNotVerified)])
def test_only_who_knows_the_password_learns_of_the_status(application, han, status, error):
    han.status = status
    han.save()
    with pytest.raises(error):
        application.authenticate_account(LOGIN, PASSWORD)
    with pytest.raises(WrongPassword, match=r"^Invalid username or password\.$"):
        application.authenticate_account(LOGIN, OTHER)


def test_no_login_is_tried_inside_a_block_that_could_undo_its_log(application, han):
    with atomic(), pytest.raises(RuntimeError, match="inside atomic"):
        application.authenticate_account(LOGIN, PASSWORD)


# --- Too many attempts ---

GUESS = "Wrong1.Password"


def told(application, login, password=GUESS, who=HOME):
    """Return what an attempt came to: the name of its error, or "in"."""
    try:
        with origin.acting(who):
            application.authenticate_account(login, password)
    except LoginFailed as error:
        return type(error).__name__
    return "in"


def test_the_names_and_spellings_of_an_account_have_one_counter(application, han, held_clock):
    for login in ("han@falcon.example", "HAN@Falcon.Example", " solo ", "SOLO", "\uff33\uff2f\uff2c\uff2f"):
        assert told(application, login) == "WrongPassword"
    for login in ("han@falcon.example", "Solo"):
        assert told(application, login) == "TooManyAttempts"


def test_a_login_that_nobody_has_is_refused_at_the_same_counts_for_as_long(application, han, held_clock):
    def waits(login):
        found = []
        for _ in range(20):
            try:
                application.authenticate_account(login, GUESS)
            except TooManyAttempts as error:
                found.append((str(error), error.retry_after))
                held_clock.forward(seconds=error.retry_after)
            except LoginFailed as error:
                found.append(str(error))
        return found

    assert waits("nobody") == waits("solo")


def test_an_attempt_too_many_reaches_no_hash_and_no_log_whatever_the_password(application, han, held_clock):
    for _ in range(5):
        told(application, LOGIN)
    logged = len(events())
    with rounds() as spent:
        assert {told(application, LOGIN, password) for password in (GUESS, PASSWORD, "", None)} == {"TooManyAttempts"}
    assert spent == []
    assert len(events()) == logged


def test_after_the_wait_the_owner_is_let_in_and_the_counter_cleared(application, han, held_clock):
    for _ in range(2):
        for _ in range(5):
            assert told(application, LOGIN) == "WrongPassword"
        assert told(application, LOGIN, PASSWORD) == "TooManyAttempts"
        held_clock.forward(seconds=1)
        assert told(application, LOGIN, PASSWORD) == "in"


@pytest.mark.parametrize(
    ("status", "error"), [("DISABLED", "AccountDisabled"), ("UNVERIFIED", "AccountNotVerified"), ("ENABLED", "in")]
)
def test_a_right_password_is_no_failure_whatever_the_status(application, han, status, error, held_clock):
    han.status = status
    han.save()
    for _ in range(12):
        assert told(application, LOGIN, PASSWORD) == error
    for _ in range(4):
        assert told(application, LOGIN) == "WrongPassword"
    assert told(application, LOGIN, PASSWORD) == error
    assert told(application, LOGIN) == "WrongPassword"


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 10})
def test_who_logs_in_between_guesses_gains_nothing(application, han, held_clock):
    application.accounts.create(email="greedo@rodia.example", password=OTHER)
    outcomes = []
    for _ in range(5):
        outcomes += [told(application, LOGIN), told(application, "greedo@rodia.example", OTHER)]
    assert outcomes == ["WrongPassword", "in"] * 5
    assert told(application, LOGIN) == "TooManyAttempts"
    for number in range(5):
        assert told(application, f"victim{number}") == "AccountNotFound"
    assert told(application, "another") == "TooManyAttempts"
    assert told(application, "another", who=origin.Origin(address="198.51.100.1")) == "AccountNotFound"


def test_two_applications_with_one_account_share_its_counter(application, han, held_clock):
    other = Client().applications.create(name="Bar")
    other.add_account_store(han.directory)
    for number in range(5):
        told((application, other)[number % 2], LOGIN)
    assert told(application, LOGIN) == told(other, LOGIN) == "TooManyAttempts"


@pytest.mark.parametrize("is_open", [True, False])
def test_two_applications_tell_no_stranger_which_logins_their_common_directory_has(
    application, han, staff, is_open, held_clock
):
    if not is_open:
        before = application.add_account_store(staff)
        before.list_index = 0
        before.save()
        staff.status = "DISABLED"
        staff.save()
    other = Client().applications.create(name="Bar")
    other.add_account_store(han.directory)
    for login in (LOGIN, "nobody@falcon.example"):
        for _ in range(5):
            told(application, login)
        assert told(other, login) == "TooManyAttempts"


def test_a_store_that_is_named_has_no_lock_of_its_own(application, han, held_clock):
    for number in range(5):
        with pytest.raises(WrongPassword):
            application.authenticate_account(LOGIN, OTHER, account_store=han.directory if number % 2 else None)
    for store in (han.directory, None):
        with pytest.raises(TooManyAttempts):
            application.authenticate_account(LOGIN, OTHER, account_store=store)


def test_the_check_of_a_password_and_a_login_have_one_lock(application, han, held_clock):
    for _ in range(3):
        told(application, LOGIN)
    for _ in range(2):
        with pytest.raises(WrongPassword):
            han.check_password(GUESS)
    assert told(application, LOGIN, PASSWORD) == "TooManyAttempts"
    with rounds() as spent, pytest.raises(TooManyAttempts):
        han.check_password(PASSWORD)
    assert spent == []
    held_clock.forward(seconds=1)
    han.check_password(PASSWORD)
    for _ in range(4):
        assert told(application, LOGIN) == "WrongPassword"


def test_a_known_device_is_not_slowed_by_strangers_and_slows_itself_alone(application, han, held_clock):
    device = origin.Origin(address="192.0.2.1", device=origin.Device("laptop", (han.id,)))
    for _ in range(6):
        told(application, LOGIN)
    assert told(application, LOGIN, PASSWORD, device) == "in"
    for _ in range(5):
        assert told(application, LOGIN, GUESS, device) == "WrongPassword"
    assert told(application, LOGIN, PASSWORD, device) == "TooManyAttempts"


@pytest.mark.settings(STORMPATH_THROTTLE=False)
def test_without_a_limit_a_password_may_be_guessed_without_end(application, han):
    assert {told(application, LOGIN) for _ in range(20)} == {"WrongPassword"}
    assert told(application, LOGIN, PASSWORD) == "in"


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 3})
def test_who_asks_for_taken_names_is_refused_after_some_and_others_are_not(application, han):
    def create(who=HOME, **names):
        with origin.acting(who):
            application.accounts.create({"email": "leia@alderaan.example", "password": PASSWORD, **names})

    for names in ({"email": LOGIN.upper()}, {"username": "SOLO"}, {"username": LOGIN}):
        with pytest.raises(AccountAlreadyExists):
            create(**names)
    with pytest.raises(TooManyAttempts):
        create()
    assert told(application, "nobody") == "TooManyAttempts"
    with atomic():  # part of something greater
        create(email="ben@tatooine.example")
        with pytest.raises(AccountAlreadyExists):
            create(email=LOGIN)
    create(origin.Origin())
    with pytest.raises(AccountAlreadyExists):
        create(origin.Origin(address="198.51.100.1"))


# --- What it costs, and what it leaves ---


@pytest.mark.parametrize(
    "login",
    [LOGIN, "disabled", "unverified", "passwordless", "nobody", "", "\0", "x" * 5000],
    ids=lambda login: ascii(login[:12]),
)
def test_a_refusal_costs_one_hash_whoever_was_asked_for(application, han, login):
    for status in ("disabled", "unverified"):
        application.accounts.create(email=f"{status}@x.example", username=status, password=PASSWORD, status=status)
    account = application.accounts.create(email="passwordless@x.example", username="passwordless", password=PASSWORD)
    account.password_hash = None
    account.save()
    with rounds() as spent, pytest.raises(LoginFailed):
        application.authenticate_account(login, OTHER)
    assert spent == [2**4]


@pytest.mark.parametrize(
    ("login", "password", "kind", "code"),
    [
        (LOGIN, PASSWORD, "login.succeeded", None),
        ("solo", OTHER, "login.failed", 7100),
        ("nobody", PASSWORD, "login.failed", 7104),
    ],
)
def test_every_attempt_is_logged_with_where_it_came_from(application, han, login, password, kind, code):
    browser = origin.Origin(address="192.0.2.1", user_agent="Falcon/1.0", interface="web")
    with origin.acting(browser), contextlib.suppress(LoginFailed):
        application.authenticate_account(login, password)
    (event,) = [event for event in events() if event.kind.startswith("login.")]
    assert (event.kind, event.data) == (kind, {"code": code} if code else {})
    assert (event.address, event.user_agent, event.interface) == ("192.0.2.1", "Falcon/1.0", "web")
    known = (None, None) if login == "nobody" else (han.id, han.directory_id)
    assert (event.application_id, event.account_id, event.directory_id) == (application.id, *known)


def stored_hash(account):
    with database.engine.connect() as connection:
        return connection.scalar(sa.select(Account.password_hash).where(Account.id == account.id))


@pytest.fixture
def outdated(context, application, han):
    """Return an account whose hash has another cost than the settings ask for."""
    context.config["STORMPATH_BCRYPT_COST"] = 5
    return han


def test_a_hash_of_another_cost_is_renewed_when_its_owner_logs_in(application, outdated):
    before, changed_at = stored_hash(outdated), outdated.modified_at
    with pytest.raises(WrongPassword):
        application.authenticate_account(LOGIN, OTHER)
    assert stored_hash(outdated) == before
    application.authenticate_account(LOGIN, PASSWORD)
    renewed = stored_hash(outdated)
    assert "r=5$" in renewed
    application.authenticate_account(LOGIN, PASSWORD)
    assert stored_hash(outdated) == renewed
    outdated.refresh()
    assert outdated.modified_at == changed_at
    assert events("password.changed") == []


def test_a_password_that_was_changed_meanwhile_is_not_overwritten(context, application, outdated, monkeypatch):
    def somebody_changes_it(*arguments):
        monkeypatch.undo()
        with context.app_context():
            account = Account.get(outdated.id)
            account.password = OTHER
            account.save()
        return hashers.hash(*arguments)

    monkeypatch.setattr(hashers, "hash", somebody_changes_it)
    application.authenticate_account(LOGIN, PASSWORD)
    with pytest.raises(WrongPassword):
        application.authenticate_account(LOGIN, PASSWORD)
    assert application.authenticate_account(LOGIN, OTHER).account is outdated
