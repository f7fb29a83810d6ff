"""Who the stories are about, and how a program stands in for a browser where there are many of them."""

import html
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlencode

from ..servers import PATIENCE

PASSWORD = "Woot1Loves.Cookies"
_numbers = count(1)


@dataclass(frozen=True)
class Person:
    """Somebody who has no account yet, with names that nobody else of this test run has."""

    number: int = field(default_factory=lambda: next(_numbers))
    given_name: str = "Leia"
    surname: str = "Organa"
    password: str = PASSWORD

    @property
    def email(self) -> str:
        """The e-mail address."""
        return f"leia.{self.number}@alderaan.example"

    @property
    def username(self) -> str:
        """The name chosen to log in with, where the site lets people choose."""
        return f"princess{self.number}"

    @property
    def fields(self) -> dict[str, str]:
        """What is filled into the registration form of a site with usernames."""
        return {"username": self.username, "given_name": self.given_name, "surname": self.surname, "email": self.email}


class Answer(NamedTuple):
    """What a server answered; redirects are not followed."""

    status: int
    text: str
    headers: Message

    @property
    def location(self) -> str | None:
        """Where it leads to."""
        return self.headers["Location"]


class Visitor:
    """A browser without a window: it keeps cookies and sends forms."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Like browsers, it trusts the connection to its own machine with "secure" cookies.
        self.cookies = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        handlers = (urllib.request.HTTPCookieProcessor(self.cookies), _RedirectsStay)
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str) -> Answer:
        """Ask for a page."""
        return self._ask(path)

    def send(self, page: str, **fields: str) -> Answer:
        """Open a page, and send its form."""
        return self.post(page, csrf_token=self.token(page), **fields)

    def post(self, path: str, **fields: str) -> Answer:
        """Send fields alone."""
        return self._ask(path, urlencode(fields).encode())

    def token(self, page: str) -> str:
        """Return the CSRF token of a page's form."""
        answer = self.get(page)
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.text)
        assert found, f"{page} has no form: {answer.status} {answer.text[:500]}"
        return found[1]

    def register(self, person: Person) -> Answer:
        """Send the registration form."""
        return self.send("/register", **person.fields, password=person.password)

    def log_in(self, person: Person, password: str | None = None) -> Answer:
        """Send the login form."""
        return self.send("/login", login=person.email, password=password or person.password)

    def is_logged_in(self) -> bool:
        """Tell whether the page for members lets the visitor in."""
        return self.get("/secret").status == 200

    def twin(self, url: str | None = None) -> "Visitor":
        """Return a visitor with the same cookies: what a thief of them would have, or a second connection.

        :param url: of another server that the same name leads to.
        """
        other = Visitor(url or self.url)
        for cookie in self.cookies:
            other.cookies.set_cookie(cookie)
        return other

    def _ask(self, path: str, body: bytes | None = None) -> Answer:
        request = urllib.request.Request(self.url + path, body)
        try:
            with self._opener.open(request, timeout=3 * PATIENCE) as response:
                return Answer(response.status, html.unescape(response.read().decode()), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, html.unescape(error.read().decode()), error.headers)


class _RedirectsStay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_anything: Any) -> None:
        return None
