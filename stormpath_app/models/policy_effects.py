"""What a change of a directory's rules would touch, before it is saved: counted, and in words.

Nothing looks at more than MOST rows, however many there are.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..database import session
from ..translation import gettext as _, ngettext
from . import session as sessions
from .account import Account
from .base import ENABLED, UNVERIFIED
from .directory import CHECK, KEEP, REPLACE, Directory
from .one_time_token import RESET, VERIFICATION, OneTimeToken
from .password_rules import PRESETS
from .unsaved import changed

#: So many are counted.
MOST = 10_000


@dataclass(frozen=True)
class Count:
    """How many there are. `is_more`: so many and more."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.is_more else ''}"


@dataclass(frozen=True)
class Effect:
    """One thing that a change does. `count`: to how many; None: it is not about a number, or there are too many."""

    count: Count | None
    sentence: str


def of_passwords(directory: Directory, old: str = KEEP) -> list[Effect]:
    """Return what saving the directory's password policy as it is set now would do.

    :param old: as of `Directory.save_password_policy`.
    """
    policy = directory.password_policy
    what = {**changed(policy), **changed(policy.strength)}
    told = []
    if old in {CHECK, REPLACE}:
        told += _of_old_passwords(directory, old)
    elif any(_is_tighter(name, *values) for name, values in what.items()):
        keep = _("Accounts keep the password they have, and log in with it: the rules are for new ones.")
        told.append(Effect(count_passwords(directory), keep))
    elif what.keys() & PRESETS["stormpath"].keys():
        told.append(Effect(None, _("Nobody notices: each password that was good stays good.")))
    if "prevent_reuse" in what:
        told.append(Effect(None, _of_reuse(*what["prevent_reuse"])))
    if "reset_token_ttl" in what:
        told.append(_of_links(directory, RESET, policy.reset_token_ttl))
    return told


def of_account_creation(directory: Directory) -> list[Effect]:
    """Return what saving the directory's account creation policy as it is set now would do."""
    policy = directory.account_creation_policy
    what, told = changed(policy), []
    if {"email_domain_whitelist", "email_domain_blacklist"} & what.keys():
        stay = _("Accounts stay, whatever their address: only new accounts and new addresses are held to this.")
        told.append(Effect(count_accounts(directory), stay))
    if "verification_email_status" in what:
        told.append(_of_verification(directory, is_on=policy.verifies))
    if "verification_token_ttl" in what:
        told.append(_of_links(directory, VERIFICATION, policy.verification_token_ttl))
    return told


def of_schema(directory: Directory) -> list[Effect]:
    """Return what saving the fields of the directory's account schema as they are set now would do."""
    told = []
    for field in directory.account_schema.fields:
        if "required" not in changed(field):
            continue
        if field.required:
            key: Any = getattr(Account, f"{field.attribute}_key")
            lack = _("Accounts have no such name, and log in as before. New ones must have it.")
            told.append(Effect(count_accounts(directory, key == ""), lack))
        else:
            told.append(Effect(None, _("New accounts may leave it out. Those there are stay as they are.")))
    return told


# --- In words ---


def _of_old_passwords(directory: Directory, old: str) -> list[Effect]:
    count, none = count_passwords(directory), count_accounts(directory, Account.password_modified_at.is_(None))
    if old == CHECK:
        at_login = _(
            "Passwords are looked at when their owner next logs in. One that breaks these rules must be changed."
        )
        told = [Effect(count, at_login)]
    else:
        told = [
            Effect(count, _("Accounts must choose another password when they next log in.")),
            Effect(count_logins(directory), _("Logins end.")),
        ]
    if none.number:
        told.append(Effect(none, _("Accounts have no password, and notice nothing.")))
    return told


def _of_reuse(before: int, after: int) -> str:
    if not after:
        return _("Passwords may be used again. Those that were kept are forgotten with the next new one.")
    if before < after:
        return _("Replaced passwords are kept from now on. What was used before that nobody knows.")
    return _("Fewer of the last passwords are looked at when somebody chooses a new one.")


def _of_links(directory: Directory, purpose: str, hours: int) -> Effect:
    told = ngettext(
        "Links that were mailed already stay good as long as their mail says. New ones are good for one hour.",
        "Links that were mailed already stay good as long as their mail says. New ones are good for %(count)s hours.",
        hours,
    )
    return Effect(count_links(directory, purpose), told)


def _of_verification(directory: Directory, *, is_on: bool) -> Effect:
    if is_on:
        stay = _("Accounts log in as before. New ones must confirm their address first.")
        return Effect(count_accounts(directory, Account.status == ENABLED), stay)
    wait = _("Accounts wait to confirm their address. Links that were mailed stay good; no more are sent.")
    return Effect(count_accounts(directory, Account.status == UNVERIFIED), wait)


def _is_tighter(name: str, before: Any, after: Any) -> bool:
    if name not in PRESETS["stormpath"]:
        return False
    return bool(after < before if name == "max_length" else after > before)


# --- Counted ---


def count_accounts(directory: Directory, *conditions: sa.ColumnElement[bool]) -> Count:
    """Return how many accounts of a directory meet conditions that an index behind the directory answers."""
    return _capped(sa.select(Account.id).where(Account.directory_id == directory.id, *conditions))


def count_passwords(directory: Directory) -> Count:
    """Return how many accounts of a directory have a password."""
    return count_accounts(directory, Account.password_modified_at.is_not(None))


def count_logins(directory: Directory) -> Count | None:
    """Return how many logins there are of a directory's accounts; None: there are too many to look."""
    return _count_theirs(directory, sessions.AccountSession, sessions.have_not_run_out())


def count_links(directory: Directory, purpose: str) -> Count | None:
    """Return how many mailed links for a purpose are open; None: there are too many to look."""
    return _count_theirs(directory, OneTimeToken, OneTimeToken.purpose == purpose)


def _count_theirs(directory: Directory, model: Any, *conditions: sa.ColumnElement[bool]) -> Count | None:
    """Count rows of a directory's accounts, from whichever side is short; None: neither is.

    Each statement says by its shape from where it goes, as a database may not know which side that is.
    """
    some = sa.select(Account.id).where(Account.directory_id == directory.id).limit(MOST + 1).subquery()
    if not count_accounts(directory).is_more:
        each = sa.select(sa.func.count()).select_from(model).where(model.account_id == some.c.id, *conditions)
        return _cut(session.scalar(sa.select(sa.func.sum(each.scalar_subquery())).select_from(some)) or 0)
    if _capped(sa.select(model.id)).is_more:
        return None
    whose = sa.select(Account.directory_id).where(Account.id == model.account_id).scalar_subquery()
    return _cut(session.scalar(sa.select(sa.func.count()).where(whose == directory.id, *conditions)) or 0)


def _capped(wanted: sa.Select[Any]) -> Count:
    found = session.scalar(sa.select(sa.func.count()).select_from(wanted.limit(MOST + 1).subquery()))
    return _cut(found or 0)


def _cut(found: int) -> Count:
    return Count(min(found, MOST), is_more=found > MOST)
