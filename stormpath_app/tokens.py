"""Tokens: values that are signed, and the keys for it. Each purpose has keys of its own, derived from SECRET_KEY."""

import hashlib
import hmac
from datetime import timedelta
from functools import lru_cache
from typing import Any

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from . import clock, current
from .errors import NotReady


class _Signer(TimestampSigner):
    """A signer that looks at our clock."""

    def get_timestamp(self) -> int:
        """Return this moment, in seconds."""
        return int(clock.now().timestamp())


def keys(purpose: str) -> list[bytes]:
    """Return the keys of a purpose, newest first: of SECRET_KEY, to sign with, then of SECRET_KEY_FALLBACKS, to read.

    :raises NotReady: there is no SECRET_KEY.
    """
    config = current.app().config
    if not (newest := config["SECRET_KEY"]):
        raise NotReady(["SECRET_KEY is not set."])
    secrets = [newest, *filter(None, config.get("SECRET_KEY_FALLBACKS") or ())]
    return [_derive(secret, purpose) for secret in secrets]


def sign(purpose: str, value: Any) -> str:
    """Return a JSON value as text that anybody can read and nobody else can make."""
    text: str = _serializer(purpose).dumps(value)
    return text


def read(purpose: str, text: str, longest_age: timedelta) -> Any:
    """Return what was signed for this purpose; None for anything else, and for what is older."""
    try:
        return _serializer(purpose).loads(text, max_age=int(longest_age.total_seconds()))
    except (BadData, UnicodeError):
        return None


def _serializer(purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        keys(purpose)[::-1],  # it wants the oldest first
        salt=purpose,
        signer=_Signer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


@lru_cache(maxsize=64)  # every signed-in page needs one
def _derive(secret: str | bytes, purpose: str) -> bytes:
    key = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")
    return hmac.digest(key, f"stormpath_app: {purpose}".encode(), "sha256")
