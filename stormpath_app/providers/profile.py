"""What a provider tells of somebody, made safe to keep: it may be of any type, and have anything in it."""

import unicodedata
from typing import Any

#: Letters of a name; what is longer is cut.
_LONGEST = 255
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")


def subject(value: Any) -> str | None:
    """Return a provider's id of somebody as text; None: it is none that could be told from others."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    is_one = isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= _LONGEST
    return value if is_one else None


def email(value: Any) -> str | None:
    """Return an e-mail address, or what is given as one; None: there is none."""
    if not isinstance(value, str) or len(value.strip()) > _LONGEST:
        return None
    address = value.strip()
    return address if address.isprintable() and "@" in address and " " not in address else None


def words(value: Any) -> str | None:
    """Return a name, without what nobody can see; None: there is none."""
    if not isinstance(value, str):
        return None
    visible = (letter if _is_visible(letter) else " " for letter in value[: 2 * _LONGEST])
    return " ".join("".join(visible).split())[:_LONGEST].strip() or None


def names(profile: dict[str, Any], given: str, middle: str, surname: str) -> dict[str, Any]:
    """Return the three names under the keys a provider has them by; one whole "name" is taken apart."""
    found = {
        "given_name": words(profile.get(given)),
        "middle_name": words(profile.get(middle)),
        "surname": words(profile.get(surname)),
    }
    if not any(found.values()) and (whole := words(profile.get("name"))):
        first, _blank, last = whole.rpartition(" ")
        found.update(given_name=first or last, surname=last if first else None)
    return found


def _is_visible(letter: str) -> bool:
    return letter in _JOINERS or unicodedata.category(letter) not in _INVISIBLE
