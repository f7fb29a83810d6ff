"""A thousand people log in at one moment, to a site with two processes, while a member reads on.

How long the member's pages take is printed (`-s`) and not asserted: it is the machine's, and that of who else is on it.
"""

import asyncio
import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from ..servers import PATIENCE, Server, gunicorn, manage
from .people import Person, Visitor

MANY, WORKERS = 1000, 2
TOLD = "Too many people are logging in at this moment. Try again in 5 seconds."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site as gunicorn serves it, where passwords cost what they do, and all come from one address."""
    settings = {"FLASK_STORMPATH_HASH_CONCURRENCY": "1", "FLASK_STORMPATH_THROTTLE": '{"network_failures": 1000000}'}
    settings["FLASK_STORMPATH_ENABLE_USERNAME"] = "true"
    instance = tmp_path_factory.mktemp("gunicorn") / "instance"
    manage(instance, "init", FLASK_STORMPATH_BASE_URL="http://127.0.0.1", **settings)
    program = "tests.stories.patient:create_app()"
    with gunicorn(instance, workers=WORKERS, threads=6, preload=True, program=program, **settings) as server:
        yield server


class Raw(NamedTuple):
    """An answer as it came."""

    status: int
    text: str

    @property
    def retry_after(self) -> str | None:
        """The header."""
        found = re.search(r"^Retry-After: (.*)\r$", self.text, re.MULTILINE)
        return found and found[1]


def log_in_at_once(visitor: Visitor, sent: list[tuple[str, str]]) -> list[Raw]:
    """Send so many login forms at one moment, from a process of its own: it takes nothing from who reads on."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.cookies)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        return other.submit(send_all, visitor.url, cookies, visitor.token("/login"), sent).result()


def send_all(url: str, cookies: str, token: str, sent: list[tuple[str, str]]) -> list[Raw]:
    """Send each on a connection of its own: a program that takes little itself."""
    where = urlsplit(url)

    async def send(login: str, password: str) -> Raw:
        body = urlencode({"csrf_token": token, "login": login, "password": password})
        head = f"POST /login HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\nCookie: {cookies}\r\n"
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write((head + body).encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        return Raw(int(answer.split(" ", 2)[1]), answer)

    async def send_them() -> list[Raw]:
        return await asyncio.wait_for(asyncio.gather(*(send(*each) for each in sent)), 3 * PATIENCE)

    return asyncio.run(send_them())


class Reader(Thread):
    """A member who opens one page after the other, and a load balancer that asks whether the server is well.

    `took`: how long each took, in seconds.
    """

    def __init__(self, visitor: Visitor) -> None:
        super().__init__()
        self.visitor, self.over = visitor, Event()
        self.statuses: set[int] = set()
        self.took: list[float] = []

    def run(self) -> None:
        while not self.over.is_set():
            for page in ("/secret", "/health"):
                began = time.monotonic()
                self.statuses.add(self.visitor.get(page).status)
                self.took.append(time.monotonic() - began)
            self.over.wait(0.02)


def memory(site: Server) -> dict[int, int]:
    """Return the most that each worker has had in memory, in MB."""
    parent = site.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    peaks = {pid: re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in map(int, children)}
    return {pid: int(found[1]) // 1024 for pid, found in peaks.items() if found}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_the_excess_of_a_thousand_logins_is_refused_and_locks_nobody_out(site):
    people = [Person() for _ in range(5)]
    for person in people:
        assert Visitor(site.url).register(person).status == 302
    member, stranger = Visitor(site.url), Visitor(site.url)
    assert member.log_in(people[0]).status == 302
    stranger.get("/login")
    right = islice(cycle((person.email, person.password) for person in people), MANY // 2)
    wrong = [(person.email, "Wrong1.Password") for person in people for _ in range(2)]
    unknown = [(f"nobody.{number}@alderaan.example", "Wrong1.Password") for number in range(MANY // 2 - len(wrong))]
    sent = [each for both in zip(right, [*wrong, *unknown], strict=True) for each in both]
    before = memory(site)
    reader = Reader(member)
    reader.start()

    began = time.monotonic()
    answers = log_in_at_once(stranger, sent)
    burst = time.monotonic() - began
    reader.over.set()
    reader.join(PATIENCE)
    assert {Visitor(site.url).log_in(person).status for person in people} == {302}  # each at the first try
    recovered = time.monotonic() - began - burst

    statuses = Counter(answer.status for answer in answers)
    after = memory(site)
    print(f"\n{burst:.1f} s: {dict(statuses)}; {len(people)} logins after it {recovered:.1f} s", end="; ")
    print(f"memory {before} -> {after} MB; {len(reader.took)} pages", end=", ")
    print(f"p50 {quantiles(reader.took, n=20)[9]:.3f} s, p95 {quantiles(reader.took, n=20)[18]:.3f} s")
    assert {429} < set(statuses) <= {200, 302, 429}  # some were looked at, and of no other kind is any
    assert {answer.retry_after for answer in answers if answer.status == 429} == {"5"}
    assert all((TOLD in answer.text) is (answer.status == 429) for answer in answers)
    assert reader.statuses == {200}
    assert before.keys() == after.keys()  # none died
    assert all(after[pid] - before[pid] < 50 for pid in after)
    ((failures,),) = site.rows("SELECT count(*) FROM stormpath_audit_events WHERE kind = 'login.failed'")
    assert failures == statuses[200]  # who was refused is in no log
