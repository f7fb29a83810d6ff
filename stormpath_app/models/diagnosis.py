"""Diagnosis: what a login would meet now, step by step, found out without logging in. Nothing is changed by it."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from .. import clock, names, throttle, user_agents
from ..database import session
from ..errors import (
    AccountDisabled,
    AccountNotFound,
    AccountNotVerified,
    ApplicationDisabled,
    LoginFailed,
    NoAccountStores,
    PasswordChangeRequired,
    TooManyAttempts,
    WrongPassword,
)
from ..translation import day, gettext as _, mark, ngettext
from . import message
from .account import Account
from .account_store_holder import AccountStoreHolder
from .account_store_mapping import AccountStoreMapping
from .base import DISABLED, ENABLED, UNVERIFIED, VERIFIED, Resource
from .directory import Directory
from .event import AuditEvent, unindexed
from .group import Group
from .group_membership import GroupMembership
from .login_name import LoginName
from .message import OutboxMessage
from .provider import Provider

#: What becomes of a step. WARNED: a login may fail there, or not; UNKNOWN: it cannot be told from here.
PASSED, FAILED, WARNED, UNKNOWN = "passed", "failed", "warned", "unknown"

#: The verbs that mend a step; each has a button in the console.
ENABLE, MAP, REORDER, ADD_TO_GROUP = "enable", "map", "reorder", "add_to_group"
UNLOCK, RESET, VERIFY, RESEND, KEEP_PASSWORD = "unlock", "reset", "verify", "resend", "keep_password"

_LAST = 5  # failures that are told


@dataclass(frozen=True)
class Remedy:
    """What mends a step: a verb, and the resource that it is for."""

    verb: str
    target: Resource


@dataclass(frozen=True)
class Step:
    """One thing that a login meets. `kind`: its name for programs; `state`: what becomes of it; `detail`: more words.

    `is_reached`: False behind the first that fails: a login ends there, and `state` is what would become of this one.
    `error`: what a login raises that fails here; `remedies`: what mends it.
    """

    kind: str
    state: str
    sentence: str
    detail: str = ""
    error: type[LoginFailed] | None = None
    remedies: tuple[Remedy, ...] = ()
    is_reached: bool = True


@dataclass(frozen=True)
class Failure:
    """A login that failed: when, from where, on what, and why."""

    at: datetime
    address: str | None
    device: str
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """What a login would meet now with the right password. `account`: whose it is, if anybody's; `steps`: in order.

    `failures`: the last that there were, newest first; `mails`: the last to the account.
    """

    application: AccountStoreHolder
    login: str
    account: Account | None
    steps: tuple[Step, ...]
    failures: tuple[Failure, ...]
    mails: tuple[OutboxMessage, ...]

    @property
    def failing(self) -> tuple[Step, ...]:
        """The steps that fail, or would."""
        return tuple(step for step in self.steps if step.state == FAILED)

    @property
    def can_log_in(self) -> bool:
        """Whether the right password lets them in."""
        return not self.failing

    @property
    def error(self) -> type[LoginFailed] | None:
        """What `authenticate_account` would raise."""
        return self.failing[0].error if self.failing else None

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        who = (self.account and (self.account.full_name or self.account.email)) or self.login
        if (
            self.account
            and not self.account.directory.is_cloud
            and [step.kind for step in self.failing] == ["password"]
        ):
            provider = self.account.directory.provider.shown_name
            return _("%(who)s logs in with %(provider)s, and has no password", who=who, provider=provider)
        if self.error is PasswordChangeRequired:
            return _("%(who)s can log in once they have chosen another password", who=who)
        if self.failing:
            return _("%(who)s cannot log in", who=who)
        warned = {step.kind for step in self.steps if step.state == WARNED}
        if "network" in warned:
            return _("%(who)s can log in, but not from everywhere", who=who)
        if warned:
            return _("%(who)s can log in, and may have to choose another password", who=who)
        return _("%(who)s can log in", who=who)

    def without_password(self) -> "Diagnosis":
        """Return what a login by the account's provider meets, which asks for none."""
        steps = [step for step in self.steps if step.kind not in {"lock", "password"}]
        return replace(self, steps=tuple(_until_one_fails(steps)))


