"""The benchmarks: that they run, and what they count; never how long anything took."""

import asyncio
import contextlib
import functools
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .servers import run_apart

#: Of what is installed.
STORES = ["memory", *(name for name, of in (("redis", "redis-server"), ("memcached",) * 2) if shutil.which(of))]
CACHES = ["no cache", *STORES]
PROGRAMS = Path(__file__).resolve().parent.parent / "benchmarks"


def run(program, *arguments):
    """Return the object that a quick run of a program prints, and what it says beside it."""
    command = [sys.executable, str(PROGRAMS / f"{program}.py"), "--quick", "--json", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout), ran.stderr


@functools.cache
def run_requests(dialect):
    found, said = run("requests", "--database", dialect)
    assert said == ""
    return found


@pytest.fixture
def measured(dialect, request):
    if dialect != "sqlite":
        request.getfixturevalue(f"{dialect}_server")  # it is installed
    return run_requests(dialect)


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
        **({("signed-in page / by hand", "no cache"): (0.9, None)} if on_sqlite else {}),
        ("signed-in page / by hand", "memory"): (0.4, None) if on_sqlite else (0.5, 0.5),
        **({("groups_required / by hand", "no cache"): (0.6, None)} if on_sqlite else {}),
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
    if (dialect, cache) == ("postgresql", "no cache"):
        assert (f"{page} / by hand", cache) not in rows  # memory keeps nothing there either
        return
    row = rows[f"{page} / by hand", cache]
    ours = {"no cache": 1, "memory": 0 if dialect == "sqlite" else 1, "redis": 0, "memcached": 0}[cache]
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
    found, _said = run("scale", "--database", "sqlite")
    counted = {row["name"]: row["statements"] for row in found["rows"]}
    pages = {name: number for name, number in counted.items() if name.startswith(("e-mail", "surname,", "list, "))}
    assert set(pages.values()) == {1}
    assert counted["signed-in page"] == 1
    assert counted["text, rare"] == 2  # the first looks whether the collection is one of few
    assert counted["list by e-mail, 3 pages"] == 3


# --- Load ---


def test_under_load_nobody_gets_an_error_or_the_page_of_another_person(dialect, request):
    if dialect != "sqlite":
        request.getfixturevalue(f"{dialect}_server")  # it is installed
    store = "memory" if dialect == "sqlite" else STORES[-1]
    found, _said = run("load", "--database", dialect, "--store", store)
    (one,) = found["runs"]
    assert (one["database"], one["store"]) == (dialect, store)
    for name, kind in one["kinds"].items():
        assert kind["errors"] == {}, name
        assert kind["answers"] + kind["busy"] > 0, name
        assert kind["answers"] == 0 or 0 < kind["milliseconds"]["p50"] <= kind["milliseconds"]["p99"]


@pytest.fixture
def load(monkeypatch):
    """The program, as a module."""
    monkeypatch.syspath_prepend(str(PROGRAMS))
    return importlib.import_module("load")


def ask(load, thing, *answers):
    """Let a person do one thing at a server, and return what is noted.

    :param answers: what it gives, one for each connection; None: nothing, until the other side leaves.
    """
    left = list(answers)

    async def do():
        ended = asyncio.Event()

        async def answer(reader, writer):
            given = left.pop(0)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                if given is None:
                    await reader.read()
                else:
                    writer.write(given)
                writer.close()
                await writer.wait_closed()
            if not left:
                ended.set()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            person = load.Person(1, server.sockets[0].getsockname()[1], "han@b.example", {}, ["leia@b.example"])
            await person.do(thing)
            person.leave()
            await ended.wait()
        return person.tally

    return run_apart(do())


def answer(status, text):
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()


@pytest.mark.parametrize(
    ("given", "noted"),
    [
        (answer(200, "Hello leia@b.example."), "another person's page"),
        (answer(200, "Hello han@b.example.org."), "another person's page"),
        (answer(302, ""), "302"),
        (answer(429, ""), "429"),
        (answer(503, "Later"), "503"),
        (b"", "connection lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nHello", "connection lost"),
    ],
    ids=["another's", "almost its own", "asks for a login", "refused", "5xx", "nothing", "half of one"],
)
def test_load_takes_nothing_for_a_page_but_the_one_of_who_asked(load, given, noted):
    tally = ask(load, "signed-in page", given)
    assert (dict(tally.errors), tally.answers) == ({("signed-in page", noted): 1}, 0)


def test_load_counts_what_was_right_by_its_kind(load):
    tally = ask(load, "groups page", answer(200, "Hello han@b.example."))
    assert (dict(tally.errors), list(tally.seconds)) == ({}, ["groups page"])


FORM = answer(200, '<input name="csrf_token" type="hidden" value="a">')


def test_load_counts_a_login_of_too_many_apart_from_errors(load):
    tally = ask(load, "login", FORM, answer(429, "Too many"))
    assert (dict(tally.errors), dict(tally.busy), list(tally.seconds)) == ({}, {"login": 1}, ["form"])


def test_load_counts_a_refused_login_as_an_error(load):
    tally = ask(load, "login", FORM, answer(200, "Invalid username or password."))
    assert dict(tally.errors) == {("login", "200"): 1}


def test_load_waits_for_an_answer_so_long_and_no_longer(load, monkeypatch):
    monkeypatch.setattr(load, "PATIENCE", 0.5)
    assert dict(ask(load, "signed-in page", None).errors) == {("signed-in page", "no answer"): 1}
