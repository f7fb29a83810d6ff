"""PasswordPolicy and its PasswordStrength: what a password of a directory must be."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import clock, hashers
from ..database import UTCDateTime
from ..errors import OutOfRange, PasswordRefused, ResourceNotFound, UnsupportedValue, WrongType
from ..translation import gettext as _, ngettext, nmark
from . import event, kept, password_history, password_rules
from .base import ENABLED, Id, Resource, boolean, directory_name, status, whole_number
from .collection import Collection
from .email_template import EmailTemplate, templates, workflow
from .message import RESET, RESET_SUCCESS
from .password_rules import PRESETS, Verdict
from .unsaved import changed, write


class PasswordStrength(Resource):
    """How long a password must be, what it contains, and which cannot be used again. It has the id of its directory."""

    __tablename__ = "stormpath_password_strengths"
    thing, collection = "Password strength", "passwordPolicies"
    readable = (
        *("min_length", "max_length", "min_lower_case", "min_upper_case", "min_numeric"),
        *("min_symbol", "min_diacritic", "prevent_reuse", "checks_before", "replaces_before"),
    )
    writable = frozenset(readable)

    id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_password_policies.id", ondelete="CASCADE"), primary_key=True
    )
    # The values before are always known, as the log tells them.
    min_length: Mapped[int] = mapped_column(default=8, active_history=True)
    max_length: Mapped[int] = mapped_column(default=100, active_history=True)
    min_lower_case: Mapped[int] = mapped_column(default=1, active_history=True)
    min_upper_case: Mapped[int] = mapped_column(default=1, active_history=True)
    min_numeric: Mapped[int] = mapped_column(default=1, active_history=True)
    min_symbol: Mapped[int] = mapped_column(default=0, active_history=True)
    min_diacritic: Mapped[int] = mapped_column(default=0, active_history=True)
    #: How many of an account's last passwords cannot be used again, the one in force among them; 0: all can.
    prevent_reuse: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"), active_history=True)
    #: Passwords from before this moment are looked at when their owner next logs in: who has one that breaks the rules
    #: must choose another. None: rules are for new passwords alone.
    checks_before: Mapped[datetime | None] = mapped_column(UTCDateTime, active_history=True)
    #: Passwords from before this moment must be replaced at the next login, whatever they are.
    replaces_before: Mapped[datetime | None] = mapped_column(UTCDateTime, active_history=True)

    @property
    def title(self) -> str:
        """The name of the directory."""
        return directory_name(self.id)

    @property
    def href(self) -> str:
        """The policy's address, and `/strength`."""
        return f"{super().href}/strength"

    @classmethod
    def find(cls, href: str) -> Self | None:
        """Return the strength with this href or id; None where there is none."""
        return super().find(href.removesuffix("/strength"))

    @classmethod
    def of(cls, directory_id: str) -> Self:
        """Return the strength of a directory's passwords, for a page that tells it; it is read once for many."""
        found: Self | None = _OF_DIRECTORIES.find(directory_id, directory_id=directory_id)
        if found is None:
            raise ResourceNotFound(developer_message=f"There is no directory {directory_id!r}.")
        return found

    @validates("min_length", "max_length")
    def _check_length(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 1, 255)

    @validates("min_lower_case", "min_upper_case", "min_numeric", "min_symbol", "min_diacritic")
    def _check_count(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 0, 255)

    @validates("prevent_reuse")
    def _check_prevent_reuse(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 0, password_history.MOST)

    @validates("checks_before", "replaces_before")
    def _check_moment(self, key: str, value: object) -> datetime | None:
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise WrongType(self.thing, key)
        return min(value, clock.now())  # a password that is chosen tomorrow is not to be replaced for it

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

    def _before_save(self) -> None:
        if self.min_length > self.max_length:
            raise OutOfRange(self.thing, "max_length", low=self.min_length, high=255)
        if told := event.changes(self):
            event.record("password_policy.updated", target=self, directory_id=self.id, changed=told)


_OF_DIRECTORIES: kept.Lookup[Any] = kept.Lookup(
    "policies", PasswordStrength, PasswordStrength.id == sa.bindparam("directory_id")
)


class PasswordPolicy(Resource):
    """The rules for the passwords of one directory. It has the directory's id."""

    __tablename__ = "stormpath_password_policies"
    thing, collection = "Password policy", "passwordPolicies"
    readable = ("reset_token_ttl", "reset_email_status", "reset_success_email_status", "refuses_common")
    writable = frozenset(readable)
    links = frozenset({"strength", "reset_email_templates", "reset_success_email_templates"})

    id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), primary_key=True)
    #: Whether well-known passwords, and the account's own names, are refused.
    refuses_common: Mapped[bool] = mapped_column(default=True, active_history=True)
    #: How long the link of a reset is good, in hours.
    reset_token_ttl: Mapped[int] = mapped_column(default=24, server_default="24", active_history=True)
    #: Whether the mail with that link is sent, and the one that tells of the new password.
    reset_email_status: Mapped[str] = workflow(ENABLED)
    reset_success_email_status: Mapped[str] = workflow(ENABLED)
    strength: Mapped[PasswordStrength] = relationship(
        lazy="joined", innerjoin=True, cascade="all", passive_deletes=True
    )

    @property
    def title(self) -> str:
        """The name of the directory."""
        return directory_name(self.id)

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

    # --- Presets ---

    @property
    def preset(self) -> str | None:
        """The name of the PRESETS that it is now, saved or not; None: it is of one's own making."""
        return next((name for name, wanted in PRESETS.items() if self._preset_values() == wanted), None)

    @preset.setter
    def preset(self, name: object) -> None:
        """Set what the preset with this name sets; then `save()`."""
        if name not in PRESETS:
            raise UnsupportedValue(self.thing, "preset", allowed=", ".join(PRESETS))
        for attribute, value in PRESETS[str(name)].items():
            setattr(self if attribute == "refuses_common" else self.strength, attribute, value)

    def _preset_values(self) -> dict[str, Any]:
        return {
            name: getattr(self if name == "refuses_common" else self.strength, name) for name in PRESETS["stormpath"]
        }

    # --- A password ---

    def check(self, password: str, own_names: Iterable[str | None] = ()) -> None:
        """Accept a password, or tell all that is wrong with it.

        :param own_names: the account's names and the application's; a password that is hardly more is refused.
        :raises PasswordRefused: it breaks rules; the code is the first one's.
        """
        broken = [verdict for verdict in self.judge(password, own_names) if not verdict.is_met]
        if broken:
            raise PasswordRefused([verdict.refusal for verdict in broken], code=broken[0].code)

    def judge(self, password: str, own_names: Iterable[str | None] = ()) -> list[Verdict]:
        """Return what each rule says of a password, as the rules are set now, saved or not. Nothing is kept of it."""
        return list(self._verdicts(password, own_names))

    def _verdicts(self, password: str, own_names: Iterable[str | None]) -> Iterator[Verdict]:
        if len(password) > hashers.LONGEST:  # composing a long one could take seconds
            yield password_rules.too_long(password, self.strength.max_length)
            return
        composed = hashers.normal(password)
        yield from password_rules.on_strength(self.strength, composed)
        if self.refuses_common:
            yield from password_rules.on_ease(composed, own_names)

    def _before_save(self) -> None:
        if told := event.changes(self):
            event.record("password_policy.updated", target=self, directory_id=self.id, changed=told)
        if changed(self.strength):
            self.strength._before_save()
            write(self.strength)
