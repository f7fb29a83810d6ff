"""Password hashes: bcrypt over a pre-hash, so that any length counts and every byte does.

bcrypt alone looks at 72 bytes. The stored form is passlib's published `bcrypt-sha256` version 2: base64 of
HMAC-SHA256(salt, password) goes into bcrypt. Passwords are NFC, so that the same word typed on two machines is one.
"""

import base64
import hashlib
import hmac
import re
import unicodedata
from functools import cache

import bcrypt

#: Nothing longer is ever hashed, in bytes; a policy's longest password is shorter.
LONGEST = 1024

# Costs of 4 to 14, so that no stored form can make a login hang; a salt of 16 bytes ends in one of four letters.
_FORM = re.compile(
    r"\$bcrypt-sha256\$v=2,t=2b,r=(?P<cost>[4-9]|1[0-4])"
    r"\$(?P<salt>[./A-Za-z0-9]{21}[.Oeu])\$(?P<digest>[./A-Za-z0-9]{31})"
)


def normal(password: str) -> str:
    """Return the password as it is counted and hashed: composed (NFC), blanks kept."""
    return unicodedata.normalize("NFC", password)


def is_too_long(password: str) -> bool:
    """Tell whether the password has more than `LONGEST` bytes."""
    return len(password) > LONGEST or len(_bytes(password)) > LONGEST


def hash(password: str, cost: int) -> str:  # noqa: A001 - `hashers.hash` is the word
    """Return the stored form of a password, with a fresh salt. It costs 2^`cost` rounds: about 0.2 s at 12."""
    salt = bcrypt.gensalt(cost)[-22:].decode("ascii")
    return f"$bcrypt-sha256$v=2,t=2b,r={cost}${salt}${_digest(password, salt, cost)}"


def verify(password: str, stored: str | None, cost: int) -> bool:
    """Tell whether `stored` was made of this password. Nothing stored: False.

    It takes at least as long as a hash of `cost` whatever is stored, so that the clock does not tell an account that
    does not exist, has no password or a cheaper hash from any other. (A dearer hash, from before the cost was lowered,
    takes longer until its owner next logs in.) A password that is too long takes none, whatever is stored.
    """
    if is_too_long(password):
        return False
    form = _FORM.fullmatch(stored or "")
    if form is None:
        _digest("", _dummy(), cost)
        return False
    found = _digest(password, form["salt"], int(form["cost"]))
    for missing in range(int(form["cost"]), cost):  # 2^c and 2^c + ... + 2^(cost-1) make 2^cost
        _digest("", _dummy(), missing)
    return hmac.compare_digest(found, form["digest"])


def scheme(stored: str | None) -> tuple[str, int] | None:
    """Return what a stored form was made by, and its cost; None of what is no stored form."""
    form = _FORM.fullmatch(stored or "")
    return ("bcrypt-sha256", int(form["cost"])) if form else None


def is_out_of_date(stored: str, cost: int) -> bool:
    """Tell whether a hash has another cost than the settings ask for."""
    form = _FORM.fullmatch(stored)
    return form is None or int(form["cost"]) != cost


def _digest(password: str, salt: str, cost: int) -> str:
    keyed = hmac.new(salt.encode("ascii"), _bytes(password), hashlib.sha256).digest()
    return bcrypt.hashpw(base64.b64encode(keyed), f"$2b${cost:02d}${salt}".encode("ascii"))[-31:].decode("ascii")


@cache
def _dummy() -> str:
    return bcrypt.gensalt(4)[-22:].decode("ascii")


def _bytes(password: str) -> bytes:
    return normal(password).encode("utf-8", "surrogatepass")  # a lone surrogate is odd, not an error
