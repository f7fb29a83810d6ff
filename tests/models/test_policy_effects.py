"""What a change of a directory's rules would touch, before it is saved."""

import pytest

from stormpath_app import Application, Directory
from stormpath_app.models import active_session, policy_effects
from stormpath_app.models.directory import CHECK, REPLACE
from stormpath_app.models.policy_effects import Count, of_account_creation, of_passwords, of_schema
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements

BY_HAND = "Links that were mailed stay good; no more are sent."


@pytest.fixture
def directory(context):
    return Application.current().default_account_store()


@pytest.fixture
def crew(directory):
    """Return the directory, with three accounts in it, of which two are logged in, and a neighbour's."""
    crew = [directory.accounts.create(email=f"{name}@x.example", password=PASSWORD) for name in ("han", "leia", "luke")]
    empire = Directory.create(name="Empire")
    Application.current().add_account_store(empire)
    neighbour = empire.accounts.create(email="vader@x.example", password=PASSWORD)
    with atomic():
        for account in (*crew[:2], neighbour):
            active_session.start(account, Application.current(), remembered=True)
    return directory


def told(effects):
    return [(effect.count and str(effect.count), effect.sentence) for effect in effects]


def test_nothing_is_told_where_nothing_changes(crew):
    assert (of_passwords(crew), of_account_creation(crew), of_schema(crew)) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "value"), [("min_length", 12), ("max_length", 50), ("min_symbol", 1), ("min_upper_case", 2)]
)
def test_a_tighter_rule_is_for_new_passwords(crew, name, value):
    setattr(crew.password_policy.strength, name, value)
    assert told(of_passwords(crew)) == [
        ("3", "Accounts keep the password they have, and log in with it: the rules are for new ones.")
    ]


@pytest.mark.parametrize(("name", "value"), [("min_length", 4), ("max_length", 200), ("min_upper_case", 0)])
def test_a_looser_rule_touches_nobody(crew, name, value):
    setattr(crew.password_policy.strength, name, value)
    assert told(of_passwords(crew)) == [(None, "Nobody notices: each password that was good stays good.")]


def test_the_lists_of_passwords_are_a_rule_as_well(crew):
    crew.password_policy.refuses_common = False
    assert told(of_passwords(crew))[0][1].startswith("Nobody notices")
    crew.password_policy.save()
    crew.password_policy.refuses_common = True
    assert told(of_passwords(crew))[0][0] == "3"


def test_who_is_looked_at_or_asked_is_counted(crew):
    assert told(of_passwords(crew, CHECK)) == [
        (
            "3",
            "Passwords are looked at when their owner next logs in. One that breaks these rules must be changed.",
        )
    ]
    assert told(of_passwords(crew, REPLACE)) == [
        ("3", "Accounts must choose another password when they next log in."),
        ("2", "Logins end."),
    ]


def test_counts_end_where_they_say_so(crew, monkeypatch):
    monkeypatch.setattr(policy_effects, "MOST", 2)
    assert [effect.count for effect in of_passwords(crew, REPLACE)] == [Count(2, is_more=True), None]
    assert str(Count(10_000, is_more=True)) == "10,000+"


def test_the_logins_of_a_few_are_counted_among_many_accounts_and_the_other_way_round(crew, monkeypatch):
    monkeypatch.setattr(policy_effects, "MOST", 3)
    assert policy_effects.count_logins(crew) == Count(2)
    crew.accounts.create(email="chewie@x.example", password=PASSWORD)
    assert policy_effects.count_logins(crew) == Count(2)
    with atomic():
        active_session.start(crew.accounts[0], Application.current(), remembered=True)
    assert policy_effects.count_logins(crew) is None


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        (5, "Replaced passwords are kept from now on. What was used before that nobody knows."),
        (0, "Passwords may be used again. Those that were kept are forgotten with the next new one."),
        (1, "Fewer of the last passwords are looked at when somebody chooses a new one."),
    ],
)
def test_reuse_says_what_it_does(directory, after, sentence):
    strength = directory.password_policy.strength
    strength.prevent_reuse = 2
    strength.save()
    strength.prevent_reuse = after
    assert told(of_passwords(directory)) == [(None, sentence)]


@pytest.mark.settings(STORMPATH_BASE_URL="https://www.example.com", STORMPATH_ENABLE_FORGOT_PASSWORD=True)
def test_links_that_were_mailed_keep_their_life(crew):
    Application.current().send_password_reset_email("han@x.example")
    crew.password_policy.reset_token_ttl = 1
    ((count, sentence),) = told(of_passwords(crew))
    assert (count, sentence.endswith("New ones are good for one hour.")) == ("1", True)
    crew.account_creation_policy.verification_token_ttl = 2
    ((count, sentence),) = told(of_account_creation(crew))
    assert (count, sentence.endswith("New ones are good for 2 hours.")) == ("0", True)


def test_domains_are_for_new_addresses(crew):
    crew.account_creation_policy.email_domain_whitelist = ["rebels.example"]
    ((count, sentence),) = told(of_account_creation(crew))
    assert (count, sentence.startswith("Accounts stay, whatever")) == ("3", True)


def test_confirming_addresses_is_for_new_accounts_and_leaves_those_that_wait(crew):
    policy = crew.account_creation_policy
    policy.verification_email_status = "ENABLED"
    assert told(of_account_creation(crew)) == [
        ("3", "Accounts log in as before. New ones must confirm their address first.")
    ]
    policy.save()
    crew.accounts.create(email="lando@x.example", password=PASSWORD)
    policy.verification_email_status = "DISABLED"
    assert told(of_account_creation(crew)) == [("1", f"Accounts wait to confirm their address. {BY_HAND}")]


def test_a_name_that_becomes_required_is_counted_where_it_lacks(crew):
    crew.accounts.create(email="lando@x.example", password=PASSWORD, surname="Calrissian")
    field = crew.account_schema.fields["surname"]
    field.required = True
    assert told(of_schema(crew)) == [("3", "Accounts have no such name, and log in as before. New ones must have it.")]
    field.save()
    field.required = False
    assert told(of_schema(crew)) == [(None, "New accounts may leave it out. Those there are stay as they are.")]


def test_counting_takes_a_few_statements(app, crew):
    crew.password_policy.strength.min_length = 12
    with statements(app) as seen:
        of_passwords(crew, REPLACE)
    assert len(seen) <= 5
