"""What an application says about linking accounts."""

import pytest

from stormpath_app import Application
from stormpath_app.errors import ReadOnly, UnknownProperty, UnsupportedValue, WrongType
from stormpath_app.models import AccountLinkingPolicy

from ..together import together
from .test_event import events


@pytest.fixture
def policy(context):
    return Application.current().account_linking_policy


def test_nothing_is_linked_by_itself_at_first(policy):
    assert (policy.status, policy.automatic_provisioning, policy.matching_property) == ("DISABLED", "DISABLED", None)
    assert not policy.is_enabled
    assert not policy.provisions


def test_each_application_has_its_own(policy):
    other = Application.create(name="Shop").account_linking_policy
    other.status = "enabled"
    other.save()
    assert (other.status, policy.status) == ("ENABLED", "DISABLED")
    assert AccountLinkingPolicy.get(other.href) is other
    assert other["application"].name == "Shop"
    assert Application.named("Shop")["account_linking_policy"] is other


def test_it_goes_with_its_application(context):
    application = Application.create(name="Shop")
    href = application.account_linking_policy.href
    application.delete()
    assert AccountLinkingPolicy.find(href) is None


def test_what_it_says_can_be_changed(policy):
    policy["status"], policy["automatic_provisioning"], policy["matching_property"] = "ENABLED", "ENABLED", "EMAIL"
    policy.save()
    assert (policy.is_enabled, policy.provisions, policy.matching_property) == (True, True, "email")
    policy.matching_property = None
    policy.save()
    assert dict(policy)["matching_property"] is None


@together(
    ("name", "value", "error"),
    [
        ("status", "UNVERIFIED", UnsupportedValue),
        ("status", None, WrongType),
        ("automatic_provisioning", True, WrongType),
        ("automatic_provisioning", "on", UnsupportedValue),
        ("matching_property", "username", UnsupportedValue),
        ("matching_property", "", UnsupportedValue),
        ("matching_property", 5, WrongType),
        ("application", None, ReadOnly),
        ("enabled", True, UnknownProperty),
    ],
)
def test_other_values_are_refused(policy, name, value, error):
    with pytest.raises(error):
        policy[name] = value


def test_the_log_tells_what_it_said_before_and_after(policy):
    policy.matching_property = "email"
    policy.status = "ENABLED"
    policy.save()
    policy.save()
    (told,) = events("account_linking_policy.updated")
    assert told.changes == {"matching_property": [None, "email"], "status": ["DISABLED", "ENABLED"]}
    assert (told.application_id, told.target_name) == (policy.id, "My Application")
