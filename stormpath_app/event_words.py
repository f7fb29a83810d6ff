"""The one place that puts an event of the log into words: what happened, how grave it is, and a picture for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import user_agents
from .errors import (
    AccountDisabled,
    AccountNotFound,
    AccountNotVerified,
    ApiKeyAccountRefused,
    ApiKeyDisabled,
    ApplicationDisabled,
    DirectoryDisabled,
    GroupDisabled,
    NoAccountStores,
    PasswordChangeRequired,
    RegistrationClosed,
    WrongApiKeySecret,
    WrongPassword,
)
from .models import DISABLED, ENABLED, AuditEvent
from .models.base import VERIFIED
from .models.event import OF_THE_APP
from .models.provider import name_of
from .translation import gettext as _, mark

OK, WARN, BAD, PLAIN = "ok", "warn", "bad", ""

#: Kind -> the sentence, the tone and the icon. `name` is what people know the target by.
WORDS = {
    "login.succeeded": (mark("Logged in"), OK, "check"),
    "login.failed": (mark("Login failed"), BAD, "cross"),
    "login.replayed": (mark("A copy of a login was shown, and the login ended"), BAD, "warn"),
    "logout": (mark("Logged out"), PLAIN, "out"),
    "session.ended": (mark("%(device)s was logged out"), PLAIN, "out"),
    "reauthentication.failed": (mark("A wrong password was entered"), WARN, "cross"),
    "account.created": (mark("Account %(name)s created"), OK, "user"),
    "account.updated": (mark("Account %(name)s changed"), PLAIN, "edit"),
    "account.deleted": (mark("Account %(name)s deleted"), BAD, "cross"),
    "account.restored": (mark("Account %(name)s restored"), OK, "user"),
    "account.locked_down": (mark("Account %(name)s locked down"), BAD, "shield"),
    "account.signed_out": (mark("Logged out everywhere"), PLAIN, "out"),
    "account.unlocked": (mark("Wrong passwords were forgotten"), PLAIN, "unlock"),
    "account.linked": (mark("Account %(name)s linked with %(other)s"), OK, "user"),
    "account.unlinked": (mark("Account %(name)s linked with %(other)s no more"), PLAIN, "cross"),
    "account.taken_over": (mark("Account %(name)s given to who proved that its address is theirs"), WARN, "shield"),
    "account.group_added": (mark("Added to the group %(name)s"), PLAIN, "layers"),
    "account.group_removed": (mark("Taken out of the group %(name)s"), PLAIN, "layers"),
    "password.changed": (mark("Password changed"), PLAIN, "lock"),
    "password.expired": (mark("Another password must be chosen"), WARN, "lock"),
    "password_reset.requested": (mark("A link for a new password was asked for"), PLAIN, "mail"),
    "password_reset.link_created": (mark("A link for a new password was made to be handed over"), WARN, "copy"),
    "password_reset.completed": (mark("A new password was set by mail"), OK, "lock"),
    "reset_request.refused": (mark("No link for a new password was sent"), WARN, "mail"),
    "verification.requested": (mark("A link to confirm the email address was asked for"), PLAIN, "mail"),
    "verification_request.refused": (mark("No link to confirm an address was sent"), WARN, "mail"),
    "owner_notice.refused": (mark("The owner of an address was not told of a new registration"), PLAIN, "mail"),
    "email_change.requested": (mark("A new email address was asked for"), PLAIN, "mail"),
    "api_key.created": (mark("API key %(name)s created"), OK, "key"),
    "api_key.updated": (mark("API key %(name)s changed"), PLAIN, "key"),
    "api_key.deleted": (mark("API key %(name)s deleted"), BAD, "key"),
    "api_key.refused": (mark("API key %(name)s refused"), BAD, "key"),
    "group.created": (mark("Group %(name)s created"), OK, "layers"),
    "group.updated": (mark("Group %(name)s changed"), PLAIN, "layers"),
    "group.deleted": (mark("Group %(name)s deleted"), BAD, "layers"),
    "directory.created": (mark("Directory %(name)s created"), OK, "folder"),
    "directory.updated": (mark("Directory %(name)s changed"), PLAIN, "folder"),
    "directory.deleted": (mark("Directory %(name)s deleted"), BAD, "folder"),
    "directory.passwords_expired": (mark("All passwords of %(name)s must be changed"), WARN, "lock"),
    "provider.updated": (mark("Provider of %(name)s changed"), PLAIN, "folder"),
    "password_policy.updated": (mark("Password policy of %(name)s changed"), PLAIN, "shield"),
    "account_creation_policy.updated": (mark("Account creation policy of %(name)s changed"), PLAIN, "shield"),
    "account_linking_policy.updated": (mark("Account linking of %(name)s changed"), PLAIN, "sliders"),
    "account_schema.updated": (mark("Required names of %(name)s changed"), PLAIN, "sliders"),
    "email_template.updated": (mark("Mail template of %(name)s changed"), PLAIN, "mail"),
    "accounts.exported": (mark("Accounts exported"), PLAIN, "download"),
    "applications.exported": (mark("Applications exported"), PLAIN, "download"),
    "groups.exported": (mark("Groups exported"), PLAIN, "download"),
    "api_keys.exported": (mark("API keys exported"), PLAIN, "download"),
    "log.exported": (mark("Log exported"), PLAIN, "download"),
    "application.created": (mark("Application %(name)s created"), OK, "apps"),
    "application.updated": (mark("Application %(name)s changed"), PLAIN, "apps"),
    "application.deleted": (mark("Application %(name)s deleted"), BAD, "apps"),
    "account_store.mapped": (mark("%(name)s added to an application's account stores"), OK, "apps"),
    "account_store.updated": (mark("Account store %(name)s of an application changed"), PLAIN, "apps"),
    "account_store.unmapped": (mark("%(name)s taken from an application's account stores"), BAD, "apps"),
    "administrator.invited": (mark("%(name)s invited to the console"), PLAIN, "send"),
    "administrator.joined": (mark("%(name)s took up the invitation to the console"), OK, "user"),
    "administrator.limited": (mark("Directories of the administrator %(name)s changed"), PLAIN, "shield"),
    "database.restored": (mark("The database was restored from a backup"), WARN, "warn"),
    "tenant.created": (mark("Tenant %(name)s created"), OK, "building"),
    "tenant.updated": (mark("Tenant %(name)s changed"), PLAIN, "building"),
}

#: Why somebody, or some program, was not let in, by the code that the log has.
CAUSES = {
    WrongPassword.code: mark("wrong password"),
    AccountNotFound.code: mark("nobody has this login"),
    AccountDisabled.code: mark("the account is disabled"),
    AccountNotVerified.code: mark("the email address is not confirmed"),
    PasswordChangeRequired.code: mark("another password must be chosen"),
    ApplicationDisabled.code: mark("the application is disabled"),
    DirectoryDisabled.code: mark("the directory is disabled"),
    GroupDisabled.code: mark("the group is disabled"),
    NoAccountStores.code: mark("the application has no account store"),
    RegistrationClosed.code: mark("strangers get no account"),
}
_KEY_CAUSES = {
    WrongApiKeySecret.__name__: mark("wrong secret"),
    ApiKeyDisabled.__name__: mark("the key is disabled"),
    ApiKeyAccountRefused.__name__: mark("its account may not log in"),
}

_ENDINGS = {"created": (OK, "check"), "deleted": (BAD, "cross"), "failed": (BAD, "cross"), "refused": (BAD, "cross")}
_LONGEST_IN_A_SENTENCE, _MOST_IN_A_SENTENCE = 40, 3


@dataclass(frozen=True)
class Told:
    """An event in words. `tone`: "ok", "warn", "bad" or ""; `changes`: what was changed, before and after, in words."""

    sentence: str
    tone: str
    icon: str
    changes: list[tuple[str, str, str]]


def tell(event: AuditEvent) -> Told:
    """Put an event into the reader's words; of a kind that nobody knows, its own."""
    sentence, tone, icon = _words(event)
    told = changes(event)
    if status := _status(event):
        sentence, tone, icon = status
    elif told and not event.kind.endswith((".created", ".mapped")):
        sentence = _("%(sentence)s: %(changes)s", sentence=sentence, changes=_short(told))
    elif keys := event.data.get("custom_data"):
        sentence = _(
            "%(sentence)s: custom data %(keys)s", sentence=sentence, keys=", ".join(keys[:_MOST_IN_A_SENTENCE])
        )
    return Told(sentence, tone, icon, told)


