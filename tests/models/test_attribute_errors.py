"""Every attribute that can be set, and how each says what is wrong with it."""

import shutil

import pytest

from stormpath_app import Account, Application, Directory, Group
from stormpath_app.database import database
from stormpath_app.errors import (
    AlreadyExists,
    BelowMinimum,
    InvalidFormat,
    OutOfRange,
    PropertyError,
    PropertyRequired,
    ReadOnly,
    TooLong,
    UnknownProperty,
    UnsupportedValue,
    WrongType,
)
from stormpath_app.models import Client

from ..conftest import PASSWORD, make_app

REQUIRED, TYPE, FORMAT, LONG = PropertyRequired, WrongType, InvalidFormat, TooLong
IS_REQUIRED = "is required; it cannot be null, empty, or blank."
IS_WRONG_TYPE, IS_WRONG_FORMAT = "is of the wrong type.", "is in an invalid format."
TOO_LONG = "exceeded the maximum length of {} characters."
BELOW = "minimum value is 0."
SWITCH, THREE = "must be one of: ENABLED, DISABLED.", "must be one of: ENABLED, DISABLED, UNVERIFIED."


def name(longest=255, label=None, required=True, bad="a\0b"):
    """Return what is wrong with a text: value, error, sentence."""
    blank = [(value, REQUIRED, IS_REQUIRED) for value in (None, "", " ")] if required else []
    types = [(value, TYPE, IS_WRONG_TYPE) for value in (5, 0, True, ["x"], {"a": 1}, b"x")]
    return label, [
        *blank,
        *types,
        (bad, FORMAT, IS_WRONG_FORMAT),
        ("x" * (longest + 1), LONG, TOO_LONG.format(longest)),
    ]


def status(sentence=SWITCH):
    """Return what is wrong with a status."""
    types = [(value, TYPE, IS_WRONG_TYPE) for value in (None, True, 1, ["ENABLED"])]
    return None, [*types, *((value, UnsupportedValue, sentence) for value in ("LOCKED", ""))]


def number(low, high=255):
    """Return what is wrong with a number that is not in its range."""
    types = [(value, TYPE, IS_WRONG_TYPE) for value in (None, "", "x", 1.5, True, [8])]
    outside, told = (low - 1, high + 1, str(high + 1)), f"must be between {low} and {high}."
    return None, [*types, *((value, OutOfRange, told) for value in outside)]


def moment():
    """Return what is wrong with a point in time."""
    types = [(value, TYPE, IS_WRONG_TYPE) for value in ("2026-11-28", 5, True, [])]
    return None, types


def switch():
    """Return what is wrong with yes or no."""
    return None, [(value, TYPE, IS_WRONG_TYPE) for value in (None, 1, "", "perhaps", [])]


def patterns():
    """Return what is wrong with a list of domains."""
    found = [(value, TYPE, IS_WRONG_TYPE) for value in (None, "x", 5, {"x": 1}, [5])]
    found += [([""], REQUIRED, IS_REQUIRED), (["@x"], FORMAT, IS_WRONG_FORMAT)]
    return None, [*found, (["x" * 256], LONG, TOO_LONG.format(255)), (["x" * 200] * 99, LONG, TOO_LONG.format(15000))]


def uris():
    """Return what is wrong with a list of addresses."""
    found = [(value, TYPE, IS_WRONG_TYPE) for value in ("https://x.example", 5, {"x": 1}, [5])]
    return None, [*found, (["x.example"], FORMAT, IS_WRONG_FORMAT), (["https://x"] * 999, LONG, TOO_LONG.format(4000))]


def place():
    """Return what is wrong with a place in a list."""
    types = [(value, TYPE, IS_WRONG_TYPE) for value in ("", "x", 1.5, True, [0])]
    return "listIndex", [*types, *((value, BelowMinimum, BELOW) for value in (-1, "-1"))]


