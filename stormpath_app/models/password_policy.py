"""PasswordPolicy and its PasswordStrength: what a password of a directory must be."""

import string
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import hashers
from ..errors import OutOfRange, PasswordRefused
from ..translation import gettext as _, ngettext, nmark
from . import event, password_history
from .base import ENABLED, Id, Resource, boolean, status, whole_number
from .collection import Collection
from .email_template import EmailTemplate, templates, workflow
from .message import RESET, RESET_SUCCESS
from .unsaved import changed, write

if TYPE_CHECKING:
    from .directory import Directory

# The classes of characters, as Stormpath counted them.
_SYMBOLS = frozenset(" " + string.punctuation + "¡¦§©«¬®±µ¶·»½¿×÷")
_DIACRITICS = frozenset(map(chr, range(0xC0, 0x100))) - {"×", "÷"}

#: Attribute, what counts, and Stormpath's sentence for one and for more, in the order they are told.
_CLASSES = (
    (
        "min_numeric",
        frozenset(string.digits),
        nmark(
            "Password requires at least 1 numeric character.",
            "Password requires at least %(count)s numeric characters.",
        ),
    ),
    (
        "min_lower_case",
        frozenset(string.ascii_lowercase),
        nmark(
            "Password requires at least 1 lowercase character.",
            "Password requires at least %(count)s lowercase characters.",
        ),
    ),
    (
        "min_upper_case",
        frozenset(string.ascii_uppercase),
        nmark(
            "Password requires at least 1 uppercase character.",
            "Password requires at least %(count)s uppercase characters.",
        ),
    ),
    (
        "min_symbol",
        _SYMBOLS,
        nmark(
            "Password requires at least 1 symbol character.",
            "Password requires at least %(count)s symbol characters.",
        ),
    ),
    (
        "min_diacritic",
        _DIACRITICS,
        nmark(
            "Password requires at least 1 diacritic character.",
            "Password requires at least %(count)s diacritic characters.",
        ),
    ),
)


class PasswordStrength(Resource):
    """How long a password must be, what it contains, and which cannot be used again. It has the id of its directory."""

    __tablename__ = "stormpath_password_strengths"
    thing, collection = "Password strength", "passwordPolicies"
    readable = (
        *("min_length", "max_length", "min_lower_case", "min_upper_case", "min_numeric"),
        *("min_symbol", "min_diacritic", "prevent_reuse"),
    )
    writable = frozenset(readable)

    id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_password_policies.id", ondelete="CASCADE"), primary_key=True
    )
    min_length: Mapped[int] = mapped_column(default=8)
    max_length: Mapped[int] = mapped_column(default=100)
    min_lower_case: Mapped[int] = mapped_column(default=1)
    min_upper_case: Mapped[int] = mapped_column(default=1)
    min_numeric: Mapped[int] = mapped_column(default=1)
    min_symbol: Mapped[int] = mapped_column(default=0)
    min_diacritic: Mapped[int] = mapped_column(default=0)
    #: How many of an account's last passwords cannot be used again, the one in force among them; 0: all can.
    prevent_reuse: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))

    policy: Mapped["PasswordPolicy"] = relationship(back_populates="strength")

    @property
    def title(self) -> str:
        """The name of the directory."""
        return self.policy.title

    @property
    def href(self) -> str:
        """The policy's address, and `/strength`."""
        return f"{super().href}/strength"

    @classmethod
    def find(cls, href: str) -> Self | None:
        """Return the strength with this href or id; None where there is none."""
        return super().find(href.removesuffix("/strength"))

    @validates("min_length", "max_length")
    def _check_length(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 1, 255)

    @validates("min_lower_case", "min_upper_case", "min_numeric", "min_symbol", "min_diacritic")
    def _check_count(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 0, 255)

    @validates("prevent_reuse")
    def _check_prevent_reuse(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 0, password_history.MOST)

    def describe(self) -> str:
        """Return the rules in one sentence, for whoever is about to choose a password."""
        wanted = [
            ngettext(*words, count)
            for count, words in (
                (self.min_lower_case, nmark("a lowercase letter", "%(count)s lowercase letters")),
                (self.min_upper_case, nmark("an uppercase letter", "%(count)s uppercase letters")),
                (self.min_numeric, nmark("a number", "%(count)s numbers")),
                (self.min_symbol, nmark("a symbol", "%(count)s symbols")),
                (self.min_diacritic, nmark("an accented letter", "%(count)s accented letters")),
            )
            if count
        ]
        if not wanted:
            return _("At least %(length)s characters.", length=self.min_length)
        listed = (
            wanted[0] if len(wanted) == 1 else _("%(some)s and %(last)s", some=", ".join(wanted[:-1]), last=wanted[-1])
        )
        return _("At least %(length)s characters, with %(listed)s.", length=self.min_length, listed=listed)

    def violations(self, password: str) -> Iterator[tuple[int, str]]:
        """Yield the error code and the sentence of each rule that a composed password breaks."""
        if len(password) < self.min_length:
            yield 2007, _("Account password minimum length not satisfied.")
        if len(password) > self.max_length or hashers.is_too_long(password):
            yield 2008, _("Account password exceeded the maximum length.")
        for attribute, allowed, sentences in _CLASSES:
            least = getattr(self, attribute)
            if sum(letter in allowed for letter in password) < least:
                yield 400, ngettext(*sentences, least)

    def _before_save(self) -> None:
        if self.min_length > self.max_length:
            raise OutOfRange(self.thing, "max_length", low=self.min_length, high=255)
        if told := event.changes(self):
            event.record("password_policy.updated", target=self, directory_id=self.id, changed=told)


