"""How a written name becomes the key it is compared by, and what may be a name or an e-mail address at all.

Keys are NFKC and casefolded; the domain of an address is in IDNA's ASCII form. What is shown is what was typed.
"""

import unicodedata
from functools import lru_cache

import idna
from email_validator import EmailNotValidError, validate_email

from .errors import InvalidFormat, PropertyRequired, TooLong, WrongType

#: Longest e-mail address, username or name, in characters, as at Stormpath.
LONGEST = 255

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joiners are invisible too, but Persian, Hindi and many emoji are not written without them.
_JOINERS = frozenset("\u200c\u200d\ufe0f")


@lru_cache(maxsize=1024)
def key(name: str) -> str:
    """Return the key of a name, a username or an e-mail address. Any text has one, so a login can be looked up."""
    folded = _fold(name.strip())
    local, at, domain = folded.rpartition("@")
    return f"{local}@{_ascii_domain(domain)}" if at else folded


def can_be_stored(value: str) -> bool:
    """Tell whether every database can hold or compare this text: no NUL, no half of a surrogate pair, not too long."""
    return "\0" not in value and len(value) <= LONGEST and not any("\ud800" <= letter <= "\udfff" for letter in value)


def text(thing: str, label: str, value: object, *, longest: int = LONGEST, required: bool = False) -> str | None:
    """Return the value without blanks around it; None when there is nothing.

    :raises PropertyRequired: nothing, where something is required.
    :raises WrongType, TooLong, InvalidFormat: not text, too long, or with characters that no one can see.
    """
    if value is not None and not isinstance(value, str):
        raise WrongType(thing, label)
    cleaned = (value or "").strip()
    if not cleaned:
        if required:
            raise PropertyRequired(thing, label)
        return None
    if len(cleaned) > longest:
        raise TooLong(thing, label, longest=longest)
    if any(unicodedata.category(letter) in _INVISIBLE and letter not in _JOINERS for letter in cleaned):
        raise InvalidFormat(thing, label)
    if len(key(cleaned)) > longest:  # a ligature can unfold into eighteen letters
        raise TooLong(thing, label, longest=longest)
    return cleaned


def email(value: object) -> str:
    """Return an e-mail address that mail can be sent to, as it was typed.

    :raises PropertyRequired, WrongType, TooLong, InvalidFormat: it is none.
    """
    address = text("Account", "email address", value, required=True)
    assert address is not None  # noqa: S101 - required above
    try:
        found = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise InvalidFormat("Account", "email address") from error
    if "=?" in found.local_part:  # legal, but in a mail's header it begins an encoded word (RFC 2047)
        raise InvalidFormat("Account", "email address")
    return address


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _ascii_domain(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):  # not a domain: a key all the same
        return domain
