"""`benchmarks/requests.py`: that it runs, and what it counts; never how long anything took."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parent.parent / "benchmarks" / "requests.py"


@pytest.fixture(scope="module")
def measured():
    """Return the object that a quick run prints."""
    command = [sys.executable, str(PROGRAM), "--quick", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def rows(measured):
    return {row["name"]: row for row in measured["rows"]}


def test_it_prints_one_object_of_ratios_with_their_goals(measured, rows):
    assert measured.keys() == {"accounts", "rounds", "rows", "versions"}
    assert {name: row["goal"] for name, row in rows.items()} == {
        "signed-in page / by hand": 0.9,
        "public page / by hand": None,
        "login / bare bcrypt check": 1.02,
        "login / bcrypt in it": 1.02,
        "login / by hand": None,
    }
    for row in rows.values():
        assert row.keys() == {"name", "ratio", "spread", "goal", "statements_goal", "ours", "other"}
        low, high = row["spread"]
        assert 0 < low <= row["ratio"] <= high
        assert row["ours"]["microseconds"] > 0
        assert row["other"]["microseconds"] > 0


def test_a_signed_in_page_sends_one_statement_and_a_public_one_none(rows):
    for name, expected in (("signed-in page / by hand", 1), ("public page / by hand", 0)):
        for side in ("ours", "other"):
            assert rows[name][side]["statements"] == expected == rows[name]["statements_goal"]
            assert rows[name][side]["hashes"] == 0


def test_a_login_computes_one_hash_and_sends_few_statements(rows):
    ours = rows["login / by hand"]["ours"]
    assert ours["hashes"] == 1
    assert ours["statements"] <= 12
