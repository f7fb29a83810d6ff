"""Somebody guesses a password as fast as a site with four processes lets them, while its owner wants to log in."""

from collections.abc import Iterator
from functools import partial

import pytest

from ..servers import Server, gunicorn
from .people import Answer, Person, Visitor
from .test_many_at_once import WORKERS, at_once

FREE = 5

_REACHED_THE_HASH = """
    SELECT count(*) FROM stormpath_audit_events e LEFT JOIN stormpath_accounts a ON a.id = e.account_id
    WHERE kind = 'login.failed' AND (email = ? OR ? = '')
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site as gunicorn serves it."""
    instance = tmp_path_factory.mktemp("gunicorn") / "instance"
    with gunicorn(instance, workers=WORKERS, threads=4, FLASK_STORMPATH_ENABLE_USERNAME="true") as server:
        yield server


def failures(site: Server, email: str = "") -> int:
    """Return how many wrong passwords got as far as a hash."""
    ((found,),) = site.rows(_REACHED_THE_HASH, [email, email])
    return int(found)


def join(site: Server) -> tuple[Person, Visitor]:
    """Return a new member, and the browser that they registered with and logged out of."""
    person, visitor = Person(), Visitor(site.url)
    assert visitor.register(person).status == 302
    visitor.post("/logout", csrf_token=visitor.token("/"))
    assert not visitor.is_logged_in()
    return person, visitor


def ready(site: Server, login: str, password: str, visitor: Visitor | None = None) -> partial[Answer]:
    """Return a login that needs only be sent: of a browser that nobody used before, unless one is given."""
    visitor = visitor or Visitor(site.url)
    return partial(visitor.post, "/login", csrf_token=visitor.token("/login"), login=login, password=password)


def guesses(site: Server, logins: list[str], number: int) -> list[partial[Answer]]:
    return [ready(site, logins[each % len(logins)], f"Guess.{each}") for each in range(number)]


def test_of_fifty_guesses_at_once_few_reach_a_hash_and_the_owner_and_the_office_get_in_meanwhile(site):
    person, laptop = join(site)
    colleague, _ = join(site)
    spellings = [person.email, person.email.upper(), f" {person.email} ", person.username, person.username.title()]
    tries = guesses(site, spellings, 10 * FREE)
    tries.insert(25, ready(site, person.email, person.password, laptop))
    tries.insert(25, ready(site, colleague.email, colleague.password))

    answers = at_once(tries)

    assert [answers.pop(25).status, answers.pop(25).status] == [302, 302]
    assert {answer.status for answer in answers} == {200, 429}
    assert FREE <= failures(site, person.email) <= FREE + WORKERS
    assert failures(site, person.email) == [answer.status for answer in answers].count(200)
    for answer in answers:
        assert (answer.headers["Retry-After"] is not None) is (answer.status == 429)
        assert ("Too many attempts." in answer.text) is (answer.status == 429)
    assert laptop.is_logged_in()


def test_of_fifty_guesses_at_once_at_a_login_that_nobody_has_as_few_reach_a_hash(site):
    before = failures(site)
    answers = at_once(guesses(site, [Person().email], 10 * FREE))
    assert FREE <= failures(site) - before <= FREE + WORKERS
    assert {answer.status for answer in answers} == {200, 429}


def test_the_administrator_can_unlock_an_account(site):
    person, _ = join(site)
    at_once(guesses(site, [person.email], 10 * FREE))
    assert site.manage("unlock", person.email) == f"{person.email} is unlocked.\n"
    assert Visitor(site.url).log_in(person).status == 302
