"""What every resource has: it reads like a dictionary, and what stays is told."""

import pytest
from flask import render_template_string

from stormpath_app import Application, Directory
from stormpath_app.database import session
from stormpath_app.errors import InvalidFormat, ReadOnly, StormpathError, TooLong, UnknownProperty
from stormpath_app.models import Client, Group

from ..conftest import PASSWORD
from ..together import together


@pytest.fixture
def leia(app):
    with app.app_context():
        yield Application.current().accounts.create(email="leia@alderaan.example", password=PASSWORD, surname="Organa")


def test_a_resource_becomes_a_dictionary_of_its_plain_attributes(leia):
    assert dict(leia) == {
        "href": leia.href,
        "username": "leia@alderaan.example",
        "email": "leia@alderaan.example",
        "given_name": None,
        "middle_name": None,
        "surname": "Organa",
        "full_name": "Organa",
        "status": "ENABLED",
        "email_verification_status": "UNVERIFIED",
        "must_change_password": False,
        "password_modified_at": leia.password_modified_at,
        "created_at": leia.created_at,
        "modified_at": leia.modified_at,
    }


def test_every_resource_tells_its_href_first_and_its_times_last(leia):
    application = Application.current()
    mapping = application.default_account_store_mapping
    directory = leia.directory
    group = directory.groups.create(name="rebels")
    policy = directory.password_policy
    membership = leia.add_group(group)
    asked = directory.account_creation_policy, directory.account_schema, directory.account_schema.fields["surname"]
    known = (application, mapping, directory, group, policy, policy.strength, *asked, membership, Client().tenant)
    for resource in known:
        told = dict(resource)
        assert next(iter(told)) == "href"
        assert list(told)[-2:] == ["created_at", "modified_at"]
        assert all(resource[name] is not None for name in resource.links)


def test_an_attribute_is_read_and_set_by_its_name(leia):
    assert leia["email"] == "leia@alderaan.example"
    assert leia["directory"] is leia.directory
    leia["given_name"] = "Leia"
    leia.save()
    leia.refresh()
    assert leia["given_name"] == "Leia"
    assert "given_name" in leia
    assert "password" not in leia


@together("name", ["given_nmae", "password", "password_hash", "save", "__class__", 0])
def test_what_is_no_attribute_is_a_key_error_that_says_so(leia, name):
    with pytest.raises(KeyError) as caught:
        leia[name]
    assert isinstance(caught.value, UnknownProperty)
    assert str(caught.value) == f"Account has no property '{name}'."


@pytest.mark.parametrize(
    ("name", "error"), [("created_at", ReadOnly), ("href", ReadOnly), ("groups", ReadOnly), ("nmae", UnknownProperty)]
)
def test_what_cannot_be_set_by_its_name_says_so(leia, name, error):
    with pytest.raises(error):
        leia[name] = "x"


def test_a_template_prints_nothing_for_a_name_that_is_none(app, leia):
    with app.test_request_context():
        assert render_template_string("{{ one.surname }}{{ one.nmae }}", one=leia) == "Organa"


def test_a_resource_is_not_taken_for_a_list(leia):
    with pytest.raises(TypeError):
        list(leia)


# --- Nothing moves ---


def test_an_account_stays_in_its_directory(leia):
    other = Directory.create(name="Empire")
    with pytest.raises(ReadOnly, match="Account directory cannot be changed"):
        leia.directory = other
    with pytest.raises(ReadOnly):
        leia.directory_id = other.id
    leia.directory = leia.directory
    leia.save()


def test_it_stays_there_after_a_hosts_session_has_forgotten_it(leia):
    other = Directory.create(name="Empire")
    for name, value in (("directory_id", other.id), ("directory", other)):
        session.expire(leia)
        with pytest.raises(ReadOnly):
            setattr(leia, name, value)


def test_a_group_stays_in_its_directory(leia):
    group = leia.directory.groups.create(name="rebels")
    with pytest.raises(ReadOnly):
        group.directory = Directory.create(name="Empire")
    assert Group.get(group.href).directory is leia.directory


# --- The tenant ---


def test_the_tenant_has_everything(leia):
    tenant = Client().tenant
    assert list(tenant.accounts) == [leia]
    assert set(tenant.directories) == {leia.directory, Directory.named("Stormpath Administrators")}
    assert set(tenant.applications) == {Application.current(), Application.named("Stormpath")}
    assert {group.directory for group in tenant.groups} == {Directory.named("Stormpath Administrators")}


def test_all_belongs_to_the_tenant(leia):
    group = leia.directory.groups.create(name="rebels")
    for resource in (leia, group, leia.directory, Application.current()):
        assert resource["tenant"] is Client().tenant


def test_the_tenant_can_be_renamed(leia):
    tenant = Client().tenant
    tenant.name, tenant.key = "The Rebellion", "rebel-alliance"
    tenant.save()
    tenant.refresh()
    assert (tenant.name, tenant.key) == ("The Rebellion", "rebel-alliance")


@together(
    ("name", "value", "error"),
    [
        ("key", "-x", InvalidFormat),
        ("key", "Ux", InvalidFormat),
        ("key", "x" * 64, TooLong),
        ("key", "", StormpathError),
        ("name", None, StormpathError),
        ("name", "x" * 256, TooLong),
    ],
)
def test_the_tenant_refuses_what_cannot_be_its_name(leia, name, value, error):
    with pytest.raises(error):
        setattr(Client().tenant, name, value)
