"""`flask stormpath prune`: it forgets what is old, tells how much, and can be tried first."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from stormpath_app.database import session
from stormpath_app.models import AuditEvent, event, statistics
from stormpath_app.transactions import atomic


@pytest.fixture
def run(app):
    return lambda *words: app.test_cli_runner().invoke(app.cli, ["stormpath", "prune", *words])


@pytest.fixture
def old_events(app, held_clock):
    """Add three events of more than a year ago."""
    now = held_clock.at
    held_clock.at = now - timedelta(days=400)
    with app.app_context(), atomic():
        for _ in range(3):
            event.record("login.succeeded")
    held_clock.at = now


def number_of_events(app):
    with app.app_context():
        return session.scalar(sa.select(sa.func.count()).select_from(AuditEvent))


def test_a_try_tells_what_would_be_forgotten_and_forgets_nothing(app, run, old_events):
    before = number_of_events(app)
    assert "events: 3 would be forgotten" in run("--dry-run").output
    assert number_of_events(app) == before


def test_what_is_old_is_forgotten_once(app, run, old_events):
    assert "events: 3 forgotten" in run().output
    assert json.loads(run("--json").output)["events"] == 0


def test_the_numbers_of_the_days_are_counted_first(app, run, old_events):
    assert run().exit_code == 0
    with app.app_context():
        kept = sa.select(statistics.counts.c.count).where(statistics.counts.c.kind == "login.succeeded")
        assert session.scalars(kept).all() == [3]