def diagnose(
    application: AccountStoreHolder,
    login: str,
    expected: Account | None = None,
    directory_ids: Container[str] | None = None,
) -> Diagnosis:
    """Walk the way of a login of `application` as `authenticate_account` does, looking alone.

    :param expected: whose login it should be; another account with the same name may be found first.
    :param directory_ids: of the directories whose names, and whose groups' names, are told; None: all.
    """
    places = _places(application, login, directory_ids)
    asked = places
    if expected and not expected.directory.is_cloud:  # its provider names it, and nobody else is found
        asked = [place for place in places if place.account_id == expected.id]
    decides = next((place for place in asked if place.lets_in), None)
    found, account_step = _found(application, login, places, decides, expected)
    account = expected or found
    steps = [_application(application), *_stores(application, places)]
    if places:
        steps.append(account_step)
    failures = failures_of(account)
    if account:
        steps += _of_account(account, failures)
    return Diagnosis(application, login, account, tuple(_until_one_fails(steps)), failures, _mails(account))


def _until_one_fails(steps: Sequence[Step]) -> Iterator[Step]:
    is_reached = True
    for step in steps:
        yield replace(step, is_reached=is_reached)
        is_reached = is_reached and step.state != FAILED


# --- The application and its account stores ---


@dataclass(frozen=True)
class _Place:
    """An account store, as a login finds it. `account_id`: whose the login is in its directory."""

    mapping: AccountStoreMapping
    account_id: str | None
    is_member: bool
    is_named: bool

    @property
    def store(self) -> Directory | Group:
        return self.mapping.account_store

    @property
    def name(self) -> str:
        return self.store.name if self.is_named else _("A store that is not among what you may see")

    @property
    def is_open(self) -> bool:
        group = self.mapping.group
        return self.mapping.directory.status == ENABLED and (group is None or group.status == ENABLED)

    @property
    def lets_in(self) -> bool:
        return self.account_id is not None and self.is_open and (self.mapping.group is None or self.is_member)


def _places(application: AccountStoreHolder, login: str, directory_ids: Container[str] | None) -> list[_Place]:
    key = names.key(login) if names.can_be_stored(login) else ""  # nobody's
    rows = session.execute(_PLACES, {"application_id": application.id, "name_key": key})
    return [
        _Place(mapping, account_id, is_member, directory_ids is None or mapping.directory_id in directory_ids)
        for mapping, account_id, is_member in rows
    ]


_PLACES = (
    sa.select(
        AccountStoreMapping,
        LoginName.account_id,
        sa.exists()
        .where(
            GroupMembership.group_id == AccountStoreMapping.group_id,
            GroupMembership.account_id == LoginName.account_id,
        )
        .correlate(AccountStoreMapping, LoginName),
    )
    .outerjoin(
        LoginName,
        (LoginName.directory_id == AccountStoreMapping.directory_id) & (LoginName.name_key == sa.bindparam("name_key")),
    )
    .join(Directory, Directory.id == AccountStoreMapping.directory_id)
    .where(AccountStoreMapping.application_id == sa.bindparam("application_id"))
    .order_by(Directory.provider_id != Provider.STORMPATH, AccountStoreMapping.list_index, AccountStoreMapping.id)
)


def _application(application: AccountStoreHolder) -> Step:
    if application.status == ENABLED:
        return Step("application", PASSED, _("Application %(name)s is enabled", name=application.name))
    return Step(
        "application",
        FAILED,
        _("Application %(name)s is disabled", name=application.name),
        error=ApplicationDisabled,
        remedies=(Remedy(ENABLE, application),),
    )


def _stores(application: AccountStoreHolder, places: list[_Place]) -> list[Step]:
    if not places:
        sentence = _("%(name)s has no account store to ask", name=application.name)
        remedies = (Remedy(MAP, application),)
        return [Step("account_stores", FAILED, sentence, error=NoAccountStores, remedies=remedies)]
    asked = ngettext("One account store is asked", "%(count)s account stores are asked, in this order", len(places))
    return [Step("account_stores", PASSED, asked, ", ".join(map(_told, places)))]


def _told(place: _Place) -> str:
    return place.name if place.is_open else _("%(name)s (disabled)", name=place.name)


def _found(
    application: AccountStoreHolder,
    login: str,
    places: list[_Place],
    decides: _Place | None,
    expected: Account | None,
) -> tuple[Account | None, Step]:
    """Return whose the login is, whether it is let in or not, and what becomes of the step that looks for it."""
    if decides and (expected is None or decides.account_id == expected.id):
        place = _("Found in %(name)s", name=decides.name)
        return _account(decides.account_id), Step("account", PASSED, place, login)
    if decides and expected:
        sentence = _("%(name)s has another account with this name, and is asked first", name=decides.name)
        return expected, _not_found(sentence, login, Remedy(REORDER, application))
    knows = next(
        (place for place in places if place.account_id and (expected is None or place.account_id == expected.id)), None
    )
    if knows is None:
        return expected, _nowhere(application, login, expected)
    return _account(knows.account_id), _closed(knows)


