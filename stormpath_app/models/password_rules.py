"""What a password is looked at for: one verdict for each rule, and the rules that are set together (PRESETS)."""

import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from .. import hashers
from ..translation import gettext as _, mark, ngettext, nmark

# The classes of characters, as Stormpath counted them.
_SYMBOLS = frozenset(" " + string.punctuation + "¡¦§©«¬®±µ¶·»½¿×÷")
_DIACRITICS = frozenset(map(chr, range(0xC0, 0x100))) - {"×", "÷"}

#: Attribute, what counts, what it is called, and Stormpath's sentence for one and for more, in the order they are told.
_CLASSES = (
    (
        "min_numeric",
        frozenset(string.digits),
        mark("Numbers"),
        nmark(
            "Password requires at least 1 numeric character.",
            "Password requires at least %(count)s numeric characters.",
        ),
    ),
    (
        "min_lower_case",
        frozenset(string.ascii_lowercase),
        mark("Lowercase letters"),
        nmark(
            "Password requires at least 1 lowercase character.",
            "Password requires at least %(count)s lowercase characters.",
        ),
    ),
    (
        "min_upper_case",
        frozenset(string.ascii_uppercase),
        mark("Uppercase letters"),
        nmark(
            "Password requires at least 1 uppercase character.",
            "Password requires at least %(count)s uppercase characters.",
        ),
    ),
    (
        "min_symbol",
        _SYMBOLS,
        mark("Symbols"),
        nmark(
            "Password requires at least 1 symbol character.",
            "Password requires at least %(count)s symbol characters.",
        ),
    ),
    (
        "min_diacritic",
        _DIACRITICS,
        mark("Accented letters"),
        nmark(
            "Password requires at least 1 diacritic character.",
            "Password requires at least %(count)s diacritic characters.",
        ),
    ),
)

_NO_CLASSES = {"min_lower_case": 0, "min_upper_case": 0, "min_numeric": 0, "min_symbol": 0, "min_diacritic": 0}

#: What a policy asks of a password, by the name of who wrote it. How many cannot be used again is beside it.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "stormpath": {
        **_NO_CLASSES,
        "min_length": 8,
        "max_length": 100,
        "min_lower_case": 1,
        "min_upper_case": 1,
        "min_numeric": 1,
        "refuses_common": True,
    },
    # Where the password is the only factor: 15 characters (SHALL), 64 and more allowed (SHOULD), a list of common ones
    # and context words (SHALL), no classes of characters and no change without a cause (SHALL NOT).
    "nist-800-63b-4": {**_NO_CLASSES, "min_length": 15, "max_length": 255, "refuses_common": True},
}


@dataclass(frozen=True)
class Verdict:
    """What one rule says of a password. No part of the password is in it.

    `rule`: the attribute that asks, such as "min_length"; `found`: what is asked and what there is, in words; `code`
    and `refusal`: what whoever chose the password is told where it is not met.
    """

    rule: str
    is_met: bool
    found: str
    code: int
    refusal: str


def too_long(password: str, longest: int) -> Verdict:
    """Return the verdict on the most characters there may be."""
    is_met = len(password) <= longest and not hashers.is_too_long(password)
    found = _("Characters: %(count)s, at most %(most)s", count=len(password), most=longest)
    return Verdict("max_length", is_met, found, 2008, _("Account password exceeded the maximum length."))


def on_strength(strength: Any, password: str) -> Iterator[Verdict]:
    """Yield what each rule of a PasswordStrength says of a composed password."""
    count, least = len(password), strength.min_length
    found = _("Characters: %(count)s, at least %(least)s", count=count, least=least)
    refusal = _("Account password minimum length not satisfied.")
    yield Verdict("min_length", count >= least, found, 2007, refusal)
    yield too_long(password, strength.max_length)
    for attribute, allowed, label, sentences in _CLASSES:
        if least := getattr(strength, attribute):
            count = sum(letter in allowed for letter in password)
            found = _("%(what)s: %(count)s, at least %(least)s", what=_(label), count=count, least=least)
            yield Verdict(attribute, count >= least, found, 400, ngettext(*sentences, least))


def on_ease(password: str, own_names: Iterable[str | None]) -> Iterator[Verdict]:
    """Yield whether a composed password is one of the most common, and whether it comes down to one of these names."""
    is_common = password.casefold() in _common_passwords()
    found = _("It is one of the most common passwords") if is_common else _("It is none of the most common passwords")
    refusal = _("Password is one of the most common ones: anybody would try it.")
    yield Verdict("refuses_common", not is_common, found, 400, refusal)
    own = {form for name in own_names if name for form in _forms(name)}
    is_own = bool(own & _forms(password))
    found = _("It is a name of the account or the site") if is_own else _("It is no name of the account or the site")
    refusal = _("Password is too close to a name of the account or the site.")
    yield Verdict("refuses_common", not is_own, found, 400, refusal)


def _forms(name: str) -> set[str]:
    """Return what a name, or a password, comes down to: without blanks, and without digits and signs around it."""
    folded = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    around = "".join({letter for letter in folded if not letter.isalpha()})
    return {folded, folded.strip(around)} - {""}


@cache
def _common_passwords() -> frozenset[str]:
    lines = resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
