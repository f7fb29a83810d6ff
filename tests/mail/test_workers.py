"""Workers as they run: processes of their own, which are killed, or share the work."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import sqlalchemy as sa

from stormpath_app import Application
from stormpath_app.database import session
from stormpath_app.mail import delivery
from stormpath_app.models import OutboxMessage, message
from stormpath_app.models.message import QUEUED, SENT

from ..conftest import SECRET_KEY
from ..servers import MANAGE, PATIENCE, _environment, gunicorn
from ..smtp import mail_server
from ..stories.people import Person, Visitor
from .test_delivery import HAN, ask, people, row  # noqa: F401 - a fixture, and what it is asked with

pytestmark = pytest.mark.sqlite


def settings(server):
    """Return the environment of a site that sends to this server."""
    return {
        "FLASK_SECRET_KEY": SECRET_KEY,
        "FLASK_STORMPATH_BASE_URL": "http://127.0.0.1:5000",
        "FLASK_STORMPATH_ENABLE_FORGOT_PASSWORD": "true",
        "FLASK_MAIL_SERVER": "localhost",
        "FLASK_MAIL_PORT": str(server.port),
        "FLASK_MAIL_DEFAULT_SENDER": "no-reply@falcon.example",
    }


def worker(instance, server):
    """Start a worker that sends what is due."""
    return subprocess.Popen(
        [sys.executable, MANAGE, "mail", "send", "--once"],
        env=_environment(instance, settings(server)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_worker_killed_between_the_servers_word_and_its_own_sends_the_same_mail_again(people, instance):  # noqa: F811
    ask(people)
    with mail_server() as server:
        first = worker(instance, server)
        server.answers["DATA"] = lambda: os.kill(first.pid, signal.SIGKILL) or ""  # it takes the mail all the same
        first.communicate(timeout=PATIENCE)
        assert first.returncode == -signal.SIGKILL
        del server.answers["DATA"]
        left = row(people)
        assert (left.status, bool(left.nonce), bool(left.claimed_by)) == (QUEUED, True, True)
        with people.app_context():  # its lease ends
            session.execute(sa.update(OutboxMessage).values(due_at=left.due_at - delivery.LEASE))
            session.commit()
        said, _ = worker(instance, server).communicate(timeout=PATIENCE)
    assert f"SENT    reset                 {HAN}" in said
    one, again = server.mails
    assert one.mail["Message-ID"] == again.mail["Message-ID"]
    assert one.text == again.text
    assert (row(people).status, row(people).attempts) == (SENT, 2)


def test_workers_at_once_send_each_mail_once_and_those_of_a_killed_one_are_not_lost(people, instance):  # noqa: F811
    with people.app_context():
        han = Application.current().find_account(HAN)
        for _number in range(30):
            message.queue(message.WELCOME, han, application_id=Application.current().id)
        session.commit()
    with mail_server() as server:
        killed, *others = (worker(instance, server) for _number in range(3))
        ends = time.monotonic() + PATIENCE
        while len(server.mails) < 5:
            assert time.monotonic() < ends
            time.sleep(0.005)
        killed.kill()
        for one in (killed, *others):
            one.communicate(timeout=PATIENCE)
        with people.app_context():
            rows = session.execute(sa.select(OutboxMessage.id, OutboxMessage.status)).all()
    times = Counter(taken.mail["Message-ID"].partition("@")[0][1:] for taken in server.mails)
    left = [message_id for message_id, status in rows if status == QUEUED]
    assert len(left) <= 1  # what the killed one was at
    assert all(times[message_id] == 1 for message_id, status in rows if status == SENT)
    assert all(times[message_id] <= 1 for message_id in left)


def test_a_site_of_forked_workers_mails_by_itself_while_nobody_waits_for_it(tmp_path):
    person = Person()
    with (
        mail_server() as server,
        gunicorn(tmp_path / "instance", workers=2, preload=True, **settings(server)) as site,
    ):
        visitor = Visitor(site.url)
        visitor.send("/register", given_name="Leia", surname="Organa", email=person.email, password=person.password)
        assert visitor.send("/forgot", email=person.email).status in {200, 302}
        ends = time.monotonic() + PATIENCE
        while not server.mails:
            assert time.monotonic() < ends, site.log
            time.sleep(0.05)
        time.sleep(0.5)  # another worker would have sent it by now, too
    (taken,) = server.mails
    assert taken.recipients == [person.email]
    assert re.search(r"/forgot/change\?sptoken=[\w-]{43}", taken.text)
