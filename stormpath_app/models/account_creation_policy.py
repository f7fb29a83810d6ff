"""AccountCreationPolicy: which e-mail addresses the accounts of a directory may have, and which mails they get."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import names
from ..database import TextTuple
from ..errors import EmailDomainBlacklisted, EmailDomainNotWhitelisted, TooLong, WrongType
from . import event
from .base import DISABLED, ENABLED, Id, Resource, directory_name, status, whole_number
from .collection import Collection
from .email_template import EmailTemplate, templates, workflow
from .message import VERIFICATION, VERIFICATION_SUCCESS, WELCOME
from .unsaved import changed

if TYPE_CHECKING:
    from .directory import Directory

#: Longest list of patterns, in letters of its JSON: a line of the log has room for both lists, before and after.
LONGEST_LIST = 15_000


class AccountCreationPolicy(Resource):
    """What is asked of the e-mail addresses of one directory. It has the directory's id.

    A pattern is a domain in which `*` stands for any letters: `*.example.com` is each sub-domain of example.com,
    `*example.com` also example.com and badexample.com. The lists are tuples, as they are replaced and not changed.
    """

    __tablename__ = "stormpath_account_creation_policies"
    thing, collection = "Account creation policy", "accountCreationPolicies"
    readable = (
        *("verification_email_status", "verification_success_email_status", "welcome_email_status"),
        *("verification_token_ttl", "email_domain_whitelist", "email_domain_blacklist"),
    )
    writable = frozenset(readable)
    links = frozenset(
        {
            *("directory", "verification_email_templates", "verification_success_email_templates"),
            "welcome_email_templates",
        }
    )

    id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), primary_key=True)
    # The values before are always known, as the log tells them.
    #: Where there are any, no other domain is taken.
    email_domain_whitelist: Mapped[tuple[str, ...]] = mapped_column(TextTuple, default=(), active_history=True)
    #: Never taken, even if they are on the other list.
    email_domain_blacklist: Mapped[tuple[str, ...]] = mapped_column(TextTuple, default=(), active_history=True)

    #: Whether a new account must confirm its address before it may log in, by the link in a mail.
    verification_email_status: Mapped[str] = workflow(DISABLED)
    #: Whether a mail says that it was confirmed.
    verification_success_email_status: Mapped[str] = workflow(DISABLED)
    #: Whether a mail welcomes an account: a new one, or where addresses are confirmed, one that did.
    welcome_email_status: Mapped[str] = workflow(DISABLED)
    #: How long the link that confirms is good, in hours.
    verification_token_ttl: Mapped[int] = mapped_column(default=168, server_default="168", active_history=True)

    directory: Mapped["Directory"] = relationship(back_populates="account_creation_policy")

    @validates("email_domain_whitelist", "email_domain_blacklist")
    def _check_patterns(self, key: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise WrongType(self.thing, key)
        patterns = tuple(names.domain_pattern(self.thing, key, pattern) for pattern in value)
        if len(TextTuple.spell(patterns)) > LONGEST_LIST:
            raise TooLong(self.thing, key, longest=LONGEST_LIST)
        return patterns

    @validates("verification_email_status", "verification_success_email_status", "welcome_email_status")
    def _check_workflow(self, key: str, value: object) -> str:
        return status(self.thing, value, name=key)

    @validates("verification_token_ttl")
    def _check_ttl(self, key: str, value: object) -> int:
        return whole_number(self.thing, key, value, 1, 720)

    @property
    def verifies(self) -> bool:
        """Whether new accounts must confirm their address."""
        return self.verification_email_status == ENABLED

    @property
    def verification_email_templates(self) -> Collection[EmailTemplate]:
        """What the mail with the link says: one template."""
        return templates(self.id, VERIFICATION)

    @property
    def verification_success_email_templates(self) -> Collection[EmailTemplate]:
        """What the mail says that tells of the confirmed address: one template."""
        return templates(self.id, VERIFICATION_SUCCESS)

    @property
    def welcome_email_templates(self) -> Collection[EmailTemplate]:
        """What the mail says that welcomes an account: one template."""
        return templates(self.id, WELCOME)

    @property
    def title(self) -> str:
        """The name of the directory."""
        return directory_name(self.id)

    def check(self, email: str) -> None:
        """Accept an address whose domain an account may have. The blacklist beats the whitelist.

        :raises EmailDomainBlacklisted, EmailDomainNotWhitelisted: it may not.
        """
        domain = names.domain(email)
        if _is_listed(domain, self.email_domain_blacklist):
            raise EmailDomainBlacklisted("Account", "email")
        if self.email_domain_whitelist and not _is_listed(domain, self.email_domain_whitelist):
            raise EmailDomainNotWhitelisted("Account", "email")

    def _before_save(self) -> None:
        if what := changed(self):
            told = event.changes(self, what)
            event.record("account_creation_policy.updated", target=self, directory_id=self.id, changed=told)


def _is_listed(domain: str, patterns: tuple[str, ...]) -> bool:
    return any(_matches(domain, parts) for parts in _split(patterns))


@lru_cache(maxsize=64)  # most directories keep their lists for long
def _split(patterns: tuple[str, ...]) -> tuple[list[str], ...]:
    """Return the parts of each pattern between its stars, in the ASCII form that domains are compared by."""
    return tuple(names.ascii_pattern(pattern).split("*") for pattern in patterns)


def _matches(domain: str, parts: list[str]) -> bool:
    """Tell whether the domain is these parts with anything between them.

    Each is looked for once, from the left: a regular expression or `fnmatch` would try all ways to share out the stars.
    """
    first, *middle = parts
    if not middle:
        return domain == first
    last = middle.pop()
    at, end = len(first), len(domain) - len(last)
    if at > end or not (domain.startswith(first) and domain.endswith(last)):
        return False
    for part in middle:
        at = domain.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