def _account(account_id: str | None) -> Account | None:
    return session.get(Account, account_id)


def _not_found(sentence: str, detail: str, *remedies: Remedy) -> Step:
    return Step("account", FAILED, sentence, detail, AccountNotFound, remedies)


def _nowhere(application: AccountStoreHolder, login: str, expected: Account | None) -> Step:
    if expected is None:
        return _not_found(_("No account has this name"), login)
    sentence = _("%(name)s does not ask %(directory)s", name=application.name, directory=expected.directory.name)
    return _not_found(sentence, _("The account is there alone."), Remedy(MAP, application))


def _closed(knows: _Place) -> Step:
    """Return the step for an account store that has the account, and lets it in not."""
    directory, group = knows.mapping.directory, knows.mapping.group
    if directory.status != ENABLED:
        sentence = _("Directory %(name)s is disabled", name=directory.name)
        return _not_found(sentence, _("The account is there."), Remedy(ENABLE, directory))
    assert group is not None  # noqa: S101 - an open directory without one lets it in
    if group.status != ENABLED:
        sentence = _("Group %(name)s is disabled", name=group.name)
        return _not_found(sentence, _("Its members alone may log in."), Remedy(ENABLE, group))
    sentence = _("Not a member of %(name)s", name=group.name)
    return _not_found(sentence, _("Its members alone may log in."), Remedy(ADD_TO_GROUP, group))


# --- The account, in the order that `authenticate_account` looks at it ---


def _of_account(account: Account, failures: Sequence[Failure]) -> Iterator[Step]:
    yield _lock(account, failures)
    yield _password(account)
    yield _status(account)
    yield _verification(account)
    if account.directory.is_cloud:
        yield _must_change(account)
    yield _network(account, failures)


def _lock(account: Account, failures: Sequence[Failure]) -> Step:
    counter, devices = account.locks
    counted = ngettext("One wrong password in a row", "%(count)s wrong passwords in a row", counter.failures)
    if counter.is_open:
        return Step("lock", PASSED, _("Not locked"), counted if counter.failures else "")
    if counter.is_stopped:
        sentence = _("Locked until a new password is set by mail")
    else:
        assert counter.until is not None  # noqa: S101 - what makes it wait
        sentence = _("Locked until %(time)s", time=moment(counter.until))
    more = [_since(counted, counter.failures, failures)]
    if all(device.is_open for device in devices):
        more.append(_("A browser that they logged in with before is let in."))
    remedies = (Remedy(UNLOCK, account), Remedy(RESET, account))
    return Step("lock", FAILED, sentence, " ".join(more), TooManyAttempts, remedies)


def _since(counted: str, count: int, failures: Sequence[Failure]) -> str:
    """Return when the wrong passwords came and from where, as far as the last failures tell."""
    wrong = failures[:count]
    if not wrong:
        return f"{counted}."
    addresses = sorted({failure.address or "?" for failure in wrong})
    last = moment(wrong[0].at)
    if len(addresses) == 1:
        return _("%(counted)s, the last at %(time)s, all from %(address)s.", **_where(counted, last, addresses))
    return _("%(counted)s, the last at %(time)s, from %(address)s.", **_where(counted, last, addresses))


def _where(counted: str, last: str, addresses: list[str]) -> dict[str, str]:
    return {"counted": counted, "time": last, "address": ", ".join(addresses)}


def _password(account: Account) -> Step:
    if not account.directory.is_cloud:
        provider = account.directory.provider.shown_name
        sentence = _("They log in with %(provider)s, and have no password", provider=provider)
        return Step("password", FAILED, sentence, error=WrongPassword)
    if not account.has_password:
        sentence, remedies = _("No password is set"), (Remedy(RESET, account),)
        return Step("password", FAILED, sentence, error=WrongPassword, remedies=remedies)
    at = account.password_modified_at
    return Step("password", PASSED, _("A password is set"), _("Changed on %(day)s", day=day(at)) if at else "")


def _status(account: Account) -> Step:
    if account.status == DISABLED:
        sentence, remedies = _("Account is disabled"), (Remedy(ENABLE, account),)
        return Step("status", FAILED, sentence, error=AccountDisabled, remedies=remedies)
    return Step("status", PASSED, _("Account is not disabled"))