def _words(event: AuditEvent) -> tuple[str, str, str]:
    data = event.data
    if event.kind not in WORDS:
        kind = event.kind.removeprefix(OF_THE_APP)
        tone, icon = _ENDINGS.get(kind.rpartition(".")[2], (PLAIN, "bolt"))
        said = kind.replace(".", " ").replace("_", " ").capitalize()
        return said, tone, icon
    message, tone, icon = WORDS[event.kind]
    name = event.target_name or data.get("name") or "?"
    sentence = _(message, name=name, device=user_agents.device(data.get("user_agent")), other=_other(data))
    if provider := data.get("provider"):
        sentence = _by_provider(event.kind, sentence, name_of(provider))
    cause = _KEY_CAUSES.get(data.get("why", "")) or CAUSES.get(data.get("code", 0))
    if cause and event.kind in {"login.failed", "api_key.refused"}:
        sentence = _("%(sentence)s: %(cause)s", sentence=sentence, cause=_(cause))
        if data.get("code") == PasswordChangeRequired.code:
            tone, icon = WARN, "lock"
    return sentence, tone, icon


def _other(data: Mapping[str, Any]) -> str:
    """Return the account that one was linked with, and where it is."""
    where = data.get("other_directory")
    return f"{data.get('other', '?')} ({where})" if where else "?"


