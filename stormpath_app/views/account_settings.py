"""The settings page: what people see of their own account, and change themselves."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, NamedTuple

from flask import flash, redirect, request, session as browser_session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.wrappers import Response

from .. import clock, throttle, user_agents
from ..authentication import renew_login
from ..authorization import refuse_stale, refuse_strangers
from ..errors import (
    InvalidFormat,
    LoginFailed,
    LoginOutdated,
    PasswordChangeRequired,
    PasswordRefused,
    PropertyError,
    ResourceNotFound,
    StormpathError,
    WrongPassword,
)
from ..forms import Form
from ..models import Account, AccountSession, Application, AuditEvent, PasswordStrength, event
from ..models.base import VERIFIED
from ..models.provider import name_of
from ..pages import link, moment, refuse, render, site_url, tell, tell_errors, was_sent
from ..settings import settings as app_settings
from ..translation import day, gettext as _, mark
from .forms import NAMES, ChangePasswordForm, NamesForm, NewAddressForm
from .social_buttons import button

#: So many devices are shown, and so many events on each page.
MOST_DEVICES, MOST_EVENTS = 50, 20

#: In the browser's session: the section that is told what came of its form.
_SECTION = "stormpath_settings_section"

View = Callable[[Account], ResponseReturnValue]


def _personal(view: View) -> Callable[[], ResponseReturnValue]:
    """Let nobody in who is not logged in, whatever the settings of tests say: a stranger has nothing to be shown."""

    @wraps(view)
    def guarded() -> ResponseReturnValue:
        if (refusal := refuse_strangers()) is not None:
            return refusal
        return view(current_user._get_current_object())

    return guarded


def _section(name: str) -> Callable[[View], Callable[[], ResponseReturnValue]]:
    """Let a view take the form of a section. Who asks for its address is led to the section."""

    def add(view: View) -> Callable[[], ResponseReturnValue]:
        @wraps(view)
        def taking(account: Account) -> ResponseReturnValue:
            return view(account) if was_sent() else _lead_to(name)

        return _personal(taking)

    return add


@_personal
def settings(account: Account) -> ResponseReturnValue:
    """Show the page, or older events."""
    return _page(account, browser_session.pop(_SECTION, None))


@_section("profile")
def profile(account: Account) -> ResponseReturnValue:
    """Save the names."""
    form = _names_form(account)
    if not form.validate():
        return _page(account, "profile", tell_errors(form), names=form)
    try:
        for name, value in form.names().items():
            account[name] = value
        with throttle.counting_taken_names():
            account.save()
    except StormpathError as error:
        account.refresh()  # the rest of the page shows what is there
        status, headers = refuse(error)
        tell(form, error.property if isinstance(error, PropertyError) else None, error.message)
        return _page(account, "profile", status, headers, names=form)
    return _done("profile", _("Profile saved."))


@_section("email")
def email(account: Account) -> ResponseReturnValue:
    """Mail a link to another address, which becomes the account's when it is opened there."""
    form = NewAddressForm()
    if not form.validate():
        return _page(account, "email", tell_errors(form), addresses=form)
    try:
        account.check_password(form.email_password.data)
        account.request_email_change(form.new_email.data, application_id=Application.current().id)
    except StormpathError as error:
        status, headers = refuse(error)
        if isinstance(error, LoginFailed):
            _tell_wrong_password(form, "email_password", error)
        elif isinstance(error, InvalidFormat):
            tell(form, "new_email", _("You must provide a valid email address. Write it like name@example.com."))
        else:
            tell(form, "new_email", error.message)
        return _page(account, "email", status, headers, addresses=form)
    sentence = _("A link was mailed to %(address)s. Open it there to change your address.", address=form.new_email.data)
    return _done("email", sentence)


@_section("password")
def password(account: Account) -> ResponseReturnValue:
    """Replace the password, and end all other logins."""
    form = ChangePasswordForm()
    if not form.validate():
        return _page(account, "password", tell_errors(form), passwords=form)
    try:
        ended = account.change_password(form.old_password.data, form.password.data)
        renew_login()
    except LoginOutdated:  # the password is changed, and the account closed meanwhile
        return redirect(link("stormpath.login") or site_url("/"))
    except StormpathError as error:
        account.refresh()
        status, headers = refuse(error)
        _tell_refused(form, error)
        return _page(account, "password", status, headers, passwords=form)
    sentence = _("Password changed.")
    return _done("password", f"{sentence} {_logged_out(ended)}" if ended else sentence)


