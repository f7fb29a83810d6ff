"""How providers are asked: through the proxy, within the time, and for no more than one can read. Needs Authlib."""

import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from io import BytesIO
from typing import Any

import requests
import urllib3
from authlib.integrations.requests_client import OAuth2Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from ..errors import ProviderError, ProviderRefused
from ..settings import settings
from .base import Provider, printable

#: The most that is read of an answer, in bytes.
LARGEST = 1024 * 1024
#: Refusals that are none of the person: too slow, and too many.
_LATER = frozenset({408, 429})


class Session(OAuth2Session):
    """A talk with one provider: OAuth 2 by Authlib, where no request waits for ever and no answer is too much.

    Every failure is a ProviderRefused or a ProviderUnavailable, and shows not what it came of: an error of a library
    has addresses in it, and those have tokens. `secrets`: what the provider's words may not repeat.

    :param client_auth: how the token endpoint is told the client's secret, in OAuth 2's words.
    """

    def __init__(self, provider: Provider, client_auth: str, *secrets: str | None) -> None:
        config = provider.config
        super().__init__(
            config.client_id,
            config.client_secret,
            token_endpoint_auth_method=client_auth if config.client_secret else "none",
            code_challenge_method="S256",
        )
        self._provider = provider
        self._secrets = [secret for secret in (config.client_secret, *secrets) if secret]
        self.headers["User-Agent"] = "stormpath_app"
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())
        self.register_compliance_hook("access_token_response", self._token_answer)

    def token_for(self, endpoint: str, code: str, redirect_uri: str, verifier: str | None) -> dict[str, Any]:
        """Return the tokens that a code is good for: "access_token", and whatever else comes.

        :raises ProviderRefused, ProviderUnavailable: there are none.
        """
        proof = {"code_verifier": verifier} if verifier else {}
        try:
            token = self.fetch_token(
                endpoint, grant_type="authorization_code", code=code, redirect_uri=redirect_uri, **proof
            )
        except (ValueError, TypeError, OverflowError):  # such as an "expires_in" that is no number
            raise self._provider.unavailable("The tokens are not written as they must be.") from None
        return dict(token)

    def ask(self, url: str, method: str = "GET", *, bearer: str | None = None, kind: type = dict, **how: Any) -> Any:
        """Return the JSON of an answer, an object or another `kind`.

        :param bearer: an access token, for a header.
        :raises ProviderRefused, ProviderUnavailable: there is none.
        """
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        return self._read(self.request(method, url, headers=headers, **how), kind)

    def request(
        self, method: str, url: str, withhold_token: bool = True, auth: Any = None, **how: Any
    ) -> requests.Response:
        """Return the answer, which is there as a whole. No redirect is followed.

        :raises ProviderUnavailable: there is none, or it is too late or too large.
        """
        seconds = settings.HTTP_TIMEOUT.total_seconds()
        auth = auth or _no_auth
        proxies = {"http": settings.HTTP_PROXY, "https": settings.HTTP_PROXY} if settings.HTTP_PROXY else None
        with _lifeline(seconds) as lifeline:
            try:
                response: requests.Response = super().request(
                    method, url, True, auth, stream=True, allow_redirects=False, timeout=seconds, proxies=proxies, **how
                )
                response.raw = BytesIO(_body(response.raw))
                if lifeline.is_cut:  # which looks like the end of an answer that does not say how long it is
                    raise TimeoutError
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                why = _explained(TimeoutError() if lifeline.is_cut else error, seconds)
                raise self._provider.unavailable(why) from None
        return response

    def _token_answer(self, response: requests.Response) -> requests.Response:
        """Look at an answer before Authlib does."""
        if not isinstance(self._read(response, dict).get("access_token"), str):
            raise self._provider.unavailable("There is no access token in the answer.")
        return response

    def _read(self, response: requests.Response, kind: type) -> Any:
        try:
            answer = json.loads(response.content, parse_constant=_no_number)
        except (ValueError, RecursionError):
            answer = None
        if not 200 <= response.status_code < 300 or (isinstance(answer, dict) and answer.get("error")):
            raise self._failure(response, answer)
        if not isinstance(answer, kind):
            raise self._provider.unavailable(f"{_status(response)}, and no JSON that can be read.")
        return answer

    def _failure(self, response: requests.Response, answer: Any) -> ProviderError:
        told = f"{_status(response)} {_words(answer)}"
        for secret in self._secrets:
            told = told.replace(secret, "(...)")
        told = f"error message: {printable(told)}"
        if response.status_code >= 500 or 300 <= response.status_code < 400 or response.status_code in _LATER:
            return self._provider.unavailable(told)
        name = self._provider.config.name
        return ProviderRefused(name, f"{name} {told}")


