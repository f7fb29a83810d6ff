"""What is forgotten in time, and what is not."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, clock, throttle
from stormpath_app.database import session
from stormpath_app.models import AccountSession, AuditEvent, OneTimeToken, event, message, retention, used_state
from stormpath_app.models.message import SENT, OutboxMessage
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD


@pytest.fixture
def old(app, context, held_clock):
    """Leave something of each kind, two years ago, and something of each now."""
    now = held_clock.at
    han = Account.create("han@falcon.example", PASSWORD)
    for at in (now - timedelta(days=800), now):
        held_clock.at = at
        with atomic():
            event.record("something.happened")
            AccountSession.start(han.id, Application.current().id, remembered=True)
            message.queue(message.WELCOME, han)
            message.queue(message.TEST, han)
        with atomic():
            session.execute(sa.update(OutboxMessage).where(OutboxMessage.kind == message.WELCOME).values(status=SENT))
        Application.current().send_password_reset_email("han@falcon.example")
        throttle.reserve(throttle.nobody("directory", str(at)))
        used_state.use(str(at), at + timedelta(minutes=10))
    return han


def prune():
    return {kept.name: sum(kept.prune()) for kept in retention.KEPT}


def test_what_is_old_is_forgotten_and_what_is_not_stays(old):
    counted = {kept.name: kept.count() for kept in retention.KEPT}
    assert all(number >= 1 for number in counted.values()) or counted["ended logins"] == counted["dead links"] == 0
    assert prune() == counted
    assert set(prune().values()) == {0}
    assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 1
    assert session.scalar(sa.select(sa.func.count()).select_from(OneTimeToken)) == 1
    waiting = session.scalars(sa.select(OutboxMessage.kind).order_by(OutboxMessage.id)).all()
    assert waiting.count(message.TEST) == 2  # they wait to be sent, however long
    assert waiting.count(message.WELCOME) == 1
    assert session.scalar(sa.select(sa.func.min(AuditEvent.at))) > clock.now() - timedelta(days=365)


@pytest.mark.settings(STORMPATH_EVENT_RETENTION=timedelta(days=1000))
def test_the_setting_says_how_long_events_are_kept(old):
    assert prune()["events"] == 0


def test_many_are_forgotten_in_batches(context, held_clock, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 3)
    now = held_clock.at
    held_clock.at = now - timedelta(days=400)
    with atomic():
        for _ in range(8):
            event.record("something.happened")
    held_clock.at = now
    assert list(retention.KEPT[0].prune()) == [3, 3, 2]
