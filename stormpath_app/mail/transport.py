"""How one mail leaves: by Flask-Mail's configuration, with certificates that are verified and an end to all waiting.

A host's own `Mail(app)` is joined: its server, its account there, its `record_messages()`. Ours is made where there is
none. What Flask-Mail's own connection lacks is here: it verifies no certificate, and waits for ever.
"""

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import policy
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr
from typing import Any

import idna
from flask import Flask
from flask_mail import Mail, Message, email_dispatched

from .. import clock, current
from . import inbox
from .rendered import RenderedMail

#: How long each answer of the server may take, and the whole of one mail, in seconds.
ANSWER_TIMEOUT, MAIL_TIMEOUT = 10.0, 60.0


class MailNotSent(Exception):
    """A mail did not leave. `str()` of it is one line without a secret; `fix`: what may mend it, or ""."""

    def __init__(self, line: str, fix: str = "") -> None:
        super().__init__(one_line(line))
        self.fix = fix


class MailRefused(MailNotSent):
    """It never will: the server refuses the sender, the recipient or the text, or there is no such address."""


class MailDelayed(MailNotSent):
    """It may later: the server is away, busy or wrongly set up."""


def send(mail: RenderedMail, message_id: str) -> str:
    """Send a mail, and return what the server answered; it has it then, whatever happens next.

    :param message_id: of the outbox message; each try of it has the same Message-ID.
    :raises MailRefused, MailDelayed: it was not sent.
    """
    outgoing = OutgoingMail(mail, message_id)
    app = current.app()
    if inbox.is_open(app):
        answer = inbox.keep(app, mail.to, outgoing.as_bytes())
    elif is_suppressed(app):
        answer = "Not sent: MAIL_SUPPRESS_SEND or TESTING is on."
    else:
        answer = _talk(joined(app), outgoing)
    try:
        email_dispatched.send(app, message=outgoing)
    except Exception:  # a receiver is the host's code, and the mail is gone
        app.logger.exception("A receiver of email_dispatched failed; the mail was sent.")
    return answer


def joined(app: Flask) -> Any:
    """Return what the app has of Flask-Mail: the host's, or one that is made now."""
    if "mail" not in app.extensions:
        Mail(app)
    return app.extensions["mail"]


def is_suppressed(app: Flask) -> bool:
    """Tell whether mails are recorded and not sent: MAIL_SUPPRESS_SEND, or, where that is not set, a test."""
    # A host's Mail(app) may be older than its TESTING.
    return bool(app.config.get("MAIL_SUPPRESS_SEND", joined(app).suppress or app.testing))


# --- What is sent ---

_UTF8 = Charset("utf-8")
_UTF8.body_encoding = QP  # no line is too long for a server
# Not policy.SMTP: it takes headers apart to fold them, and does not always put them together again.
_POLICY = policy.compat32.clone(linesep="\r\n")
_ADDRESS = re.compile(r'([^\s@<>()\[\],;:\\"]+)@([^\s@<>()\[\],;:\\"]+)')


class OutgoingMail(Message):
    """A mail on its way: a message of Flask-Mail, whose `record_messages()` has it.

    :raises MailRefused: it cannot be written as a mail.
    """

    def __init__(self, mail: RenderedMail, message_id: str) -> None:
        self.to, self.text = mail.to, mail.text
        name, sender = mail.sender
        self.envelope_to, self.envelope_from = _address("recipient's", mail.to), _address("sender's", sender)
        reply_to = _address("reply-to", mail.reply_to) if mail.reply_to else None
        for what, value in (("subject", mail.subject), ("sender's name", name)):
            if not value.isprintable():
                raise MailRefused(f"The {what} has a line break or another control character in it.")
        super().__init__(
            subject=mail.subject,
            recipients=[self.envelope_to],
            body=mail.text,
            html=mail.html,
            sender=(name, self.envelope_from),
            reply_to=reply_to,
        )
        self._name = name
        self.msgId = f"<{message_id}@{self.envelope_from.rpartition('@')[2]}>"

    @property
    def links(self) -> list[str]:
        """The addresses in its text; where there is no text, in its HTML."""
        if self.text is not None:
            return re.findall(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]", self.text)
        return re.findall(r"href=[\"'](https?://[^\"']+)", self.html or "")

    def _message(self) -> MIMEMultipart | MIMEText:
        """Build the mail: text, HTML, or both."""
        bodies = [_body(text, kind) for kind, text in (("plain", self.text), ("html", self.html)) if text]
        whole = bodies[0] if len(bodies) == 1 else MIMEMultipart("alternative", _subparts=bodies)
        whole["Subject"] = _encoded("Subject", self.subject)
        whole["From"] = formataddr((_encoded("From", self._name), self.envelope_from))
        whole["To"] = self.envelope_to
        if self.reply_to:
            whole["Reply-To"] = str(self.reply_to)
        whole["Date"] = format_datetime(clock.now())
        whole["Message-ID"] = self.msgId
        whole["Auto-Submitted"] = "auto-generated"
        return whole

    def as_string(self) -> str:
        """Return it as text."""
        return self.as_bytes().decode("ascii")

    def as_bytes(self) -> bytes:
        """Return it as it travels."""
        return self._message().as_bytes(policy=_POLICY)


