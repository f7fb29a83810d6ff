"""What custom data may be: its keys, its values, and the text a value is stored and compared as."""

import json
import math
import re
from typing import Any

from ..errors import (
    CustomDataKeyInvalid,
    CustomDataKeyRequired,
    CustomDataKeyReserved,
    CustomDataKeyTooLong,
    CustomDataTooDeep,
    InvalidFormat,
    WrongType,
)

#: Longest key, in characters, as at Stormpath.
LONGEST_KEY = 255
#: How much one resource may have: keys and values, in bytes of UTF-8.
LARGEST = 10 * 1024 * 1024
#: How deep lists and objects may be nested in a value.
DEEPEST = 32
#: What a resource's custom data has beside the keys of its owner, at Stormpath.
RESERVED = ("href", "createdAt", "modifiedAt", "meta", "spMeta", "spmeta", "ionmeta", "ionMeta")

_KEY = re.compile("[A-Za-z0-9_][A-Za-z0-9_-]*")


def check_key(thing: str, key: object) -> str:
    """Return a key that a value can be stored under. `thing`: whose it is, for the error.

    :raises WrongType, PropertyError: it is none.
    """
    if not isinstance(key, str):
        raise WrongType(thing, "custom_data", label="custom data key")
    if not key:
        raise CustomDataKeyRequired(thing, "custom_data")
    if len(key) > LONGEST_KEY:
        raise CustomDataKeyTooLong(thing, "custom_data")
    if not _KEY.fullmatch(key):
        raise CustomDataKeyInvalid(thing, "custom_data")
    if key in RESERVED:
        raise CustomDataKeyReserved(thing, "custom_data", reserved=", ".join(RESERVED))
    return key


def dump(thing: str, key: str, value: object) -> str:
    """Return a value as the JSON text that is stored: the same for the same value, with its keys in their order.

    :raises WrongType: it is, or holds, what JSON does not know: NaN, a moment, a key that is not text.
    :raises InvalidFormat: a text in it cannot be stored: NUL, or half of a surrogate pair.
    :raises CustomDataTooDeep: it is nested too deep, or holds itself.
    """
    whose = thing, "custom_data"
    label = f"custom data '{key}'"
    _check(value, whose, label, 0)
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:  # a number with more digits than Python reads again
        raise WrongType(*whose, label=label) from error
    if not is_unicode(text):
        raise InvalidFormat(*whose, label=label)
    return text


def load(text: str) -> Any:
    """Return the value of a stored text."""
    return json.loads(text)


def size(key: str, text: str) -> int:
    """Return what a key and the text of its value count, in bytes of UTF-8."""
    return len(key) + len(text.encode())


def _check(value: object, whose: tuple[str, str], label: str, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise InvalidFormat(*whose, label=label)
    elif isinstance(value, dict | list | tuple):
        if depth == DEEPEST:
            raise CustomDataTooDeep(*whose, label=label, deepest=DEEPEST)
        inside = value.values() if isinstance(value, dict) else value
        for key in value if isinstance(value, dict) else ():
            if not isinstance(key, str):  # JSON would write another one in its place
                raise WrongType(*whose, label=label)
            _check(key, whose, label, depth)
        for one in inside:
            _check(one, whose, label, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise WrongType(*whose, label=label)
    elif value is not None and not isinstance(value, int):  # True and False are
        raise WrongType(*whose, label=label)


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: it has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
