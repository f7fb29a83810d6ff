"""The thread that sends mails by itself."""

import logging
import os
import threading
import time

import pytest

from stormpath_app.database import database
from stormpath_app.mail import courier as module, delivery, transport
from stormpath_app.mail.courier import Courier

from ..conftest import make_app
from ..servers import PATIENCE
from .test_delivery import HAN, ask, people, row, tell  # noqa: F401 - fixtures and what they are asked with


@pytest.fixture
def sent(people, monkeypatch):  # noqa: F811
    """Let mails leave into this list, and the app be one that serves."""
    people.config.update(TESTING=False, STORMPATH_BASE_URL="https://www.example.com", STORMPATH_MAIL_DELIVERY="thread")
    sent = []
    monkeypatch.setattr(transport, "send", lambda mail, _message_id: sent.append(mail.to))
    yield sent
    courier(people).stop()


def courier(app):
    return app.extensions["stormpath"].courier


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "stormpath mail"]


def wait_for(condition):
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_the_first_request_begins_it_and_what_waited_leaves(people, sent):  # noqa: F811
    ask(people)
    assert threads() == []
    people.test_client().get("/")
    wait_for(lambda: sent == [HAN])
    wait_for(lambda: row(people).status == "SENT")
    people.test_client().get("/")
    assert len(threads()) == 1


def test_a_mail_leaves_at_once_without_its_request_waiting(people, sent, monkeypatch):  # noqa: F811
    people.test_client().get("/")
    may_go = threading.Event()
    monkeypatch.setattr(transport, "send", lambda mail, _message_id: may_go.wait(PATIENCE) and sent.append(mail.to))
    ask(people)  # returns while the server hangs
    assert sent == []
    may_go.set()
    wait_for(lambda: sent == [HAN])


@pytest.mark.parametrize(
    "settings", [{"STORMPATH_MAIL_DELIVERY": "command"}, {"STORMPATH_MAIL_DELIVERY": print}, {"TESTING": True}]
)
def test_nothing_begins_where_others_send_and_in_tests(people, sent, settings):  # noqa: F811
    people.config.update(settings)
    people.test_client().get("/")
    assert threads() == []


def test_a_database_that_is_away_does_not_end_it(people, sent, monkeypatch, caplog):  # noqa: F811
    ask(people)
    first_of = delivery._first_of
    monkeypatch.setattr(module, "LONGEST_SLEEP", 0.01)
    monkeypatch.setattr(delivery, "_first_of", lambda _column: 1 / 0)
    people.test_client().get("/")
    wait_for(lambda: "No mail can be sent now: ZeroDivisionError" in caplog.text)
    time.sleep(0.1)
    assert caplog.text.count("No mail can be sent now") == 1
    monkeypatch.setattr(delivery, "_first_of", first_of)
    wait_for(lambda: sent == [HAN])


def test_it_sleeps_until_a_mail_is_due_and_a_minute_at_most(people, sent, held_clock):  # noqa: F811
    thread = module._Thread(people)
    assert thread._send() == 60
    tell(people)
    held_clock.forward(seconds=-20)
    assert thread._send() == pytest.approx(20, abs=0.1)
    held_clock.forward(hours=-20)
    assert thread._send() == 60
    assert sent == []


def test_a_fork_begins_its_own(people, sent, monkeypatch):  # noqa: F811
    people.test_client().get("/")
    wait_for(threads)
    forked = os.getpid() + 1
    with monkeypatch.context() as patched:
        patched.setattr(module.os, "getpid", lambda: forked)
        people.test_client().get("/")
        assert len(threads()) == 2
        courier(people).stop()
    assert len(threads()) == 1


def test_many_first_requests_begin_one(people, sent):  # noqa: F811
    ours, together = Courier(people), threading.Barrier(8)

    def ask_for_it():
        together.wait()
        ours.start()

    asking = [threading.Thread(target=ask_for_it) for _number in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(threads()) == 1
    ours.stop()
    assert threads() == []


def test_the_mail_that_is_being_sent_is_the_last_when_the_process_ends(people, sent, monkeypatch):  # noqa: F811
    ask(people)
    tell(people)
    begun, may_go = threading.Event(), threading.Event()

    def send(mail, _message_id):
        begun.set()
        assert may_go.wait(PATIENCE)
        sent.append(mail.to)

    monkeypatch.setattr(transport, "send", send)
    people.test_client().get("/")
    assert begun.wait(PATIENCE)
    ending = threading.Thread(target=courier(people).stop)
    ending.start()
    wait_for(lambda: not courier(people)._threads)
    time.sleep(0.05)
    may_go.set()
    ending.join()
    assert sent == [HAN]
    assert threads() == []


def test_a_database_in_memory_which_has_one_connection_for_all_is_left_to_requests(tmp_path, sent, caplog):
    settings = {"STORMPATH_DATABASE_URI": "sqlite://", "STORMPATH_BCRYPT_COST": 10, "STORMPATH_MAIL_DELIVERY": "thread"}
    app = make_app(tmp_path, TESTING=False, **settings)
    with caplog.at_level(logging.INFO, app.logger.name):
        app.test_client().get("/")
        wait_for(lambda: "no thread sends mails from it" in caplog.text)
    wait_for(lambda: threads() == [])
    app.test_client().get("/")
    assert threads() == []
    with app.app_context():
        assert app not in database._app_engines