def _body(text: str, kind: str) -> MIMEText:
    return MIMEText(text, kind, _UTF8)  # type: ignore[arg-type] # the type's own mistake


def _encoded(name: str, text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", header_name=name).encode(linesep="")


def _address(whose: str, text: str) -> str:
    """Return one address as servers take it.

    :raises MailRefused: it is none, or several, or has something else in it.
    """
    found = _ADDRESS.fullmatch(text)
    if not found or not text.isprintable():
        raise MailRefused(f"The {whose} address is none that a mail can be sent to.")
    local, domain = found.groups()
    if not local.isascii():
        raise MailRefused(f"The {whose} address has letters before the @ that servers do not take.")
    try:
        return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError as error:
        raise MailRefused(f"The {whose} address has a domain that cannot be.") from error


# --- The way to the server ---


class _Lifeline:
    """Ends a connection from outside: a server that sends a byte at a time never lets an answer time out."""

    def __init__(self) -> None:
        self.is_cut = False
        self._timer = threading.Timer(MAIL_TIMEOUT, self._cut)
        self._timer.daemon = True
        self._socket: socket.socket | None = None

    def hold(self, connection: socket.socket) -> None:
        """Hold a connection, before TLS is put on top of it."""
        self._socket = connection.dup()
        self._timer.start()

    def _cut(self) -> None:
        self.is_cut = True
        if self._socket:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        self._timer.cancel()
        if self._socket:
            self._socket.close()


class _Client(smtplib.SMTP):
    """A connection without TLS, or before it."""

    _host: str
    lifeline: _Lifeline

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc] # has no type
        self.lifeline.hold(made)
        return made


class _TLSClient(smtplib.SMTP_SSL, _Client):
    """A connection that begins with TLS, put on what `_Client` has made."""


@contextmanager
def _connected(state: Any, lifeline: _Lifeline) -> Iterator[_Client]:
    """Give a connection to the server, encrypted and logged in as Flask-Mail's configuration says."""
    context = ssl.create_default_context() if state.use_ssl or state.use_tls else None  # SSL_CERT_FILE counts
    client = _TLSClient(timeout=ANSWER_TIMEOUT, context=context) if state.use_ssl else _Client(timeout=ANSWER_TIMEOUT)
    client.lifeline = lifeline
    # Whose certificate it must be. smtplib sets it only where a constructor connects, which nothing could cut.
    client._host = state.server
    try:
        _expect(220, client.connect(state.server, state.port), "")
        if state.use_tls:
            client.starttls(context=context)
        if state.username and state.password:
            client.login(state.username, state.password)
        client.ehlo_or_helo_if_needed()
        yield client
        with suppress(OSError):  # what it says to a farewell changes nothing
            client.quit()
    finally:
        client.close()
        lifeline.release()


def _talk(state: Any, mail: OutgoingMail) -> str:
    """Send a mail to the server; return its answer.

    :raises MailRefused, MailDelayed: it did not take it.
    """
    text = mail.as_bytes()
    lifeline = _Lifeline()
    try:
        with _connected(state, lifeline) as client:
            _expect(250, client.mail(mail.envelope_from), "the sender")
            _expect(25, client.rcpt(mail.envelope_to), "the recipient")
            return _expect(250, client.data(text), "the mail")
    except (OSError, UnicodeError) as error:
        raise _explain(TimeoutError() if lifeline.is_cut else error, state) from error


