"""Directory: accounts whose names are unique in it, under one password policy."""

import pytest
import sqlalchemy as sa
from flask import current_app

from stormpath_app import Account, Application, User
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountAlreadyExists,
    AccountNotFound,
    AlreadyExists,
    InvalidFormat,
    LoginFailed,
    PropertyRequired,
    StormpathError,
    UnknownProperty,
    UnsupportedValue,
)
from stormpath_app.models import (
    AccountCreationPolicy,
    AccountSchema,
    Client,
    Directory,
    Field,
    LoginName,
    PasswordPolicy,
    PasswordStrength,
)
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD
from ..payloads import EMAIL_MUST_BE_DISTINCT, EMAIL_SAME_ACCOUNT
from ..together import together
from .test_event import events

OTHER = "Kessel12.Parsecs"


@pytest.fixture
def directory(context):
    return Client().directories.create(name="Rebels", description="Of the alliance")


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="solo")


@pytest.fixture
def leia(context):
    return Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa", username="general")


def emails():
    """Return the addresses that the database has, whatever is set and not saved here."""
    with current_app.app_context():
        return sorted(account.email for account in Application.current().accounts)


# --- Names of accounts ---


@pytest.mark.parametrize(
    ("taken", "label"),
    [
        ({"email": "HAN@Falcon.Example"}, "email"),
        ({"username": "SOLO"}, "username"),
        ({"username": "Han@falcon.example"}, "username"),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["create", "save"])
def test_no_two_accounts_of_a_directory_have_one_name(han, taken, label, how):
    luke = Account.create("luke@tatooine.example", PASSWORD, username="luke")
    before = emails()
    with pytest.raises(AccountAlreadyExists) as caught:
        _change_or_create(luke if how == "save" else None, taken)
    assert (caught.value.property, caught.value.status, caught.value.code) == (label, 409, 2001)
    assert emails() == before
    assert Application.current().find_account("luke") is luke


def _change_or_create(account, names):
    if account is None:
        Application.current().accounts.create({"email": "new@falcon.example", "password": OTHER, **names})
    for name, value in names.items():
        setattr(account, name, value)
    account.save()


@pytest.mark.parametrize(("one", "other"), EMAIL_SAME_ACCOUNT)
def test_spellings_of_one_address_are_one_account(context, one, other):
    account = Account.create(one, PASSWORD)
    with pytest.raises(AccountAlreadyExists):
        Account.create(other, OTHER)
    assert Application.current().find_account(other) is account
    assert account.email == one.strip()


@pytest.mark.parametrize(("one", "other"), EMAIL_MUST_BE_DISTINCT)
def test_addresses_that_only_look_alike_are_two_accounts(context, one, other):
    assert Account.create(one, PASSWORD).id != Account.create(other, PASSWORD).id
    assert Application.current().find_account(other).email == other


@pytest.mark.parametrize("at", ["@", "\uff20", "\ufe6b"], ids=ascii)
def test_nobody_keeps_an_address_from_its_owner_by_a_username_like_it(context, at):
    with pytest.raises(InvalidFormat):
        Account.create("han@falcon.example", PASSWORD, username=f"leia{at}alderaan.example")
    assert Account.create("leia@alderaan.example", PASSWORD)


@pytest.mark.parametrize("attribute", ["email", "username"])
def test_an_account_may_write_its_name_in_another_way(han, attribute):
    setattr(han, attribute, "HAN@falcon.example")
    han.save()
    assert Application.current().find_account("han@falcon.example") is han


@pytest.mark.parametrize("meanwhile", ["nothing", "a refused save", "another's error"])
@pytest.mark.parametrize(("attribute", "new"), [("email", "captain@falcon.example"), ("username", "captain")])
def test_a_name_that_was_given_up_is_free(han, leia, attribute, new, meanwhile):
    old = getattr(han, attribute)
    if meanwhile == "a refused save":
        setattr(han, attribute, getattr(leia, attribute))
        with pytest.raises(AccountAlreadyExists):
            han.save()
    elif meanwhile == "another's error":
        with pytest.raises(ZeroDivisionError), atomic():
            1 / 0  # noqa: B018 - to fail
    setattr(han, attribute, new)
    han.save()
    application = Application.current()
    assert application.find_account(new) is han
    assert application.find_account(old) is None
    assert Account.create(**{"email": "new@falcon.example", "password": OTHER, attribute: old}).id != han.id


def test_a_deleted_accounts_names_are_free(han):
    han.delete()
    with pytest.raises(LoginFailed):
        User.from_login("solo", PASSWORD)
    assert Account.create("han@falcon.example", OTHER, username="solo").id != han.id


def test_another_directory_has_names_of_its_own(han, directory):
    twin = directory.accounts.create(email="han@falcon.example", username="solo", password=OTHER)
    assert directory.find_account("solo") is twin
    assert Application.current().find_account("solo") is han


@together("login", ["", " ", "\0", "\ud800", "x" * 5000, "han", "%", "solo\0", "han@falcon.example@"])
def test_a_login_that_nobody_has_finds_nobody(han, login):
    assert han.directory.find_account(login) is None


# --- Directories ---


def test_a_directory_is_what_it_was_created_with(directory):
    directory.refresh()
    assert (directory.name, directory.description, directory.status) == ("Rebels", "Of the alliance", "ENABLED")
    assert Directory.get(directory.href) is directory
    assert directory.href == f"/v1/directories/{directory.id}"
    assert directory.password_policy.strength.min_length == 8


@together(
    ("given", "error"),
    [
        ({}, PropertyRequired),
        ({"name": " "}, PropertyRequired),
        ({"name": "rebels"}, AlreadyExists),
        ({"name": " \uff32\uff25\uff22\uff25\uff2c\uff33 "}, AlreadyExists),
        ({"name": "Empire", "nmae": "x"}, UnknownProperty),
        ({"name": "Empire", "status": "UNVERIFIED"}, UnsupportedValue),
        ({"name": "x" * 256}, StormpathError),
        ({"name": "Empire", "description": "x" * 1001}, StormpathError),
    ],
)
def test_a_directory_that_cannot_be_leaves_nothing_behind(directory, given, error):
    with pytest.raises(error):
        Client().directories.create(given)
    names = ["My Application Directory", "Rebels", "Stormpath Administrators"]
    assert sorted(one.name for one in Client().directories) == names


def test_a_directory_cannot_take_anothers_name_and_may_write_its_own_in_another_way(directory):
    directory.name = "My APPLICATION Directory"
    with pytest.raises(
        AlreadyExists, match=r"^Directory with that name already exists\.  Please choose another name\.$"
    ):
        directory.save()
    directory.refresh()
    directory.name = "REBELS"
    directory.save()
    assert directory.name == "REBELS"


def test_an_account_of_a_directory_alone_is_of_no_application(directory):
    account = directory.accounts.create({"email": "leia@alderaan.example"}, password=PASSWORD, status="disabled")
    assert (account.directory, account.status) == (directory, "DISABLED")
    assert events("account.created")[0].application_id is None
    assert emails() == []
    with pytest.raises(AccountNotFound):
        User.from_login("leia@alderaan.example", PASSWORD)


def test_a_deleted_directory_is_gone_with_all_that_was_in_it(han):
    models = (Account, LoginName, Directory, PasswordPolicy, PasswordStrength, AccountCreationPolicy)
    models += (AccountSchema, Field)

    def count():
        return [session.scalar(sa.select(sa.func.count()).select_from(model)) for model in models]

    directory_id, before = han.directory_id, count()
    han.directory.delete()
    session.expunge_all()
    # The administrators' is left, which has as much, and nobody in it.
    assert count() == [0, 0, *(number // 2 for number in before[2:])]
    assert list(Application.current().account_store_mappings) == []
    assert [(event.directory_id, event.target_name) for event in events("directory.deleted")] == [
        (directory_id, "My Application Directory")
    ]


def test_an_application_knows_at_once_that_its_store_is_gone(han):
    application = Application.current()
    application.default_account_store().delete()
    with pytest.raises(StormpathError) as caught:
        application.accounts.create(email="leia@alderaan.example", password=PASSWORD)
    assert caught.value.code == 5100


@pytest.mark.parametrize(("attribute", "value"), [("name", "Heroes"), ("description", None), ("status", "disabled")])
def test_the_log_says_what_of_a_directory_was_changed(directory, attribute, value):
    setattr(directory, attribute, value)
    directory.save()
    (updated,) = events("directory.updated")
    assert updated.directory_id == directory.id
    assert list(updated.data["changed"]) == [attribute]
