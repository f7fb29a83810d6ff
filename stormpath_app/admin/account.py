"""The page of one account: its tabs, each with an address of its own."""

import json
import secrets
import string
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import BooleanField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired

from .. import clock, hashers, user_agents
from ..database import session
from ..errors import AccountStoreNotMapped
from ..models import (
    DISABLED,
    ENABLED,
    UNVERIFIED,
    Account,
    Application,
    AuditEvent,
    DeletedAccount,
    Diagnosis,
    Directory,
    Group,
    PasswordStrength,
    diagnosis,
    event_log,
    message,
    statistics,
)
from ..models.administration import APPLICATION_KEY, MANAGER, SUPPORT, VIEWER
from ..models.base import Resource
from ..models.event_log import Question
from ..pages import was_sent
from ..settings import settings
from ..translation import gettext as _, mark, ngettext
from . import charts, log, scope
from .base import ConsoleForm, ResourceView
from .gate import ask_password, needs
from .messages import kind_name
from .pages import MOST_COUNTED, count
from .session import administrator

_PAGE, FOUND, _RECENT = 25, 10, 6
#: Letters of a password that nobody is to know.
_LENGTH = 32

#: The tabs: the end of the address, and what they are called.
TABS = (
    ("", mark("Overview")),
    ("security", mark("Security")),
    ("sessions", mark("Sessions")),
    ("groups", mark("Groups")),
    ("identities", mark("Identities")),
    ("api-keys", mark("API keys")),
    ("messages", mark("Messages")),
    ("timeline", mark("Timeline")),
    ("custom-data", mark("Custom data")),
    ("json", mark("JSON")),
)
#: Their endpoints.
ENDPOINTS = {"": "edit_view", **{key: key.replace("-", "_") for key, _text in TABS if key}}
_NAMES = ("email", "username", "given_name", "middle_name", "surname")
_STATUSES = ((ENABLED, mark("Enabled")), (DISABLED, mark("Disabled")), (UNVERIFIED, mark("Unverified")))


class Button(NamedTuple):
    """What mends a step of the doctor: a POST, with `fields`; or a page, where `fields` is None."""

    text: str
    url: str
    fields: dict[str, str] | None


class AccountForm(ConsoleForm):
    """Who an account is, and whether it is let in."""

    email = StringField(mark("Email"), [InputRequired(mark("Give it an email address."))])
    username = StringField(mark("Username"))
    given_name = StringField(mark("First name"))
    middle_name = StringField(mark("Middle name"))
    surname = StringField(mark("Last name"))
    status = SelectField(mark("Status"), default=ENABLED)

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(known)
        self.status.choices = [(value, _(text)) for value, text in _STATUSES]

    def values(self) -> dict[str, Any]:
        """Return the attributes as they were typed; what is empty is None."""
        return {**{name: self[name].data or None for name in _NAMES if name in self}, "status": self.status.data}

    def leave_names(self) -> None:
        """Leave the names and the address to the provider that tells them."""
        for name in _NAMES:
            del self[name]


class NewAccountForm(AccountForm):
    """And what stays: the directory. How its owner gets a password is asked too."""

    directory = SelectField(mark("Directory"), [InputRequired(mark("Choose a directory."))], validate_choice=False)
    is_verified = BooleanField(mark("The address is known to be theirs"))
    password = PasswordField(mark("Temporary password"))


