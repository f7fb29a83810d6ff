"""The console among a million accounts: each page of it, and Flask-Admin's own list and search on the same table.

Every page of the console that takes a GET is asked, as an owner who is signed in, by Flask's test client: server time,
with routing, statements and template, without a network. The database has a million accounts, a million events of the
last 90 days, which are counted as `prune` does each night, and a hundred thousand mails: an SQLite file (WAL), and a
PostgreSQL that is started for it.

How to read it: `ms` is the median of wall time; the goal is 100. `ratio` is that by Flask-Admin's default list of the
same accounts, or for a search, by its default search in three columns. Statements are those of one page. Absolute times
are of this machine and this minute.
"""

import argparse
import contextlib
import json
import random
import statistics
import string
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import scale
import sqlalchemy as sa
from _people import EMAIL, PASSWORD, chunks, filling, tidy, without_indexes
from flask import Flask, Response
from flask.testing import FlaskClient
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView

from stormpath_app import Account, Application, Directory, clock
from stormpath_app.admin.session import finish_response, log_in
from stormpath_app.database import database, session
from stormpath_app.models import Administrator, AuditEvent, Group, OutboxMessage, statistics as events
from stormpath_app.models.base import _DIGITS
from tests.databases import postgresql

GOAL = 100.0
_DAYS = 90

#: What is asked beside each page as it is: the address below the console's, and which of Flask-Admin's it is held to.
ASKED = {
    "list": [
        "/accounts/?sort=name",
        "/accounts/?sort=-name&size=50",
        "/accounts/?show=disabled&sort=name",
        "/accounts/?show=unverified",
        "/accounts/?show=locked",
        "/accounts/?show=new",
        "/accounts/?directory={directories}",
        "/accounts/?group={groups}",
        "/accounts/?after={last}",
    ],
    "search": [
        "/accounts/?q=rarebi",
        "/accounts/?q=anak",
        "/accounts/?q=example",
        "/accounts/?q=zzyzx",
        "/accounts/?q=an&show=enabled&sort=name",
        "/search/?q=han%40falcon.example",
        "/search/?q=rarebi",
        "/search/?q=example&part=1",
    ],
}


#: Flask-Admin's own.
THEIRS = {
    "list": "/compared/compared_accounts/",
    "search": "/compared/compared_accounts/?search=rarebi",
}


# --- What is asked ---


