"""The audit log: what happened, to whom, by whom and from where."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, clock, origin
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed
from stormpath_app.models import AuditEvent, event
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD

HAN = origin.Origin(actor="0353QuDJUTzgm3zO2H0Sat", address="192.0.2.1", user_agent="Falcon/1.0", interface="cli")


def events(kind=None):
    """Return the events of a kind, or all, oldest first; not those of the console's own things, which set-up made."""
    ours = {None: False, **dict.fromkeys(session.scalars(OURS), True)}
    every = sa.select(AuditEvent).order_by(AuditEvent.at, AuditEvent.id)
    found = session.scalars(every.where(AuditEvent.kind == kind) if kind else every)
    return [event for event in found if not (ours.get(event.application_id) or ours.get(event.directory_id))]


OURS = sa.union_all(
    sa.select(Application.id).where(Application.name == "Stormpath"),
    sa.select(Directory.id).where(Directory.name == "Stormpath Administrators"),
)


def test_an_event_says_who_acted_from_where_and_when(context, held_clock):
    with origin.acting(HAN):
        account = Account.create("han@falcon.example", PASSWORD)
    (created,) = events("account.created")
    assert (created.actor_id, created.address, created.user_agent) == (HAN.actor, HAN.address, HAN.user_agent)
    assert (created.interface, created.at) == ("cli", held_clock.at)
    assert (created.account_id, created.directory_id) == (account.id, account.directory_id)
    assert created.application_id == Application.current().id


def test_an_event_of_plain_python_has_no_address(context):
    Account.create("han@falcon.example", PASSWORD)
    (created,) = events("account.created")
    assert (created.actor_id, created.address, created.user_agent, created.interface) == (None, None, None, "python")


def test_an_event_of_a_request_has_the_browsers_address(app, client, account, log_in):
    log_in(client, environ_base={"REMOTE_ADDR": "192.0.2.7"}, headers={"User-Agent": "Falcon/1.0"})
    with app.app_context():
        (succeeded,) = events("login.succeeded")
        assert (succeeded.address, succeeded.user_agent, succeeded.interface) == ("192.0.2.7", "Falcon/1.0", "web")


def test_an_event_outlives_the_account_it_tells_of(context):
    account = Account.create("han@falcon.example", PASSWORD)
    account.delete()
    assert [event.account_id for event in events("account.deleted")] == [account.id]
    assert [event.account_id for event in events("account.created")] == [account.id]


def test_an_event_is_undone_with_what_it_tells_of(context):
    def create_and_fail():
        with atomic():
            Account.create("han@falcon.example", PASSWORD)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        create_and_fail()
    assert events("account.created") == []


def test_details_come_back_as_they_were_written(context):
    with atomic():
        event.record("something.happened", text="漢字", number=5, pair=("before", None))
    assert events("something.happened")[0].data == {"text": "漢字", "number": 5, "pair": ["before", None]}


def everything(engine, instance):
    """Return all that is written: each row, and the files with what was deleted, where there are any."""
    tables = sa.MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        rows = [connection.execute(sa.select(table)).all() for table in tables.sorted_tables]
    return repr(rows).encode() + b"".join(file.read_bytes() for file in instance.glob("stormpath.db*"))


def test_no_secret_is_written_anywhere(app, instance, outside, client, account, log_in):
    log_in(client, password="Wrong1.CanarySecret")
    log_in(client)
    cookies = [cookie.value for cookie in client._cookies.values()]
    with app.app_context():
        han = Application.current().find_account("solo")
        han.password = "Another1.CanarySecret"
        han.save()
        with pytest.raises(LoginFailed):
            Application.current().authenticate_account("solo", "Third1.CanarySecret")
        assert len(events()) >= 5
    written = everything(outside, instance)
    assert b"han@falcon.example" in written
    assert cookies
    for secret in ("CanarySecret", PASSWORD, *(cookie.rpartition(".")[2] for cookie in cookies)):
        assert secret.encode() not in written


@pytest.mark.parametrize(
    "told",
    [
        *("two\r\nlines", "a\x1b[31mred", "a\0b", "a\x7fb", "half \ud800", "x" * 1000, "漢" * 1000, "🗝" * 300),
        *("two\x85lines", "two\u2028lines", "two\u2029lines", "a\x9b31mred"),
    ],
    ids=lambda told: ascii(told[:12]),
)
def test_what_a_client_tells_of_itself_is_one_line_that_fits(context, told):
    with origin.acting(origin.Origin(user_agent=told, address=told)), atomic():
        event.record("something.happened")
    session.expire_all()
    (happened,) = events("something.happened")
    for kept, longest in ((happened.user_agent, 255), (happened.address, 45)):
        assert len(kept) <= longest
        assert kept.isprintable()


def test_ids_are_in_the_order_of_time(context, held_clock):
    ids = []
    for _ in range(50):
        held_clock.forward(milliseconds=1)
        with atomic():
            event.record("something.happened")
        ids.append(events("something.happened")[-1].id)
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {22}
    assert clock.now() == held_clock.at
