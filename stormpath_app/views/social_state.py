"""What a browser remembers while its person is at a provider: a cookie for each start, signed, for ten minutes.

The state that travels through the provider names the cookie, so two tabs are in nobody's way; and it is in the cookie,
so that an answer which somebody else began, or began elsewhere, is none. Nothing is stored here for strangers.
"""

import hmac
import secrets
from datetime import timedelta
from typing import Any, NamedTuple, Self

from flask import request
from werkzeug.wrappers import Response

from .. import clock, tokens
from ..authentication import is_secure

#: How long somebody may take at a provider. Requirement G3.
LIFE = timedelta(minutes=10)

#: So many starts a browser may have open; the oldest goes first.
_MOST = 4

#: The longest address to lead to afterwards: a cookie has 4096 bytes for all.
_LONGEST = 1000

_PURPOSE = "social login"


class Start(NamedTuple):
    """How somebody was sent to a provider.

    `verifier`, `nonce`: of PKCE and of OpenID Connect; `target`: the page to lead to; `links`: the id of the login that
    asked to have the provider linked; `again`: the id of the account that is asked for once more; `at`: when.
    """

    state: str
    provider_id: str
    nonce: str
    verifier: str
    target: str | None
    links: str | None
    again: str | None
    at: float

    @classmethod
    def new(cls, provider_id: str, target: str | None, *, links: str | None, again: str | None) -> Self:
        """Return one with secrets of its own."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _each in range(3))
        kept = target if target and len(target) <= _LONGEST else None
        return cls(state, provider_id, nonce, verifier, kept, links, again, clock.now().timestamp())

    @classmethod
    def find(cls, state: str, provider_id: str) -> Self | None:
        """Return the start that this browser has of a state which came back; None where it has none that is good."""
        if not (20 < len(state) < 100 and state.isascii()):
            return None
        found = cls._read(_name(state))
        is_it = found is not None and hmac.compare_digest(found.state, state) and found.provider_id == provider_id
        return found if is_it else None

    @classmethod
    def _read(cls, cookie: str) -> Self | None:
        match tokens.read(_PURPOSE, request.cookies.get(cookie, ""), LIFE):
            case [*values] if len(values) == len(cls._fields):
                return cls(*values)
        return None

    def keep(self, response: Response) -> None:
        """Let the browser have it, and no more than a few others."""
        response.set_cookie(_name(self.state), tokens.sign(_PURPOSE, list(self)), max_age=LIFE, **_flags())
        others = {name: self._read(name) for name in request.cookies if name.startswith(_prefix())}
        oldest_first = sorted(others, key=lambda name: found.at if (found := others[name]) else 0.0)
        for name in oldest_first[: max(0, len(oldest_first) - _MOST + 1)]:
            response.delete_cookie(name, **_flags())

    def forget(self, response: Response) -> None:
        """Take it back: its state came home."""
        response.delete_cookie(_name(self.state), **_flags())


def _name(state: str) -> str:
    return f"{_prefix()}{state[:8]}"


def _prefix() -> str:
    return f"{'__Host-' if is_secure() else ''}stormpath_social_"


def _flags() -> dict[str, Any]:
    # Lax, whatever the host's own cookies are: a provider's answer is a link from elsewhere.
    return {"path": "/", "secure": is_secure(), "httponly": True, "samesite": "Lax"}
