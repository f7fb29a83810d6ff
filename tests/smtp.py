"""Mail servers on this machine: good ones, with and without TLS, and ones that misbehave in each way there is."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .servers import PATIENCE, free_port

USERNAME, PASSWORD = "mailer", "Hoth.12:Echo"


@dataclass
class Delivered:
    """A mail that a server has taken."""

    sender: str
    recipients: list[str]
    raw: bytes
    encrypted: bool

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.raw, EmailMessage, policy=policy.default)

    @property
    def text(self) -> str:
        part = self.mail.get_body(("plain",))
        assert part is not None
        return part.get_content()


@dataclass
class MailServer:
    """A server at `port`, with the mails that it took, and all that were tried.

    `answers`: what it says to each step ("RCPT", "DATA"), in the place of its usual answer, unless that is "".
    """

    port: int = 0
    mails: list[Delivered] = field(default_factory=list)
    tried: list[Delivered] = field(default_factory=list)
    answers: dict[str, Callable[[], str]] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    is_tls: bool = False
    asks_for_login: bool = False

    async def handle_MAIL(self, _server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.asks_for_login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if refusal := self._said("MAIL"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        if refusal := self._said("RCPT"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        taken = Delivered(
            envelope.mail_from, envelope.rcpt_tos, envelope.content, self.is_tls or session.ssl is not None
        )
        self.tried.append(taken)
        if refusal := self._said("DATA"):
            return refusal
        self.mails.append(taken)
        return "250 Taken as number 1"

    def _said(self, step: str) -> str:
        return self.answers[step]() if step in self.answers else ""


@contextlib.contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, login: bool = False
) -> Iterator[MailServer]:
    """Run a server; `config` is what an app needs for it.

    :param tls: it begins with TLS. :param starttls: it asks for STARTTLS. :param login: it asks for USERNAME, PASSWORD.
    """
    server = MailServer(free_port(), is_tls=bool(tls), asks_for_login=login)
    options: dict[str, Any] = {"tls_context": starttls, "require_starttls": bool(starttls)}
    if login:
        options.update(authenticator=_authenticate, auth_require_tls=bool(starttls))
        server.config.update(MAIL_USERNAME=USERNAME, MAIL_PASSWORD=PASSWORD)
    server.config.update(
        MAIL_SERVER="localhost", MAIL_PORT=server.port, MAIL_USE_SSL=bool(tls), MAIL_USE_TLS=bool(starttls)
    )
    with _serving(lambda: SMTP(server, hostname="localhost", **options), server.port, tls):
        yield server


@contextlib.contextmanager
def _serving(protocol: Callable[[], SMTP], port: int, tls: ssl.SSLContext | None) -> Iterator[None]:
    """Serve in a thread. aiosmtpd's own controller looks for its greeting first, and trusts no certificate of ours."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # a client that will not go on is what is being tested
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(loop.create_server(protocol, "127.0.0.1", port, ssl=tls), loop)
    listening.result(PATIENCE)

    async def close() -> None:
        listening.result().close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(close(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    is_right = (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


# --- Certificates ---


@dataclass
class Certificates:
    """A certificate authority in `ca_file`, and contexts of servers that it, or nobody, vouches for."""

    ca_file: Path
    good: ssl.SSLContext
    for_another_name: ssl.SSLContext
    expired: ssl.SSLContext
    self_signed: ssl.SSLContext


def make_certificates(folder: Path) -> Certificates:
    """Make them all."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("Test CA", key, issuer="Test CA", issuer_key=key, is_ca=True)
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))

    def context(file: str, name: str = "localhost", *, signed: bool = True, days: int = 2) -> ssl.SSLContext:
        own = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(
            name, own, issuer="Test CA" if signed else name, issuer_key=key if signed else own, days=days
        )
        return _context(folder / file, own, made)

    return Certificates(
        ca_file,
        good=context("good.pem"),
        for_another_name=context("other.pem", "elsewhere.example"),
        expired=context("expired.pem", days=-1),
        self_signed=context("self.pem", signed=False),
    )


def _certificate(
    name: str, key: Any, *, issuer: str, issuer_key: Any, is_ca: bool = False, days: int = 2
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _context(file: Path, key: Any, certificate: x509.Certificate) -> ssl.SSLContext:
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


# --- Servers that misbehave ---


@contextlib.contextmanager
def misbehaving(behave: Callable[[socket.socket], None]) -> Iterator[dict[str, Any]]:
    """Run a server that does this with each connection; give what an app needs for it."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                behave(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": server.server_address[1]}
        finally:
            server.shutdown()
            thread.join()


def hangs(connection: socket.socket) -> None:
    """Say nothing."""
    connection.recv(1)


def drips(connection: socket.socket) -> None:
    """Say one letter after the other, and never end."""
    while True:
        connection.sendall(b"2")
        time.sleep(0.05)


def says_ever_more(connection: socket.socket) -> None:
    """Send an answer of many lines, which has no last one."""
    while True:
        connection.sendall(b"220-and another thing\r\n")
        time.sleep(0.01)


def talks_nonsense(connection: socket.socket) -> None:
    """Be no mail server at all."""
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    connection.recv(1024)


def is_busy(connection: socket.socket) -> None:
    """Greet with a refusal."""
    connection.sendall(b"421 Too many connections\r\n")


def dies_half_way(connection: socket.socket) -> None:
    """Take a mail's first lines, then go."""
    talk(connection, end="DATA")


def dies_after_the_mail(connection: socket.socket) -> None:
    """Take the whole mail, and go without a word."""
    talk(connection, end=".")


def dies_after_its_answer(connection: socket.socket) -> None:
    """Take the whole mail, say so, and go."""
    talk(connection, end="QUIT")


def offers_tls_and_refuses(connection: socket.socket) -> None:
    """Offer STARTTLS and refuse it."""
    talk(connection, end="QUIT", starttls=b"454 TLS not available")


def talk(connection: socket.socket, *, end: str, starttls: bytes = b"") -> None:
    """Talk as a mail server does, up to a word of the client's, and close the connection then."""
    connection.sendall(b"220 localhost\r\n")
    in_data = False
    for line in connection.makefile("rb"):
        word = line.strip().decode("ascii", "replace").upper()
        if in_data:
            if word == ".":
                if end == ".":
                    return
                in_data = False
                connection.sendall(b"250 Taken\r\n")
        elif word.startswith("DATA"):
            connection.sendall(b"354 Go on\r\n")
            in_data = True
            if end == "DATA":
                connection.recv(20)
                return
        elif word.startswith(end):
            return
        elif word.startswith("STARTTLS"):
            connection.sendall(starttls + b"\r\n")
        elif word.startswith("EHLO") and starttls:
            connection.sendall(b"250-localhost\r\n250 STARTTLS\r\n")
        else:
            connection.sendall(b"250 OK\r\n")
