"""Authorized URIs: lists of addresses of an application."""

import re
from collections.abc import Iterable, Mapping

from ..errors import InvalidFormat, TooLong, WrongType

#: In characters, of all addresses of a list together.
LONGEST = 4000

_WITH_A_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#]+\S*", re.IGNORECASE)


def authorized_uris(thing: str, label: str, value: object) -> tuple[str, ...]:
    """Return the addresses that were given.

    :raises WrongType: they are no list of texts.
    :raises InvalidFormat: one of them has no scheme or no host, such as "https://" and "*.example.com".
    :raises TooLong: all together have more than 4000 characters.
    """
    if value is None:
        return ()
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise WrongType(thing, label)
    uris = tuple(value)
    if not all(isinstance(uri, str) for uri in uris):
        raise WrongType(thing, label)
    if sum(map(len, uris)) > LONGEST:
        raise TooLong(thing, label, longest=LONGEST)
    if not all(_WITH_A_SCHEME.fullmatch(uri) and uri.isprintable() for uri in uris):
        raise InvalidFormat(thing, label)
    return uris
