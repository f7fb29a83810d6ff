"""The benchmarks: that they run, and what they count; never how long anything took."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    return {row["name"]: row for row in measured["rows"]}


def test_it_prints_one_object_of_ratios_with_their_goals(measured, rows, dialect):
    assert measured.keys() == {"accounts", "rounds", "rows", "versions"}
    page, group = {"sqlite": [(0.9, None), (0.6, None)], "postgresql": [(0.8, 0.8), (0.6, 0.6)]}[dialect]
    assert {
        name: (row["cpu"]["goal"], row["wall"]["goal"])
        for name, row in rows.items()
        if not name.endswith("Flask-Security")
    } == {
        "signed-in page / by hand": page,
        "groups_required / by hand": group,
        "public page / by hand": (None, None),
        "login / bare bcrypt check": (1.02, None),
        "login / bcrypt in it": (1.02, None),
        "login / by hand": (None, None),
    }
    for row in rows.values():
        assert row.keys() == {"database", "name", "cpu", "wall", "statements_goal", "ours", "other"}
        for clock in ("cpu", "wall"):
            low, high = row[clock]["spread"]
            assert 0 < low <= row[clock]["ratio"] <= high
            assert row["ours"]["microseconds"][clock] > 0
            assert row["other"]["microseconds"][clock] > 0


@pytest.mark.parametrize(
    ("page", "ours", "by_hand"), [("signed-in page", 1, 1), ("groups_required", 1, 2), ("public page", 0, 0)]
)
def test_a_page_sends_no_statement_but_the_one_that_says_who_asks(rows, page, ours, by_hand):
    row = rows[f"{page} / by hand"]
    assert (row["ours"]["statements"], row["other"]["statements"]) == (ours, by_hand)
    assert row["statements_goal"] == ours
    assert row["ours"]["hashes"] == 0


def test_a_login_computes_one_hash_and_sends_few_statements(rows):
    ours = rows["login / by hand"]["ours"]
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
