"""The benchmarks: that they run, and what they count; never how long anything took."""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: Of what is installed.
STORES = ["memory", *(name for name, of in (("redis", "redis-server"), ("memcached",) * 2) if shutil.which(of))]
CACHES = ["no cache", *STORES]
PROGRAM = Path(__file__).resolve().parent.parent / "benchmarks" / "requests.py"


@functools.cache
def run(*arguments):
    """Return the object that a quick run prints."""
    command = [sys.executable, str(PROGRAM), "--quick", "--json", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


@pytest.fixture
def measured(dialect, request):
    if dialect != "sqlite":
        request.getfixturevalue(f"{dialect}_server")  # it is installed
    return run("--database", dialect)


@pytest.fixture
def rows(measured, dialect):
    assert {row["database"] for row in measured["rows"]} == {dialect}
    return {(row["name"], row["cache"]): row for row in measured["rows"]}


def test_it_prints_one_object_of_ratios_with_their_goals(measured, rows, dialect):
    assert measured.keys() == {"accounts", "rounds", "rows", "versions"}
    on_sqlite = dialect == "sqlite"
    assert {
        key: (row["cpu"]["goal"], row["wall"]["goal"])
        for key, row in rows.items()
        if not key[0].endswith("Flask-Security") and {row["cpu"]["goal"], row["wall"]["goal"]} != {None}
    } == {
        ("signed-in page / by hand", "no cache"): (0.9, None) if on_sqlite else (0.8, 0.8),
        ("signed-in page / by hand", "memory"): (0.4, None) if on_sqlite else (0.5, 0.5),
        ("groups_required / by hand", "no cache"): (0.6, None) if on_sqlite else (0.6, 0.6),
        ("groups_required / by hand", "memory"): (0.4, None) if on_sqlite else (0.5, 0.5),
        **({("signed-in / our public page", "memory"): (1.6, None)} if on_sqlite else {}),
        **({("signed-in / our public page", "redis"): (1.8, None)} if "redis" in CACHES else {}),
        ("login / bare bcrypt check", None): (1.02, None),
        ("login / bcrypt in it", None): (1.02, None),
    }
    for row in rows.values():
        assert row.keys() == {
            *("database", "accounts", "name", "cache", "cpu", "wall", "statements_goal", "ours", "other")
        }
        for clock in ("cpu", "wall"):
            low, high = row[clock]["spread"]
            assert 0 < low <= row[clock]["ratio"] <= high
            assert row["ours"]["microseconds"][clock] > 0
            assert row["other"]["microseconds"][clock] > 0


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(("page", "by_hand"), [("signed-in page", 1), ("groups_required", 2)])
def test_a_page_sends_no_statement_but_the_one_that_says_who_asks_and_none_of_what_a_cache_tells(
    rows, dialect, page, by_hand, cache
):
    row = rows[f"{page} / by hand", cache]
    on_sqlite, on_a_server = {"no cache": (1, 1), "memory": (0, 1), "redis": (0, 0), "memcached": (0, 0)}[cache]
    ours = on_sqlite if dialect == "sqlite" else on_a_server
    assert (row["ours"]["statements"], row["other"]["statements"]) == (ours, by_hand)
    assert row["statements_goal"] == ours
    assert row["ours"]["hashes"] == 0


def test_a_public_page_sends_no_statement(rows):
    row = rows["public page / by hand", None]
    assert (row["ours"]["statements"], row["other"]["statements"], row["statements_goal"]) == (0, 0, 0)


def test_a_login_computes_one_hash_and_sends_few_statements(rows):
    ours = rows["login / by hand", None]["ours"]
    assert ours["hashes"] == 1
    assert ours["statements"] <= 12


def test_a_search_is_one_statement_however_many_there_are():
    program = PROGRAM.parent / "scale.py"
    command = [sys.executable, str(program), "--quick", "--json", "--database", "sqlite"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    counted = {row["name"]: row["statements"] for row in json.loads(ran.stdout)["rows"]}
    pages = {name: number for name, number in counted.items() if name.startswith(("e-mail", "surname,", "list, "))}
    assert set(pages.values()) == {1}
    assert counted["signed-in page"] == 1
    assert counted["text, rare"] == 2  # the first looks whether the collection is one of few
    assert counted["list by e-mail, 3 pages"] == 3
