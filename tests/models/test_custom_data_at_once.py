"""Many processes that change one account at once, as the workers of a site do."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application
from stormpath_app.database import database, session
from stormpath_app.installation import set_up
from stormpath_app.models import GroupMembership
from stormpath_app.models.custom_data_search import leaves

from ..conftest import PASSWORD, make_app
from .test_event import events

PROCESSES, ROUNDS = 4, 6
EMAIL = "leia@alderaan.example"

_barrier = None


def _enter(barrier):
    global _barrier
    _barrier = barrier


def work(instance, uri, number):
    """Change keys and groups again and again; return the names of the errors."""
    app, errors = make_app(Path(instance), STORMPATH_DATABASE_URI=uri), []
    _barrier.wait(60)
    for turn in range(ROUNDS):
        with app.app_context():
            try:
                _change(Application.current().find_account(EMAIL), number, turn)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
    return errors


def _change(leia, number, turn):
    mine = leia.custom_data.setdefault(f"key{number}", {"turns": []})
    mine["turns"].append(turn)
    leia.custom_data[f"key{number}-{turn}"] = "x" * 1000
    leia.custom_data["shared"] = [number] * (number + 1)
    leia.custom_data.pop(f"key{number}-{turn - 1}", None)
    if turn % 2:
        leia.save()
    else:
        leia.custom_data.save()
    leia.add_group("crew")
    leia.add_group(f"group{number}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_processes_that_change_keys_and_groups_of_one_account_lose_nothing(kind, request, tmp_path):
    uri = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server").new_database()
    app = make_app(tmp_path, STORMPATH_DATABASE_URI=uri)
    set_up(app)
    with app.app_context():
        Account.create(EMAIL, PASSWORD, custom_data={"plan": "free"})
        for name in ("crew", *(f"group{number}" for number in range(PROCESSES))):
            Application.current().groups.create(name=name)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, spawn, _enter, (spawn.Barrier(PROCESSES),)) as pool:
        places = [[str(tmp_path)] * PROCESSES, [uri] * PROCESSES]
        assert list(pool.map(work, *places, range(PROCESSES))) == [[]] * PROCESSES
    with app.app_context():
        leia = Application.current().find_account(EMAIL)
        kept = dict(leia.custom_data)
        shared = kept.pop("shared")
        assert shared == [shared[0]] * (shared[0] + 1)
        assert kept.pop("plan") == "free"
        for number in range(PROCESSES):
            assert kept.pop(f"key{number}") == {"turns": list(range(ROUNDS))}
            assert kept.pop(f"key{number}-{ROUNDS - 1}") == "x" * 1000
        assert kept == {}
        assert (
            len(leia.groups) == session.scalar(sa.select(sa.func.count()).select_from(GroupMembership)) == PROCESSES + 1
        )
        assert len(events("account.group_added")) == PROCESSES + 1
        assert len(events("account.updated")) == PROCESSES * ROUNDS
        assert session.scalar(sa.select(sa.func.count()).where(leaves.c.key == "shared")) == len(shared)
    with app.app_context():
        database.engine.dispose()
