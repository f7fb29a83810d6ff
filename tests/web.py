"""A small web server on this machine, for what other sites do: well, or in each wrong way there is."""

import base64
import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from .servers import PATIENCE


@dataclass
class Request:
    """What a browser or a program asks. `query` and `form`: the last value of each name."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return _last(urlsplit(self.target).query)

    @property
    def form(self) -> dict[str, str]:
        return _last(self.body.decode())

    @property
    def both(self) -> dict[str, str]:
        return {**self.query, **self.form}

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def basic(self) -> tuple[str, str] | None:
        scheme, _blank, given = self.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        name, _colon, secret = base64.b64decode(given).decode().partition(":")
        return name, secret


def _last(encoded: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(encoded, keep_blank_values=True).items()}


@dataclass
class Answer:
    """What is said: an object as JSON, a text as HTML, or bytes one by one, as they come."""

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class WebServer:
    """A server at `url`. What it was asked is in `seen`.

    `answers`: what it says at a path in the place of what it would say, such as `hang` or `html`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Request] = []
        self.answers: dict[str, Callable[[Request], Answer]] = {}
        self.closing = threading.Event()

    def answer(self, request: Request) -> Answer:
        """Say what this kind of server says."""
        raise NotImplementedError

    def asked(self, path: str) -> list[Request]:
        """Return what it was asked at a path."""
        return [request for request in self.seen if request.path == path]

    # --- What it may say instead ---

    def hang(self, _request: Request) -> Answer:
        """Say nothing."""
        self.closing.wait(60)
        return Answer()

    def drip(self, _request: Request) -> Answer:
        """Say a little at a time, for ever."""

        def bytes_by_and_by() -> Iterator[bytes]:
            while not self.closing.wait(0.02):
                yield b" "

        return Answer(bytes_by_and_by())

    @staticmethod
    def fail(_request: Request) -> Answer:
        """Have a mistake."""
        return Answer("<h1>Internal Server Error</h1>", 500)

    @staticmethod
    def html(_request: Request) -> Answer:
        """Say something for people."""
        return Answer("<h1>Down for maintenance</h1>")

    @staticmethod
    def huge(_request: Request) -> Answer:
        """Say too much."""
        return Answer({"more": "x" * 2**21})

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        """Serve in threads, at a free port."""
        server = _Server(("127.0.0.1", 0), _Handler)
        server.web = self
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of many who come at once, none has to knock again a second later
    block_on_close = False
    web: WebServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is what is being tested."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        web = self.server.web
        web.seen.append(request)
        self._say(web.answers.get(request.path, web.answer)(request))

    do_POST = do_GET  # noqa: N815 - http.server's word

    def _say(self, answer: Answer) -> None:
        pieces, kind = _written(answer.body)
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.wfile.write(piece)

    def log_message(self, *_arguments: Any) -> None:
        """Write no log."""


def _written(body: Any) -> tuple[Iterable[bytes], str]:
    if isinstance(body, str):
        return [body.encode()], "text/html; charset=utf-8"
    if isinstance(body, bytes):
        return [body], "application/octet-stream"
    if isinstance(body, Iterator):
        return body, "application/json"
    return [json.dumps(body).encode()], "application/json"


def get(url: str) -> tuple[int, str, str]:
    """Ask as a browser that follows no redirect; return the status, the Location or "", and the text."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read().decode()


class Proxy(WebServer):
    """A proxy that sees which addresses are asked for, and asks for them; https it does not let through."""

    def answer(self, request: Request) -> Answer:
        parts = urlsplit(request.target)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            kept = {name: value for name, value in request.headers.items() if name not in {"host", "proxy-connection"}}
            connection.request(request.method, f"{parts.path}?{parts.query}", request.body, kept)
            found = connection.getresponse()
            return Answer(json.loads(found.read()), found.status)