def named(longest):
    """Return what is wrong with what a directory, a group and an application have alike."""
    return {
        "name": name(),
        "description": name(longest, required=False),
        "status": status(),
    }


def domains():
    """Return what is wrong with the attributes of an account creation policy."""
    mails = ("verification_email_status", "verification_success_email_status", "welcome_email_status")
    lists = ("email_domain_whitelist", "email_domain_blacklist")
    return {
        **{mail: status() for mail in mails},
        **{one: patterns() for one in lists},
        "verification_token_ttl": number(1, 720),
    }


COUNTS = ("min_lower_case", "min_upper_case", "min_numeric", "min_symbol", "min_diacritic")
NO_PASSWORD = [(value, TYPE, IS_WRONG_TYPE) for value in (5, 0, True, ["x"], b"x")]
NO_PASSWORD += [(value, REQUIRED, IS_REQUIRED) for value in (None, "")]
VERIFICATION = "must be one of: UNKNOWN, UNVERIFIED, VERIFIED."

#: Thing -> attribute -> its label where it has another one, and (value, error, the rest of its sentence).
WRONG = {
    "Account": {
        "email": name(label="email address", bad="no address"),
        "username": name(required=False),
        "password": (None, NO_PASSWORD),
        **{one: name(required=False) for one in ("given_name", "middle_name", "surname")},
        "status": status(THREE),
        "email_verification_status": status(VERIFICATION),
        "must_change_password": switch(),
    },
    "Group": named(1000),
    "Directory": named(1000),
    "Application": named(4000) | {f"authorized_{kind}_uris": uris() for kind in ("callback", "origin")},
    "Account Store Mapping": {
        "list_index": place(),
        **{f"is_default_{kind}_store": switch() for kind in ("account", "group")},
    },
    "Tenant": {"name": name(), "key": name(63, bad="-x-")},
    "Password policy": {
        "refuses_common": switch(),
        "reset_token_ttl": number(1, 168),
        **{f"reset_{mail}status": status() for mail in ("email_", "success_email_")},
    },
    "Password strength": {
        **{one: number(1) for one in ("min_length", "max_length")},
        **{one: number(0) for one in COUNTS},
        "prevent_reuse": number(0, 25),
        **{one: moment() for one in ("checks_before", "replaces_before")},
    },
    "Account creation policy": domains(),
    "Field": {"required": switch()},
}
CASES = [
    pytest.param(thing, attribute, label, *wrong, id=f"{thing}-{attribute}-{ascii(wrong[0])[:20]}")
    for thing, attributes in WRONG.items()
    for attribute, (label, every) in attributes.items()
    for wrong in every
]


@pytest.fixture(scope="module")
def resources(installed, tmp_path_factory):
    """Return one resource of each kind, by its thing; nothing that these tests set is ever saved."""
    with make_app(shutil.copytree(installed, tmp_path_factory.mktemp("attributes") / "instance")).app_context():
        account = Account.create("han@falcon.example", PASSWORD, "Han", "Solo", username="solo")
        directory = account.directory
        group = directory.groups.create(name="smugglers")
        policy, asked = directory.password_policy, directory.account_creation_policy
        mapping = Application.current().default_account_store_mapping
        every = (
            account,
            group,
            directory,
            mapping,
            Application.current(),
            Client().tenant,
            policy,
            policy.strength,
            asked,
        )
        field = directory.account_schema.fields["surname"]
        yield {resource.thing: resource for resource in (*every, field, directory.account_schema)}
        database.engine.dispose()


def test_the_table_has_every_attribute_that_can_be_set(resources):
    can_be_set = {thing: own for thing, resource in resources.items() if (own := resource.writable - resource.links)}
    assert {thing: frozenset(attributes) for thing, attributes in WRONG.items()} == can_be_set


