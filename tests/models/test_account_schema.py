"""Which names an account of a directory must have."""

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.errors import PropertyRequired, ReadOnly, UnknownProperty, WrongType
from stormpath_app.models import AccountSchema, Field

from ..conftest import PASSWORD
from ..together import together
from .test_event import events

REQUIRED = r"^Account surname is required; it cannot be null, empty, or blank\.$"


@pytest.fixture
def schema(context):
    return Application.current().default_account_store().account_schema


@pytest.fixture
def han(context):
    """Return somebody who came before any name was required."""
    return Account.create("han@falcon.example", PASSWORD)


def require(schema, *names):
    for field in schema.fields:
        field.required = field.attribute in names
        field.save()


def test_a_new_directory_requires_no_name(context):
    schema = Directory.create(name="Rebels").account_schema
    assert [(field.name, field.required) for field in schema.fields] == [("givenName", False), ("surname", False)]
    assert schema.directory.accounts.create(email="han@falcon.example", password=PASSWORD)


@pytest.mark.parametrize("blank", [{}, {"surname": None}, {"surname": ""}, {"surname": "  "}], ids=str)
def test_a_new_account_must_have_a_name_that_is_required(schema, blank):
    require(schema, "surname")
    with pytest.raises(PropertyRequired, match=REQUIRED) as caught:
        Application.current().accounts.create(email="han@falcon.example", password=PASSWORD, **blank)
    assert (caught.value.status, caught.value.code, caught.value.property) == (400, 2000, "surname")
    assert len(Application.current().accounts) == 0
    assert Application.current().accounts.create(email="han@falcon.example", password=PASSWORD, surname="Solo")


def test_a_required_name_cannot_be_taken_away(schema):
    leia = Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    require(schema, "given_name", "surname")
    for name in ("given_name", "surname"):
        before = leia[name]
        leia[name] = " "
        with pytest.raises(PropertyRequired) as caught:
            leia.save()
        assert caught.value.property == name
        leia[name] = before
    leia.surname = "Solo"
    leia.save()


def test_who_came_before_may_stay_without_it(schema, han):
    require(schema, "given_name", "surname")
    assert Account.from_login("han@falcon.example", PASSWORD) is han
    han.password, han.email, han.middle_name = "Kessel12.Parsecs", "solo@falcon.example", "J."
    han.save()
    han.given_name = "Han"  # one at a time
    han.save()
    han.status = "DISABLED"
    han.save()
    han.refresh()
    assert (han.status, han.full_name) == ("DISABLED", "Han J.")


def test_a_directory_requires_nothing_of_anothers_accounts(schema):
    require(schema, "surname")
    assert Directory.create(name="Rebels").accounts.create(email="han@falcon.example", password=PASSWORD)


def test_a_field_is_reached_by_its_name_its_place_its_href_and_one_after_the_other(schema):
    given, surname = schema.fields
    assert len(schema.fields) == 2
    assert schema.fields["surname"] is schema.fields[1] is surname
    assert schema.fields["givenName"] is schema.fields["given_name"] is given
    assert Field.get(surname.href) is surname
    assert surname.href == f"/v1/fields/{surname.id}"
    assert (surname.schema, schema.href) == (schema, f"/v1/schemas/{schema.id}")
    assert AccountSchema.get(schema.href) is schema
    for name in ("middleName", "", "required"):
        with pytest.raises(UnknownProperty):
            schema.fields[name]


@pytest.mark.parametrize(("written", "meant"), [(True, True), ("true", True), ("FALSE", False)])
def test_whether_it_is_required_is_kept_and_logged(schema, written, meant):
    field = schema.fields["surname"]
    field.required = written
    field.save()
    field.refresh()
    assert field.required is meant
    told = [(event.data["changed"], event.directory_id) for event in events("account_schema.updated")]
    assert told == ([({"surname": [False, True]}, schema.id)] if meant else [])


@together("value", [None, 1, "yes", "", []])
def test_whether_it_is_required_is_yes_or_no(schema, value):
    with pytest.raises(WrongType):
        schema.fields["surname"].required = value


def test_a_field_keeps_its_name(schema):
    with pytest.raises(ReadOnly):
        schema.fields["surname"]["name"] = "middleName"
    with pytest.raises(ReadOnly):
        schema.fields["surname"].name = "middleName"
