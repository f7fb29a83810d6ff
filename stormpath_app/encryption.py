"""Encryption of what is stored: of secrets always; of custom data with STORMPATH_ENCRYPTION_KEYS, and not without.

Fernet of `cryptography` (AES-128-CBC and HMAC-SHA256). The first key encrypts, all decrypt, so that a key can be
replaced: put the new one first, and take the old one away when nothing is left that was written with it. Behind those
keys, secrets have the ones that SECRET_KEY and SECRET_KEY_FALLBACKS make.
"""

import base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import tokens
from .errors import CustomDataLocked, NotReady, SecretLocked
from .settings import Problem, settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

#: What begins an encrypted text. No JSON text begins so: what was written before there were keys can still be read.
_SEALED = "fernet:"

_INSTALL = "Install it with `pip install 'stormpath-app[encryption]'`."
_MAKE_KEY = "`python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`"


def is_on() -> bool:
    """Tell whether there are keys."""
    return bool(settings.ENCRYPTION_KEYS)


def is_sealed(text: str) -> bool:
    """Tell whether a stored text is an encrypted one."""
    return text.startswith(_SEALED)


def seal(text: str) -> str:
    """Return a text as it is to be stored: encrypted where there are keys, which gives another one each time."""
    if not is_on():
        return text
    return _SEALED + _fernet(*settings.ENCRYPTION_KEYS).encrypt(text.encode()).decode("ascii")


def unseal(stored: str) -> str:
    """Return the text of a stored one.

    :raises CustomDataLocked: no key of those there are opens it, or it was changed by somebody who has none.
    """
    if not is_sealed(stored):
        return stored
    if not is_on():
        raise CustomDataLocked
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(*settings.ENCRYPTION_KEYS).decrypt(stored.removeprefix(_SEALED).encode()).decode()
    except InvalidToken as error:
        raise CustomDataLocked from error


def seal_always(text: str) -> str:
    """Return a secret as it is to be stored: encrypted, whether there are keys or not.

    :raises NotReady: the library is not installed.
    """
    return _SEALED + _for_secrets().encrypt(text.encode()).decode("ascii")


def unseal_always(stored: str) -> str:
    """Return the secret of a stored one.

    :raises SecretLocked: no key of those there are opens it, or it was changed by somebody who has none.
    :raises NotReady: the library is not installed.
    """
    fernet = _for_secrets()
    from cryptography.fernet import InvalidToken

    try:
        return fernet.decrypt(stored.removeprefix(_SEALED).encode()).decode()
    except InvalidToken as error:
        raise SecretLocked from error


def sealed_at(stored: str) -> datetime:
    """Return when a stored text was encrypted, which it says itself; no key is needed."""
    token = base64.urlsafe_b64decode(stored.removeprefix(_SEALED))
    return datetime.fromtimestamp(int.from_bytes(token[1:9]), UTC)


def _for_secrets() -> "MultiFernet":
    ours = (base64.urlsafe_b64encode(key) for key in tokens.keys("stored secrets"))
    try:
        return _fernet(*settings.ENCRYPTION_KEYS, *ours)
    except ImportError as error:
        raise NotReady(["Secrets are stored encrypted. Run `pip install 'stormpath-app[social]'`."]) from error


def check() -> Iterator[Problem]:
    """Yield what is wrong with the keys, and show none of them."""
    keys: Any = settings.ENCRYPTION_KEYS
    if not isinstance(keys, list | tuple):
        yield Problem(f"STORMPATH_ENCRYPTION_KEYS is of type {type(keys).__name__}; it must be a list of keys.")
    elif keys:
        yield from _check_each(keys)


def _check_each(keys: Iterable[Any]) -> Iterator[Problem]:
    try:
        from cryptography.fernet import Fernet
    except ImportError:
        yield Problem(f"STORMPATH_ENCRYPTION_KEYS needs the library cryptography. {_INSTALL}")
        return
    for number, key in enumerate(keys, 1):
        try:
            Fernet(key)
        except (ValueError, TypeError, AttributeError):
            yield Problem(f"Number {number} of STORMPATH_ENCRYPTION_KEYS is no key. Make one with {_MAKE_KEY}.")


@lru_cache(maxsize=8)
def _fernet(*keys: str | bytes) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])