def _status(response: requests.Response) -> str:
    return f"{response.status_code} {response.reason or ''}".rstrip()


def _words(answer: Any) -> str:
    """Return what an answer says of its error: OAuth 2's, Facebook's and GitHub's manners."""
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error")
    parts = error if isinstance(error, dict) else answer
    said = (parts.get(key) for key in ("error", "type", "message", "error_description"))
    return ": ".join(text for text in said if isinstance(text, str))


def _no_auth(request: Any) -> Any:
    """Leave a request as it is; without any, requests would look for a password in ~/.netrc, and send that."""
    return request


def _no_number(_text: str) -> None:
    raise ValueError


def _explained(error: Exception, seconds: float) -> str:
    """Return why there is no answer, without the address, which may have a token in it."""
    match error:
        case TimeoutError() | requests.Timeout() | urllib3.exceptions.TimeoutError():
            return f"No answer within {seconds:g} s."
        case _TooLarge():
            return f"The answer is larger than {LARGEST} bytes."
        case requests.exceptions.ProxyError():
            return "The proxy does not let us through."
        case requests.exceptions.SSLError() | ssl.SSLError():
            return "Its certificate is not trusted, or it talks no TLS."
        case _:
            return f"It cannot be reached ({type(error).__name__})."


# --- Limits ---


class _TooLarge(OSError):
    """There is more to read than anybody needs."""


def _body(raw: Any) -> bytes:
    body = bytearray()
    try:
        for piece in raw.stream(2**14, decode_content=True):
            body += piece
            if len(body) > LARGEST:
                raise _TooLarge
    finally:
        raw.close()
    return bytes(body)


class _Lifeline:
    """Ends connections from outside: a server that sends a byte at a time never lets an answer time out."""

    def __init__(self, seconds: float) -> None:
        self.is_cut = False
        self._held: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def hold(self, connection: socket.socket) -> None:
        """Hold a connection, before TLS is put on top of it."""
        self._held.append(connection.dup())
        if self.is_cut:
            self._cut()

    def _cut(self) -> None:
        self.is_cut = True
        for held in self._held:
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        self._timer.cancel()
        for held in self._held:
            held.close()


_current: ContextVar[_Lifeline | None] = ContextVar("stormpath_provider_request", default=None)


@contextmanager
def _lifeline(seconds: float) -> Iterator[_Lifeline]:
    lifeline = _Lifeline(seconds)
    token = _current.set(lifeline)
    try:
        yield lifeline
    finally:
        _current.reset(token)
        lifeline.release()


class _Held(HTTPConnection):
    """A connection that can be ended."""

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        if lifeline := _current.get():
            lifeline.hold(made)
        return made


class _HeldTLS(HTTPSConnection, _Held):
    """One with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Held


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _HeldTLS


class _Adapter(HTTPAdapter):
    """Makes connections that can be ended, with or without a proxy."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def proxy_manager_for(self, proxy: str, **named: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **named)
        if not proxy.lower().startswith("socks"):  # of the environment: those connect in a way of their own
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        return manager


class _NoAddresses(logging.Filter):
    """Keeps our requests out of urllib3's log, which has their addresses, and some have tokens."""

    def filter(self, _record: logging.LogRecord) -> bool:
        return _current.get() is None


logging.getLogger("urllib3.connectionpool").addFilter(_NoAddresses())
