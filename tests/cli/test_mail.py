"""The commands for mails: send, test, list, retry."""

import json
import os
import signal
import threading
import time

import pytest
import sqlalchemy as sa

from stormpath_app.cli import mail as module
from stormpath_app.mail import delivery
from stormpath_app.mail.transport import MailDelayed, MailRefused

from ..mail.test_delivery import HAN, LEIA, ask, failing, people, row, sends_to, tell  # noqa: F401 - fixtures
from ..servers import PATIENCE, free_port
from ..smtp import mail_server
from ..test_cli import run

# --- Sending ---


def test_send_once_tells_of_each_mail_and_ends(people, failing):  # noqa: F811
    ask(people, LEIA)
    ask(people, HAN)
    failing.errors += [MailRefused("No such person."), MailDelayed("Busy.")]
    code, said, _ = run(people, "mail", "send", "--once")
    first, second = said.splitlines()
    assert code == 0
    assert first.split("  ", 1)[1] == f"FAILED  reset                 {LEIA}  No such person."
    assert f"QUEUED  reset                 {HAN}  Busy. It is tried again at " in second
    assert run(people, "mail", "send", "--once") == (0, "", "")


def test_many_mails_at_a_terminal_are_a_bar_and_those_that_failed(people, failing, monkeypatch):  # noqa: F811
    for _number in range(2):
        tell(people)
    ask(people)
    failing.errors += [MailDelayed("Busy.")]
    monkeypatch.setattr(module, "_BACKLOG", 2)
    monkeypatch.setattr(module, "sys", type("Terminal", (), {"stdout": type("Out", (), {"isatty": lambda: True})}))
    code, said, _ = run(people, "mail", "send", "--once")
    assert code == 0
    assert "Sending" in said
    assert said.count("QUEUED") == 1
    assert "SENT" not in said
    assert len(failing.sent) == 2


def test_send_waits_for_mails_until_it_is_interrupted(people, failing, monkeypatch):  # noqa: F811
    monkeypatch.setattr(module, "_GLANCE", 0.05)
    before = signal.getsignal(signal.SIGINT)  # in the background, shells let it be ignored

    def interrupt():
        time.sleep(0.3)
        ask(people)
        ends = time.monotonic() + PATIENCE
        while not failing.sent and time.monotonic() < ends:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    code, said, complaint = run(people, "mail", "send")
    other.join()
    assert (code, complaint) == (0, "")
    assert said.splitlines()[0] == "Sending mails as they come. Ctrl-C ends."
    assert len(failing.sent) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_send_outlives_a_database_that_is_away(people, monkeypatch):  # noqa: F811
    monkeypatch.setattr(module, "_GLANCE", 0.01)
    tries = []

    def count():
        tries.append(1)
        if len(tries) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        raise sa.exc.OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(delivery, "count_due", count)
    code, _said, complaint = run(people, "mail", "send")
    assert code == 0
    assert complaint.splitlines() == ["The database does not answer: away"] * 3
    code, _said, complaint = run(people, "mail", "send", "--once")
    assert (code, "away" in complaint) == (1, True)


def test_the_mail_that_is_being_sent_is_the_last_after_an_interrupt(people, failing, monkeypatch):  # noqa: F811
    ask(people, LEIA)
    ask(people, HAN)
    settled = delivery._settle
    monkeypatch.setattr(delivery, "_settle", lambda *known: os.kill(os.getpid(), signal.SIGINT) or settled(*known))
    code, said, _ = run(people, "mail", "send")
    assert code == 0
    assert said.count("SENT") == len(failing.sent) == 1


# --- A test ---


def test_a_test_mail_is_sent_at_once_and_the_servers_answer_told(people):  # noqa: F811
    with mail_server() as server:
        sends_to(people, server.config)
        code, said, _ = run(people, "mail", "test", "yoda@dagobah.example")
    assert code == 0
    assert said == (
        f"A mail to yoda@dagobah.example was handed over (localhost:{server.port}): 250 Taken as number 1\n"
    )
    assert server.mails[0].recipients == ["yoda@dagobah.example"]