class _Refusal(smtplib.SMTPResponseException):
    """An answer of the server that is not the one to go on with. `what` was refused; "": to talk at all."""

    def __init__(self, code: int, said: bytes, what: str) -> None:
        super().__init__(code, said)
        self.what = what


def _expect(expected: int, answer: tuple[int, bytes], what: str) -> str:
    """Return an answer as text, if its code is the expected one, or begins so."""
    code, said = answer
    if not str(code).startswith(str(expected)):
        raise _Refusal(code, said, what)
    return one_line(f"{code} {_decoded(said)}")


# --- Why it was not sent ---

_LOG_IN_FIRST = frozenset({530, 534, 535, 538})


def _explain(error: OSError | UnicodeError, state: Any) -> MailNotSent:
    """Return an error as a sentence, and what may mend it. No sentence has the password or a link in it."""
    at = f"{state.server}:{state.port}"
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, OSError):
        error = error.__context__  # what smtplib makes that of
    match error:
        case ssl.SSLCertVerificationError():
            return MailDelayed(f"The certificate of {at} is not trusted: {error.verify_message}", _CERTIFICATE)
        case ssl.SSLError():
            return MailDelayed(f"TLS with {at} failed: {error.reason or 'the connection ended'}", _TLS)
        case TimeoutError():
            return MailDelayed(f"{at} did not answer in time.", _SILENCE)
        case socket.gaierror(errno=socket.EAI_SERVICE):
            return MailDelayed(f"There is no port {state.port!r}.", "Set MAIL_PORT to a number, such as 587.")
        case socket.gaierror() | UnicodeError():
            return MailDelayed(f"There is no server {state.server!r}.", "Set MAIL_SERVER to a name that is known.")
        case smtplib.SMTPNotSupportedError() if not state.use_tls:
            return MailDelayed(f"{at} offers no login.", _NO_LOGIN)
        case smtplib.SMTPNotSupportedError():
            return MailDelayed(f"{at} offers no STARTTLS, or no login after it.", _TLS)
        case smtplib.SMTPResponseException():
            return _explain_answer(error, state)
        case smtplib.SMTPServerDisconnected():
            return MailDelayed(f"{at} ended the connection.", _SILENCE)
        case smtplib.SMTPException():
            return MailDelayed(f"{at}: {error}", _LOGIN)
        case _:
            return MailDelayed(f"{at} cannot be reached: {error.strerror or type(error).__name__}", _UNREACHABLE)


def _explain_answer(error: smtplib.SMTPResponseException, state: Any) -> MailNotSent:
    what = "the mail" if isinstance(error, smtplib.SMTPDataError) else getattr(error, "what", "")
    if error.smtp_code in _LOG_IN_FIRST or isinstance(error, smtplib.SMTPAuthenticationError):
        # Not what it said: it may repeat what it was sent.
        return MailDelayed(f"{state.server}:{state.port} refused the login: {error.smtp_code}", _LOGIN)
    line = f"The server refused {what}".rstrip() + f": {error.smtp_code} {_decoded(error.smtp_error)}"
    if what and 500 <= error.smtp_code < 600:
        return MailRefused(line, "What the server said names the reason; another address or sender may do.")
    return MailDelayed(line, "The server may take it later." if 400 <= error.smtp_code < 500 else "")


_CERTIFICATE = (
    "Set MAIL_SERVER to the name in its certificate; for a certificate authority of your own, set the environment"
    " variable SSL_CERT_FILE to its file."
)
_TLS = "MAIL_USE_SSL is for port 465, MAIL_USE_TLS for port 587: set the one that the server has, and MAIL_PORT."
_SILENCE = "Set MAIL_SERVER and MAIL_PORT to those of the server; one that begins with TLS needs MAIL_USE_SSL."
_UNREACHABLE = "Set MAIL_SERVER and MAIL_PORT to those of the server, and let the way to it be open."
_LOGIN = "Set MAIL_USERNAME and MAIL_PASSWORD to those of the server."
_NO_LOGIN = "Many servers offer it after encryption alone: set MAIL_USE_TLS or MAIL_USE_SSL."


def _decoded(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "replace")


def one_line(text: str) -> str:
    """Return a text as one line of 300 letters at most, without what might be a link or a token."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    return _SECRET.sub("(...)", " ".join(visible.split()))[:300]


_SECRET = re.compile(r"\S*://\S*|[\w-]{40,}=*|sptoken\S*")
