"""How a written name becomes the key it is compared by, and what may be a name or an e-mail address at all.

Keys are NFKC and casefolded; the domain of an address is in IDNA's ASCII form. What is shown is what was typed.
What a text is searched in is folded further: without accents, so that "jurg" finds Jürgen.
"""

import re
import unicodedata
from functools import lru_cache

import idna
from email_validator import EmailNotValidError, validate_email

from .errors import InvalidFormat, PropertyRequired, TooLong, WrongType

#: Longest e-mail address, username or name, in characters, as at Stormpath.
LONGEST = 255

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Joiners are invisible too, but Persian, Hindi and many emoji are not written without them.
_JOINERS = frozenset("\u200c\u200d")
_CONTROL = re.compile("[\0-\x1f\x7f]")
# Unicode's default ignorable letters and marks, and the blank of Braille: two names may not differ by them alone.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c\u200d\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

# Letters with a stroke, and two in one: Unicode does not take them apart.
_PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th"} | {"\u0131": "i"}
)

#: What stands around each field of a search text. No name has it in it: so nothing is found across two fields. There
#: are two of it, as an index of three letters then knows what a field begins with from its first letter on.
FIELD = "\x02\x02"


@lru_cache(maxsize=1024)
def key(name: str) -> str:
    """Return the key of a name, a username or an e-mail address. Any text has one, so a login can be looked up."""
    local, at, domain = name.strip().rpartition("@")
    return f"{_fold(local)}@{_ascii_domain(domain)}" if at else _fold(domain)


def domain(address: str) -> str:
    """Return the domain of an e-mail address as its key has it: in ASCII, without capitals."""
    return key(address).rpartition("@")[2]


def is_same_mailbox(one: str, other: str) -> bool:
    """Tell whether who reads the mail of one address reads that of the other: they differ by ASCII's capitals at most.

    Keys are folded further, so that no two accounts look alike; but mail to straße@ is not read by who has strasse@.
    """
    if key(one) != key(other):
        return False
    local, others = (address.strip().rpartition("@")[0].encode("utf-8", "surrogatepass") for address in (one, other))
    return local.lower() == others.lower()


def part(text: str) -> str:
    """Return what keys have where names have this text in them: a piece may begin or end with a blank."""
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFKC", seen.casefold())


def unmarked(key: str) -> str:
    """Return a key, or a part of one, without its accents. It goes letter by letter: a part stays a part."""
    return key if key.isascii() else "".join(map(_unmarked_letter, key))


@lru_cache(maxsize=4096)
def _unmarked_letter(letter: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(each))
    return unicodedata.normalize("NFC", bare.translate(_PLAIN).casefold())


def search_text(*keys: str) -> str:
    """Return the text that is searched for a part of any of these keys, each a field of its own."""
    fields = (_CONTROL.sub(" ", unmarked(key)) for key in keys)
    return FIELD + "".join(field + FIELD for field in fields)


def can_be_sought(text: str) -> bool:
    """Tell whether a name could have this text in it; what has a control character in it finds nothing."""
    return can_be_stored(text) and not _CONTROL.search(text)


def can_be_stored(value: str) -> bool:
    """Tell whether every database can hold or compare this text: no NUL, no half of a surrogate pair, not too long."""
    return "\0" not in value and len(value) <= LONGEST and not any("\ud800" <= letter <= "\udfff" for letter in value)


def text(
    thing: str,
    name: str,
    value: object,
    *,
    label: str | None = None,
    longest: int = LONGEST,
    required: bool = False,
    lines: bool = False,
) -> str | None:
    """Return the value without blanks around it; None when there is nothing. `lines`: there may be more than one.

    :raises PropertyRequired: nothing, where something is required.
    :raises WrongType, TooLong, InvalidFormat: not text, too long, or with characters that no one can see.
    """
    if value is not None and not isinstance(value, str):
        raise WrongType(thing, name, label=label)
    cleaned = (value or "").strip()
    if not cleaned:
        if required:
            raise PropertyRequired(thing, name, label=label)
        return None
    if len(cleaned) > longest:
        raise TooLong(thing, name, label=label, longest=longest)
    allowed = _JOINERS | frozenset("\r\n\t") if lines else _JOINERS
    if any(unicodedata.category(letter) in _INVISIBLE and letter not in allowed for letter in cleaned):
        raise InvalidFormat(thing, name, label=label)
    if not key(cleaned):
        raise InvalidFormat(thing, name, label=label)
    if len(key(cleaned)) > longest:  # a ligature can unfold into eighteen letters
        raise TooLong(thing, name, label=label, longest=longest)
    return cleaned


def email(value: object) -> str:
    """Return an e-mail address that mail can be sent to, as it was typed.

    :raises PropertyRequired, WrongType, TooLong, InvalidFormat: it is none.
    """
    address = text("Account", "email", value, label="email address", required=True)
    assert address is not None  # noqa: S101 - required above
    try:
        found = validate_email(address, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise InvalidFormat("Account", "email", label="email address") from error
    local = found.local_part
    # "=?" is legal, but in a mail's header it begins an encoded word (RFC 2047); a wide "@" would unfold into another.
    if "=?" in local or _UNSEEN.search(local) or "@" in _fold(local):
        raise InvalidFormat("Account", "email", label="email address")
    return address


def domain_pattern(thing: str, name: str, value: object) -> str:
    """Return a pattern of domains as it was typed; `*` stands for any letters.

    A part of it between two dots is in ASCII, or has no star: `*bücher` would be no beginning of any ASCII form.

    :raises PropertyError: it is none.
    """
    pattern = text(thing, name, value, required=True) or ""
    try:
        if not _PATTERN.fullmatch(ascii_pattern(pattern)):
            raise InvalidFormat(thing, name)
    except UnicodeError as error:  # as idna's errors are
        raise InvalidFormat(thing, name) from error
    return pattern


def ascii_pattern(pattern: str) -> str:
    """Return a pattern of domains in the form that `domain` has.

    :raises UnicodeError: a part is in no ASCII form.
    """
    parts = _DOTS.split(pattern.rstrip("."))
    return ".".join(part.lower() if part.isascii() else idna.encode(part, uts46=True).decode("ascii") for part in parts)


# What ends a label of a domain (UTS 46), and what a pattern may look like.
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_PATTERN = re.compile(r"[a-z0-9*_-]+(\.[a-z0-9*_-]+)*")


def _fold(name: str) -> str:
    return part(name).strip()


@lru_cache(maxsize=1024)  # of very many addresses the domains are few, and a domain costs as much as all else of a key
def _ascii_domain(domain: str) -> str:
    try:
        # It folds by rules of its own: in a domain, "ß" is not "ss".
        return idna.encode(domain.rstrip("."), uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):  # not a domain: a key all the same
        return _fold(domain)
