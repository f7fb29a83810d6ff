"""What many people at once are answered: gunicorn, with several processes, under mixed traffic for a minute.

The site (`_site.py`) is served by 4 workers of gunicorn (gthread), on an SQLite file, then on a PostgreSQL that is
started for it; so is the store of the cache. 200 people, each with a kept connection, a network address and cookies of
their own, do one thing after the other and think in between, 2 seconds in the mean. Of a hundred things they do:

    60  look at a signed-in page        2  log in                            3  ask for a link to a new password
    33  look at a page for a group      1  log in with a wrong password      1  register, and look at a page

A form is asked for before it is sent, with its token. A password is hashed in four of a hundred: at 100 things a second
and a bcrypt cost of 12, that keeps a core busy, and is most of what the server does. So its rate tells of the machine's
cores and of the time to think; `--think 0` asks as fast as answers come, and shows mostly bcrypt.

How to read it: p50 and p99 are milliseconds from the request to the end of its answer, seen from the outside; 429 are
logins and registrations that were refused as too many came at once (`STORMPATH_HASH_CONCURRENCY` is 1): those are
answers, and are in no other column. Errors are all that nobody may see: 5xx, no answer in 30 seconds, a lost
connection, another person's name on a page, a page that asks for a login again; with any, the program ends with 1.
Whoever asks is on the same machine, and takes a share of its cores, which is told. Compare runs of one machine, one
after the other.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from _people import EMAIL, PASSWORD, fill, tidy
from _site import GROUP, make_site
from _stores import STORES, missing, started
from flask import Flask, Response

from stormpath_app import Account, Application, login_user
from stormpath_app.database import database
from stormpath_app.installation import set_up
from tests.databases import Missing, postgresql, postgresql_programs
from tests.servers import free_port, gunicorn

PAGES = {"signed-in page": "/private", "groups page": "/group"}
#: What is answered with 429 where too many come at once.
HASHED = ("login", "wrong password", "registration")
KINDS = (*PAGES, *HASHED, "reset", "form")
#: Of a hundred things that people do.
MIX = {"signed-in page": 60, "groups page": 33, "login": 2, "wrong password": 1, "registration": 1, "reset": 3}
#: How long an answer is waited for, in seconds.
PATIENCE = 30
_TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
_TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

Jar = dict[str, str]


# --- The site, and who is in its tables ---


def add_people(app: Flask, accounts: int, connections: int) -> tuple[list[tuple[str, Jar]], list[str]]:
    """Fill the site. Return who asks, by address and cookies of a login, and the addresses of others."""
    set_up(app)
    with app.app_context():
        group = Application.current().groups.create(name=GROUP)
        fill(Account.create(EMAIL, PASSWORD, "Han", "Solo"), accounts - 1)
        tidy(database.engine)
        enabled = sa.select(Account).where(Account.status == "ENABLED", Account.email != EMAIL).order_by(Account.id)
        people = database.session.scalars(enabled.limit(connections)).all()
        others = database.session.scalars(enabled.with_only_columns(Account.email).offset(connections)).all()
        for account in people:
            account.add_group(group)
        asking = [(account.email, log_in(app, account)) for account in people]
        database.engine.dispose()
    return asking, list(others)


def log_in(app: Flask, account: Account) -> Jar:
    with app.test_request_context():
        login_user(account)
        answer: Response = app.process_response(Response())
    return dict(cookie.partition(";")[0].split("=", 1) for cookie in answer.headers.getlist("Set-Cookie"))


@contextlib.contextmanager
def new_database(kind: str) -> Iterator[dict[str, str]]:
    """Give the settings that name an empty database."""
    if kind == "sqlite":
        yield {}  # the file in the instance folder
        return
    with postgresql() as server:
        yield {"STORMPATH_DATABASE_URI": server.new_database()}


# --- Asking ---


class Connection:
    """A connection that is kept, as a browser's."""

    def __init__(self, port: int, address: str) -> None:
        self._port, self._address = port, address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, jar: Jar, form: dict[str, str]) -> tuple[int, str]:
        """Send one request, and return the status and text of its answer; cookies come from the jar and go there."""
        body = urlencode(form).encode()
        lines = [
            f"{'POST' if form else 'GET'} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "User-Agent: Mozilla/5.0 (X11)",
            f"X-Forwarded-For: {self._address}",
            f"Cookie: {'; '.join(map('='.join, jar.items()))}",
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}"
            if form
            else "Accept: */*",
        ]
        head = await self._exchange("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        status, headers = int(head[9:12]), [line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line]
        length = next(int(value) for name, value in headers if name.lower() == "content-length")
        assert self._streams is not None
        text = await self._streams[0].readexactly(length)
        for name, value in headers:
            if name.lower() == "set-cookie":
                cookie, _equals, content = value.partition(";")[0].partition("=")
                jar[cookie] = content
            elif (name.lower(), value) == ("connection", "close"):
                self.close()
        return status, text.decode()

    async def _exchange(self, request: bytes) -> bytes:
        """Send a request, and return the head of its answer. A kept connection that has ended is opened once more."""
        while True:
            is_new = self._streams is None
            reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(request)
                return await reader.readuntil(b"\r\n\r\n")
            except (OSError, asyncio.IncompleteReadError) as error:
                self.close()
                if is_new or (isinstance(error, asyncio.IncompleteReadError) and error.partial):
                    raise

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass
class Tally:
    """What was done, and what was answered: seconds, 429s and errors, by the kind of request."""

    things: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    busy: Counter[str] = field(default_factory=Counter)
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def answers(self) -> int:
        return sum(map(len, self.seconds.values()))


class Person:
    """Somebody with an account, who does what people do."""

    def __init__(self, number: int, port: int, email: str, jar: Jar, others: list[str]) -> None:
        self._connection = Connection(port, f"10.0.{number >> 8}.{number & 255}")
        self._number, self._email, self._jar, self._others = number, email, jar, others
        self._draw = random.Random(number)
        self._newcomers = itertools.count()
        self.tally = Tally()

    async def go_on(self, things: Iterator[str], until: float, think: float) -> None:
        await asyncio.sleep(self._draw.uniform(0, think))
        while time.perf_counter() < until or self.tally.things < sum(MIX.values()):
            self.tally.things += 1
            await self.do(next(things))
            pause = self._draw.expovariate(1 / think) if think else 0
            await asyncio.sleep(min(pause, max(until - time.perf_counter(), 0)))
        self.leave()

    def leave(self) -> None:
        self._connection.close()

    async def do(self, thing: str) -> None:
        if thing in PAGES:
            await self._look(thing, self._jar, self._email)
        elif thing == "login":
            jar = await self._send(thing, "/login", 302, login=self._email, password=PASSWORD)
            self._jar = jar or self._jar
        elif thing == "wrong password":
            await self._send(thing, "/login", 200, login=self._draw.choice(self._others), password="Wrong" + PASSWORD)
        elif thing == "reset":
            await self._send(thing, "/forgot", 200, email=self._draw.choice(self._others))
        else:
            await self._register(f"{self._number}-{next(self._newcomers)}@new.example")

    async def _look(self, kind: str, jar: Jar, email: str) -> None:
        await self._ask(kind, PAGES[kind], jar, 200, f"Hello {email}.")

    async def _register(self, email: str) -> None:
        jar = await self._send(
            "registration", "/register", 302, given_name="Rey", surname="Newcomer", email=email, password=PASSWORD
        )
        if jar:
            await self._look("signed-in page", jar, email)

    async def _send(self, kind: str, path: str, expected: int, **form: str) -> Jar | None:
        """Ask for a form and send it, with no cookies. Return those that came; None: it was refused or failed."""
        jar: Jar = {}
        page = await self._ask("form", path, jar, 200, "csrf_token")
        if page is None:
            return None
        token = _TOKEN.search(page)
        assert token is not None, page
        says = {"wrong password": "Invalid username or password.", "reset": form.get("email", "")}.get(kind, "")
        sent = await self._ask(kind, path, jar, expected, says, csrf_token=token[1], **form)
        return None if sent is None else jar

    async def _ask(self, kind: str, path: str, jar: Jar, expected: int, says: str, **form: str) -> str | None:
        """Send a request, and note how long it took, or what was wrong. Return what was answered, if it was right."""
        begin = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                status, text = await self._connection.ask(path, jar, form)
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            self._connection.close()
            self.tally.errors[kind, "no answer" if isinstance(error, TimeoutError) else "connection lost"] += 1
            return None
        if status == 429 and kind in HASHED:
            self.tally.busy[kind] += 1
        elif status != expected:
            self.tally.errors[kind, str(status)] += 1
        elif says != text if kind in PAGES else says not in text:
            self.tally.errors[kind, "another person's page" if kind in PAGES else "another answer"] += 1
        else:
            self.tally.seconds[kind].append(time.perf_counter() - begin)
            return text
        return None


def all_things() -> Iterator[str]:
    """Yield what is done next, by anybody: each hundred has the mix, in an order of its own."""
    draw, hundred = random.Random(7), [thing for thing, times in MIX.items() for _ in range(times)]
    while True:
        draw.shuffle(hundred)
        yield from hundred


# --- Measuring ---


async def traffic(title: str, people: list[Person], given: argparse.Namespace) -> tuple[Tally, float, float]:
    """Let people ask. Return what came of it, the seconds it took, and how much of a core asking took."""
    for page in PAGES:  # first, as each worker has to load what it needs
        await asyncio.gather(*(person.do(page) for person in people))
    tally = Tally()
    for person in people:
        person.tally = tally
    things = all_things()
    begin, cpu = time.perf_counter(), time.process_time()
    watching = asyncio.create_task(show_progress(title, tally, given.seconds))
    await asyncio.gather(*(person.go_on(things, begin + given.seconds, given.think) for person in people))
    spent = time.perf_counter() - begin
    watching.cancel()
    return tally, spent, (time.process_time() - cpu) / spent


async def show_progress(title: str, tally: Tally, seconds: float) -> None:
    is_terminal = sys.stderr.isatty()
    step, end = (1, "\r") if is_terminal else (10, "\n")
    for passed in itertools.count(step, step):
        await asyncio.sleep(step)
        counts = f"{tally.answers:,} answers, {tally.errors.total()} errors"
        print(
            f"{title}: {min(passed, seconds):.0f} s of {seconds:.0f}, {counts} ", end=end, file=sys.stderr, flush=True
        )


def run(kind: str, store: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return what one database with one store came to."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "site"
        settings = stack.enter_context(new_database(kind)) | {"STORMPATH_BCRYPT_COST": given.cost}
        asking, others = add_people(make_site(str(folder), **settings), given.accounts, given.connections)
        settings["STORMPATH_CACHE"] = stack.enter_context(started(store))
        variables = {f"FLASK_{name}": json.dumps(value) for name, value in settings.items()}
        program, port = "benchmarks._site:make_site()", free_port()
        server = stack.enter_context(
            gunicorn(
                folder,
                workers=given.workers,
                threads=given.threads,
                preload=True,
                program=program,
                port=port,
                GUNICORN_CMD_ARGS="--keep-alive 75",
                **variables,
            )
        )
        people = [Person(number, port, *who, others) for number, who in enumerate(asking)]
        tally, spent, share = asyncio.run(traffic(f"{_TITLES[kind]}, {store}", people, given))
        if tally.errors:
            said = [line for line in server.log.splitlines() if not line.startswith("answered by")]
            print("\nThe server said at last:", *said[-40:], sep="\n", file=sys.stderr)
    found = {
        name: {
            "answers": len(seconds := sorted(tally.seconds[name])),
            "per_second": len(seconds) / spent,
            "milliseconds": {f"p{part}": percentile(seconds, part) for part in (50, 99)},
            "busy": tally.busy[name],
            "errors": {what: count for (where, what), count in tally.errors.items() if where == name},
        }
        for name in KINDS
    }
    return {"database": kind, "store": store, "seconds": spent, "asking": share, "kinds": found}


def percentile(values: list[float], part: int) -> float | None:
    """Return the one of sorted values that so many of a hundred do not exceed, in milliseconds."""
    return values[-(-len(values) * part // 100) - 1] * 1000 if values else None


def show(found: dict[str, Any]) -> None:
    for one in found["runs"]:
        title = f"{_TITLES[one['database']]}, {one['store']}"
        print(f"\n{title:24}{'answers':>9}{'a second':>10}{'p50, ms':>9}{'p99, ms':>9}{'429':>6}{'errors':>8}")
        for name, kind in one["kinds"].items():
            times = "".join(f"{'-' if value is None else f'{value:.1f}':>9}" for value in kind["milliseconds"].values())
            errors = sum(kind["errors"].values())
            what = ", ".join(f"{count} x {text}" for text, count in kind["errors"].items())
            counts = f"{kind['answers']:9,}{kind['per_second']:10.1f}{times}{kind['busy']:6}{errors:8}"
            print(f"{name:24}{counts}   {what}".rstrip())
        sums = [sum(kind[name] for kind in one["kinds"].values()) for name in ("answers", "per_second", "busy")]
        print(f"{'all':24}{sums[0]:9,}{sums[1]:10.1f}{'':18}{sums[2]:6}{count_errors(one):8}", end="")
        print(f"   in {one['seconds']:.0f} s; asking took {one['asking']:.2f} of a core")
    print(
        f"\n{found['accounts']:,} accounts, {found['connections']} connections, {found['think']:g} s to think;"
        f" {found['workers']} workers with {found['threads']} threads, bcrypt cost {found['cost']}."
        f"\n{found['cores']} cores, for the server, its database and store, and for who asks."
    )


def count_errors(one: dict[str, Any]) -> int:
    return sum(sum(kind["errors"].values()) for kind in one["kinds"].values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=60, help="how long it goes on, a hundred things at least (%(default)s)"
    )
    parser.add_argument("--connections", type=int, default=200, help="how many people ask (%(default)s)")
    parser.add_argument("--think", type=float, default=2, help="seconds between what one of them does (%(default)s)")
    parser.add_argument("--workers", type=int, default=4, help="processes of the server (%(default)s)")
    parser.add_argument("--threads", type=int, default=8, help="threads of each (%(default)s)")
    parser.add_argument("--accounts", type=int, default=10_000, help="how many there are in the tables (%(default)s)")
    parser.add_argument("--cost", type=int, default=12, help="of a password's hash, 10 to 14 (%(default)s)")
    parser.add_argument("--database", choices=_TITLES, help="on it alone; else on each that is installed")
    parser.add_argument("--store", choices=STORES, nargs="+", default=["memory"], help="of the cache (memory)")
    parser.add_argument("--quick", action="store_true", help="12 people for a second: does it work at all?")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = parser.parse_args()
    if given.quick:
        vars(given).update(seconds=1, connections=12, think=0.05, accounts=100, cost=10)
    if given.connections > given.accounts // 2:
        parser.error("at least half of the accounts must be of people who do not ask")
    if lacking := [name for store in given.store for name in missing(store)]:
        parser.error(f"not installed: {', '.join(lacking)}")
    try:
        postgresql_programs()
        installed = list(_TITLES)
    except Missing as error:
        if given.database == "postgresql":
            parser.error(str(error))
        installed = ["sqlite"]
    kinds = [given.database] if given.database else installed
    runs = [run(kind, store, given) for kind, store in itertools.product(kinds, given.store)]
    told = ("accounts", "connections", "think", "workers", "threads", "cost")
    found = {name: vars(given)[name] for name in told} | {"cores": os.cpu_count(), "runs": runs}
    if given.json:
        print(json.dumps(found))
    else:
        show(found)
    raise SystemExit(any(map(count_errors, runs)))


if __name__ == "__main__":
    main()