@pytest.mark.parametrize(("thing", "attribute", "label", "value", "error", "sentence"), CASES)
def test_a_wrong_value_is_refused_with_its_class_its_place_and_its_sentence(
    resources, thing, attribute, label, value, error, sentence
):
    with pytest.raises(PropertyError) as caught:
        resources[thing][attribute] = value
    told = caught.value
    assert (type(told), told.status, told.thing, told.property) == (error, 400, thing, attribute)
    assert told.message == f"{thing} {label or attribute.replace('_', ' ')} {sentence}"
    assert (told.user_message, told.developer_message) == (told.message, told.message)


def test_a_name_that_there_is_not_and_one_that_can_only_be_read_are_told_apart(resources):
    for thing, resource in resources.items():
        for attribute in ("nmae", "id", "version"):
            with pytest.raises(UnknownProperty, match=rf"^{thing} has no property '{attribute}'\.$") as caught:
                resource[attribute] = "x"
            assert caught.value.code == 2015
        for attribute in {*resource.keys(), *resource.links} - resource.writable:
            label = attribute.replace("_", " ")
            with pytest.raises(ReadOnly, match=rf"^{thing} {label} cannot be changed\.$") as caught:
                resource[attribute] = "x"
            assert (caught.value.code, caught.value.property) == (2017, attribute)


@pytest.mark.parametrize("thing", ["Account", "Group", "Directory", "Application"])
@pytest.mark.parametrize(
    ("attribute", "error"),
    [
        ("nmae", UnknownProperty),
        ("id", UnknownProperty),
        *((one, ReadOnly) for one in ("href", "created_at", "modified_at")),
    ],
)
def test_so_they_are_where_something_is_created(resources, thing, attribute, error):
    directory, client = resources["Directory"], Client()
    everything = {"Directory": client.directories, "Application": client.applications}
    collection = everything.get(thing) or {"Account": directory.accounts, "Group": directory.groups}[thing]
    needed = {"email": "ben@falcon.example", "password": PASSWORD} if thing == "Account" else {"name": "new"}
    before = len(collection)
    with pytest.raises(error) as caught:
        collection.create({**needed, attribute: "x"})
    assert (caught.value.thing, caught.value.property) == (thing, attribute)
    assert len(collection) == before


@pytest.mark.parametrize(
    ("thing", "needed", "label"),
    [
        ("Account", {"email": "HAN@falcon.example", "password": PASSWORD}, "email"),
        ("Account", {"email": "ben@falcon.example", "username": "Solo", "password": PASSWORD}, "username"),
        ("Group", {"name": "SMUGGLERS"}, "name"),
        ("Directory", {"name": "my application directory"}, "name"),
        ("Application", {"name": "MY APPLICATION"}, "name"),
    ],
)
def test_a_value_that_is_taken_is_told_with_stormpaths_two_blanks(resources, thing, needed, label):
    directory = resources["Directory"]
    create = {
        "Account": directory.accounts.create,
        "Group": directory.groups.create,
        "Directory": Directory.create,
        "Application": Application.create,
    }[thing]
    with pytest.raises(AlreadyExists) as caught:
        create(needed)
    told = caught.value
    assert (told.status, told.code, told.thing, told.property) == (409, 2001, thing, label)
    assert str(told) == f"{thing} with that {label} already exists.  Please choose another {label}."


@pytest.mark.parametrize("missing", ["email", "password"])
def test_what_an_account_needs_is_asked_for_by_name(resources, missing):
    given = {"email": "ben@falcon.example", "password": PASSWORD}
    for without in ({**given, missing: None}, {one: given[one] for one in given.keys() - {missing}}):
        with pytest.raises(PropertyRequired) as caught:
            resources["Directory"].accounts.create(without)
        label = {"email": "email address"}.get(missing, missing)
        assert str(caught.value) == f"Account {label} {IS_REQUIRED}"


@pytest.mark.parametrize("model", [Directory, Application, Group])
def test_what_has_a_name_needs_one(resources, model):
    create = resources["Directory"].groups.create if model is Group else model.create
    with pytest.raises(PropertyRequired, match=rf"^{model.thing} name is required"):
        create({"description": "Without a name"})
