"""What a request costs: this package against the same pages written by hand. It measures; it does not judge.

The apps (`_apps.py`) take turns in short rounds of one run, in process over WSGI, on one core; first on SQLite files
(WAL), then on a PostgreSQL that is started for it (`tests/databases.py`) and has the other cores:

* ours: a `StormpathManager`, a view behind `@login_required` that greets `user.given_name`, one behind
  `@groups_required`, a public view, `/login`. Such an app for each store of the cache that is installed (Redis and
  memcached are started for it, `tests/caches.py`), and on SQLite one without a cache, all over the same database;
* by hand: Flask-Login with its session cookie, a `user_loader` with one `db.session.get` by primary key
  (Flask-SQLAlchemy) on a table with the same columns and rows, the same views, a login with `bcrypt.checkpw`;
* Flask-Security 5.9, as its quick start has it, with the same people and the same work: an extra,
  `pip install -e '.[benchmark]'`; without it those rows are left out.

Each is asked with the cookies that a real login of its own left, the public view too; CSRF is off in all. What is
measured is warm: asked before, so that a cache has it. A login is also held against one bare `bcrypt.checkpw` of the
same cost, and against the bcrypt call inside it: that ratio is the steadier one.

How to read it: `CPU` is our time on the processor by the other's, the median over the rounds, without what a server
spends; `wall` the time that passes, which on PostgreSQL is what people wait for. `spread` is where the middle half of
the rounds lies. Below 1 ours is cheaper. `statements` are those of one request, ours and the other's: SQLite's BEGIN
counts, COMMIT does not, and neither does what the cache asks of an SQLite file without SQLAlchemy. Microseconds are of
this machine and this minute: quote ratios.
"""

import argparse
import contextlib
import gc
import itertools
import json
import os
import platform
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from io import BytesIO
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import urlencode

import bcrypt
import sqlalchemy as sa
from _apps import COST, HAS_FLASK_SECURITY, PASSWORD, make_apps
from _stores import installed as installed_stores, started
from flask import Flask
from werkzeug.test import EnvironBuilder

from tests.databases import Missing, postgresql as start_postgresql, postgresql_programs

FORM = "application/x-www-form-urlencoded"
#: A page's turn has so many requests, and so many rounds for one round of logins.
REQUESTS, PAGE_ROUNDS = 10, 20
#: Our apps, by their caches.
CACHES = ("no cache", "memory", "redis", "memcached")

#: The goals for ratios, on each database and clock, and for our statements, on each database: at most.
Goals = dict[str, dict[str, float]]
BY_HAND: dict[str, dict[str, Goals]] = {
    "private": {
        "no cache": {"sqlite": {"cpu": 0.9}},
        "memory": {"sqlite": {"cpu": 0.4}, "postgresql": {"cpu": 0.5, "wall": 0.5}},
    },
    "group": {
        "no cache": {"sqlite": {"cpu": 0.6}},
        "memory": {"sqlite": {"cpu": 0.4}, "postgresql": {"cpu": 0.5, "wall": 0.5}},
    },
}
BY_PUBLIC: dict[str, Goals] = {
    "memory": {"sqlite": {"cpu": 1.6}},
    "redis": {"sqlite": {"cpu": 1.8}, "postgresql": {"cpu": 1.8}},
}
STATEMENTS = {
    "no cache": {"sqlite": 1},
    "memory": {"sqlite": 0, "postgresql": 1},
    "redis": {"sqlite": 0, "postgresql": 0},
    "memcached": {"sqlite": 0, "postgresql": 0},
}
LOGIN: Goals = {"sqlite": {"cpu": 1.02}, "postgresql": {"cpu": 1.02}}


class Row(NamedTuple):
    """What is compared: how it is called, our cache, our call and the other; goals."""

    name: str
    cache: str | None
    ours: str
    other: str
    goals: Goals = {}
    statements: dict[str, int] = {}


