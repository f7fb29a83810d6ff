"""`flask stormpath cache`: how often what is kept was of use, and forgetting it."""

import json

import pytest

from stormpath_app import cache
from stormpath_app.cache.counts import Counts
from stormpath_app.cache.region import Region
from stormpath_app.database import database

POLICIES = Region("policies")


@pytest.fixture
def run(app):
    return lambda *words: app.test_cli_runner().invoke(app.cli, ["stormpath", "cache", *words])


@pytest.fixture
def counted(app):
    """Write that three of four were found."""
    counts = Counts()
    for is_hit in (True, True, True, False):
        counts.count("sessions", is_hit=is_hit)
    with app.app_context():
        counts.write(database.engine)


def test_stats_shows_a_bar_for_each_region(run, counted):
    sessions, *others = run("stats").output.splitlines()[:3]
    assert sessions.split() == ["sessions", "█" * 15 + "░" * 5, "75.0%", "3", "found", "1", "read"]
    assert all("nothing was asked for" in line for line in others)


def test_stats_tells_where_nothing_is_kept(app, run):
    app.config["STORMPATH_CACHE"] = False
    assert run("stats").output.splitlines()[3].startswith("Nothing is kept:")


@pytest.mark.sqlite
def test_stats_tells_no_more_where_something_is(run):
    assert len(run("stats").output.splitlines()) == 3


def test_stats_tells_a_script(run, counted):
    found = json.loads(run("stats", "--json", "--hours", "1").output)
    assert found["sessions"] == {"hits": 3, "misses": 1, "hit_rate": 0.75}
    assert found["policies"]["hit_rate"] is None


@pytest.mark.sqlite
def test_clear_lets_every_process_forget(app, run):
    with app.app_context():
        keeper = cache.keeper()
        keeper.keep(POLICIES, "p", keeper.look(POLICIES, "p")[1], ("p",))
        others = {**app.extensions}
        del app.extensions["stormpath_cache"]  # as another process has one of its own
        assert run("clear").output == "All that was kept is forgotten.\n"
        app.extensions.update(others)
        assert keeper.look(POLICIES, "p")[0] is None