class AccountTabs(ResourceView):
    """What there is to be seen of one account."""

    edit_with = AccountForm
    edit_template = "stormpath_admin/account_edit.html"
    create_template = "stormpath_admin/account_new.html"

    def tab(self, account: Account, key: str, **context: Any) -> str:
        """Render a tab, with the head that all have."""
        template = f"stormpath_admin/account_{key.replace('-', '_') or 'overview'}.html"
        return self.render(template, **self.head(account), active=key, **context)

    def head(self, account: Account) -> dict[str, Any]:
        """Return what the head of the page shows: who it is, its state, and what can be done about it."""
        lock, _devices = account.locks
        return {
            "account": account,
            "lock": lock,
            "tabs": [
                (key, _(text), url_for(f"stormpath_admin.accounts.{ENDPOINTS[key]}", id=account.id), None)
                for key, text in TABS
            ],
            "moment": diagnosis.moment,
            "verifies": account.directory.account_creation_policy.verifies,
            "may_set_password": settings.ADMIN_MAY_SET_PASSWORD and account.directory.is_cloud,
            "provider": None if account.directory.is_cloud else account.directory.provider.shown_name,
        }

    # --- Overview ---

    @expose("/<id>/")
    @needs(VIEWER)
    def edit_view(self, id: str) -> ResponseReturnValue:
        """Show who it is, and whether they can log in."""
        if (deleted := self.deleted(id)) is not None:
            return self.render("stormpath_admin/account_deleted.html", deleted=deleted)
        account = self.get_one(id)
        application = self._application(account)
        applications = scope.choices(scope.applications(), application.id if application else None)
        found = application.diagnose(account.email, account, directory_ids=scope.ids()) if application else None
        if found and not account.directory.is_cloud:
            found = found.without_password()
        return self.tab(
            account,
            "",
            found=found,
            buttons=self._buttons(account, found) if found else {},
            application=application,
            applications=applications,
            groups=account.groups.order("name")[:FOUND],
            logins=(logins := statistics.logins_of(account.id)),
            heat=charts.heat(logins.days, clock.now().date()),
            lines=_lines(event_log.find(Question(account_id=account.id), limit=_RECENT).events),
            suggestions=self._suggestions(account, found),
            checked_at=clock.now(),
        )

    def deleted(self, account_id: str) -> DeletedAccount | None:
        """Return the copy of an account in scope that was deleted a short time ago, by its id."""
        found = DeletedAccount.find(account_id) if account_id.isalnum() else None
        return found if found is not None and found.directory_id in scope.ids() else None

    def _application(self, account: Account) -> Application | None:
        """Return the application that the doctor asks about: the one that was chosen, else the account's own."""
        if chosen := request.args.get("application"):
            return scope.one_of(scope.applications(), Application, chosen)
        try:
            return scope.application_of(account)
        except AccountStoreNotMapped:
            current = Application.named(settings.APPLICATION)
            return current if current is not None and current.name_key != APPLICATION_KEY else None

    def _buttons(self, account: Account, found: Diagnosis) -> dict[str, list[Button]]:
        """Return what the administrator may do about each step that fails: the kind of the step -> buttons."""
        return {
            step.kind: [
                button
                for remedy in step.remedies
                if (button := self._button(account, remedy.verb, remedy.target)) is not None
            ]
            for step in found.failing
        }

    def _button(self, account: Account, verb: str, target: Resource) -> Button | None:
        if target is account:
            text, endpoint, role = _REMEDIES[verb]
            return Button(_(text), self._url(endpoint, account), {}) if administrator.may(role) else None
        if isinstance(target, Group) and verb == diagnosis.ADD_TO_GROUP:
            if not administrator.may(MANAGER):
                return None
            text = _("Add to %(name)s", name=target.name)
            return Button(text, self._url("change_groups", account), {"do": "add", "group": target.id})
        url = url_for(f"stormpath_admin.{target.collection}.edit_view", id=target.id)
        return Button(_("Open %(name)s", name=target["name"]), url, None)

    def _url(self, endpoint: str, account: Account, **more: Any) -> str:
        return url_for(f"stormpath_admin.accounts.{endpoint}", id=account.id, **more)

    def _suggestions(self, account: Account, found: Diagnosis | None) -> list[dict[str, str]]:
        """Return what else somebody may want to look at: a sentence, more words, and where."""
        told = []
        failed = [mail for mail in found.mails if mail.status == message.FAILED] if found else []
        if failed:
            sentence = _("A mail could not be sent: %(kind)s", kind=kind_name(failed[0].kind))
            told.append((sentence, failed[0].last_error or "", self._url("messages", account)))
        addresses = {failure.address for failure in found.failures if failure.address} if found else set()
        if found and len(found.failures) > 1 and len(addresses) == 1:
            (address,) = addresses
            number = len(found.failures)
            sentence = ngettext("%(count)s failure", "The last %(count)s failures came from one address", number)
            told.append((sentence, address, self._url("timeline", account)))
        asks = account.directory.account_creation_policy.verifies
        if asks and account.status == ENABLED and account.email_verification_status == UNVERIFIED:
            told.append((_("The email is not known to be theirs"), account.email, self._url("security", account)))
        return [{"sentence": sentence, "detail": detail, "url": url} for sentence, detail, url in told]

    # --- Edit, new ---

    @expose("/<id>/edit", methods=("GET", "POST"))
    @needs(MANAGER)
    def edit(self, id: str) -> ResponseReturnValue:
        """Show the form of its names and status, or save it. Another address needs the password once more."""
        email = self.get_one(id).email
        is_other = was_sent() and request.form.get("email", email).strip() != email
        if is_other and not administrator.is_fresh and (asked := ask_password()) is not None:
            return asked
        answer: ResponseReturnValue = super().edit_view(id)
        return answer

    def known(self, resource: Account) -> dict[str, Any]:
        """Return its names and status; a username that it was not given is none."""
        known = {"status": resource.status, "version": resource.version}
        if resource.directory.is_cloud:
            known |= {name: getattr(resource, name) for name in _NAMES} | {"username": resource.chosen_username}
        return known

    def edit_form(self, obj: Account) -> AccountForm:
        """Return its form; of an account that came by a provider, without what the provider tells."""
        form: AccountForm = super().edit_form(obj)
        if not obj.directory.is_cloud:
            form.leave_names()
        return form

    def update_model(self, form: AccountForm, model: Account) -> None:
        """Save its names and status."""
        known = self.known(model)
        for name, value in form.values().items():
            if known[name] != value:
                model[name] = value
        model.save()

    def page(self, resource: Account) -> dict[str, Any]:
        """Return the head of the page, beside the form."""
        return {**self.head(resource), "active": None}

    def create_form(self, obj: Any = None) -> NewAccountForm:
        """Return the form of a new account."""
        form = NewAccountForm({"directory": request.args.get("directory") or scope.usual_directory("account")})
        form.directory.choices = scope.choices(scope.cloud_directories(), form.directory.data)
        if not settings.ADMIN_MAY_SET_PASSWORD:
            del form.password
        return form

    def create_model(self, form: NewAccountForm) -> Account:
        """Create it in the directory that was chosen. Without a password of the administrator's it gets one to replace.

        Nobody knows that: the page of the account has what is needed to give its owner another.
        """
        directory = scope.one_of(scope.directories(), Directory, form.directory.data or "")
        given = form.values()
        chosen = form.password.data if "password" in form else None
        if form.is_verified.data:
            given["email_verification_status"] = "VERIFIED"
        given["password"] = chosen or _unknown_password(directory.password_policy.strength)
        given["must_change_password"] = bool(chosen)
        account = directory.new_account(given)
        account.save()
        return account

    def created_text(self, resource: Account) -> str:
        """Say what comes next, too: its owner has no password yet, or one for once."""
        is_known = resource.must_change_password
        known = _("Tell its owner the password: it is good for one login.")
        unknown = _("Nobody knows its password yet: reset it by a mail or a link.")
        return f"{super().created_text(resource)} {known if is_known else unknown}"

    # --- Security, sessions ---

    @expose("/<id>/security")
    @needs(VIEWER)
    def security(self, id: str) -> ResponseReturnValue:
        """Show its password's age and kind, its address, and its wrong passwords."""
        account = self.get_one(id)
        stored = session.scalar(sa.select(Account.password_hash).where(Account.id == account.id))
        everybody, devices = account.locks
        return self.tab(
            account,
            "security",
            has_password=stored is not None,
            scheme=hashers.scheme(stored),
            is_out_of_date=stored is not None and hashers.is_out_of_date(stored, settings.BCRYPT_COST),
            age=_days_since(account.password_modified_at),
            everybody=everybody,
            devices=devices,
            failures=diagnosis.failures_of(account),
        )

    @expose("/<id>/sessions")
    @needs(VIEWER)
    def sessions(self, id: str) -> ResponseReturnValue:
        """Show on which devices it is logged in."""
        account = self.get_one(id)
        return self.tab(
            account, "sessions", sessions=account.sessions[: scope.MOST_CHOICES], is_phone=user_agents.is_phone
        )

    # --- Groups, API keys ---

    @expose("/<id>/groups")
    @needs(VIEWER)
    def groups(self, id: str) -> ResponseReturnValue:
        """Show its groups, and those that a search found to be added."""
        account = self.get_one(id)
        wanted = request.args.get("add", "").strip()
        mine = account.groups.order("name")
        some = mine.page(_PAGE, after=request.args.get("after"), before=request.args.get("before"))
        found = account.directory.groups.search(wanted).limit(FOUND)[:] if wanted else []
        return self.tab(
            account,
            "groups",
            groups=some,
            total=count(mine.count(MOST_COUNTED)),
            wanted=wanted,
            candidates=[group for group in found if group not in mine],
            is_found=bool(found),
        )

    @expose("/<id>/api-keys")
    @needs(VIEWER)
    def api_keys(self, id: str) -> ResponseReturnValue:
        """Show its API keys; their secrets are kept nowhere."""
        account = self.get_one(id)
        some = account.api_keys.page(_PAGE, after=request.args.get("after"), before=request.args.get("before"))
        return self.tab(account, "api-keys", keys=some)

    # --- Messages, timeline ---

    @expose("/<id>/messages")
    @needs(VIEWER)
    def messages(self, id: str) -> ResponseReturnValue:
        """Show the mails to it: their state, and why."""
        account, before = self.get_one(id), _place("before")
        found = message.of_account(account.id, before=before, limit=_PAGE + 1)
        mails, older = found[:_PAGE], _older(found)
        return self.tab(account, "messages", mails=mails, older=older, before=before, kind_name=kind_name)

    @expose("/<id>/timeline")
    @needs(VIEWER)
    def timeline(self, id: str) -> ResponseReturnValue:
        """Show what happened to it: all, or a part."""
        account, before, show = self.get_one(id), _place("before"), request.args.get("show", "")
        parts = {key: part for key, part in log.RESULTS.items() if key != "changes"}
        if show not in parts:
            show = ""
        question = Question(account_id=account.id, result=parts[show][0])
        found = event_log.find(question, before=before, limit=_PAGE)
        return self.tab(
            account,
            "timeline",
            lines=_lines(found.events),
            found=found,
            before=before,
            show=show,
            parts=[
                {"label": _(label), "url": self._url("timeline", account, show=key or None), "is_current": key == show}
                for key, (_patterns, label) in parts.items()
            ],
        )

    # --- JSON ---

    @expose("/<id>/json")
    @needs(VIEWER)
    def json(self, id: str) -> ResponseReturnValue:
        """Show what the resource tells, and how a program gets at it."""
        account = self.get_one(id)
        text = json.dumps(dict(account), default=datetime.isoformat, indent=2, ensure_ascii=False)
        python = f'account = Account.get("{account.id}")\nprint(dict(account))'
        return self.tab(account, "json", text=text, python=f"from stormpath_app import Account\n\n{python}")


