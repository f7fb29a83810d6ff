"""What becomes of mails that wait: who sends them, when they are tried again, and what is written down of each."""

import threading
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application
from stormpath_app.database import session
from stormpath_app.errors import NotReady
from stormpath_app.mail import deliver, deliver_due, delivery, prune, rendering, transport
from stormpath_app.mail.transport import MailDelayed, MailRefused
from stormpath_app.models import OutboxMessage, message
from stormpath_app.models.message import FAILED, QUEUED, SENT

from .. import smtp
from ..conftest import PASSWORD
from ..smtp import mail_server, misbehaving

HAN, LEIA = "han@falcon.example", "leia@alderaan.example"


@pytest.fixture
def people(app):
    with app.app_context():
        for email, given, surname in ((HAN, "Han", "Solo"), (LEIA, "Leia", "Organa")):
            Account.create(email, PASSWORD, given, surname)
    return app


def ask(app, email=HAN):
    """Ask for a reset mail; return the id of the message."""
    with app.app_context():
        Application.current().send_password_reset_email(email)
        return session.scalar(sa.select(OutboxMessage.id).order_by(OutboxMessage.created_at.desc()).limit(1))


def tell(app, email=HAN):
    """Write a mail without a link; return its id."""
    with app.app_context():
        account = Application.current().find_account(email)
        message.queue(message.RESET_SUCCESS, account, application_id=Application.current().id)
        session.commit()
        return session.scalar(sa.select(OutboxMessage.id).where(OutboxMessage.kind == message.RESET_SUCCESS))


def work(app):
    """Send what is due; return what became of each."""
    with app.app_context():
        return [(outcome.address, outcome.status, outcome.error) for outcome in deliver_due()]


def row(app, message_id=None):
    with app.app_context():
        statement = sa.select(OutboxMessage)
        found = session.scalar(statement.where(OutboxMessage.id == message_id) if message_id else statement)
        session.expunge(found)
        return found


def sends_to(app, config):
    """Let an app under test really send."""
    app.extensions.pop("mail", None)
    app.config.update(config, MAIL_SUPPRESS_SEND=False)


@pytest.fixture
def failing(monkeypatch):
    """Return a list of what the next tries fail with; where it is empty they succeed, and are noted in `sent`."""
    errors, sent = [], []

    def send(mail, message_id):
        if errors:
            raise errors.pop(0)
        sent.append((message_id, mail))
        return "250 OK"

    monkeypatch.setattr(transport, "send", send)
    return SimpleNamespace(errors=errors, sent=sent)


# --- Sent ---


def test_a_mail_that_waits_is_sent_once_and_its_secret_forgotten(people):
    ask(people)
    with mail_server() as server:
        sends_to(people, server.config)
        assert work(people) == [(HAN, SENT, None)]
        assert work(people) == []
    (taken,) = server.mails
    assert taken.recipients == [HAN]
    link = next(line for line in taken.text.splitlines() if "sptoken=" in line)
    with people.app_context():
        account = Application.current().verify_password_reset_token(link.rpartition("sptoken=")[2].strip())
        assert account.email == HAN
    after = row(people)
    assert (after.status, after.nonce, after.claimed_by, after.last_error, after.attempts) == (
        SENT,
        None,
        None,
        None,
        1,
    )
    assert after.sent_at


def test_mails_leave_in_the_order_they_are_due(people, failing, held_clock):
    ask(people, LEIA)
    held_clock.forward(seconds=1)
    ask(people, HAN)
    assert [address for address, *_rest in work(people)] == [LEIA, HAN]


def test_each_retry_carries_the_same_link_and_message_id(people, held_clock):
    ask(people)
    with mail_server() as server:
        sends_to(people, server.config)
        server.answers["DATA"] = iter_answers("451 Busy", "451 Busy", "")
        for _attempt in range(3):
            work(people)
            held_clock.forward(hours=1)
    assert row(people).status == SENT
    assert len(server.mails) == 1
    first = server.tried[0]
    assert [(tried.mail["Message-ID"], tried.text) for tried in server.tried] == [
        (first.mail["Message-ID"], first.text)
    ] * 3
    assert first.mail["Message-ID"].startswith(f"<{row(people).id}@")


