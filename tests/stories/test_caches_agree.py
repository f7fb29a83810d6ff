"""What is changed in one process counts at once in all: whatever keeps what was read, on every database."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from stormpath_app.database import database
from stormpath_app.installation import set_up

from .. import caches
from ..conftest import found_here, make_app
from ..databases import DatabaseServer
from ..servers import free_port
from .processes import REFUSED, Member, Process, each, processes

PROCESSES = 4
NAME, INSIDE, IN = "{name}", "inside", "in"

#: A person's life: what is changed, what is asked then, and what every process must answer from that moment on.
LIFE = [
    ("create", "/try", IN),
    ("log_in", "/who", NAME),
    ("rename", "/who", NAME),
    ("core_rename", "/who", NAME),
    ("join", "/members", INSIDE),
    ("rename_group", "/members", REFUSED),
    ("rename_group_back", "/members", INSIDE),
    ("disable_group", "/members", REFUSED),
    ("enable_group", "/members", INSIDE),
    ("core_disable_group", "/members", REFUSED),
    ("enable_group", "/members", INSIDE),
    ("leave", "/members", REFUSED),
    ("command_join", "/members", INSIDE),
    ("core_leave", "/members", REFUSED),
    ("join", "/members", INSIDE),
    ("rotate", "/who", NAME),
    ("show_a_copy", "/who", REFUSED),
    ("log_in", "/who", NAME),
    ("disable", "/who", REFUSED),
    ("enable", "/try", IN),
    ("log_in", "/who", NAME),
    ("new_password", "/who", REFUSED),
    ("log_in", "/members", INSIDE),
    ("disable_directory", "/who", REFUSED),
    ("enable_directory", "/try", IN),
    ("log_in", "/who", NAME),
    ("disable_application", "/who", REFUSED),
    ("enable_application", "/try", IN),
    ("log_in", "/who", NAME),
    ("core_disable_directory", "/who", REFUSED),
    ("core_enable_directory", "/members", INSIDE),
    ("core_disable_application", "/who", REFUSED),
    ("core_enable_application", "/who", NAME),
    ("core_unmap", "/who", REFUSED),
    ("map_again", "/who", NAME),
    ("map_group", "/who", NAME),
    ("unmap", "/who", NAME),
    ("command_leave", "/who", REFUSED),
    ("join", "/try", IN),
    ("log_in", "/who", NAME),
    ("map_again", "/members", INSIDE),
    ("unmap_group", "/who", NAME),
    ("unmap", "/who", REFUSED),
    ("map_again", "/try", IN),
    ("log_in", "/who", NAME),
    ("core_disable", "/who", REFUSED),
    ("core_enable", "/who", NAME),
    ("end_session", "/who", REFUSED),
    ("log_in", "/who", NAME),
    ("log_out", "/who", REFUSED),
    ("log_in", "/who", NAME),
    ("sign_out", "/who", REFUSED),
    ("strengthen", "/register", "At least 17 characters"),
    ("weaken", "/register", "At least 8 characters"),
    ("strengthen", "/suits", REFUSED),
    ("weaken", "/suits", "suits"),
    ("log_in", "/who", NAME),
    ("command_sign_out", "/who", REFUSED),
    ("log_in", "/who", NAME),
    ("core_end_sessions", "/who", REFUSED),
    ("log_in", "/who", NAME),
    ("command_disable", "/who", REFUSED),
    ("command_enable", "/try", IN),
    ("log_in", "/who", NAME),
    ("delete", "/who", REFUSED),
]


#: How often somebody lives: for all stores on both databases, more than a thousand changes.
LIVES = 3
#: For so long may what somebody wrote who cannot reach the store be unknown to those who can, in seconds.
BOUND = 10


@pytest.fixture(params=["memory", "redis", "memcached"])
def cache(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Return the settings that each store needs."""
    if request.param == "memory":
        yield {}
        return
    with found_here(getattr(caches, request.param)()) as server:
        yield {"STORMPATH_CACHE": {"store": request.param, "store_opts": server.patient}}