def pages(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield the addresses of all pages that take a GET, each with what it is compared with."""
    with app.app_context():
        known = things()
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        name = rule.endpoint.removeprefix("stormpath_admin.")
        if name == rule.endpoint or "GET" not in (rule.methods or ()) or rule.endpoint.endswith(".export"):
            continue
        screen = name.partition(".")[0]
        if rule.arguments <= {"id"} and (not rule.arguments or screen in known):
            yield rule.rule.replace("<id>", known.get(screen, "")), "list"
    for other, addresses in ASKED.items():
        for address in addresses:
            yield f"/admin{address.format(**known)}", other


def things() -> dict[str, str]:
    """Return the id of one thing for each screen that has a page of one."""
    person = Application.current().find_account(EMAIL)
    home = person.directory
    failed = sa.select(OutboxMessage.id).order_by(OutboxMessage.id.desc()).limit(1)
    newest = sa.select(AuditEvent.id).order_by(AuditEvent.id.desc()).limit(1)
    return {
        "accounts": person.id,
        "account": person.id,
        "groups": home.groups[0].id,
        "directories": home.id,
        "directory": home.id,
        "policies": home.id,
        "workflows": home.id,
        "applications": Application.current().id,
        "messages": session.scalar(failed),
        "log": session.scalar(newest),
        "api_keys": person.api_keys[0].id,
        "administrators": Directory.named("Stormpath Administrators").accounts[0].id,
        "last": home.accounts[-30].id,
    }


def sign_in(app: Flask) -> FlaskClient:
    """Return a browser that an owner is signed in to the console on."""
    browser = app.test_client()
    with app.test_request_context("/admin/"):
        log_in(Administrator.create("owner@console.example", PASSWORD, "owner").account)
        answer = finish_response(Response())
    for cookie in answer.headers.getlist("Set-Cookie"):
        name, _equals, rest = cookie.partition("=")
        browser.set_cookie(name, rest.partition(";")[0], path="/admin")
    return browser


def add_flask_admin(app: Flask) -> None:
    """Add Flask-Admin's own view of the same accounts, as its documentation begins."""

    class Accounts(ModelView):  # type: ignore[misc] # Flask-Admin has no types
        column_list = ("email", "given_name", "surname", "status", "created_at")
        column_searchable_list = ("email", "given_name", "surname")
        form_columns = ("given_name",)

    if find_spec("flask_babel"):  # it wants the extension where the package is there
        import_module("flask_babel").Babel(app)
    admin = Admin(app, name="Compared", url="/compared", endpoint="compared")
    admin.add_view(Accounts(Account, database, endpoint="compared_accounts"))


# --- The database ---


def make_app(folder: Path, name: str, uri: str | None, accounts: int) -> Flask:
    app = scale.make_app(folder, name, uri, accounts)
    add_flask_admin(app)
    with app.app_context():
        person = Application.current().find_account(EMAIL)
        person.api_keys.create(name="nightly")
        group = person.directory.groups.create(name="many")
        fill(person, group, accounts)
        events.count_all()  # as `prune` does each night
    return app


def fill(person: Account, group: Group, accounts: int) -> None:
    """Write as many events as accounts, a tenth as many mails, and a hundredth as members of a group."""
    draw, now = random.Random(5), clock.now()
    with filling(database.engine) as connection:
        some_ids = list(connection.scalars(sa.select(Account.id).limit(accounts // 100)))
        for what, table, row, count in (
            ("Events", AuditEvent.__table__, event, accounts),
            ("Mails", OutboxMessage.__table__, mail, accounts // 10),
        ):
            with without_indexes(connection, table):
                for some in chunks(what, count):
                    moments = (now - timedelta(days=_DAYS) * (1 - number / count) for number in some)
                    rows = [row(moment, draw, draw.choice(some_ids), person) for moment in moments]
                    connection.execute(sa.insert(table), rows)
        memberships = group.account_memberships._model.__table__
        rows = [
            {"id": id_at(now, draw), "account_id": one, "group_id": group.id, "directory_id": person.directory_id}
            | {"created_at": now, "modified_at": now, "version": 1}
            for one in some_ids
        ]
        names = set(memberships.c.keys())
        connection.execute(sa.insert(memberships), [{k: v for k, v in row.items() if k in names} for row in rows])
    tidy(database.engine)


def event(at: datetime, draw: random.Random, account_id: str, person: Account) -> dict[str, Any]:
    kind = draw.choices(["login.succeeded", "login.failed", "account.updated", "password.changed"], [80, 12, 6, 2])[0]
    return {
        "id": id_at(at, draw),
        "at": at,
        "kind": kind,
        "account_id": account_id,
        "actor_id": account_id,
        "directory_id": person.directory_id,
        "interface": "web",
        "address": f"203.0.113.{draw.randrange(256)}",
        "details": '{"code": 7100}' if kind == "login.failed" else "{}",
    }


def mail(at: datetime, draw: random.Random, account_id: str, _person: Account) -> dict[str, Any]:
    status = draw.choices(["SENT", "FAILED"], [99, 1])[0]
    return {
        "id": id_at(at, draw),
        "kind": "reset",
        "account_id": account_id,
        "address": "han@falcon.example",
        "address_key": "han@falcon.example",
        "parameters": "{}",
        "status": status,
        "attempts": 1,
        "due_at": at,
        "created_at": at,
        "sent_at": at,
        "last_error": None if status == "SENT" else "550 no such user",
    }


def id_at(at: datetime, draw: random.Random) -> str:
    """Return an id as a row of that moment has it."""
    number, letters = int(at.timestamp() * 1_000_000) << 74 | draw.getrandbits(74), []
    for _digit in range(22):
        number, digit = divmod(number, len(_DIGITS))
        letters.append(_DIGITS[digit])
    return "".join(reversed(letters))


assert len(_DIGITS) == len(string.digits + string.ascii_letters)


# --- Measuring ---


def measure(browser: FlaskClient, path: str, seconds: float) -> tuple[float, int]:
    """Return the milliseconds of one request, the median of as many as fit, and its status."""
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while len(spent) < 5 or time.perf_counter() < end:
        begin = time.perf_counter()
        answer = browser.get(path)
        answer.get_data()
        spent.append((time.perf_counter() - begin) * 1000)
    return statistics.median(spent[1:]), answer.status_code


def count_statements(app: Flask, browser: FlaskClient, path: str) -> int:
    seen: list[object] = []
    with app.app_context():
        engine = database.engine

    def note(*sent: object) -> None:
        seen.append(sent)

    sa.event.listen(engine, "before_cursor_execute", note)
    browser.get(path)
    sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def run(kind: str, accounts: int, seconds: float) -> list[dict[str, Any]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgresql()) if kind == "postgresql" else None
        begin = time.perf_counter()
        app = make_app(folder, "large", server.new_database() if server else None, accounts)
        print(f"{kind}: {accounts:,} accounts in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
        browser = sign_in(app)
        theirs = {}
        for other, path in THEIRS.items():
            theirs[other], status = measure(browser, path, seconds)
            assert status == 200, path
        rows = []
        for path, other in pages(app):
            milliseconds, status = measure(browser, path, seconds)
            row = {"database": kind, "path": path, "status": status, "milliseconds": milliseconds, "goal": GOAL}
            row |= {"ratio": milliseconds / theirs[other], "against": other}
            row["statements"] = count_statements(app, browser, path)
            rows.append(row)
        rows += [
            {"database": kind, "path": f"Flask-Admin's own {name}", "milliseconds": spent, "ratio": 1.0}
            for name, spent in theirs.items()
        ]
        with app.app_context():
            database.engine.dispose()
    return rows


def show(rows: list[dict[str, Any]], accounts: int) -> None:
    print(f"{'':12}{'':64}{'ms':>8}{'ratio':>8}  statements")
    for row in rows:
        note = "   over its goal" if row["milliseconds"] > GOAL and "goal" in row else ""
        times = f"{row['milliseconds']:8.1f}{row['ratio']:8.2f}"
        print(f"{row['database']:12}{row['path'][:62]:64}{times}{row.get('statements', ''):>6}{note}")
    print(f"\n{accounts:,} accounts. Goal: each page within {GOAL:.0f} ms on a machine that does nothing else.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000_000, help="how many there are (%(default)s)")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--quick", action="store_true", help="2000 accounts: does it work at all?")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = parser.parse_args()
    accounts, seconds = (2_000, 0.0) if given.quick else (given.accounts, 0.3)
    kinds = ["sqlite", "postgresql"] if given.database == "both" else [given.database]
    rows = [row for kind in kinds for row in run(kind, accounts, seconds)]
    if given.json:
        print(json.dumps({"accounts": accounts, "rows": rows}))
    else:
        show(rows, accounts)


if __name__ == "__main__":
    main()