def iter_answers(*answers):
    left = list(answers)
    return lambda: left.pop(0)


# --- Tried again ---


def test_pauses_between_tries_grow_to_an_hour_until_the_link_would_be_dead(people, failing, held_clock):
    ask(people)
    began, tries = held_clock.at, []
    failing.errors += [MailDelayed("Busy.")] * 100
    while row(people).status == QUEUED:
        tries.append(held_clock.at)
        work(people)
        held_clock.at = max(held_clock.at, row(people).due_at)
    pauses = [(later - earlier) / timedelta(minutes=1) for earlier, later in pairwise(tries)]
    for number, pause in enumerate(pauses[:-1]):
        longest = min(2**number, 60)
        assert longest * 0.75 <= pause <= longest
    assert tries[-1] - began == timedelta(hours=24)
    after = row(people)
    assert (after.status, after.nonce) == (FAILED, None)
    assert after.last_error == "The link in it expired before it could be sent. Before that: Busy."


def test_a_mail_without_a_link_is_tried_for_three_days(people, failing, held_clock):
    tell(people)
    began = held_clock.at
    failing.errors += [MailDelayed("Busy.")] * 200
    while row(people).status == QUEUED:
        last = held_clock.at
        work(people)
        held_clock.at = max(held_clock.at, row(people).due_at)
    assert last - began >= timedelta(days=3)
    assert row(people).last_error == "Busy."


def test_what_is_refused_for_good_is_not_tried_again_and_says_why(people, failing):
    ask(people)
    failing.errors.append(MailRefused("The server refused the recipient: 550 Nobody here"))
    assert work(people) == [(HAN, FAILED, "The server refused the recipient: 550 Nobody here")]
    assert work(people) == []
    after = row(people)
    assert (after.status, after.nonce, after.claimed_by) == (FAILED, None, None)
    assert after.last_error == "The server refused the recipient: 550 Nobody here"


@pytest.mark.parametrize("wrong", [ZeroDivisionError("theirs"), NotReady(["No address."])])
def test_a_mail_that_cannot_be_rendered_keeps_no_other_from_leaving(people, failing, held_clock, monkeypatch, wrong):
    ask(people, LEIA)
    held_clock.forward(seconds=1)
    ask(people, HAN)
    rendered = rendering.render

    def render(waiting):
        if waiting.address == LEIA:
            raise wrong
        return rendered(waiting)

    monkeypatch.setattr(rendering, "render", render)
    outcomes = work(people)
    assert [(address, status) for address, status, _error in outcomes] == [(LEIA, QUEUED), (HAN, SENT)]
    monkeypatch.setattr(rendering, "render", rendered)  # somebody mends it
    held_clock.forward(minutes=1)
    assert work(people) == [(LEIA, SENT, None)]


def test_a_mistake_that_nobody_thought_of_keeps_no_other_from_leaving(people, failing):
    ask(people, LEIA)
    ask(people, HAN)
    failing.errors.append(ZeroDivisionError("a host's"))
    assert sorted(status for _address, status, _error in work(people)) == [QUEUED, SENT]


# --- Not sent at all ---


def test_a_link_that_was_replaced_is_not_sent(people, failing):
    ask(people)
    ask(people)
    outcomes = work(people)
    assert [status for _address, status, _error in outcomes] == [FAILED, SENT]
    assert outcomes[0][2] == "The link in it is dead: it was used or replaced, or the account was changed."
    assert len(failing.sent) == 1


def test_a_link_that_expired_while_nothing_was_sent_is_not_sent(people, failing, held_clock):
    ask(people)
    held_clock.forward(hours=25)
    assert work(people) == [(HAN, FAILED, "The link in it expired before it could be sent.")]
    assert failing.sent == []


def test_the_mail_of_an_account_that_is_gone_goes_with_it(people, failing):
    message_id = ask(people)
    with people.app_context():
        Application.current().find_account(HAN).delete()
    assert work(people) == []
    with people.app_context():
        assert deliver(message_id) is None


# --- By several workers, and by one that dies ---