def live(asked: list[Process], rounds: int, first: Callable[[int], None] = lambda _number: None) -> Counter[str]:
    """Change something in one process while another makes all read anew, and ask every one; return what readers saw.

    :param first: what is done before each round.
    """
    member = Member()
    for number, (change, path, expected) in zip(range(rounds), cycle(LIFE), strict=False):
        changing, stirring = number % PROCESSES, (number + 1 + number // PROCESSES % (PROCESSES - 1)) % PROCESSES
        first(number)
        each(asked, "watch", member)
        asked[stirring].begin("change", "stir", member)
        member = asked[changing].do("change", change, member)
        asked[stirring].end()
        agree(asked, path, member, expected, f"round {number}, {change} in process {changing}")
    return sum(each(asked, "reads"), Counter())


def agree(asked: list[Process], path: str, member: Member, expected: str, after: str) -> None:
    """Ask every process at once."""
    answers, wanted = each(asked, "ask", path, member), expected.format(name=member.name)
    assert answers == [wanted] * PROCESSES, f"{after}: {path} is {wanted}, and not {answers}"


def test_what_is_changed_in_one_process_counts_at_once_in_all(instance, cache):
    with processes(instance, PROCESSES, **cache) as asked:
        seen = live(asked, LIVES * len(LIFE))
    assert [answer for answer in seen if answer not in {REFUSED, INSIDE} and not answer.startswith("Han-")] == []


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", ["redis", "memcached"])
def test_in_a_store_that_is_restarted_again_and_again_too(instance, kind):
    with found_here(getattr(caches, kind)()) as server:
        store = {"store": kind, "store_opts": server.patient}
        with processes(instance, PROCESSES, STORMPATH_CACHE=store) as asked:
            live(asked, len(LIFE), lambda number: server.restart() if number % 3 == 0 else None)


@pytest.mark.sqlite
def test_who_writes_and_cannot_reach_the_store_is_believed_within_ten_seconds(instance):
    with contextlib.ExitStack() as stack:
        options = stack.enter_context(found_here(caches.redis())).options
        store, nowhere = ({"store": "redis", "store_opts": one} for one in (options, {**options, "port": free_port()}))
        asked = stack.enter_context(processes(instance, PROCESSES, STORMPATH_CACHE=store))
        (cut_off,) = stack.enter_context(processes(instance, 1, STORMPATH_CACHE=nowhere))
        member = Member()
        for change in ("create", "join", "log_in"):
            member = asked[0].do("change", change, member)
        for _ in range(3):  # what is learnt, and kept, and found
            agree(asked, "/members", member, INSIDE, "login")
        cut_off.do("change", "leave", member)
        since = time.monotonic()
        while (began := time.monotonic()) - since < BOUND:
            if each(asked, "ask", "/members", member) == [REFUSED] * PROCESSES:
                break
            time.sleep(0.05)
        agree(asked, "/members", member, REFUSED, f"{began - since:.0f} seconds")


@pytest.fixture
def on_mariadb(mariadb_server: DatabaseServer, tmp_path: Path) -> Iterator[Path]:
    """Return an instance folder that names a MariaDB database, set up."""
    uri = mariadb_server.new_database()
    (tmp_path / "config.py").write_text(f"STORMPATH_DATABASE_URI = {uri!r}\n")
    app = make_app(tmp_path)
    with app.app_context():
        set_up(app)
        database.engine.dispose()
    return tmp_path


def test_on_mariadb_too(on_mariadb, cache):
    with processes(on_mariadb, PROCESSES, **cache) as asked:
        live(asked, len(LIFE))


# --- Past the app ---

#: What somebody writes into the database with a tool of their own; with what is asked then, and what all must answer.
PAST_THE_APP = [
    ("UPDATE stormpath_accounts SET given_name = 'Chewie' WHERE email = :email", "/who", "Chewie"),
    ("UPDATE stormpath_accounts SET status = 'DISABLED' WHERE email = :email", "/who", REFUSED),
    ("UPDATE stormpath_accounts SET status = 'ENABLED' WHERE email = :email", "/members", INSIDE),
    ("UPDATE stormpath_groups SET status = 'DISABLED' WHERE name = 'members'", "/members", REFUSED),
    ("UPDATE stormpath_groups SET status = 'ENABLED' WHERE name = 'members'", "/members", INSIDE),
    ("DELETE FROM stormpath_group_memberships", "/members", REFUSED),
    ("UPDATE stormpath_directories SET status = 'DISABLED'", "/who", REFUSED),
    ("UPDATE stormpath_directories SET status = 'ENABLED'", "/who", "Chewie"),
    ("UPDATE stormpath_applications SET status = 'DISABLED'", "/who", REFUSED),
    ("UPDATE stormpath_applications SET status = 'ENABLED'", "/who", "Chewie"),
    ("DELETE FROM stormpath_account_sessions", "/who", REFUSED),
]


def test_what_is_written_past_the_app_counts_at_once_too(instance):
    with make_app(instance).app_context():
        tool = sa.create_engine(database.engine.url, poolclass=sa.NullPool)
    with processes(instance, PROCESSES) as asked:
        member = Member()
        for change in ("create", "join", "log_in"):
            member = asked[0].do("change", change, member)
        agree(asked, "/members", member, INSIDE, "login")
        for statement, path, expected in PAST_THE_APP:
            each(asked, "watch", member)
            with tool.begin() as connection:
                connection.execute(sa.text(statement), {"email": member.email} if ":email" in statement else {})
            agree(asked, path, member, expected, statement)