def compared() -> Iterator[Row]:
    """Yield the rows of a table."""
    titles = {"private": "signed-in page", "group": "groups_required"}
    for page, title in titles.items():
        for cache in CACHES:
            goals = BY_HAND[page].get(cache, {})
            names = f"our {page}, {cache}", f"{page} by hand"
            yield Row(f"{title} / by hand", cache, *names, goals, STATEMENTS[cache])
    for cache in CACHES:
        names = f"our private, {cache}", "our public, memory"
        yield Row("signed-in / our public page", cache, *names, BY_PUBLIC.get(cache, {}), STATEMENTS[cache])
    none = {"sqlite": 0, "postgresql": 0}
    yield Row("public page and a PING / without", "redis", PINGED, "our public, memory", {}, none)
    yield Row("public page / by hand", None, "our public, memory", "public by hand", {}, none)
    yield Row("login / bare bcrypt check", None, "our login, memory", "bare check", LOGIN)
    yield Row("login / bcrypt in it", None, "our login, memory", "our login, memory, bcrypt", LOGIN)
    yield Row("login / by hand", None, "our login, memory", "login by hand")
    for page, title in titles.items():
        names = f"our {page}, memory", f"{page} of Flask-Security"
        yield Row(f"{title} / Flask-Security", "memory", *names, {}, STATEMENTS["memory"])
    yield Row("public page / Flask-Security", None, "our public, memory", "public of Flask-Security", {}, none)
    yield Row("login / Flask-Security", None, "our login, memory", "login of Flask-Security")


#: What the machine takes for a round trip to a store, whatever is asked and by whichever library.
PINGED = "our public and a PING, redis"
#: The pages, and what they say.
PAGES = {"private": "Hello Han", "group": "Hello Han", "public": "Hello"}


# --- Where ---


@contextlib.contextmanager
def sqlite() -> Iterator[tuple[list[str], str]]:
    """Give the URLs of two empty databases, and the version of SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        yield [f"sqlite:///{folder}/{name}.db" for name in ("accounts", "flask_security")], sqlite3.sqlite_version


@contextlib.contextmanager
def postgresql() -> Iterator[tuple[list[str], str]]:
    """Give the URLs of two empty databases, and the version of their server, which is of this run alone."""
    with start_postgresql() as server:
        yield [server.new_database() for _ in range(2)], server.version


DATABASES = {"sqlite": sqlite, "postgresql": postgresql}
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def installed() -> list[str]:
    """Return the databases that this machine has."""
    try:
        postgresql_programs()
    except Missing:
        return ["sqlite"]
    return list(DATABASES)


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Stay on one core, where that can be asked for."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# --- Asking ---

Call = Callable[[], object]


def asking(app: Flask, path: str, expected: str, cookies: str = "", **form: str) -> Callable[[], list[str]]:
    """Return a function that sends one request, without a test client's own costs, and returns the cookies it set."""
    body = urlencode(form).encode()
    kind = {"method": "POST", "content_type": FORM} if form else {}
    environ = EnvironBuilder(path, "https://localhost", headers={"Cookie": cookies}, **kind).get_environ()
    environ.update(REMOTE_ADDR="192.0.2.1", HTTP_USER_AGENT="Mozilla/5.0 (X11)", CONTENT_LENGTH=str(len(body)))

    def send() -> list[str]:
        told: list[Any] = []
        answer: Any = app({**environ, "wsgi.input": BytesIO(body)}, lambda *start: told.extend(start))
        text = b"".join(answer).decode()
        answer.close()
        if expected not in (told[0][:3], text):
            raise SystemExit(f"The app {app.name!r} answered {path} with {told[0]}: {text[:200]}")
        return [value.partition(";")[0] for name, value in told[1] if name == "Set-Cookie"]

    return send


@contextlib.contextmanager
def pinging(options: dict[str, Any]) -> Iterator[Call]:
    """Give a function that asks Redis for the least that can be asked, without a library."""
    with socket.create_connection((options["host"], options["port"])) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ping() -> None:
            connection.sendall(b"PING\r\n")
            connection.recv(64)

        yield ping


def count_statements(engine: sa.Engine, send: Callable[[], object], times: int) -> int:
    """Return how many a request sends, the least of some times: what a cache asks now and then is not counted."""
    seen: list[int] = []

    def note(*_sent: object) -> None:
        seen[-1] += 1

    sa.event.listen(engine, "before_cursor_execute", note)
    for _ in range(times):
        seen.append(0)
        send()
    sa.event.remove(engine, "before_cursor_execute", note)
    return min(seen)


