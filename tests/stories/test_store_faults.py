"""What is kept in Redis or memcached fails in each way there is, under load: the site goes on, nobody is another."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from .. import caches
from ..caches import CacheServer
from ..conftest import found_here
from ..servers import PATIENCE, Server, gunicorn
from .people import Person, Visitor
from .test_guessing import FREE, failures, join, ready
from .test_many_at_once import WORKERS, ask_every_worker

PEOPLE = 6
#: What each process writes into the log, once.
LOST, BACK = "The cache's store does not answer", "The cache's store answers again"


@pytest.fixture(scope="module", params=["redis", "memcached"])
def kind(request: pytest.FixtureRequest) -> str:
    """Return the name of the store."""
    return str(request.param)


@pytest.fixture(scope="module")
def cache(kind: str) -> Iterator[CacheServer]:
    """Return the server of the store."""
    with found_here(getattr(caches, kind)()) as server:
        yield server


@pytest.fixture(scope="module")
def site(kind: str, cache: CacheServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site as gunicorn serves it."""
    instance = tmp_path_factory.mktemp("gunicorn") / "instance"
    options = {**cache.options, **dict.fromkeys(cache.timeouts, 1)}
    settings = {
        "FLASK_STORMPATH_CACHE": json.dumps({"store": kind, "store_opts": options}),
        "FLASK_STORMPATH_ENABLE_USERNAME": "true",
        "FLASK_STORMPATH_BCRYPT_COST": "10",
    }
    with gunicorn(instance, workers=WORKERS, threads=4, preload=True, **settings) as server:
        yield server


@dataclass
class Crowd:
    """People who ask for a page of theirs again and again. `answers`: how many each of them had so far."""

    people: list[tuple[Person, Visitor]]
    answers: list[int]
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0
    has_gone: threading.Event = field(default_factory=threading.Event)

    def ask(self, number: int) -> None:
        """Be one of them, until all go. A page must be one's own."""
        person, visitor = self.people[number]
        while not self.has_gone.is_set():
            began = time.monotonic()
            answer = visitor.get("/secret")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answers[number] += 1
            if answer.status != 200 or person.email not in answer.text:
                self.wrong.append(f"{person.email}: {answer.status} {answer.location} {answer.text[:2000]}")

    def wait(self, more: int = 5) -> None:
        """Return when each of them had some more answers."""
        wanted = [number + more for number in self.answers]
        wait_until(lambda: all(have >= want for have, want in zip(self.answers, wanted, strict=True)))


def wait_until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="module")
def people(site: Server) -> list[tuple[Person, Visitor]]:
    known = [(Person(), Visitor(site.url)) for _ in range(PEOPLE)]
    for person, visitor in known:
        assert visitor.register(person).status == 302
    return known


@pytest.fixture
def crowd(site: Server, cache: CacheServer, people: list[tuple[Person, Visitor]]) -> Iterator[Crowd]:
    """Return people who keep asking. In the end, none of them has had anything but pages of their own."""
    crowd = Crowd(people, [0] * PEOPLE)
    with ThreadPoolExecutor(PEOPLE) as pool:
        asking = [pool.submit(crowd.ask, number) for number in range(PEOPLE)]
        try:
            wait_until(lambda: is_in_use(cache, site))
            yield crowd
        finally:
            crowd.has_gone.set()
    for one in asking:
        one.result()
    assert crowd.wrong == [], site.log
    assert crowd.slowest < PATIENCE / 2  # a store that hangs would take longer


def is_in_use(cache: CacheServer, site: Server) -> bool:
    """Tell whether logins are kept in the store, and every process that had lost it has found it."""
    is_found = site.log.count(LOST) == site.log.count(BACK)
    return is_found and any(":sessions:" in key for key in cache.all_keys())


def are_lost_once(said: str) -> bool:
    """Tell whether each process says it once, and once more only if it was back meanwhile: it may have been slow."""
    return said.count(LOST) <= WORKERS + said.count(BACK)


def test_it_is_killed_and_comes_back(crowd, cache, site):
    began = len(site.log)
    cache.kill()
    crowd.wait(20)
    wait_until(lambda: LOST in site.log[began:])
    assert are_lost_once(site.log[began:])
    cache.start()
    wait_until(lambda: is_in_use(cache, site))
    crowd.wait()
    assert "Traceback" not in site.log[began:]


def test_it_freezes_and_comes_back(crowd, cache, site):
    began = len(site.log)
    cache.freeze()
    try:
        wait_until(lambda: LOST in site.log[began:])
        crowd.wait(20)
        assert are_lost_once(site.log[began:])
    finally:
        cache.thaw()
    wait_until(lambda: is_in_use(cache, site))
    crowd.wait()


def test_it_is_emptied_again_and_again(crowd, cache):
    for _ in range(20):
        cache.flush()
        crowd.wait(1)


def test_it_is_filled_with_rubbish_again_and_again(crowd, cache):
    for _ in range(20):
        cache.fill_with_rubbish()
        crowd.wait(1)


def test_what_it_keeps_of_people_is_swapped_again_and_again(crowd, cache):
    for _ in range(20):
        cache.swap()
        crowd.wait(1)


def test_who_logs_out_while_it_is_frozen_is_out_at_once_and_stays_out(crowd, site, cache):
    visitor = Visitor(site.url)
    assert visitor.register(Person()).status == 302
    assert ask_every_worker(site, visitor) == {200}
    token, copy = visitor.token("/"), visitor.twin()
    cache.freeze()
    try:
        visitor.post("/logout", csrf_token=token)
        assert ask_every_worker(site, copy) == {302}
    finally:
        cache.thaw()
    assert ask_every_worker(site, copy) == {302}
    wait_until(lambda: is_in_use(cache, site))
    assert ask_every_worker(site, copy) == {302}


def test_while_it_is_down_passwords_are_guessed_as_slowly_as_ever(site, cache):
    person, laptop = join(site)
    cache.kill()
    try:
        answers = [ready(site, person.email, f"Guess.{number}")().status for number in range(3 * FREE)]
        assert laptop.log_in(person).status == 302
    finally:
        cache.start()
    assert answers[:FREE] == [200] * FREE
    assert 429 in answers
    looked_at = answers.count(200)
    assert failures(site, person.email) == looked_at <= FREE + 4  # some may have come after a wait of 1, 2, 4 or 8 s
