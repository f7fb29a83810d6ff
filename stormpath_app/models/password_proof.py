"""A proof that somebody just gave an account's password: for those who must choose another before they are let in."""

import hashlib
import hmac
from datetime import timedelta

from .. import tokens

#: How long it is good.
LIFE = timedelta(minutes=15)
_PURPOSE = "password proof"


def make(account_id: str, stored: str) -> str:
    """Return a proof that the password with this hash was given. It is worth nothing once there is another hash."""
    return tokens.sign(_PURPOSE, [account_id, _digest(stored)])


def account_id(proof: object) -> str | None:
    """Return the id of the account that a proof is of; None for what is none, or too old."""
    read = _read(proof)
    return read and read[0]


def fits(proof: object, stored: str | None) -> bool:
    """Tell whether a proof is of the password with this hash."""
    read = _read(proof)
    return read is not None and stored is not None and hmac.compare_digest(read[1], _digest(stored))


def _read(proof: object) -> tuple[str, str] | None:
    match tokens.read(_PURPOSE, proof, LIFE) if isinstance(proof, str) else None:
        case [str(whose), str(digest)]:
            return whose, digest
    return None


def _digest(stored: str) -> str:
    return hashlib.sha256(stored.encode("utf-8")).hexdigest()