# --- Measuring ---


class Turn(NamedTuple):
    """What one call cost, in seconds."""

    cpu: float
    wall: float

    @classmethod
    def now(cls) -> "Turn":
        return cls(time.process_time(), time.perf_counter())

    def until_now(self, times: int = 1) -> "Turn":
        now = self.now()
        return Turn((now.cpu - self.cpu) / times, (now.wall - self.wall) / times)


def watch_bcrypt() -> list[Turn]:
    """Return a list that gets what each of bcrypt's calls costs from now on."""
    spent: list[Turn] = []

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: bytes) -> Any:
            begin = Turn.now()
            found = function(*values)
            spent.append(begin.until_now())
            return found

        return call

    bcrypt.hashpw, bcrypt.checkpw = watched(bcrypt.hashpw), watched(bcrypt.checkpw)
    return spent


def take_turns(calls: dict[str, Call], times: int, rounds: int, hashes: list[Turn]) -> dict[str, list[Turn]]:
    """Return what one call cost, round by round. Every other round runs backwards, against drift."""
    found: dict[str, list[Turn]] = {f"{name}{part}": [] for name in calls for part in ("", ", bcrypt")}
    for number in range(-1, rounds):
        for name, call in list(calls.items())[:: 1 if number % 2 else -1]:
            hashes.clear()
            begin = Turn.now()
            for _ in range(times):
                call()
            spent = begin.until_now(times)
            if number >= 0:  # the first one was for the caches
                found[name].append(spent)
                found[f"{name}, bcrypt"].append(Turn(sum(one.cpu for one in hashes), sum(one.wall for one in hashes)))
    return found


def run(accounts: list[int], rounds: int, databases: list[str]) -> dict[str, Any]:
    """Measure everything, and return the object that `--json` prints."""
    hashes, rows, versions = watch_bcrypt(), [], {"Python": platform.python_version()}
    with contextlib.ExitStack() as stack:
        caches = {"no cache": False} | {name: stack.enter_context(started(name)) for name in installed_stores()}
        for name, number in itertools.product(databases, accounts):
            # Of a server nothing is kept in memory: to have no cache is the same there.
            wanted = {cache: how for cache, how in caches.items() if name == "sqlite" or cache != "no cache"}
            with DATABASES[name]() as (uris, versions[TITLES[name]]):
                rows += measure(name, uris, number, rounds, hashes, wanted)
    names = ["Flask", "Flask-Login", "SQLAlchemy", "bcrypt"]
    names += ["psycopg"] * ("postgresql" in databases) + ["Flask-Security"] * HAS_FLASK_SECURITY
    names += [library for store, library in (("redis", "redis"), ("memcached", "pymemcache")) if store in caches]
    versions |= {name: version(name) for name in names}
    return {"accounts": accounts, "rounds": rounds, "rows": rows, "versions": versions}