class PasswordPolicy(Resource):
    """The rules for the passwords of one directory. It has the directory's id."""

    __tablename__ = "stormpath_password_policies"
    thing, collection = "Password policy", "passwordPolicies"
    readable = ("reset_token_ttl", "reset_email_status", "reset_success_email_status", "refuses_common")
    writable = frozenset(readable)
    links = frozenset({"strength", "reset_email_templates", "reset_success_email_templates"})

    id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), primary_key=True)
    #: Whether well-known passwords, and the account's own names, are refused.
    refuses_common: Mapped[bool] = mapped_column(default=True)
    #: How long the link of a reset is good, in hours.
    reset_token_ttl: Mapped[int] = mapped_column(default=24, server_default="24", active_history=True)
    #: Whether the mail with that link is sent, and the one that tells of the new password.
    reset_email_status: Mapped[str] = workflow(ENABLED)
    reset_success_email_status: Mapped[str] = workflow(ENABLED)
    strength: Mapped[PasswordStrength] = relationship(
        back_populates="policy", lazy="joined", innerjoin=True, cascade="all", passive_deletes=True
    )
    directory: Mapped["Directory"] = relationship(back_populates="password_policy")

    @property
    def title(self) -> str:
        """The name of the directory."""
        return self.directory.name

    @validates("refuses_common")
    def _check_refuses_common(self, key: str, value: object) -> bool:
        return boolean(self.thing, key, value)

    @validates("reset_token_ttl")
    def _check_ttl(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 1, 168)

    @validates("reset_email_status", "reset_success_email_status")
    def _check_workflow(self, key: str, value: object) -> str:
        return status(self.thing, value, name=key)

    @classmethod
    def standard(cls, directory_id: str) -> "PasswordPolicy":
        """Return a new policy with Stormpath's values."""
        return cls(id=directory_id, refuses_common=True, strength=PasswordStrength(id=directory_id))

    @property
    def reset_email_templates(self) -> Collection[EmailTemplate]:
        """What the mail with the link says: one template."""
        return templates(self.id, RESET)

    @property
    def reset_success_email_templates(self) -> Collection[EmailTemplate]:
        """What the mail says that tells of the new password: one template."""
        return templates(self.id, RESET_SUCCESS)

    def check(self, password: str, own_names: Iterable[str | None] = ()) -> None:
        """Accept a password, or tell all that is wrong with it.

        :param own_names: the account's names and the application's; a password that is hardly more is refused.
        :raises PasswordRefused: it breaks rules; the code is the first one's.
        """
        if len(password) > hashers.LONGEST:  # composing a long one could take seconds
            raise PasswordRefused([_("Account password exceeded the maximum length.")], code=2008)
        composed = hashers.normal(password)
        found = [*self.strength.violations(composed), *self._too_easy(composed, own_names)]
        if found:
            raise PasswordRefused([sentence for _code, sentence in found], code=found[0][0])

    def _too_easy(self, password: str, own_names: Iterable[str | None]) -> Iterator[tuple[int, str]]:
        if not self.refuses_common:
            return
        if password.casefold() in _common_passwords():
            yield 400, _("Password is one of the most common ones: anybody would try it.")
        own = {form for name in own_names if name for form in _forms(name)}
        if own & _forms(password):
            yield 400, _("Password is too close to a name of the account or the site.")

    def _before_save(self) -> None:
        if told := event.changes(self):
            event.record("password_policy.updated", target=self, directory_id=self.id, changed=told)
        if changed(self.strength):
            self.strength._before_save()
            write(self.strength)


def _forms(name: str) -> set[str]:
    """Return what a name, or a password, comes down to: without blanks, and without digits and signs around it."""
    folded = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    around = "".join({letter for letter in folded if not letter.isalpha()})
    return {folded, folded.strip(around)} - {""}


@cache
def _common_passwords() -> frozenset[str]:
    lines = resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