def _verification(account: Account) -> Step:
    if account.status == UNVERIFIED:
        remedies = [Remedy(VERIFY, account)]
        if account.directory.account_creation_policy.verifies:
            remedies.append(Remedy(RESEND, account))
        detail = _("They must open the link in the mail to %(address)s.", address=account.email)
        return Step("verification", FAILED, _("Email is not verified"), detail, AccountNotVerified, tuple(remedies))
    if account.email_verification_status == VERIFIED:
        return Step("verification", PASSED, _("Email is verified"))
    return Step("verification", PASSED, _("Email need not be verified"))


def _must_change(account: Account) -> Step:
    """Return the step at which a login may end for a new password: the account must, or the directory's rules say so.

    Whether an older password keeps newer rules is only known once it is typed.
    """
    strength, at = account.directory.password_policy.strength, account.password_modified_at
    checks, replaces = (
        moment is not None and (at is None or at < moment)
        for moment in (strength.checks_before, strength.replaces_before)
    )
    if replaces and not account.must_change_password:
        sentence = _("Another password must be chosen")
        detail = _("%(name)s replaces all that are older than its rules.", name=account.directory.name)
        return Step("must_change_password", FAILED, sentence, detail, PasswordChangeRequired)
    if account.must_change_password:
        sentence = _("Another password must be chosen")
        detail = _("The login page asks for it once the right one was given.")
        remedies = (Remedy(KEEP_PASSWORD, account),)
        return Step("must_change_password", FAILED, sentence, detail, PasswordChangeRequired, remedies)
    if checks:
        sentence = _("Another password may have to be chosen")
        detail = _("It is older than the rules of %(name)s, and tried against them.", name=account.directory.name)
        return Step("must_change_password", WARNED, sentence, detail)
    return Step("must_change_password", PASSED, _("The password may stay"))


def _network(account: Account, failures: Sequence[Failure]) -> Step:
    """Return the step for the network of the last try, failed or not: of the next one nothing is known."""
    last = session.scalar(
        sa.select(AuditEvent.address)
        .where(
            AuditEvent.account_id == account.id, unindexed(AuditEvent.kind).in_(_TRIES), AuditEvent.address.is_not(None)
        )
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    if last is None:
        return Step("network", UNKNOWN, _("Where they log in from is not known"), _("A network has a limit too."))
    counter = throttle.of_network(last)
    whose = _("The address of the last failure") if failures and failures[0].address == last else _("The last address")
    if counter.until is None:
        return Step("network", PASSED, _("%(address)s is below its limit", address=last), whose)
    sentence = _("%(address)s is blocked until %(time)s", address=last, time=moment(counter.until))
    count = ngettext("One failure came from there.", "%(count)s failures came from there.", counter.failures)
    return Step("network", WARNED, sentence, f"{whose}. {count}")


# --- What was before ---

_TRIES = ("login.succeeded", "login.failed")
#: What a failure was, by its code.
_WHY = {
    WrongPassword.code: mark("Wrong password"),
    AccountDisabled.code: mark("The account was disabled"),
    AccountNotVerified.code: mark("The email was not verified"),
    PasswordChangeRequired.code: mark("Another password had to be chosen"),
    ApplicationDisabled.code: mark("The application was disabled"),
    AccountNotFound.code: mark("Not found"),
}


def failures_of(account: Account | None) -> tuple[Failure, ...]:
    """Return the last logins of an account that failed, newest first."""
    if account is None:
        return ()
    wanted = sa.select(AuditEvent).where(
        AuditEvent.account_id == account.id, unindexed(AuditEvent.kind) == "login.failed"
    )
    found = session.scalars(wanted.order_by(AuditEvent.id.desc()).limit(_LAST))
    return tuple(
        Failure(event.at, event.address, user_agents.device(event.user_agent), _why(event.data.get("code")))
        for event in found
    )


def _why(code: Any) -> str:
    return _(_WHY[code]) if code in _WHY else str(code)


def _mails(account: Account | None) -> tuple[OutboxMessage, ...]:
    return tuple(message.of_account(account.id, limit=_LAST)) if account else ()


def moment(at: datetime) -> str:
    """Return a moment in few words: the time alone where it is near, with its seconds where it is very near."""
    distance = abs(at - clock.now())
    if distance >= timedelta(hours=12):
        return f"{day(at)}, {at:%H:%M} UTC"
    return f"{at:%H:%M:%S} UTC" if distance < timedelta(minutes=2) else f"{at:%H:%M} UTC"
