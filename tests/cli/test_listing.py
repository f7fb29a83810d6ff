"""The command that lists accounts."""

import json

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory
from stormpath_app.cli import listing
from stormpath_app.database import session

from ..conftest import PASSWORD, statements
from ..test_cli import HAN, run
from ..together import together

LEIA, LUKE = "leia@alderaan.example", "luke@tatooine.example"


@pytest.fixture
def people(app, held_clock):
    """Give the application Han and Leia, and a directory of its own to Luke."""
    with app.app_context():
        han = Account.create(HAN, PASSWORD, "Han", "Solo", username="solo")
        held_clock.forward(seconds=1)
        leia = Account.create(LEIA, PASSWORD, "レイア", status="DISABLED")
        held_clock.forward(seconds=1)
        luke = Directory.create(name="Rebels").create_account(email=LUKE, password=PASSWORD)
        for account, names in ((han, ("pilots", "crew")), (leia, ("pilots",)), (luke, ("pilots",))):
            for name in names:
                group = account.directory.find_group(name) or account.directory.create_group(name=name)
                group.add_account(account)


def emails(said):
    return [line.split()[0] for line in said.splitlines()[1:]]


def test_accounts_are_listed_in_a_table_whose_columns_stand_below_each_other(app, people):
    table = (
        "EMAIL                  USERNAME  NAME      STATUS    GROUPS        CREATED\n"
        "han@falcon.example     solo      Han Solo  ENABLED   crew, pilots  2026-11-24\n"
        "leia@alderaan.example            レイア    DISABLED  pilots        2026-11-24\n"
    )
    assert run(app, "list-accounts") == (0, table, "")


def test_a_script_gets_a_json_array_and_nothing_else(app, people):
    code, said, complained = run(app, "list-accounts", "--json")
    han, leia = json.loads(said)
    assert (code, complained) == (0, "")
    assert (han["email"], han["username"], han["groups"]) == (HAN, "solo", ["crew", "pilots"])
    assert (leia["email"], leia["username"], leia["status"]) == (LEIA, LEIA, "DISABLED")
    assert leia["created_at"] == "2026-11-24T12:00:01+00:00"
    assert not {"password", "password_hash"} & set(han)


def test_where_there_is_nobody_a_list_is_empty(app):
    assert run(app, "list-accounts") == (0, "", "")
    assert run(app, "list-accounts", "--json") == (0, "[]\n", "")


@together(
    ("options", "wanted"),
    [
        (("--limit", "1"), [HAN]),
        (("--group", "CREW"), [HAN]),
        (("--group", "pilots"), [HAN, LEIA]),
        (("--directory", "rebels"), [LUKE]),
        (("--directory", "Rebels", "--group", "Pilots"), [LUKE]),
        (("--search", "SOLO"), [HAN]),
        (("--search", "alderaan"), [LEIA]),
        (("--search", "luke"), []),
        (("--status", "disabled"), [LEIA]),
        (("--status", "ENABLED", "--search", "example"), [HAN]),
        (("--status", "ENABLED", "--group", "pilots"), [HAN]),
        (("--directory", "Rebels", "--search", "luke"), [LUKE]),
    ],
)
def test_some_of_them_can_be_listed(app, people, options, wanted):
    code, said, complained = run(app, "list-accounts", *options)
    assert (code, emails(said), complained) == (0, wanted, "")
    assert [account["email"] for account in json.loads(run(app, "list-accounts", *options, "--json")[1])] == wanted


def test_a_group_in_two_directories_must_be_told_apart(app, people):
    with app.app_context():
        Application.current().add_account_store(Directory.named("Rebels"))
    code, said, complained = run(app, "list-accounts", "--group", "pilots")
    assert (code, said, "in several directories a group 'pilots'" in complained) == (1, "", True)
    assert emails(run(app, "list-accounts")[1]) == [HAN, LEIA, LUKE]


@together(
    ("options", "code", "told"),
    [
        (("--group", "x"), 1, "'My Application' has no group 'x'."),
        (("--directory", "Rebel"), 1, "There is no directory 'Rebel'; there are: "),
        (("--directory", "Rebels", "--group", "x"), 1, "The Directory 'Rebels' has no Group 'x'. It has: 'pilots'."),
        (("--limit", "0"), 2, "--limit"),
        (("--status", "gone"), 2, "--status"),
    ],
)
def test_what_cannot_be_listed_is_told_with_what_can(app, people, options, code, told):
    found, said, complained = run(app, "list-accounts", *options)
    assert (found, said, told in complained) == (code, "", True)


def test_a_long_list_is_read_a_page_at_a_time_with_the_groups_of_a_page_at_once(app, people, monkeypatch):
    monkeypatch.setattr(listing, "_PAGE", 2)
    with app.app_context():
        for number in range(3):
            Account.create(f"{'x' * number}@example.com" if number else LUKE, PASSWORD, username=f"number {number}")
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 6
    with statements(app) as seen:
        code, said, _ = run(app, "list-accounts")
    assert (code, len(emails(said))) == (0, 5)
    assert len([one for one in seen if "group_memberships" in one]) == 3
