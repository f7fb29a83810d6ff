"""The machine kills a worker in the middle of its work: nothing is left half done."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from itertools import count
from pathlib import Path

import pytest

from ..servers import PATIENCE, Server, gunicorn
from .people import Answer, Person, Visitor

PEOPLE, KILLS = 40, 3
MEMBERS = 200

_WHOLE = """
    SELECT
        (SELECT count(*) FROM stormpath_accounts WHERE email = :email),
        (SELECT count(*) FROM stormpath_login_names JOIN stormpath_accounts ON id = account_id WHERE email = :email),
        (SELECT count(*) FROM stormpath_login_names WHERE name_key IN (:email, :username)),
        (SELECT count(*) FROM stormpath_audit_events JOIN stormpath_accounts a ON a.id = account_id
            WHERE kind = 'account.created' AND email = :email)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Server]:
    """Return a site as gunicorn serves it, with workers forked from one process: a new one is there at once.

    A hash is cheap, so that more of the time goes into writing.
    """
    settings = {"FLASK_STORMPATH_ENABLE_USERNAME": "true", "FLASK_STORMPATH_BCRYPT_COST": "10"}
    with gunicorn(tmp_path / "instance", preload=True, **settings) as server:
        yield server


def register(site: Server, person: Person) -> Answer | None:
    """Register, and return the answer; None where the connection broke."""
    try:
        return Visitor(site.url).register(person)
    except (OSError, HTTPException):
        return None


def kill_a_worker_after(done: int, futures: list[Future[Answer | None]], site: Server, killed: set[int]) -> None:
    """Kill the worker that answered last, once so many people have their answer: it is busy with others'."""
    end = time.monotonic() + PATIENCE
    while sum(future.done() and future.result() is not None for future in futures) < done or not busy(site, killed):
        assert time.monotonic() < end, site.log
        time.sleep(0.001)
    worker = busy(site, killed)[-1]
    killed.add(worker)
    os.kill(worker, signal.SIGKILL)


def kill_workers(first: int, step: int, futures: list[Future[Answer | None]], site: Server) -> None:
    """Kill some, one after the other, and more until somebody was cut off."""
    killed: set[int] = set()
    for done in count(first, step):
        kill_a_worker_after(done, futures, site, killed)
        if len(killed) >= KILLS and any(future.done() and future.result() is None for future in futures):
            return


def busy(site: Server, killed: set[int]) -> list[int]:
    return [worker for worker in site.answered_by() if worker not in killed]


def test_an_account_is_wholly_there_or_not_at_all(site):
    people = [Person() for _ in range(PEOPLE)]
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(register, site, person) for person in people]
        kill_workers(4, 4, futures, site)
    answers = [future.result() for future in futures]

    cut_off = []
    for person, answer in zip(people, answers, strict=True):
        (found,) = site.rows(_WHOLE, person.fields)
        assert found in {(1, 2, 2, 1), (0, 0, 0, 0)}, person
        if answer is None:
            cut_off.append((person, bool(found[0])))
        else:
            assert (answer.status, found[0]) == (302, 1), answer.text
    assert site.rows("PRAGMA integrity_check") == [("ok",)]
    assert site.rows("PRAGMA foreign_key_check") == []

    for person, is_made in cut_off:
        visitor = Visitor(site.url)
        if not is_made:
            assert "Invalid username or password." in visitor.log_in(person).text
            assert visitor.register(person).status == 302
        else:
            assert visitor.log_in(person).status == 302
        assert visitor.is_logged_in()


# --- A host's rows, accounts and groups in one transaction ---

_MEMBER = """
    SELECT
        (SELECT count(*) FROM stormpath_accounts WHERE email = :email),
        (SELECT count(*) FROM stormpath_login_names WHERE name_key = :email),
        (SELECT group_concat(name) FROM stormpath_groups g JOIN stormpath_group_memberships m ON m.group_id = g.id
            JOIN stormpath_accounts a ON a.id = m.account_id WHERE email = :email),
        (SELECT group_concat(color) FROM cards JOIN stormpath_accounts a ON a.id = account_id WHERE email = :email),
        (SELECT group_concat(kind) FROM (SELECT kind FROM stormpath_audit_events e
            JOIN stormpath_accounts a ON a.id = e.account_id WHERE email = :email ORDER BY e.id))
"""
_JOINED = "account.created,account.group_added"
_STATES = [
    (0, 0, None, None, None),
    (1, 1, "silver", "silver", _JOINED),
    (1, 1, "gold", "gold", f"{_JOINED},account.group_removed,account.group_added"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Server]:
    """Return a shop as gunicorn serves it."""
    program = "tests.stories.shop:create_app()"
    with gunicorn(tmp_path / "instance", preload=True, program=program, database="shop.db") as server:
        yield server


def become_gold(shop: Server, person: Person) -> Answer | None:
    """Join the shop, then move up; return the last answer, None where the connection broke."""
    try:
        visitor = Visitor(shop.url)
        joined = visitor.post("/join", email=person.email, password=person.password)
        return visitor.post("/upgrade", email=person.email) if joined.text == "Welcome" else joined
    except (OSError, HTTPException):
        return None


def test_members_their_groups_and_the_hosts_own_rows_are_wholly_there_or_not_at_all(shop):
    people = [Person() for _ in range(MEMBERS)]
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(become_gold, shop, person) for person in people]
        kill_workers(20, 30, futures, shop)
    answers = [future.result() for future in futures]
    found = [shop.rows(_MEMBER, {"email": person.email})[0] for person in people]
    for answer, state in zip(answers, found, strict=True):
        assert state in _STATES
        if answer is not None:
            assert (answer.text, state) == ("Upgraded", _STATES[2]), shop.log
    assert shop.rows("PRAGMA integrity_check") == [("ok",)]
    assert shop.rows("PRAGMA foreign_key_check") == []