@_section("devices")
def devices(account: Account) -> ResponseReturnValue:
    """End one login, or all but the one that asks."""
    form = Form()
    if not form.validate():
        return _page(account, "devices", tell_errors(form), devices=form)
    wanted = request.form.get("device")
    if wanted == "others":
        return _done("devices", _logged_out(account.sign_out(others=True)))
    for login in account.sessions:
        if login.id == wanted:
            login.end()
            return _done("devices", _("%(device)s was logged out.", device=login.device))
    return _done("devices", _("That device was logged out already."))


@_section("logins")
def logins(account: Account) -> ResponseReturnValue:
    """Unlink a provider, or mail a link with which somebody without a password sets one."""
    form, application = Form(), Application.current()
    if not form.validate():
        return _page(account, "logins", tell_errors(form), logins=form)
    if (refusal := refuse_stale()) is not None:
        return refusal
    try:
        if request.form.get("do") == "set-password":
            application.mail_password_reset(account)
            return _done("logins", _("A link to set a password was mailed to %(address)s.", address=account.email))
        provider_id = request.form.get("provider", "")
        name = application.login_provider(provider_id).name
        application.unlink(account, provider_id)
    except ResourceNotFound:
        return _done("logins", _("It was not linked any more."))
    except StormpathError as error:
        status, headers = refuse(error)
        tell(form, None, error.message)
        return _page(account, "logins", status, headers, logins=form)
    return _done("logins", _("%(name)s is not linked any more.", name=name))


def _tell_refused(form: ChangePasswordForm, error: StormpathError) -> None:
    if isinstance(error, PasswordRefused):
        for violation in error.violations:
            tell(form, "password", violation)
    elif isinstance(error, LoginFailed):
        _tell_wrong_password(form, "old_password", error)
    else:
        tell(form, None, error.message)


def _tell_wrong_password(form: Form, field: str, error: LoginFailed) -> None:
    tell(form, field, _("This is not your current password.") if isinstance(error, WrongPassword) else error.message)


def _logged_out(count: int) -> str:
    if count == 0:
        return _("No other device was logged in.")
    return (
        _("One other device was logged out.")
        if count == 1
        else _("%(count)s other devices were logged out.", count=count)
    )


def _done(section: str, sentence: str) -> Response:
    """Lead a browser to the section whose form was taken, which says what came of it."""
    flash(sentence, "success")
    browser_session[_SECTION] = section
    return _lead_to(section)


def _lead_to(section: str) -> Response:
    return redirect(url_for("stormpath.settings", _anchor=f"settings-{section}"))


# --- What the page shows ---


class Device(NamedTuple):
    """One login, in words."""

    id: str
    name: str
    is_phone: bool
    is_current: bool
    activity: str


class Entry(NamedTuple):
    """One line of the recent activity, in words."""

    what: str
    where: str
    at: datetime
    when: str


def _page(
    account: Account,
    section: str | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    names: NamesForm | None = None,
    addresses: NewAddressForm | None = None,
    passwords: ChangePasswordForm | None = None,
    devices: Form | None = None,
    logins: Form | None = None,
) -> ResponseReturnValue:
    """Return the page. A form that is given was refused, and comes again with what was typed."""
    every, now = account.sessions, clock.now()
    ways = Application.current().ways_in(account)
    entries, older = _activity(account)
    page = render(
        app_settings.SETTINGS_TEMPLATE,
        names or addresses or passwords or devices or logins,
        section=section,
        account=account,
        names=names or _names_form(account, sent=False),
        addresses=addresses or NewAddressForm(sent=False),
        passwords=passwords or ChangePasswordForm(sent=False),
        is_cloud=account.directory.is_cloud,
        provider=None if account.directory.is_cloud else account.directory.provider.shown_name,
        ways=[
            (way, button(way.provider, link("stormpath.settings")), way.linked_at and day(way.linked_at))
            for way in ways.providers
            if ways.can_link or way.is_linked
        ],
        has_password=ways.has_password,
        can_mail_password=link("stormpath.forgot_change") is not None,
        password_hint=PasswordStrength.of(account.directory_id).describe(),
        password_set=account.password_modified_at and day(account.password_modified_at),
        devices=[_device(login, now) for login in every[:MOST_DEVICES]],
        others=len([login for login in every if not login.is_current]),
        more_devices=max(0, len(every) - MOST_DEVICES),
        entries=entries,
        newest_url=url_for("stormpath.settings", _anchor="settings-activity") if _before() else None,
        older_url=older and url_for("stormpath.settings", before=older, _anchor="settings-activity"),
    )
    return page, status, headers or {}


def _names_form(account: Account, *, sent: bool = True) -> NamesForm:
    known = {name: getattr(account, name) for name in NAMES} | {"username": account.chosen_username}
    return NamesForm(known, sent=sent)