#: What mends an account: the text of the button, its endpoint, and the role that it needs.
_REMEDIES = {
    diagnosis.UNLOCK: (mark("Unlock now"), "unlock", SUPPORT),
    diagnosis.RESET: (mark("Send reset mail"), "mail_reset", SUPPORT),
    diagnosis.ENABLE: (mark("Enable"), "let_in", MANAGER),
    diagnosis.VERIFY: (mark("Take as verified"), "verify", MANAGER),
    diagnosis.RESEND: (mark("Send the mail again"), "resend", SUPPORT),
    diagnosis.KEEP_PASSWORD: (mark("Let them keep it"), "keep_password", MANAGER),
}


def _unknown_password(strength: PasswordStrength) -> str:
    """Return a password that nobody knows, for an account whose owner is about to choose one."""
    draw = secrets.SystemRandom()
    letters = [
        letter
        for pool, least in (
            (string.ascii_lowercase, strength.min_lower_case),
            (string.ascii_uppercase, strength.min_upper_case),
            (string.digits, strength.min_numeric),
            ("-._!?", strength.min_symbol),
            ("äéîõù", strength.min_diacritic),
        )
        for letter in draw.choices(pool, k=least)
    ]
    missing = min(max(strength.min_length, _LENGTH), strength.max_length) - len(letters)
    letters += draw.choices(string.ascii_letters, k=max(missing, 0))
    draw.shuffle(letters)
    return "".join(letters)


def _lines(events: list[AuditEvent]) -> list[log.Line]:
    """Return events as the page of the account shows them that they are about."""
    return [line._replace(about=None) for line in log.lines(events)]


def _days_since(at: datetime | None) -> int | None:
    return None if at is None else (clock.now() - at).days


def _place(name: str) -> str | None:
    """Return the place in a list that the address names; None where it names none."""
    found = request.args.get(name, "")
    return found if found.isalnum() and found.isascii() else None


def _older(found: list[Any]) -> str | None:
    return found[_PAGE - 1].id if len(found) > _PAGE else None
