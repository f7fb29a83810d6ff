"""The log, read by an administrator: what can be asked, in which order, and how far it looks."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, clock, origin
from stormpath_app.database import session
from stormpath_app.models import AuditEvent, event, event_log
from stormpath_app.models.event_log import Question
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..together import together


@pytest.fixture
def log(context, held_clock):
    """Return a function that adds an event to an empty log, a second later than the last."""
    with atomic():
        session.execute(sa.delete(AuditEvent))

    def add(kind="something.happened", *, address=None, actor=None, interface="web", **places):
        held_clock.forward(seconds=1)
        who = origin.Origin(address=address, actor=actor, interface=interface)
        with origin.acting(who), atomic():
            event.record(kind, **places)

    return add


def kinds(**asked):
    return [each.kind for each in event_log.find(Question(**asked)).events]


@pytest.fixture
def four(log):
    """Return the kinds of all events that there are, after four in different places."""
    log("login.failed", account_id="han", directory_id="shop", application_id="site", address="192.0.2.7")
    log("login.succeeded", account_id="han", directory_id="shop", application_id="site", address="192.0.2.8")
    log("group.deleted", directory_id="shop", actor="lando", interface="admin")
    log("app.invoice.failed", address="192.0.2.7")
    every = kinds()
    assert every[:4] == ["app.invoice.failed", "group.deleted", "login.succeeded", "login.failed"]
    return every


@together(
    ("asked", "found"),
    [
        ({"account_id": "han"}, ["login.succeeded", "login.failed"]),
        ({"directory_id": "shop"}, ["group.deleted", "login.succeeded", "login.failed"]),
        ({"application_id": "site"}, ["login.succeeded", "login.failed"]),
        ({"actor_id": "lando"}, ["group.deleted"]),
        ({"address": "192.0.2.7"}, ["app.invoice.failed", "login.failed"]),
        ({"interface": "admin"}, ["group.deleted"]),
        ({"kinds": ("login.*",)}, ["login.succeeded", "login.failed"]),
        ({"kinds": ("*.deleted", "app.*")}, ["app.invoice.failed", "group.deleted"]),
        ({"kinds": ("login.failed",)}, ["login.failed"]),
        ({"kinds": ("invoice.failed",)}, ["app.invoice.failed"]),
        ({"kinds": ("invoice.*",)}, ["app.invoice.failed"]),
        ({"kinds": ("nobody.*",)}, []),
        ({"result": event_log.ERRORS}, ["app.invoice.failed", "login.failed"]),
        ({"result": event_log.ERRORS, "kinds": ("login.*",)}, ["login.failed"]),
        ({"result": event_log.APP}, ["app.invoice.failed"]),
        ({"result": event_log.CHANGES, "directory_id": "shop"}, ["group.deleted"]),
        ({"directory_ids": ["shop"], "kinds": ("login.*",)}, ["login.succeeded", "login.failed"]),
        ({"directory_ids": ["other"]}, []),
        ({"directory_ids": []}, []),
        ({"kinds": ("a%", "_", "(", "*" * 50)}, None),
        ({"account_id": "han", "address": "192.0.2.7", "kinds": ("*.failed",)}, ["login.failed"]),
    ],
)
def test_events_are_found_by_each_of_their_places_and_by_all_together(four, asked, found):
    assert kinds(**asked) == (four if found is None else found)
    number, more = event_log.count(Question(**asked))
    assert (number, more) == (len(kinds(**asked)), False)


def test_who_may_not_see_a_directory_sees_none_of_its_events(log):
    log("login.failed", directory_id="administrators")
    log("login.failed", directory_id="shop")
    log("login.failed")
    found = event_log.find(Question(kinds=("login.failed",), without=["administrators"])).events
    assert [each.directory_id for each in found] == [None, "shop"]


def test_events_of_a_time_are_found(log, held_clock):
    log("login.failed")
    between = clock.now() + timedelta(milliseconds=500)
    log("login.succeeded")
    assert kinds(since=between) == ["login.succeeded"]
    assert kinds(until=between, kinds=("login.*",)) == ["login.failed"]
    assert kinds(since=between, until=between) == []


@pytest.mark.parametrize("asked", [{}, {"kinds": ("login.*", "one.happened")}, {"interface": "web", "address": "x"}])
def test_pages_follow_each_other_without_a_gap(log, asked):
    for number in range(7):
        log("login.failed" if number % 2 else "one.happened", address="x")
    question, pages, before = Question(**{"kinds": ("login.*", "one.*"), **asked}), [], None
    while True:
        page = event_log.find(question, before=before, limit=3)
        pages.append([each.id for each in page.events])
        if page.older is None:
            break
        before = page.older
    ids = [one for page in pages for one in page]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 7


def test_looking_ends_after_so_many_events_and_says_where(log, monkeypatch):
    monkeypatch.setattr(event_log, "_STEPS", (2, 4))
    monkeypatch.setattr(event_log, "MOST_LOOKED_AT", 4)
    log("login.failed", address="wanted", interface="admin")
    for _ in range(6):
        log("login.failed", address="wanted")
    question = Question(address="wanted", interface="admin")
    first = event_log.find(question)
    assert first.events == []
    assert first.looked_until == clock.now() - timedelta(seconds=3)
    second = event_log.find(question, before=first.older)
    assert [each.interface for each in second.events] == ["admin"]
    assert (second.older, second.looked_until) == (None, None)
    assert event_log.count(question) == (0, True)


def test_what_is_too_much_is_not_counted_to_its_end(log, monkeypatch):
    monkeypatch.setattr(event_log, "MOST_COUNTED", 3)
    for _ in range(5):
        log("login.failed")
    assert event_log.count(Question(kinds=("login.failed",))) == (3, True)


@pytest.mark.parametrize("asked", [{}, {"kinds": ("*.failed",)}, {"address": "x", "interface": "web"}])
def test_a_page_takes_as_many_statements_for_many_events_as_for_few(app, log, asked):
    log("login.failed", address="x")
    with statements(app) as few:
        event_log.find(Question(**asked))
    for number in range(40):
        log(f"thing{number}.failed", address="x")
    with statements(app) as many:
        event_log.find(Question(**asked))
    assert len(many) == len(few) <= 5


def test_the_kinds_there_are_are_found_by_leaps(log):
    for kind in ("login.failed", "app.invoice.paid", "login.failed"):
        log(kind)
    assert [kind for kind in event_log.kinds() if "in" in kind] == ["app.invoice.paid", "login.failed"]
    assert event_log.kinds() == sorted(set(event_log.kinds()))


def test_the_people_and_places_of_a_page_are_named(context):
    directory = Directory.create(name="Cloud City")
    han = Account.create("han@falcon.example", PASSWORD)
    directory.delete()
    names = event_log.names_for(event_log.find(Question()).events)
    assert names[han.id] == "han@falcon.example"
    assert names[Application.current().id] == "My Application"
    assert directory.id not in names
