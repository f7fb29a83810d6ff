"""Macros: `$!{account.givenName}` in the text of a mail, and what stands there in its place. Nothing is run."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: All that there are. Each part of CUSTOM_DATA leads to a key, by dots below that.
NAMES = frozenset(
    {
        *("account.givenName", "account.surname", "account.fullName", "account.username", "account.email"),
        *("account.directory.name", "application.name", "url", "sptoken", "sptokenNameValuePair"),
    }
)
CUSTOM_DATA = ("account.customData.", "account.directory.customData.", "application.customData.")

#: Most letters that the macros of one text put into it; what would be more is left out.
LONGEST = 200_000

# No letter of it can be read two ways: any text is looked through once.
_MACRO = re.compile(r"\$(!?)\{([^${}\s]{1,255})\}")


def substitute(text: str, values: Mapping[str, Any], escape: Callable[[str], str] = str) -> str:
    """Return a text with the values of its macros. `${name}` without a value stays, `$!{name}` is left out.

    What is no macro stays as it is, in both spellings.

    :param values: by name; a dot in a macro leads into a value that is a mapping itself. What stands there is not
        looked at again.
    :param escape: what is done to each value, such as `markupsafe.escape`.
    """
    room = LONGEST

    def value(macro: re.Match[str]) -> str:
        nonlocal room
        is_quiet, name = macro.groups()
        if not _is_known(name):
            return macro[0]
        found = _find(name, values)
        if found is None:
            return "" if is_quiet else macro[0]
        shown = str(escape(found))
        if len(shown) > room:
            return ""
        room -= len(shown)
        return shown

    return _MACRO.sub(value, text)


def _is_known(name: str) -> bool:
    return name in NAMES or name.startswith(CUSTOM_DATA)


def _find(name: str, values: Mapping[str, Any]) -> str | None:
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return str(found).lower()
    return str(found) if isinstance(found, str | int | float) else None


@dataclass(frozen=True)
class Written:
    """A macro as it stands in a text, or what looks like one.

    `name`: None where there is none of that name; `meant`: the nearest there is then, or None; `is_quiet`: whether it
    is left out where it has no value.
    """

    text: str
    name: str | None
    meant: str | None = None
    is_quiet: bool = False


def written(text: str) -> list[Written]:
    """Return the macros of a text, each spelling once, and what looks like one and is none."""
    return list(_read(dict.fromkeys(found[0] for found in _LIKE_A_MACRO.finditer(text))))


def _read(spellings: Mapping[str, None]) -> Iterator[Written]:
    known = {name.lower(): name for name in NAMES}
    for spelling in spellings:
        macro = _MACRO.fullmatch(spelling)
        if macro and _is_known(macro[2]):
            yield Written(spelling, macro[2], is_quiet=bool(macro[1]))
        else:
            near = difflib.get_close_matches(_BLANK.sub("", spelling).strip("$!{}").lower(), known, 1)
            yield Written(spelling, None, known[near[0]] if near else None)


_LIKE_A_MACRO = re.compile(r"\$[ ]?!?[ ]?\{[^${}\n]{0,255}\}")
_BLANK = re.compile(r"\s+")


def link(base: str, token: str) -> str:
    """Return what the macro `url` stands for: an address with a token in its query.

    A part behind `#` that is the route of a page's script gets the token itself, as that is where scripts read it.
    """
    address, mark, fragment = base.partition("#")
    if fragment.startswith(("/", "!")):
        return f"{base}{_mark(fragment)}{pair(token)}"
    return f"{address}{_mark(address)}{pair(token)}{mark}{fragment}"


def pair(token: str) -> str:
    """Return what the macro `sptokenNameValuePair` stands for."""
    return f"sptoken={token}"


def _mark(before: str) -> str:
    return "&" if "?" in before else "?"