def _by_provider(kind: str, sentence: str, provider: str) -> str:
    if kind == "login.succeeded":
        return _("Logged in with %(provider)s", provider=provider)
    if kind == "login.failed":
        return _("Login with %(provider)s failed", provider=provider)
    return sentence


def _status(event: AuditEvent) -> tuple[str, str, str] | None:
    """Return the words for a change that is known by more than the names of columns; None for any other."""
    told = {name: values[-1] if values else None for name, values in event.changes.items()}
    if event.kind != "account.updated":
        return None
    name = event.target_name or "?"
    if told.get("email_verification_status") == VERIFIED and "email" not in told:
        return _("Email address of %(name)s confirmed", name=name), OK, "check"
    if told.keys() == {"status"} and told["status"] in {ENABLED, DISABLED}:
        if told["status"] == DISABLED:
            return _("Account %(name)s disabled", name=name), BAD, "lock"
        return _("Account %(name)s enabled", name=name), OK, "check"
    return None


# --- What was changed ---


def changes(event: AuditEvent) -> list[tuple[str, str, str]]:
    """Return what was changed: its name, and both values as people write them; "" where the log has none."""
    return [
        (_(name.replace("_", " ")), *(map(_value, values) if values else ("", "")))
        for name, values in event.changes.items()
    ]


def _value(value: Any) -> str:
    if value is None or value in ("", []):
        return _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)


def _short(told: list[tuple[str, str, str]]) -> str:
    parts = []
    for name, before, after in told[:_MOST_IN_A_SENTENCE]:
        if not after or max(len(before), len(after)) > _LONGEST_IN_A_SENTENCE:
            parts.append(name)
        else:
            parts.append(_("%(name)s %(before)s → %(after)s", name=name, before=before, after=after))
    return ", ".join(parts) + (" …" if len(told) > _MOST_IN_A_SENTENCE else "")
