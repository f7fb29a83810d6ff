"""What a million accounts cost where ten thousand did: logins, pages, searches, lists. It measures; it does not judge.

The package's own verbs are asked, of two databases of one kind that differ in the number of accounts alone: an SQLite
file (WAL), and a PostgreSQL that is started for it. Each call has an app context of its own, as a request has. The hash
of a login is left out, as it is the same for all.

How to read it: `10k` and `1M` are milliseconds of wall time, the median; `ratio` is the one by the other. `statements`
are those of one call; the first search of a process sends one more. A list's page has a hundred accounts; "last" is the
list's other end. Absolute times are of this machine and this minute.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from _people import EMAIL, PASSWORD, fill, tidy
from flask import Flask

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for the server that the tests start

from stormpath_app import Account, Application, StormpathManager, hashers, login_required, user
from stormpath_app.database import database
from stormpath_app.installation import set_up
from tests.databases import postgresql

SMALL = 10_000
#: Goals: the ratio, where there is one, and milliseconds.
RATIO, MOST = 1.5, 10.0

Call = Callable[[Any], object]

#: What is asked of the accounts of the application, beside a login and a page; those that hold to the ratio, first.
LISTS: dict[str, Call] = {
    "exact e-mail": lambda all_: all_.search({"email": EMAIL.upper()})[:100],
    "e-mail by prefix, few": lambda all_: all_.search({"email": "han@*"})[:100],
    "e-mail by prefix, many": lambda all_: all_.search({"email": "b*"})[:100],
    "surname, exact": lambda all_: all_.search({"surname": "Rarebird"})[:100],
    "status": lambda all_: all_.search({"status": "ENABLED"})[:100],
    "created in an hour": lambda all_: all_.search({"created_at": f"[{datetime.now(UTC):%Y-%m-%dT%H},]"})[:100],
    "list, page 1": lambda all_: all_[:100],
    "list, last page": lambda all_: all_[-100:],
    "list by surname, page 1": lambda all_: all_.order("surname")[:100],
    "list by surname, last page": lambda all_: all_.order("surname")[-100:],
    "list by e-mail, 3 pages": lambda all_: list(islice(all_.order("email"), 300)),
}
TEXTS: dict[str, Call] = {
    "text, rare": lambda all_: all_.search("rarebi")[:100],
    "text, common": lambda all_: all_.search("anak")[:100],
    "text, miss": lambda all_: all_.search("zzyzx")[:100],
    "text, 2 letters": lambda all_: all_.search("an")[:100],
    "text, everyone": lambda all_: all_.search("example")[:100],
    "text, everyone, last page": lambda all_: all_.search("example")[-100:],
    "text, common, by e-mail": lambda all_: all_.search("anak").order("email")[:100],
    "text, everyone, by e-mail": lambda all_: all_.search("example").order("email")[:100],
    "text, everyone, count to 1000": lambda all_: all_.search("example").count(at_most=1000),
    "surname *rarebi*": lambda all_: all_.search({"surname": "*rarebi*"})[:100],
    "group of 3, everyone": lambda all_: _group(all_).accounts.search("example")[:100],
}


def calls(app: Flask) -> dict[str, Call]:
    """Return all that is measured."""
    browser = app.test_client()
    assert browser.post("/login", data={"login": EMAIL, "password": PASSWORD}).status_code == 302

    def page(_all: Any) -> None:
        assert browser.get("/private").text == "Hello Han"

    def log_in(_all: Any) -> None:
        Application.current().authenticate_account(EMAIL, PASSWORD)

    return {"login, without its hash": log_in, "signed-in page": page, **LISTS, **TEXTS}


def _group(accounts: Any) -> Any:
    return Application.current().groups[0]


# --- The databases ---


def make_app(folder: Path, name: str, uri: str | None, accounts: int) -> Flask:
    app = Flask(name, instance_path=str(folder / name))
    app.config.update(SECRET_KEY="of this benchmark alone, and long enough for it", WTF_CSRF_ENABLED=False)
    app.config.update(STORMPATH_DATABASE_URI=uri, STORMPATH_COOKIE_SECURE=False, STORMPATH_CACHE=False)
    StormpathManager(app)
    app.add_url_rule("/private", "private", login_required(lambda: f"Hello {user.given_name}"))
    set_up(app)
    with app.app_context():
        person = Account.create(EMAIL, PASSWORD, "Han", "Solo")
        group = Application.current().groups.create(name="pilots")
        person.add_group(group)
        fill(person, accounts - 1)
        for email in ("1@x.example", "2@x.example"):
            Account.create(email, PASSWORD).add_group(group)
        tidy(database.engine)
    return app


# --- Measuring ---


def count_statements(app: Flask, call: Call) -> int:
    seen: list[object] = []

    def note(*sent: object) -> None:
        seen.append(sent)

    with app.app_context():
        engine, accounts = database.engine, Application.current().accounts
        sa.event.listen(engine, "before_cursor_execute", note)
        call(accounts)
        sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def measure(app: Flask, call: Call, seconds: float) -> float:
    """Return the milliseconds of one call, the median of as many as fit; the first are for the caches."""
    spent: list[float] = []
    end = time.perf_counter() + seconds
    while len(spent) < 12 or time.perf_counter() < end:
        with app.app_context():
            accounts = Application.current().accounts
            begin = time.perf_counter()
            call(accounts)
            spent.append((time.perf_counter() - begin) * 1000)
    return statistics.median(spent[2:])


def run(kind: str, accounts: int, seconds: float) -> list[dict[str, Any]]:
    hashers.verify = lambda *_: True  # type: ignore[assignment]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgresql()) if kind == "postgresql" else None
        apps = []
        for name, number in (("small", min(SMALL, accounts)), ("large", accounts)):
            begin = time.perf_counter()
            apps.append(make_app(folder, name, server.new_database() if server else None, number))
            print(f"{kind}: {number:,} accounts in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
        small, large = (calls(app) for app in apps)
        rows = []
        for name, call in large.items():
            times = [measure(app, each, seconds) for app, each in zip(apps, (small[name], call), strict=True)]
            row = {"database": kind, "name": name, "small": times[0], "large": times[1], "ratio": times[1] / times[0]}
            row["statements"] = count_statements(apps[1], call)
            row["goals"] = {"ratio": None if name in TEXTS else RATIO, "milliseconds": MOST}
            rows.append(row)
        for app in apps:
            with app.app_context():
                database.engine.dispose()
    return rows


def show(rows: list[dict[str, Any]], accounts: int) -> None:
    print(f"{'':12}{'':34}{'10k, ms':>9}{'large, ms':>11}{'ratio':>7}  statements")
    for row in rows:
        goal = row["goals"]["ratio"]
        missed = row["large"] > MOST or (goal and row["ratio"] > goal)
        times = f"{row['small']:9.2f}{row['large']:11.2f}{row['ratio']:7.2f}"
        print(f"{row['database']:12}{row['name']:34}{times}{row['statements']:6}{'   over its goal' if missed else ''}")
    print(f"\n{min(SMALL, accounts):,} against {accounts:,} accounts. Goals: ratio {RATIO}, but of texts; {MOST} ms.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000_000, help="how many the large one has (%(default)s)")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--quick", action="store_true", help="2000 accounts: does it work at all?")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = parser.parse_args()
    accounts, seconds = (2_000, 0.0) if given.quick else (given.accounts, 0.5)
    kinds = ["sqlite", "postgresql"] if given.database == "both" else [given.database]
    rows = [row for kind in kinds for row in run(kind, accounts, seconds)]
    if given.json:
        print(json.dumps({"accounts": accounts, "rows": rows}))
    else:
        show(rows, accounts)


if __name__ == "__main__":
    main()
