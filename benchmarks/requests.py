"""What a request costs: this package against the same pages written by hand. It measures; it does not judge.

Three apps (`_apps.py`) take turns in short rounds of one run, in process over WSGI, on one core and SQLite files (WAL):

* ours: a `StormpathManager`, a view behind `@login_required` that greets `user.given_name`, one behind
  `@groups_required`, a public view, `/login`;
* by hand: Flask-Login with its session cookie, a `user_loader` with one `db.session.get` by primary key
  (Flask-SQLAlchemy) on a table with the same columns and rows, the same views, a login with `bcrypt.checkpw`;
* Flask-Security 5.9, as its quick start has it, with the same people and the same work: an extra,
  `pip install -e '.[benchmark]'`; without it those rows are left out.

Each is asked with the cookies that a real login of its own left; CSRF is off in all. A login is also held against one
bare `bcrypt.checkpw` of the same cost, and against the bcrypt call inside it: that ratio is the steadier one.

How to read it: `ratio` is our CPU time by the other's, the median over the rounds; `spread` is where the middle half of
the rounds lies. Below 1 ours is cheaper. `statements` are those of one request, ours and by hand: SQLite's BEGIN
counts, COMMIT does not. Microseconds are of this machine and this minute: quote ratios.
"""

import argparse
import gc
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import bcrypt
import sqlalchemy as sa
from _apps import COST, HAS_FLASK_SECURITY, PASSWORD, make_apps
from flask import Flask
from werkzeug.test import EnvironBuilder

FORM = "application/x-www-form-urlencoded"
#: A page's turn has so many requests, and so many rounds for one round of logins.
REQUESTS, PAGE_ROUNDS = 10, 20
#: What is compared: its name, ours, the other; the goals for their ratio and for our statements: at most.
ROWS = (
    ("signed-in page / by hand", "our private", "private by hand", 0.9, 1),
    ("groups_required / by hand", "our group", "group by hand", 0.6, 1),
    ("public page / by hand", "our public", "public by hand", None, 0),
    ("login / bare bcrypt check", "our login", "bare check", 1.02, None),
    ("login / bcrypt in it", "our login", "our login, bcrypt", 1.02, None),
    ("login / by hand", "our login", "login by hand", None, None),
    ("signed-in page / Flask-Security", "our private", "private of Flask-Security", None, 1),
    ("groups_required / Flask-Security", "our group", "group of Flask-Security", None, 1),
    ("public page / Flask-Security", "our public", "public of Flask-Security", None, 0),
    ("login / Flask-Security", "our login", "login of Flask-Security", None, None),
)
#: The pages, and what they say.
PAGES = {"private": "Hello Han", "group": "Hello Han", "public": "Hello"}


# --- Asking ---


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


def count_statements(engine: sa.Engine, send: Callable[[], object]) -> int:
    seen: list[object] = []

    def note(*sent: object) -> None:
        seen.append(sent)

    sa.event.listen(engine, "before_cursor_execute", note)
    send()
    sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


# --- Measuring ---


def watch_bcrypt() -> list[float]:
    """Return a list that gets the CPU seconds of each of bcrypt's calls from now on."""
    spent: list[float] = []

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: bytes) -> Any:
            begin = time.process_time()
            found = function(*values)
            spent.append(time.process_time() - begin)
            return found

        return call

    bcrypt.hashpw, bcrypt.checkpw = watched(bcrypt.hashpw), watched(bcrypt.checkpw)
    return spent


def take_turns(calls: dict[str, Callable[[], object]], times: int, rounds: int, hashes: list[float]) -> dict[str, list]:
    """Return the CPU seconds of one call, round by round. Every other round runs backwards, against drift."""
    found: dict[str, list[float]] = {f"{name}{part}": [] for name in calls for part in ("", ", bcrypt")}
    for number in range(-1, rounds):
        for name, call in list(calls.items())[:: 1 if number % 2 else -1]:
            hashes.clear()
            begin = time.process_time()
            for _ in range(times):
                call()
            spent = time.process_time() - begin
            if number >= 0:  # the first one was for the caches
                found[name].append(spent / times)
                found[f"{name}, bcrypt"].append(sum(hashes) / times)
    return found


def run(accounts: int, rounds: int) -> dict[str, Any]:
    """Measure everything, and return the object that `--json` prints."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pages, logins, counted = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        known = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(COST))
        apps = make_apps(folder, accounts, known)
        hashes = watch_bcrypt()
        for app, engine, name, who in apps:
            log_in = logins[name.format("login")] = asking(app, "/login", "302", **who, password=PASSWORD)
            cookies = "; ".join(log_in())
            pages |= {name.format(path): asking(app, f"/{path}", text, cookies) for path, text in PAGES.items()}
            for what in (*PAGES, "login"):
                call = (pages | logins)[name.format(what)]
                hashes.clear()
                counted[name.format(what)] = {"statements": count_statements(engine, call), "hashes": len(hashes)}
        logins["bare check"] = lambda: bcrypt.checkpw(PASSWORD.encode(), known)
        gc.collect()
        gc.freeze()  # the collector need not look through the modules in the middle of a turn
        spent = take_turns(pages, REQUESTS, rounds * PAGE_ROUNDS, hashes) | take_turns(logins, 1, rounds, hashes)
        for _app, engine, *_rest in apps:
            engine.dispose()
    rows = []
    for title, one, other, goal, most in ROWS:
        if other not in spent:
            continue
        ratios = [a / b for a, b in zip(spent[one], spent[other], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        row: dict[str, Any] = {"name": title, "ratio": middle, "spread": [low, high], "goal": goal}
        row["statements_goal"] = most
        for side, name in (("ours", one), ("other", other)):
            row[side] = {"what": name, "microseconds": statistics.median(spent[name]) * 1e6, **counted.get(name, {})}
        rows.append(row)
    names = ["Flask", "Flask-Login", "SQLAlchemy", "bcrypt", *(["Flask-Security"] if HAS_FLASK_SECURITY else [])]
    packages = {name: version(name) for name in names}
    versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, **packages}
    return {"accounts": accounts, "rounds": rounds, "rows": rows, "versions": versions}


def show(found: dict[str, Any]) -> None:
    muted, plain = ("\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(
        f"{'CPU time, ours / the other':33}{'ratio':>6}  {'spread':12}  goal  statements, goal {muted}{'µs':>18}{plain}"
    )
    for row in found["rows"]:
        ours, other = row["ours"], row["other"]
        goal, most = row["goal"] or "-", "-" if row["statements_goal"] is None else row["statements_goal"]
        sent = f"{ours['statements']:2} / {other.get('statements', '-')}"
        times = f"{ours['microseconds']:,.0f} / {other['microseconds']:,.0f}"
        spread = "{:.3f}-{:.3f}".format(*row["spread"])
        print(
            f"{row['name']:33}{row['ratio']:6.3f}  {spread:12}  {goal:>4}  {sent:10}{most:>6} {muted}{times:>18}{plain}"
        )
    used = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    print(f"\n{found['accounts']:,} accounts, {found['rounds']} rounds. {used}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=10_000, help="how many there are in the tables (%(default)s)")
    parser.add_argument("--rounds", type=int, default=25, help="of logins; pages have 20 times as many (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="100 accounts and 2 rounds: does it work at all?")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = parser.parse_args()
    accounts, rounds = (100, 2) if given.quick else (given.accounts, given.rounds)
    if accounts < 2 or rounds < 2:
        parser.error("it takes 2 accounts and 2 rounds at least")
    found = run(accounts, rounds)
    if given.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
