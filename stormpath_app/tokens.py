"""Keys for what is computed and signed: one for each purpose, so that a value made for one is nothing to another."""

import hmac

from flask import current_app


def keys(purpose: str) -> list[bytes]:
    """Return the keys for a purpose, newest first: the first one makes, each of them recognises.

    They are derived from SECRET_KEY and SECRET_KEY_FALLBACKS.
    """
    secrets = [current_app.secret_key, *(current_app.config.get("SECRET_KEY_FALLBACKS") or ())]
    return [hmac.digest(_bytes(secret), purpose.encode(), "sha256") for secret in secrets if secret]


def _bytes(secret: str | bytes) -> bytes:
    return secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
