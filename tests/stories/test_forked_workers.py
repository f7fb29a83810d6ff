"""Workers that are forks of a site which was used already: whatever keeps what it read, everyone is who they are."""

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from .. import caches
from ..conftest import found_here
from ..servers import Server, gunicorn, manage
from .people import Person, Visitor
from .test_many_at_once import WORKERS, ask_every_worker

PEOPLE, PAGES = 8, 40
NEW = "Kessel12.Parsecs"


@pytest.fixture(
    scope="module", params=["memory, sqlite", "memory, postgresql", "redis, sqlite", "memcached, postgresql"]
)
def kinds(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return the kind of the cache, and that of the database."""
    cache, database = request.param.split(", ")
    return cache, database


@pytest.fixture(scope="module")
def ports() -> list[int]:
    """Return where the servers listen that the site is connected to."""
    return []


@pytest.fixture(scope="module")
def site(kinds, ports, request, tmp_path_factory) -> Iterator[Server]:
    """Return a site as `gunicorn --preload` serves it."""
    cache, database = kinds
    instance = tmp_path_factory.mktemp("forked") / "instance"
    settings = {"FLASK_STORMPATH_ENABLE_USERNAME": "true", "FLASK_STORMPATH_BCRYPT_COST": "10"}
    ports.clear()
    with contextlib.ExitStack() as stack:
        if database != "sqlite":
            uri = request.getfixturevalue(f"{database}_server").new_database()
            settings["FLASK_STORMPATH_DATABASE_URI"] = uri
            ports.append(sa.make_url(uri).port or 0)
        if cache != "memory":
            server = stack.enter_context(found_here(getattr(caches, cache)()))
            settings["FLASK_STORMPATH_CACHE"] = json.dumps({"store": cache, "store_opts": server.patient})
            ports.append(server.port)
        manage(instance, "init", FLASK_STORMPATH_BASE_URL="http://127.0.0.1", **settings)
        program = "tests.stories.warm:create_app()"
        yield stack.enter_context(
            gunicorn(instance, workers=WORKERS, threads=4, preload=True, program=program, **settings)
        )


def join(site: Server) -> tuple[Person, Visitor]:
    person, visitor = Person(), Visitor(site.url)
    assert visitor.register(person).status == 302
    return person, visitor


def test_each_page_is_that_of_whoever_asks_and_each_worker_has_connections_of_its_own(site, ports):
    def ask(_number: int) -> None:
        person, visitor = join(site)
        for _ in range(PAGES):
            answer = visitor.get("/secret")
            assert answer.status == 200, answer
            assert person.email in answer.text

    began = len(site.log)
    with ThreadPoolExecutor(PEOPLE) as pool:
        list(pool.map(ask, range(PEOPLE)))
    ask_every_worker(site, join(site)[1])  # of so few people one worker may have got none
    workers = set(site.answered_by(since=began))
    assert len(workers) == WORKERS
    for port in ports:
        before = connected(site.process.pid, port)
        own = [connected(worker, port) - before for worker in workers]
        assert all(own)
        assert len(frozenset().union(*own)) == sum(map(len, own))


def connected(process_id: int, port: int) -> frozenset[str]:
    """Return the sockets of a process that lead to a port of this machine."""
    table = Path(f"/proc/{process_id}/net/tcp").read_text().splitlines()[1:]
    there = {f"socket:[{row[9]}]" for row in map(str.split, table) if row[2].endswith(f":{port:04X}")}
    held = set()
    for file in Path(f"/proc/{process_id}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            held.add(str(file.readlink()))
    return frozenset(there & held)


def test_what_is_changed_on_one_worker_or_by_a_command_counts_on_every_other_at_once(site):
    person, visitor = join(site)
    elsewhere = Visitor(site.url)
    assert elsewhere.log_in(person).status == 302
    assert ask_every_worker(site, elsewhere) == ask_every_worker(site, visitor) == {200}
    fields = {"old_password": person.password, "password": NEW, "password_again": NEW}
    changed = visitor.post("/settings/password", csrf_token=visitor.token("/settings"), **fields)
    assert changed.status == 302
    assert ask_every_worker(site, elsewhere) == {302}
    assert ask_every_worker(site, visitor) == {200}
    site.manage("disable-account", person.email)
    assert ask_every_worker(site, visitor) == {302}
    site.manage("enable-account", person.email)
    assert visitor.log_in(person, NEW).status == 302
    assert ask_every_worker(site, visitor) == {200}
    copy = visitor.twin()
    visitor.post("/logout", csrf_token=visitor.token("/"))
    assert ask_every_worker(site, copy) == {302}
