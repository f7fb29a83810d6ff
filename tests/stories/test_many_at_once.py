"""Many people at once, and one person on many workers: gunicorn with four processes of four threads."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest

from ..servers import PATIENCE, Server, gunicorn
from .people import Answer, Person, Visitor

WORKERS = 4


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site as gunicorn serves it."""
    instance = tmp_path_factory.mktemp("gunicorn") / "instance"
    with gunicorn(instance, workers=WORKERS, threads=4, FLASK_STORMPATH_ENABLE_USERNAME="true") as server:
        yield server


@pytest.fixture
def visitor(site: Server) -> Visitor:
    return Visitor(site.url)


@pytest.fixture
def somebody(site: Server) -> Visitor:
    """Return somebody who is logged in."""
    visitor = Visitor(site.url)
    assert visitor.register(Person()).status == 302
    return visitor


def at_once(acts: list[Callable[[], Answer]]) -> list[Answer]:
    """Do everything in threads that start together."""
    start = Barrier(len(acts))

    def do(act: Callable[[], Answer]) -> Answer:
        start.wait(60)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(do, acts))


def ask_every_worker(site: Server, visitor: Visitor) -> set[int]:
    """Ask for the page for members until each worker has answered, 20 times at least; return the statuses."""
    began, statuses, end = len(site.log), set(), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        twins = [visitor.twin() for _ in range(20)]
        statuses |= {answer.status for answer in at_once([partial(twin.get, "/secret") for twin in twins])}
        if len(set(site.answered_by(since=began))) == WORKERS:
            return statuses
    raise AssertionError("One of the workers did not answer.")


def test_thirty_who_register_one_address_at_once_make_one_account(site):
    wanted = Person()
    people = [Person() for _ in range(30)]
    visitors = [Visitor(site.url) for _ in people]
    sendings = []
    for number, (person, visitor) in enumerate(zip(people, visitors, strict=True)):
        email = wanted.email.upper() if number % 2 else wanted.email
        fields = {**person.fields, "email": email, "password": person.password}
        sendings.append(partial(visitor.post, "/register", csrf_token=visitor.token("/register"), **fields))

    answers = at_once(sendings)

    winners = [number for number, answer in enumerate(answers) if answer.status == 302]
    assert len(winners) == 1
    for number, answer in enumerate(answers):
        if number not in winners:
            assert answer.status == 200
            assert "Account with that email already exists." in answer.text
    assert [number for number, visitor in enumerate(visitors) if visitor.is_logged_in()] == winners

    accounts = site.rows("SELECT id, username FROM stormpath_accounts WHERE lower(email) = ?", [wanted.email])
    assert [username for _id, username in accounts] == [people[winners[0]].username]
    ((account_id, username),) = accounts
    names = site.rows("SELECT name_key FROM stormpath_login_names WHERE account_id = ? ORDER BY 1", [account_id])
    assert names == [(wanted.email,), (username,)]
    losers = [person.username for number, person in enumerate(people) if number not in winners]
    for name in losers:  # nothing of what they sent is there, so it is free
        assert site.rows("SELECT * FROM stormpath_login_names WHERE name_key = ?", [name]) == []
    created = "SELECT count(*) FROM stormpath_audit_events WHERE kind = 'account.created' AND account_id = ?"
    assert site.rows(created, [account_id]) == [(1,)]


def test_a_login_on_one_worker_holds_on_all_and_so_does_its_logout(site, somebody):
    assert ask_every_worker(site, somebody) == {200}
    stolen, elsewhere = somebody.twin(), Visitor(site.url)
    somebody.post("/logout", csrf_token=somebody.token("/"))
    assert ask_every_worker(site, stolen) == {302}
    assert not elsewhere.is_logged_in()


def test_five_tabs_that_open_again_at_once_get_one_token_from_all_workers(site, somebody):
    for _ in range(5):
        somebody.cookies.clear("127.0.0.1", "/", "stormpath_session")
        before = login_cookies(somebody)
        tabs = [somebody.twin() for _ in range(5)]
        assert [answer.status for answer in at_once([partial(tab.get, "/secret") for tab in tabs])] == [200] * 5
        assert len({tuple(login_cookies(tab).items()) for tab in tabs}) == 1
        after = login_cookies(tabs[0])
        assert after["stormpath_session"].startswith(after["stormpath_token"])
        assert after["stormpath_token"] != before["stormpath_token"]
        assert ask_every_worker(site, tabs[0]) == {200}
        somebody = Visitor(site.url)
        somebody.register(Person())


def login_cookies(visitor: Visitor) -> dict[str, str]:
    found = {cookie.name: cookie.value or "" for cookie in visitor.cookies}
    return {name: value for name, value in sorted(found.items()) if name.startswith("stormpath_")}


def test_a_logout_ends_the_login_of_that_browser_alone(site, visitor, somebody):
    person = Person()
    for browser in (visitor, other := Visitor(site.url)):
        browser.register(person) if browser is visitor else browser.log_in(person)
    visitor.post("/logout", csrf_token=visitor.token("/"))
    assert ask_every_worker(site, other) == {200}
    assert somebody.is_logged_in()


def test_a_new_password_from_the_command_line_ends_every_login_on_every_worker(site, visitor, somebody):
    person, other = Person(), Visitor(site.url)
    visitor.register(person)
    other.log_in(person)
    assert ask_every_worker(site, other) == {200}

    site.manage("set-password", person.email, "--password-stdin", stdin="Another1.One\n")

    assert ask_every_worker(site, visitor) == {302}
    assert ask_every_worker(site, other) == {302}
    assert "Invalid username or password." in other.log_in(person).text
    assert other.log_in(person, "Another1.One").status == 302
    assert ask_every_worker(site, other) == {200}
    assert somebody.is_logged_in()


def test_over_plain_http_on_this_machine_no_cookie_is_secure(visitor):
    person = Person()
    visitor.register(person)
    visitor = Visitor(visitor.url)
    sent = [*visitor.get("/login").headers.get_all("Set-Cookie"), *visitor.log_in(person).headers.get_all("Set-Cookie")]
    names = {"session", "stormpath_session", "stormpath_token", "stormpath_device"}
    assert {cookie.partition("=")[0] for cookie in sent} == names
    for cookie in sent:
        flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
        assert {"httponly", "path=/", "samesite=lax"} <= flags, cookie
        assert "secure" not in flags, cookie