def test_several_workers_send_each_mail_once(people, monkeypatch):
    with people.app_context():
        han = Application.current().find_account(HAN)
        for _number in range(20):
            message.queue(message.WELCOME, han, application_id=Application.current().id)
        session.commit()
    together, sent, done = threading.Barrier(4), [], []
    monkeypatch.setattr(transport, "send", lambda _mail, message_id: sent.append(message_id))

    def run():
        together.wait()
        done.extend(work(people))

    workers = [threading.Thread(target=run) for _number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(sent) == len(set(sent)) == len(done) == 20


def test_what_a_dead_worker_had_claimed_is_sent_by_another_after_its_lease(people, failing, held_clock):
    ask(people)
    failing.errors.append(KeyboardInterrupt())  # nothing is settled, as after kill -9
    with pytest.raises(KeyboardInterrupt):
        work(people)
    assert row(people).claimed_by
    assert work(people) == []
    held_clock.at += delivery.LEASE
    assert work(people) == [(HAN, SENT, None)]
    assert row(people).attempts == 2


def test_a_worker_that_was_slow_does_not_write_over_what_another_did(people, monkeypatch, held_clock):
    message_id = ask(people)
    sent = []

    def send(_mail, _message_id):
        sent.append(len(sent))
        if len(sent) == 1:  # the first is so slow that another claims the mail meanwhile, and sends it
            held_clock.at += delivery.LEASE
            assert work(people) == [(HAN, SENT, None)]
            raise MailDelayed("Too slow.")
        return "250 OK"

    monkeypatch.setattr(transport, "send", send)
    work(people)
    after = row(people, message_id)
    assert (after.status, after.nonce) == (SENT, None)


def test_no_connection_to_the_database_is_held_while_a_server_talks(people, outside, monkeypatch):
    ask(people)
    others = []

    def send(_mail, message_id):
        with outside.begin() as connection:  # would wait for a lock
            connection.execute(sa.update(OutboxMessage.__table__).values(language="de"))
        others.append(message_id)
        return "250 OK"

    monkeypatch.setattr(transport, "send", send)
    assert work(people) == [(HAN, SENT, None)]
    assert others


def test_a_mail_that_was_sent_is_written_down_by_a_database_that_comes_back(people, outside, failing, monkeypatch):
    ask(people)
    tries = []
    monkeypatch.setattr(delivery.time, "sleep", tries.append)
    written = delivery._write

    def write(*known):
        if len(tries) < 2:
            raise sa.exc.OperationalError("UPDATE", {}, Exception("away"))
        written(*known)

    monkeypatch.setattr(delivery, "_write", write)
    assert work(people) == [(HAN, SENT, None)]
    assert row(people).status == SENT
    assert len(failing.sent) == 1


# --- Servers that misbehave ---


@pytest.mark.parametrize(
    "behaviour",
    [smtp.hangs, smtp.drips, smtp.talks_nonsense, smtp.is_busy, smtp.dies_half_way, smtp.dies_after_the_mail],
    ids=lambda found: found.__name__,
)
def test_a_mail_waits_for_a_server_that_misbehaves_and_leaves_when_it_is_well(
    people, held_clock, monkeypatch, behaviour
):
    ask(people)
    with misbehaving(behaviour) as config, monkeypatch.context() as impatient:
        impatient.setattr(transport, "ANSWER_TIMEOUT", 0.3)
        impatient.setattr(transport, "MAIL_TIMEOUT", 0.6)
        sends_to(people, config)
        ((_address, status, error),) = work(people)
    assert status == QUEUED
    assert error
    assert row(people).last_error == error
    assert "sptoken" not in error
    held_clock.forward(minutes=2)
    with mail_server() as server:
        sends_to(people, server.config)
        assert work(people) == [(HAN, SENT, None)]
    assert len(server.mails) == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_refuses_one_mail_gets_the_others(people, step):
    ask(people, LEIA)
    ask(people, HAN)
    with mail_server() as server:
        server.answers[step] = iter_answers("550 Not this one", "")
        sends_to(people, server.config)
        outcomes = work(people)
    assert sorted(status for _address, status, _error in outcomes) == [FAILED, SENT]
    assert len(server.mails) == 1


# --- A queue of the host's own ---


def test_a_hosts_own_queue_is_given_the_id_after_the_commit(people):
    jobs = []
    people.config["STORMPATH_MAIL_DELIVERY"] = jobs.append
    message_id = ask(people)
    assert jobs == [message_id]
    with people.app_context():
        assert deliver(message_id) == SENT
        assert deliver(message_id) == SENT
    assert row(people).attempts == 1


def test_a_queue_of_the_hosts_own_tries_again_when_it_likes_and_not_beside_another(people, failing, held_clock):
    message_id = ask(people)
    failing.errors += [MailDelayed("Busy."), KeyboardInterrupt()]
    with people.app_context():
        assert deliver(message_id) == QUEUED
        assert row(people).due_at > held_clock.at
        with pytest.raises(KeyboardInterrupt):
            deliver(message_id)  # at once; this worker dies
        assert deliver(message_id) == QUEUED  # it may still be at it
        assert failing.sent == []
        held_clock.at += delivery.LEASE
        assert deliver(message_id) == SENT


def test_a_queue_that_fails_undoes_nothing(people, caplog):
    def fail(_message_id):
        raise ConnectionError("no broker")

    people.config["STORMPATH_MAIL_DELIVERY"] = fail
    ask(people)
    assert "A receiver of a signal failed" in caplog.text
    people.config["STORMPATH_MAIL_DELIVERY"] = "command"
    assert work(people) == [(HAN, SENT, None)]


def test_a_queue_that_sends_at_once_within_a_change_of_several_waits_for_its_commit(people, failing):
    from stormpath_app import StormpathManager

    people.config["STORMPATH_MAIL_DELIVERY"] = deliver
    with people.app_context(), StormpathManager.atomic():
        Application.current().send_password_reset_email(HAN)
        assert failing.sent == []
    assert len(failing.sent) == 1


# --- Afterwards ---


def test_what_failed_is_tried_again_where_no_link_of_it_is_gone(people, failing):
    linked, plain = ask(people), tell(people)
    failing.errors += [MailRefused("No."), MailRefused("No.")]
    assert [status for _address, status, _error in work(people)] == [FAILED, FAILED]
    with people.app_context():
        assert delivery.retry([linked, plain]) == 1
    assert work(people) == [(HAN, SENT, None)]


def test_old_mails_are_deleted_and_those_that_wait_stay(people, failing, held_clock):
    people.config["STORMPATH_MESSAGE_RETENTION"] = timedelta(hours=1)  # but a day at least, for the quota
    sent = tell(people)
    work(people)
    held_clock.forward(hours=23)
    with people.app_context():
        assert prune() == 0
    held_clock.forward(hours=2)
    waiting = ask(people)
    with people.app_context():
        assert prune() == 1
        assert session.scalars(sa.select(OutboxMessage.id)).all() == [waiting]
    assert sent != waiting


# --- What strangers ask for ---


@pytest.mark.parametrize(("who", "outcomes"), [(HAN, [(HAN, SENT, None)]), ("nobody@elsewhere.example", [])])
def test_what_a_stranger_asks_for_becomes_a_mail_where_there_is_somebody_to_mail_to(people, failing, who, outcomes):
    with people.app_context():
        Application.current().request_password_reset(who)
    assert work(people) == outcomes
    with people.app_context():
        assert session.scalars(sa.select(OutboxMessage.kind)).all() == ["reset"] * len(outcomes)


def test_a_request_that_cannot_be_answered_now_is_answered_later(people, failing, held_clock, monkeypatch):
    with people.app_context():
        Application.current().request_password_reset(HAN)
    with monkeypatch.context() as patched:
        patched.setattr(Application, "answer", lambda _self, _asked: 1 / 0)
        assert work(people) == [(HAN, QUEUED, "It cannot be answered: ZeroDivisionError")]
    held_clock.forward(minutes=1)
    assert work(people) == [(HAN, SENT, None)]


def test_a_queue_of_the_hosts_own_is_told_of_the_mail_that_a_request_became(people, failing):
    jobs = []
    people.config["STORMPATH_MAIL_DELIVERY"] = jobs.append
    with people.app_context():
        Application.current().request_password_reset(HAN)
        assert deliver(jobs[0]) is None
        assert deliver(jobs[1]) == SENT
    assert len(jobs) == 2