def _device(login: AccountSession, now: datetime) -> Device:
    is_current = login.is_current
    active = _("Active now") if is_current else _active(now - login.last_seen_at, login.last_seen_at)
    place = f"{active}, {login.address}" if login.address else active
    told = place if is_current else _("%(active)s. Since %(day)s", active=place, day=day(login.created_at))
    return Device(login.id, login.device, user_agents.is_phone(login.user_agent), is_current, told)


def _active(since: timedelta, at: datetime) -> str:
    """Return how long ago it was: words that are true in every time zone."""
    minutes = int(since.total_seconds() // 60)
    hours, days = minutes // 60, minutes // 1440
    if minutes < 2:
        return _("Active now")
    if hours < 1:
        return _("Active %(count)s minutes ago", count=minutes)
    if days < 1:
        return _("Active one hour ago") if hours == 1 else _("Active %(count)s hours ago", count=hours)
    if days < 31:
        return _("Active one day ago") if days == 1 else _("Active %(count)s days ago", count=days)
    return _("Active on %(day)s", day=day(at))


# --- Recent activity ---

#: What concerns a person of what is in the log about their account, in plain words.
WORDS = {
    "login.succeeded": mark("Logged in"),
    "login.failed": mark("Login refused"),
    "login.replayed": mark("A copy of a login was shown, and the login ended"),
    "logout": mark("Logged out"),
    "session.ended": mark("%(device)s was logged out"),
    "account.signed_out": mark("Devices were logged out"),
    "reauthentication.failed": mark("A wrong password was entered"),
    "password.changed": mark("Password changed"),
    "password_reset.requested": mark("A link for a new password was asked for"),
    "password_reset.completed": mark("A new password was set by mail"),
    "verification.requested": mark("A link to confirm the email address was asked for"),
    "email_change.requested": mark("A new email address was asked for"),
    "account.created": mark("Account created"),
    "account.updated": mark("Account changed"),
    "account.unlocked": mark("Wrong passwords were forgotten"),
    "account.linked": mark("Linked with %(other)s"),
    "account.unlinked": mark("Linked with %(other)s no more"),
    "account.taken_over": mark("Given to who proved that its address is theirs"),
    "account.group_added": mark("Added to the group %(name)s"),
    "account.group_removed": mark("Taken out of the group %(name)s"),
    "api_key.created": mark("API key created"),
    "api_key.updated": mark("API key changed"),
    "api_key.deleted": mark("API key deleted"),
}


def _activity(account: Account) -> tuple[list[Entry], str | None]:
    """Return the events of one page, and behind which one the older ones begin."""
    found = event.of_account(account.id, WORDS, before=_before(), limit=MOST_EVENTS + 1)
    older = found[MOST_EVENTS - 1].id if len(found) > MOST_EVENTS else None
    return [_entry(each) for each in found[:MOST_EVENTS]], older


def _before() -> str | None:
    """Return the id that `?before=` asks for; None for what can be none."""
    given = request.args.get("before", "")
    return given if len(given) == 22 and given.isascii() and given.isalnum() else None


def _entry(found: AuditEvent) -> Entry:
    if found.interface == "web":
        where = ", ".join(filter(None, (user_agents.device(found.user_agent), found.address)))
    else:
        where = _("By the people of this site")
    return Entry(_words(found), where, found.at, moment(found.at))


def _words(found: AuditEvent) -> str:
    known: dict[str, Any] = found.data
    if provider := known.get("provider"):
        if found.kind == "login.succeeded":
            return _("Logged in with %(provider)s", provider=name_of(provider))
        if found.kind == "login.failed":
            return _("Login with %(provider)s refused", provider=name_of(provider))
    if found.kind == "login.failed" and known.get("code") == WrongPassword.code:
        return _("Login with a wrong password")
    if found.kind == "login.failed" and known.get("code") == PasswordChangeRequired.code:
        return _("Another password had to be chosen")
    if found.kind == "account.updated":
        changed = set(found.changes)
        if "must_change_password" in changed:
            return _("Another password was asked for")
        if "email" in changed:
            return _("Email address changed")
        if changed & {"username", "chosen_username"}:
            return _("Username changed")
        if (found.changes.get("email_verification_status") or [None])[-1] == VERIFIED:
            return _("Email address confirmed")
        return _("Name changed") if changed & set(NAMES) else _("Account changed")
    device = user_agents.device(known.get("user_agent"))
    name, other = found.target_name or known.get("name"), known.get("other")
    if provider := known.get("other_provider"):
        other = f"{name_of(provider)} ({other})"
    return _(WORDS[found.kind], name=name, device=device, other=other)
