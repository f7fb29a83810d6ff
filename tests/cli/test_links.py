"""The commands that link accounts."""

import json

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.models import AccountLink, Client

from ..conftest import PASSWORD
from ..models.test_event import events
from ..test_cli import HAN, run
from ..together import together

CAPTAIN, PLACE = "captain@rebels.example", "My Application Directory"
OURS, THEIRS = f"{HAN} of {PLACE}", f"{CAPTAIN} of Rebels"


@pytest.fixture
def captain(app, account):
    """Put an account into a directory that is not the application's."""
    with app.app_context():
        return Directory.create(name="Rebels").create_account(email=CAPTAIN, password=PASSWORD).href


def links(app):
    with app.app_context():
        (han,) = (account for account in Client().accounts if account.email == HAN)
        return list(han.account_links)


def test_two_accounts_are_linked(app, captain):
    told = f"{OURS} is linked with {THEIRS}.\n"
    but = "It does not count yet: the account linking policy is DISABLED, and the link is not --confirmed.\n"
    assert run(app, "link", "SOLO", CAPTAIN, "--with", "rebels") == (0, told + but, "")
    (link,) = links(app)
    assert link.confirmed_at is None
    with app.app_context():
        assert [event.interface for event in events("account.linked")] == ["cli", "cli"]


def test_a_link_counts_where_it_is_confirmed_or_the_policy_is_enabled(app, captain):
    told = f"{THEIRS} is linked with {OURS}.\n"
    arguments = "link", CAPTAIN, "solo", "--with", PLACE, "--directory", "Rebels"
    assert run(app, *arguments, "--confirmed") == (0, told, "")
    (link,) = links(app)
    assert link.confirmed_at is not None
    with app.app_context():
        AccountLink.get(link.id).delete()
        policy = Application.current().account_linking_policy
        policy.status = "ENABLED"
        policy.save()
    assert run(app, *arguments) == (0, told, "")


def test_a_link_is_told_in_json(app, captain):
    code, said, complained = run(app, "link", HAN, CAPTAIN, "--with", "Rebels", "--json")
    (link,) = links(app)
    told = json.loads(said)
    assert (code, complained, told["href"], told["confirmed_at"]) == (0, "", f"/v1/accountLinks/{link.id}", None)
    assert told["right_account"] == captain


def test_a_link_is_ended(app, captain):
    run(app, "link", HAN, CAPTAIN, "--with", "Rebels")
    told = f"{OURS} is linked with {THEIRS} no more.\n"
    assert run(app, "unlink", HAN, "--with", "REBELS") == (0, told, "")
    assert links(app) == []


def test_who_ends_the_last_way_in_is_told(app, captain):
    with app.app_context():
        Account.get(captain).hand_over()
        by_itself = Directory.create(name="Empire").create_account(email=CAPTAIN, password=PASSWORD)
        by_itself.account_links.create(right_account=captain)
    code, said, _ = run(app, "unlink", CAPTAIN, "--directory", "Rebels", "--with", "Empire")
    assert (code, said.splitlines()[1]) == (
        0,
        f"Nobody can log in to {CAPTAIN} now: `flask stormpath set-password` gives it a password.",
    )


@together(
    ("arguments", "told"),
    [
        (("link", HAN, HAN, "--with", PLACE), "cannot be linked with itself"),
        (("link", HAN, "nobody", "--with", "Rebels"), "No account of 'Rebels' has the e-mail address"),
        (("link", "nobody", CAPTAIN, "--with", "Rebels"), "No account of 'My Application' has"),
        (("link", HAN, CAPTAIN, "--with", "Jawas"), "There is no directory 'Jawas'"),
        (("unlink", HAN, "--with", "Rebels"), "is linked with none of Rebels. It is linked with no account."),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(app, captain, arguments, told):
    code, said, complained = run(app, *arguments)
    assert (code, said, told in complained, complained.count("\n")) == (1, "", True, 1)
    assert links(app) == []
