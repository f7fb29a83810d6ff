"""Events in words: each of ours has a sentence, and what nobody knows reads well too."""

import re
from pathlib import Path

import pytest

import stormpath_app
from stormpath_app import Account, Application, Directory, event_words
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed
from stormpath_app.models import AuditEvent, event, event_log
from stormpath_app.models.event_log import Question
from stormpath_app.transactions import atomic

from .conftest import PASSWORD
from .falcon import SOCIAL


def told(kind, **details):
    """Return the words for an event with these details."""
    places = {name: details.pop(name) for name in list(details) if name.endswith("_id") and name != "group_id"}
    with atomic():
        event.record(kind, **places, **details)
    return event_words.tell(event_log.find(Question(kinds=(kind,))).events[0])


def last(kind):
    return event_words.tell(event_log.find(Question(kinds=(kind,))).events[0])


def test_every_kind_that_is_recorded_has_words():
    code = "".join(file.read_text() for file in Path(stormpath_app.__file__).parent.rglob("*.py"))
    recorded = set(re.findall(r'record(?:_change|_mail)?\(\s*"([a-z_]+\.[a-z_]+)"', code))
    assert len(recorded) > 15
    assert recorded - event_words.WORDS.keys() == set()


def test_a_change_is_told_with_its_values(context):
    directory = Directory.create(name="Customers")
    directory.password_policy.strength.min_length = 10
    directory.password_policy.strength.save()
    found = last("password_policy.updated")
    assert found.sentence == "Password policy of Customers changed: min length 8 → 10"
    assert found.changes == [("min length", "8", "10")]


def test_a_link_is_told_with_the_other_account_and_where_it_is(context):
    han = Account.create("han@falcon.example", PASSWORD)
    captain = Directory.create(name="Rebels").create_account(email="captain@rebels.example", password=PASSWORD)
    link = han.account_links.create(right_account=captain)
    link.delete()
    for kind, end in (("account.linked", ""), ("account.unlinked", " no more")):
        sentences = {event_words.tell(one).sentence for one in event_log.find(Question(kinds=(kind,))).events}
        assert sentences == {
            f"Account han@falcon.example linked with captain@rebels.example (Rebels){end}",
            f"Account captain@rebels.example linked with han@falcon.example (My Application Directory){end}",
        }


def test_a_linking_policy_is_told_with_its_values(context):
    policy = Application.current().account_linking_policy
    policy.status = "ENABLED"
    policy.save()
    assert last("account_linking_policy.updated").sentence == (
        "Account linking of My Application changed: status DISABLED → ENABLED"
    )


def test_a_disabled_and_an_enabled_account_are_told_so(context):
    han = Account.create("han@falcon.example", PASSWORD)
    for status, sentence, tone in (("DISABLED", "disabled", "bad"), ("ENABLED", "enabled", "ok")):
        han.status = status
        han.save()
        found = last("account.updated")
        assert (found.sentence, found.tone) == (f"Account han@falcon.example {sentence}", tone)


def test_a_confirmed_address_is_told_so(context):
    han = Account.create("han@falcon.example", PASSWORD)
    han.email_verification_status = "VERIFIED"
    han.save()
    assert last("account.updated").sentence == "Email address of han@falcon.example confirmed"


def test_a_failed_login_is_told_with_its_cause(context):
    Account.create("han@falcon.example", PASSWORD)
    for login, cause in (("han@falcon.example", "wrong password"), ("nobody", "nobody has this login")):
        with pytest.raises(LoginFailed):
            Application.current().authenticate_account(login, "Wrong1.Password")
        found = last("login.failed")
        assert (found.sentence, found.tone, found.icon) == (f"Login failed: {cause}", "bad", "cross")


def test_long_values_and_many_are_told_by_their_names(context):
    found = told(
        "group.updated", changed={"description": ["a" * 100, "b"], "name": ["a", None], "x": [1, 2], "y": [1, 2]}
    )
    assert found.sentence == "Group ? changed: description, name a → nothing, x 1 → 2 …"
    assert found.changes[0] == ("description", "a" * 100, "b")


def test_custom_data_is_told_by_its_keys(context):
    found = told("directory.updated", custom_data=["plan", "since"])
    assert found.sentence == "Directory ? changed: custom data plan, since"


def test_an_event_of_the_first_logs_reads_well(context):
    assert told("account.updated", changed=["given_name", "status"]).sentence == "Account ? changed: given name, status"
    assert told("account.group_added", name="crew").sentence == "Added to the group crew"


@pytest.mark.parametrize(
    ("kind", "sentence", "tone"),
    [
        ("app.invoice.paid", "Invoice paid", ""),
        ("app.card_payment.failed", "Card payment failed", "bad"),
        ("saml.created", "Saml created", "ok"),
        ("odd", "Odd", ""),
    ],
)
def test_an_event_that_nobody_knows_reads_well_too(context, kind, sentence, tone):
    found = told(kind, data={"number": 5})
    assert (found.sentence, found.tone) == (sentence, tone)


def test_a_value_that_is_no_text_is_written_as_people_do(context):
    found = told("account.updated", changed={"must_change_password": [False, True], "list": [["a", "b"], []]})
    assert found.changes == [("must change password", "no", "yes"), ("list", "a, b", "nothing")]


def test_words_ask_the_database_for_nothing(app, context):
    Account.create("han@falcon.example", PASSWORD)
    events = event_log.find(Question()).events
    session.expunge_all()
    assert all(event_words.tell(each).sentence for each in events)
    assert isinstance(events[0], AuditEvent)


# --- Logging in by a provider ---


@pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL)
def test_a_login_by_a_provider_is_told_with_its_name(context):
    assert told("login.succeeded", provider="falcon").sentence == "Logged in with Falcon Pass"
    assert told("login.succeeded", provider="github").sentence == "Logged in with GitHub"
    failed = told("login.failed", provider="falcon", code=403)
    assert (failed.sentence, failed.tone) == ("Login with Falcon Pass failed: strangers get no account", "bad")
    context.config["STORMPATH_SOCIAL"] = {}
    assert told("login.succeeded", provider="rebel-id").sentence == "Logged in with Rebel Id"
