"""UsedState: what was good for one use."""

from datetime import timedelta

import sqlalchemy as sa

from stormpath_app import clock
from stormpath_app.database import session
from stormpath_app.models import UsedState, retention, used_state
from stormpath_app.transactions import atomic

from .test_concurrency import at_once


def soon():
    return clock.now() + timedelta(minutes=10)


def test_a_text_is_used_once(context):
    assert used_state.use("a state", soon())
    assert not used_state.use("a state", soon())
    assert used_state.use("a State", soon())
    session.rollback()
    assert not used_state.use("a State", soon())


def test_the_text_itself_is_not_stored(context):
    used_state.use("a state", soon())
    assert "a state" not in str(session.execute(sa.select(UsedState.digest)).all())


def test_in_a_transaction_that_is_undone_nothing_was_used(context):
    try:
        with atomic():
            assert used_state.use("a state", soon())
            assert not used_state.use("a state", soon())
            raise LookupError
    except LookupError:
        assert used_state.use("a state", soon())


def test_of_many_who_use_a_text_at_once_one_does(app):
    def use(_number):
        assert used_state.use("a state", soon())

    assert at_once(app, use, *range(8)) == ["AssertionError"] * 7 + ["done"]


def test_it_is_forgotten_once_it_would_be_good_no_more(context, held_clock):
    used_state.use("an old state", soon())
    held_clock.at += timedelta(minutes=9)
    used_state.use("a state", soon())
    (kept,) = [kept for kept in retention.KEPT if kept.name == "used states"]
    assert kept.count() == 0
    held_clock.at += timedelta(minutes=1)
    assert (kept.count(), sum(kept.prune()), kept.count()) == (1, 1, 0)
    assert used_state.use("an old state", soon())
    assert not used_state.use("a state", soon())
