"""How one mail leaves: through which server, how safely, and what is said where it does not."""

import re
import socket
import time

import pytest
from flask import Flask
from flask_mail import Mail, Message, email_dispatched

from stormpath_app.mail import transport
from stormpath_app.mail.rendered import RenderedMail
from stormpath_app.mail.transport import MailDelayed, MailNotSent, MailRefused, OutgoingMail

from .. import smtp
from ..servers import PATIENCE
from ..smtp import mail_server, misbehaving

LINK = "https://site.example/forgot/change?sptoken=" + "x" * 43


def a_mail(**changed):
    known = {
        "to": "han@falcon.example",
        "sender": ("Falcon", "no-reply@falcon.example"),
        "reply_to": None,
        "subject": "A new password",
        "text": f"Choose one:\n{LINK}\n.\nA line with a dot before it.\n",
        "html": f'<p>Choose <a href="{LINK}">one</a>.</p>',
    }
    return RenderedMail(**known | changed)


def send(config, mail=None, message_id="one-message"):
    app = Flask("host")
    app.config.update(config)
    with app.app_context():
        return transport.send(mail or a_mail(), message_id)


def error_of(config, mail=None):
    with pytest.raises(MailNotSent) as caught:
        send(config, mail)
    told = str(caught.value)
    assert "\n" not in told
    assert "sptoken" not in told
    assert smtp.PASSWORD not in told
    return type(caught.value), told, caught.value.fix


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return smtp.make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trusted(certificates, monkeypatch):
    """Trust the tests' certificate authority, as an administrator would."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    return certificates


@pytest.fixture
def quick(monkeypatch):
    """Wait for half a second, and for no mail longer than one."""
    monkeypatch.setattr(transport, "ANSWER_TIMEOUT", 0.5)
    monkeypatch.setattr(transport, "MAIL_TIMEOUT", 1.0)


# --- What is sent ---


def test_a_mail_arrives_as_it_was_rendered():
    with mail_server() as server:
        assert send(server.config) == "250 Taken as number 1"
    (taken,) = server.mails
    assert (taken.sender, taken.recipients) == ("no-reply@falcon.example", ["han@falcon.example"])
    assert taken.mail["From"] == "Falcon <no-reply@falcon.example>"
    assert taken.mail["To"] == "han@falcon.example"
    assert taken.mail["Subject"] == "A new password"
    assert taken.mail["Auto-Submitted"] == "auto-generated"
    assert taken.mail["Date"].datetime.tzinfo
    assert taken.mail["Reply-To"] is None
    assert taken.mail.get_content_type() == "multipart/alternative"
    assert taken.text.splitlines() == a_mail().text.splitlines()
    assert taken.mail.get_body(("html",)).get_content().strip() == a_mail().html


@pytest.mark.parametrize(("missing", "kind"), [("text", "text/html"), ("html", "text/plain")])
def test_a_mail_with_one_body_has_no_empty_second_one(missing, kind):
    with mail_server() as server:
        send(server.config, a_mail(**{missing: None}))
    assert server.mails[0].mail.get_content_type() == kind


def test_letters_outside_ascii_arrive_and_no_line_is_too_long_for_a_server():
    mail = a_mail(
        subject="Größe, 大きさ und вес, " * 6 + "Ende",
        sender=("Ärger, & Söhne", "no-reply@falcon.example"),
        reply_to="hilfe@bücher.example",
        text="Grüße " * 400,
        html="<p>" + "大" * 3000 + "</p>",
    )
    with mail_server() as server:
        send(server.config, mail)
    taken = server.mails[0]
    assert taken.raw.isascii()
    assert max(map(len, taken.raw.splitlines())) < 100
    assert taken.mail["Subject"] == mail.subject
    assert taken.mail["From"].addresses[0].display_name == "Ärger, & Söhne"
    assert taken.mail["Reply-To"] == "hilfe@xn--bcher-kva.example"
    assert taken.text.strip() == mail.text.strip()
    assert taken.mail.get_body(("html",)).get_content().strip() == mail.html


def test_each_try_of_a_message_has_the_same_message_id_and_each_message_its_own():
    with mail_server() as server:
        for message_id in ("first", "first", "second"):
            send(server.config, message_id=message_id)
    first, again, second = (taken.mail["Message-ID"] for taken in server.mails)
    assert first == again == "<first@falcon.example>"
    assert second != first


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028", "\0"])
@pytest.mark.parametrize("where", ["subject", "name", "sender", "reply_to", "to"])
def test_nothing_gets_into_a_header_that_could_begin_another(where, end):
    evil = f"leia@alderaan.example{end}Bcc: vader@empire.example"
    changed = {
        "subject": {"subject": evil},
        "name": {"sender": (evil, "no-reply@falcon.example")},
        "sender": {"sender": ("Falcon", evil)},
        "reply_to": {"reply_to": evil},
        "to": {"to": evil},
    }[where]
    with mail_server() as server:
        kind, _told, _fix = error_of(server.config, a_mail(**changed))
    assert kind is MailRefused
    assert server.mails == []


@pytest.mark.parametrize(
    "address",
    [
        "",
        "han",
        "han@falcon.example, leia@alderaan.example",
        "han@falcon.example leia@alderaan.example",
        "Han <han@falcon.example>",
        "leia@alderaan.example(han@falcon.example",
        "han@falcon.example>\n<leia@alderaan.example",
        "@falcon.example:leia@alderaan.example",
        "hän@falcon.example",
        "han@" + "ü" * 80,
    ],
)
def test_what_is_not_one_address_is_sent_to_nobody(address):
    with mail_server() as server:
        assert error_of(server.config, a_mail(to=address))[0] is MailRefused
    assert server.mails == []


def test_a_name_that_looks_like_another_sender_stays_a_name():
    with mail_server() as server:
        send(server.config, a_mail(sender=('Boss" <boss@bank.example>,', "no-reply@falcon.example")))
    (sender,) = server.mails[0].mail["From"].addresses
    assert sender.addr_spec == "no-reply@falcon.example"


def test_the_links_of_a_mail_are_those_a_person_would_follow():
    with Flask("host").app_context() as context:
        Mail(context.app)
        assert OutgoingMail(a_mail(), "one").links == [LINK]
        assert OutgoingMail(a_mail(text=None), "one").links == [LINK]
        assert OutgoingMail(a_mail(text="(See http://a.example/b?c=d, or http://e.example.)"), "one").links == [
            "http://a.example/b?c=d",
            "http://e.example",
        ]


# --- Beside a host's Flask-Mail ---


def test_a_hosts_own_mail_is_joined():
    with mail_server() as server, mail_server() as later:
        app = Flask("host")
        app.config.update(server.config)
        theirs = Mail(app)
        app.config.update(later.config)  # Flask-Mail reads its configuration once
        with app.app_context():
            transport.send(a_mail(), "one")
            theirs.send(Message("Their own", sender="a@host.example", recipients=["b@host.example"], body="x"))
    assert [taken.mail["Subject"] for taken in server.mails] == ["A new password", "Their own"]


@pytest.mark.parametrize("config", [{"TESTING": True}, {"MAIL_SUPPRESS_SEND": True}])
def test_in_a_test_mails_are_recorded_and_not_sent(config):
    with mail_server() as server:
        app = Flask("host")
        app.config.update(server.config)
        mail = Mail(app)  # before the test's configuration
        app.config.update(config)
        with app.app_context(), mail.record_messages() as recorded:
            transport.send(a_mail(), "one")
    assert server.mails == []
    assert [(one.subject, one.recipients, one.body) for one in recorded] == [
        ("A new password", ["han@falcon.example"], a_mail().text)
    ]
    assert recorded[0].links == [LINK]


def test_a_test_that_wants_its_mails_sent_says_so():
    with mail_server() as server:
        send(server.config | {"TESTING": True, "MAIL_SUPPRESS_SEND": False})
    assert len(server.mails) == 1


def test_a_listener_of_the_hosts_that_fails_makes_no_sent_mail_an_unsent_one(caplog):
    def fail(_app, **_known):
        raise RuntimeError("theirs")

    with mail_server() as server, email_dispatched.connected_to(fail):
        assert send(server.config).startswith("250")
    assert "A receiver of email_dispatched failed" in caplog.text


# --- How safely ---


def test_a_server_with_a_certificate_of_a_trusted_authority_gets_mails_over_tls(trusted):
    with mail_server(tls=trusted.good, login=True) as server:
        send(server.config)
    assert [taken.encrypted for taken in server.mails] == [True]


def test_a_server_with_starttls_and_a_login_gets_mails_over_tls(trusted):
    with mail_server(starttls=trusted.good, login=True) as server:
        send(server.config)
    assert [taken.encrypted for taken in server.mails] == [True]


@pytest.mark.parametrize("how", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("which", "told"),
    [
        ("self_signed", "self-signed certificate"),
        ("expired", "certificate has expired"),
        ("for_another_name", "Hostname mismatch"),
    ],
)
def test_a_server_whose_certificate_proves_nothing_gets_neither_mail_nor_password(trusted, how, which, told):
    with mail_server(**{how: getattr(trusted, which)}, login=True) as server:
        kind, line, fix = error_of(server.config)
    assert kind is MailDelayed
    assert told in line
    assert "SSL_CERT_FILE" in fix
    assert server.mails == []


def test_an_authority_that_nobody_named_is_not_trusted(certificates):
    with mail_server(tls=certificates.good) as server:
        assert "not trusted" in error_of(server.config)[1]
    assert server.mails == []


def test_nothing_is_sent_in_the_clear_where_tls_was_asked_for():
    with mail_server() as server:
        kind, line, _fix = error_of(server.config | {"MAIL_USE_TLS": True})
        assert (kind, line) == (MailDelayed, f"localhost:{server.port} offers no STARTTLS, or no login after it.")
        assert error_of(server.config | {"MAIL_USE_SSL": True})[0] is MailDelayed
    assert server.mails == []
    with misbehaving(smtp.offers_tls_and_refuses) as config:
        assert error_of(config | {"MAIL_USE_TLS": True})[1].startswith("The server refused: 454 TLS not available")


# --- What is said where it does not leave ---


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(("code", "kind"), [(550, MailRefused), (554, MailRefused), (451, MailDelayed)])
def test_a_refusal_for_good_is_told_from_one_for_now(step, code, kind):
    with mail_server() as server:
        server.answers[step] = lambda: f"{code} 5.7.1 Not here, see {LINK} {'x' * 43}\x07"
        found, told, _fix = error_of(server.config)
    what = {"MAIL": "sender", "RCPT": "recipient", "DATA": "mail"}[step]
    assert found is kind
    assert told.startswith(f"The server refused the {what}: {code} 5.7.1 Not here, see (...) (...)")
    assert server.mails == []


def test_a_wrong_password_may_be_mended(trusted):
    with mail_server(starttls=trusted.good, login=True) as server:
        kind, told, fix = error_of(server.config | {"MAIL_PASSWORD": "wrong one"})
        assert (kind, told) == (MailDelayed, f"localhost:{server.port} refused the login: 535")
        assert "MAIL_PASSWORD" in fix
        kind, told, fix = error_of(server.config | {"MAIL_PASSWORD": None})
        assert (kind, told) == (MailDelayed, f"localhost:{server.port} refused the login: 530")
    assert server.mails == []


def test_a_server_without_a_login_is_told_of():
    with mail_server() as server:
        kind, told, _fix = error_of(server.config | {"MAIL_USERNAME": "a", "MAIL_PASSWORD": "b"})
    assert (kind, told) == (MailDelayed, f"localhost:{server.port} offers no login.")


def test_a_server_that_is_not_there_is_told_of():
    with socket.socket() as taken:  # a port that nobody listens at
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        kind, told, _fix = error_of({"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": port})
    assert (kind, told) == (MailDelayed, f"127.0.0.1:{port} cannot be reached: Connection refused")


@pytest.mark.parametrize("name", ["no-such-server.invalid", "a" * 70 + ".example", "a..b"])
def test_a_name_that_is_no_server_is_told_of(name):
    kind, told, _fix = error_of({"MAIL_SERVER": name})
    assert kind is MailDelayed
    assert told.startswith("There is no server")


def test_a_port_that_is_none_is_told_of():
    kind, told, fix = error_of({"MAIL_SERVER": "localhost", "MAIL_PORT": "no port"})
    assert (kind, told) == (MailDelayed, "There is no port 'no port'.")
    assert fix == "Set MAIL_PORT to a number, such as 587."


@pytest.mark.parametrize("behaviour", [smtp.hangs, smtp.drips, smtp.says_ever_more], ids=lambda found: found.__name__)
@pytest.mark.parametrize("use_ssl", [False, True], ids=["plain", "tls"])
def test_no_server_keeps_a_mail_waiting_for_ever(behaviour, use_ssl, quick):
    began = time.monotonic()
    with misbehaving(behaviour) as config:
        kind, told, _fix = error_of(config | {"MAIL_USE_SSL": use_ssl})
    assert kind is MailDelayed
    assert re.search("did not answer in time" if not use_ssl else "did not answer in time|TLS with", told)
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize(
    "behaviour",
    [smtp.talks_nonsense, smtp.is_busy, smtp.dies_half_way, smtp.dies_after_the_mail],
    ids=lambda found: found.__name__,
)
def test_a_server_that_gives_up_gets_the_mail_again_later(behaviour):
    with misbehaving(behaviour) as config:
        assert error_of(config)[0] is MailDelayed


def test_a_mail_that_was_taken_is_sent_whatever_comes_after():
    with misbehaving(smtp.dies_after_its_answer) as config:
        assert send(config) == "250 Taken"