def measure(
    database: str, uris: list[str], accounts: int, rounds: int, hashes: list[Turn], caches: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of one database."""
    pages: dict[str, Call] = {}
    logins: dict[str, Call] = {}
    counted = {}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(one_core())
        known = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(COST))
        apps = make_apps(folder, uris, accounts, known, caches)
        # With each cache a public page costs the same, and so does a login, which takes its time.
        same = {f"our {{}}, {cache}" for cache in caches if cache != "memory"}
        for app, engine, name, who in apps:
            log_in = asking(app, "/login", "302", **who, password=PASSWORD)
            cookies = "; ".join(log_in())
            calls = {path: asking(app, f"/{path}", text, cookies) for path, text in PAGES.items()}
            if name in same:
                del calls["public"]
            else:
                calls["login"] = logins[name.format("login")] = log_in
            for path in calls.keys() & PAGES.keys():
                pages[name.format(path)] = calls[path]
                calls[path]()  # so that it is warm
            for what, call in calls.items():
                hashes.clear()
                statements = count_statements(engine, call, 1 if what == "login" else 3)
                counted[name.format(what)] = {"statements": statements, "hashes": len(hashes)}
        if "redis" in caches:
            ping, public = stack.enter_context(pinging(caches["redis"]["store_opts"])), pages["our public, memory"]
            pages[PINGED] = lambda: (public(), ping())
            counted[PINGED] = counted["our public, memory"]
        logins["bare check"] = lambda: bcrypt.checkpw(PASSWORD.encode(), known)
        gc.collect()
        gc.freeze()  # the collector need not look through the modules in the middle of a turn
        spent = take_turns(pages, REQUESTS, rounds * PAGE_ROUNDS, hashes) | take_turns(logins, 1, rounds, hashes)
        for _app, engine, *_rest in apps:
            engine.dispose()
    rows = (row for row in compared() if {row.ours, row.other} <= spent.keys())
    return [row_of(database, accounts, row, spent, counted) for row in rows]


def row_of(database: str, accounts: int, row: Row, spent: dict[str, list[Turn]], counted: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"database": database, "accounts": accounts, "name": row.name, "cache": row.cache}
    found["statements_goal"] = row.statements.get(database)
    for clock in ("cpu", "wall"):
        pairs = zip(spent[row.ours], spent[row.other], strict=True)
        low, middle, high = statistics.quantiles(
            [getattr(a, clock) / getattr(b, clock) for a, b in pairs], n=4, method="inclusive"
        )
        goal = row.goals.get(database, {}).get(clock)
        found[clock] = {"ratio": middle, "spread": [low, high], "goal": goal}
    for side, name in (("ours", row.ours), ("other", row.other)):
        medians = map(statistics.median, zip(*spent[name], strict=True))
        micros = {clock: median * 1e6 for clock, median in zip(Turn._fields, medians, strict=True)}
        found[side] = {"what": name, "microseconds": micros, **counted.get(name, {})}
    return found


def show(found: dict[str, Any]) -> None:
    muted, plain = ("\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for (database, accounts), rows in itertools.groupby(found["rows"], itemgetter("database", "accounts")):
        title = f"{TITLES[database]}, {accounts:,} accounts"
        times = f"{'CPU':>5}  spread       goal{'wall':>7}  spread       goal"
        print(f"\n{title:33}{'cache':11}{times}  statements, goal {muted}{'CPU µs':>18}{plain}")
        last = None
        for row in rows:
            ours, other = row["ours"], row["other"]
            most = "-" if row["statements_goal"] is None else row["statements_goal"]
            sent = f"{ours['statements']:2} / {other.get('statements', '-')}"
            micros = " / ".join(f"{side['microseconds']['cpu']:,.0f}" for side in (ours, other))
            clocks = "  ".join(map(shown_clock, (row["cpu"], row["wall"])))
            name = "" if row["name"] == last else row["name"]
            print(f"{name:33}{row['cache'] or '':11}{clocks}  {sent:10}{most:>6} {muted}{micros:>18}{plain}")
            last = row["name"]
    used = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    print(f"\n{found['rounds']} rounds. {used}.")


def shown_clock(clock: dict[str, Any]) -> str:
    spread = "{:.3f}-{:.3f}".format(*clock["spread"])
    return f"{clock['ratio']:5.3f}  {spread:11}  {clock['goal'] or '-':>4}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--accounts", type=int, nargs="+", default=[10_000], help="how many there are in the tables, once or more often"
    )
    parser.add_argument("--rounds", type=int, default=25, help="of logins; pages have 20 times as many (%(default)s)")
    parser.add_argument("--database", choices=DATABASES, help="measure on it alone; else on each that is installed")
    parser.add_argument("--quick", action="store_true", help="100 accounts and 2 rounds: does it work at all?")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = parser.parse_args()
    accounts, rounds = ([100], 2) if given.quick else (given.accounts, given.rounds)
    if min(accounts) < 2 or rounds < 2:
        parser.error("it takes 2 accounts and 2 rounds at least")
    try:
        found = run(accounts, rounds, [given.database] if given.database else installed())
    except Missing as missing:
        parser.error(str(missing))
    if given.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
