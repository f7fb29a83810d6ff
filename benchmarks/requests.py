"""What a request costs: this package against the same pages written by hand. It measures; it does not judge.

Two apps take turns in short rounds of one run, in process over WSGI, on one core and one SQLite file (WAL):

* ours: a `StormpathManager`, a view behind `@login_required` that greets `user.given_name`, a public view, `/login`;
* by hand: Flask-Login with its session cookie, a `user_loader` with one `db.session.get` by primary key
  (Flask-SQLAlchemy) on a table with the same columns and rows, the same two views, a login with `bcrypt.checkpw`.

Each is asked with the cookies that a real login of its own left; CSRF is off in both. A login is also held against one
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
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import bcrypt
import flask_login
import sqlalchemy as sa
from flask import Flask, abort, redirect, request
from flask_sqlalchemy import SQLAlchemy
from werkzeug.test import EnvironBuilder

from stormpath_app import Account, StormpathManager, hashers, login_required, user
from stormpath_app.database import FILE, database
from stormpath_app.installation import set_up
from stormpath_app.models import LoginName
from stormpath_app.models.base import new_id

COST = 12
EMAIL, PASSWORD = "han@falcon.example", "Woot1Loves.Cookies"
SECRET_KEY = "of this benchmark alone, and long enough for both of its apps"
FORM = "application/x-www-form-urlencoded"
#: A page's turn has so many requests, and so many rounds for one round of logins.
REQUESTS, PAGE_ROUNDS = 10, 20
#: What is compared: its name, ours, the other; the goals for their ratio and for our statements: at most.
ROWS = (
    ("signed-in page / by hand", "our private", "private by hand", 0.9, 1),
    ("public page / by hand", "our public", "public by hand", None, 0),
    ("login / bare bcrypt check", "our login", "bare check", 1.02, None),
    ("login / bcrypt in it", "our login", "our login, bcrypt", 1.02, None),
    ("login / by hand", "our login", "login by hand", None, None),
)


# --- The two apps, and the people in their tables ---


def make_ours(instance: str) -> Flask:
    app = Flask("ours", instance_path=instance)
    app.config.update(SECRET_KEY=SECRET_KEY, WTF_CSRF_ENABLED=False, STORMPATH_BCRYPT_COST=COST)
    StormpathManager(app)
    app.add_url_rule("/public", "public", lambda: "Hello")
    app.add_url_rule("/private", "private", login_required(lambda: f"Hello {user.given_name}"))
    return app


def make_by_hand(instance: str) -> tuple[Flask, SQLAlchemy, Any]:
    app = Flask("by hand", instance_path=instance)
    app.config.update(SECRET_KEY=SECRET_KEY, SQLALCHEMY_DATABASE_URI=f"sqlite:///{Path(instance) / FILE}")
    db, manager = SQLAlchemy(app), flask_login.LoginManager(app)

    class User(flask_login.UserMixin, db.Model):
        __tablename__ = "by_hand_users"
        id = sa.Column(sa.String(22), primary_key=True)
        email = sa.Column(sa.String(255), unique=True)
        directory_id, username, given_name, middle_name, surname = (sa.Column(sa.String(255)) for _ in range(5))
        status, password_hash, version = sa.Column(sa.String(16)), sa.Column(sa.String(128)), sa.Column(sa.Integer)
        password_modified_at, created_at, modified_at = (sa.Column(sa.DateTime) for _ in range(3))

    @manager.user_loader
    def load(user_id: str) -> User | None:
        return db.session.get(User, user_id)

    @app.post("/login")
    def login() -> Any:
        found = db.session.scalar(sa.select(User).where(User.email == request.form["login"].casefold()))
        if found is None or not bcrypt.checkpw(request.form["password"].encode(), found.password_hash.encode()):
            abort(403)
        flask_login.login_user(found)
        return redirect("/")

    greet = flask_login.login_required(lambda: f"Hello {flask_login.current_user.given_name}")
    app.add_url_rule("/public", "public", lambda: "Hello")
    app.add_url_rule("/private", "private", greet)
    return app, db, User


def fill(ours: Flask, by_hand: Flask, db: SQLAlchemy, model: Any, accounts: int, known: bytes) -> None:
    """Give both tables the same people. One of them logs in; the others have a cheap hash and are written in bulk."""
    table = sa.inspect(Account).local_table
    with ours.app_context():
        set_up(ours)
        person, cheap = Account.create(EMAIL, PASSWORD, "Han", "Solo"), hashers.hash(PASSWORD, 4)
        with database.engine.begin() as connection:
            row = dict(connection.execute(sa.select(table).where(table.c.id == person.id)).mappings().one())
            where = {"directory_id": row["directory_id"]}
            for first in range(1, accounts, 10_000):
                some = range(first, min(first + 10_000, accounts))
                crowd = [row | {"id": new_id(), "email": f"{n}@b.example", "password_hash": cheap} for n in some]
                keys = [{**where, "name_key": each["email"], "account_id": each["id"]} for each in crowd]
                connection.execute(sa.insert(table), crowd)
                connection.execute(sa.insert(LoginName), keys)
    with by_hand.app_context():
        db.create_all()
        db.session.execute(sa.insert(model).from_select([column.name for column in table.columns], sa.select(table)))
        db.session.execute(sa.update(model).where(model.email == EMAIL).values(password_hash=known.decode()))
        db.session.commit()


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


def count_statements(app: Flask, db: SQLAlchemy, send: Callable[[], object]) -> int:
    seen: list[object] = []

    def note(*sent: object) -> None:
        seen.append(sent)

    with app.app_context():
        engine = db.engine
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
        ours, (by_hand, db, model) = make_ours(folder), make_by_hand(folder)
        fill(ours, by_hand, db, model, accounts, known)
        hashes = watch_bcrypt()
        for app, its, name in ((ours, database, "our {}"), (by_hand, db, "{} by hand")):
            log_in = logins[name.format("login")] = asking(app, "/login", "302", login=EMAIL, password=PASSWORD)
            cookies = "; ".join(log_in())
            for path, text in (("private", "Hello Han"), ("public", "Hello")):
                pages[name.format(path)] = asking(app, f"/{path}", text, cookies)
            for what in ("private", "public", "login"):
                call = (pages | logins)[name.format(what)]
                hashes.clear()
                counted[name.format(what)] = {"statements": count_statements(app, its, call), "hashes": len(hashes)}
        logins["bare check"] = lambda: bcrypt.checkpw(PASSWORD.encode(), known)
        gc.collect()
        gc.freeze()  # the collector need not look through the modules in the middle of a turn
        spent = take_turns(pages, REQUESTS, rounds * PAGE_ROUNDS, hashes) | take_turns(logins, 1, rounds, hashes)
        for app, its in ((ours, database), (by_hand, db)):
            with app.app_context():
                its.engine.dispose()
    rows = []
    for title, one, other, goal, most in ROWS:
        ratios = [a / b for a, b in zip(spent[one], spent[other], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        row: dict[str, Any] = {"name": title, "ratio": middle, "spread": [low, high], "goal": goal}
        row["statements_goal"] = most
        for side, name in (("ours", one), ("other", other)):
            row[side] = {"what": name, "microseconds": statistics.median(spent[name]) * 1e6, **counted.get(name, {})}
        rows.append(row)
    packages = {name: version(name) for name in ("Flask", "Flask-Login", "SQLAlchemy", "bcrypt")}
    versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, **packages}
    return {"accounts": accounts, "rounds": rounds, "rows": rows, "versions": versions}


def show(found: dict[str, Any]) -> None:
    muted, plain = ("\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(
        f"{'CPU time, ours / the other':27}{'ratio':>6}  {'spread':12}  goal  statements, goal {muted}{'µs':>18}{plain}"
    )
    for row in found["rows"]:
        ours, other = row["ours"], row["other"]
        goal, most = row["goal"] or "-", "-" if row["statements_goal"] is None else row["statements_goal"]
        sent = f"{ours['statements']:2} / {other.get('statements', '-')}"
        times = f"{ours['microseconds']:,.0f} / {other['microseconds']:,.0f}"
        spread = "{:.3f}-{:.3f}".format(*row["spread"])
        print(
            f"{row['name']:27}{row['ratio']:6.3f}  {spread:12}  {goal:>4}  {sent:10}{most:>6} {muted}{times:>18}{plain}"
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