def test_a_test_mail_that_cannot_be_sent_says_what_to_mend(people):  # noqa: F811
    with mail_server() as server:
        sends_to(people, server.config | {"MAIL_USERNAME": "a", "MAIL_PASSWORD": "b"})
        code, _said, complaint = run(people, "mail", "test", HAN)
    assert code == 1
    assert complaint == (
        f"Error: localhost:{server.port} offers no login. Many servers offer it after encryption alone: set"
        " MAIL_USE_TLS or MAIL_USE_SSL.\n"
    )
    port = free_port()
    sends_to(people, {"MAIL_SERVER": "localhost", "MAIL_PORT": port, "MAIL_PASSWORD": None})
    assert "Connection refused. Set MAIL_SERVER and MAIL_PORT" in run(people, "mail", "test", HAN)[2]
    complaint = run(people, "mail", "test", "nobody")[2]
    assert complaint == "Error: The recipient's address is none that a mail can be sent to.\n"


# --- What became of them ---


def test_mails_are_listed_with_why_they_did_not_leave(people, failing):  # noqa: F811
    failing.errors.append(MailRefused("No such person."))
    failed = ask(people, LEIA)
    run(people, "mail", "send", "--once")
    waiting = ask(people)
    code, said, _ = run(people, "mail", "list")
    newest, oldest = said.splitlines()
    assert code == 0
    assert newest.startswith(waiting)
    assert newest.endswith(f"QUEUED  reset                 {HAN}")
    assert oldest.endswith(f"FAILED  reset                 {LEIA}  No such person.")
    assert run(people, "mail", "list", "--failed")[1].split()[0] == failed
    (known,) = json.loads(run(people, "mail", "list", "--failed", "--json")[1])
    assert (known["id"], known["status"], known["attempts"]) == (failed, "FAILED", 1)
    assert not {"nonce", "parameters"} & set(known)
    assert len(json.loads(run(people, "mail", "list", "--limit", "1", "--json")[1])) == 1


def test_a_mail_without_a_link_that_failed_is_tried_again(people, failing):  # noqa: F811
    failing.errors.append(MailRefused("No."))
    message_id = tell(people)
    run(people, "mail", "send", "--once")
    assert run(people, "mail", "retry", message_id) == (0, "Tried again: 1.\n", "")
    assert row(people).status == "QUEUED"


def test_what_cannot_be_tried_again_says_why(people, failing):  # noqa: F811
    failing.errors.append(MailRefused("No."))
    message_id = ask(people)
    run(people, "mail", "send", "--once")
    assert run(people, "mail", "retry", message_id)[2] == (
        f"Error: The link in it is gone: {HAN} has to ask for a new one.\n"
    )
    assert run(people, "mail", "retry", "--failed")[1] == (
        "Tried again: 0; 1 are not, as their links are gone: people ask for new ones.\n"
    )
    sent = tell(people, LEIA)
    run(people, "mail", "send", "--once")
    assert "It was sent at " in run(people, "mail", "retry", sent)[2]
    assert "There is no mail 'none'" in run(people, "mail", "retry", "none")[2]
    assert run(people, "mail", "retry")[0] == 2
    assert run(people, "mail", "retry", "--failed", sent)[0] == 2


@pytest.mark.parametrize("command", [("list",), ("list", "--json"), ("send", "--once"), ("retry", "--failed")])
def test_a_site_without_mails_is_no_mistake(people, command):  # noqa: F811
    assert run(people, "mail", *command)[0] == 0


def test_old_mails_are_forgotten(people, failing, held_clock):  # noqa: F811
    tell(people)
    run(people, "mail", "send", "--once")
    assert run(people, "mail", "prune") == (0, "Forgotten: 0.\n", "")
    held_clock.forward(days=31)
    assert run(people, "mail", "prune") == (0, "Forgotten: 1.\n", "")
    assert run(people, "mail", "list", "--json")[1] == "[]\n"
