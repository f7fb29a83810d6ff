"""What a directory asks: the editors of its password policy, and of addresses and names. Nothing is saved unseen."""

from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import BooleanField, RadioField, StringField, TextAreaField

from .. import names
from ..errors import StormpathError
from ..models import Directory
from ..models.administration import OWNER, VIEWER
from ..models.directory import CHECK, KEEP, REPLACE, STOP
from ..models.password_rules import PRESETS, Verdict
from ..models.policy_effects import of_account_creation, of_passwords, of_schema
from ..pages import was_sent
from ..translation import gettext as _, mark, ngettext
from .base import ConsoleForm
from .directory_pages import DirectoryPages, Parts, changes, is_current, save, set_from, tell_at, values
from .gate import TRIED, ask_password, needs
from .session import administrator

PRESET_NAMES = {"stormpath": "Stormpath", "nist-800-63b-4": "NIST 800-63B-4"}
_OLD = {
    KEEP: (mark("Only for new passwords"), mark("Those there are stay as they are.")),
    CHECK: (
        mark("Check old passwords at the next login"),
        mark("Who logs in with one that breaks these rules must choose another first."),
    ),
    REPLACE: (mark("Ask everybody for a new one"), mark("All logins end. Everybody chooses when they next log in.")),
    STOP: (mark("Leave old passwords alone"), mark("It ends what was asked of them before.")),
}


class PasswordsForm(ConsoleForm):
    """What a directory asks of passwords, and what becomes of those there are."""

    min_length = StringField(mark("Minimum length"))
    max_length = StringField(mark("Maximum length"))
    prevent_reuse = StringField(mark("Not reused"))
    min_lower_case = StringField(mark("Lowercase letters"))
    min_upper_case = StringField(mark("Uppercase letters"))
    min_numeric = StringField(mark("Numbers"))
    min_symbol = StringField(mark("Symbols"))
    min_diacritic = StringField(mark("Accented letters"))
    refuses_common = BooleanField(mark("Refuse the 10,000 most common passwords, and the account's own names"))
    old = RadioField(mark("Passwords there are"), default=KEEP)


class LinesField(TextAreaField):  # type: ignore[misc]
    """A list of texts, each on a line of its own."""

    def _value(self) -> str:
        return "\n".join(self.data or ())

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the lines that have something on them."""
        self.data = tuple(line.strip() for text in valuelist for line in text.splitlines() if line.strip())


class RegistrationForm(ConsoleForm):
    """Which addresses the accounts of a directory may have, and which names they need."""

    email_domain_whitelist = LinesField(mark("Only these domains"))
    email_domain_blacklist = LinesField(mark("Never these domains"))
    given_name = BooleanField(mark("Given name is required"))
    surname = BooleanField(mark("Surname is required"))


class PolicyPages(DirectoryPages):
    """The editors of what a directory asks."""

    # --- Passwords ---

    @expose("/<id>/policy", methods=("GET", "POST"))
    @needs(VIEWER)
    def passwords(self, id: str) -> ResponseReturnValue:
        """Show the rules and what a change of them would do; try a password; save them."""
        directory = self.get_one(id)
        policy, strength = directory.password_policy, directory.password_policy.strength
        parts = _password_parts(directory)
        saved = values(parts)
        form = PasswordsForm(saved)
        is_asked = bool(strength.checks_before or strength.replaces_before)
        form.old.choices = [(value, _(text)) for value, (text, _hint) in _OLD.items() if value != STOP or is_asked]
        verdicts: list[Verdict] = []
        tried = request.form.get(TRIED, "")
        if was_sent():
            self._check_may_change()
            do = request.form.get("do", "")
            if do.startswith("preset:"):
                _fill(form, do.removeprefix("preset:"))
            if form.validate() and set_from(form, parts):
                if do == "save" and is_current(form, saved) and (answer := _save_passwords(directory, form, parts)):
                    return answer
                verdicts = policy.judge(tried, directory.site_names()) if tried else []
        return self.render(
            "stormpath_admin/policy.html",
            form=form,
            part="passwords",
            presets=PRESET_NAMES,
            preset=policy.preset,
            hints={value: _(hint) for value, (_text, hint) in _OLD.items()},
            effects=[] if form.errors else of_passwords(directory, form.old.data),
            changes=changes(form, parts),
            verdicts=verdicts,
            tried_field=TRIED,
            strength=strength,
            **self.head(directory, "policy"),
        )

    # --- Addresses and names ---

    @expose("/<id>/policy/accounts", methods=("GET", "POST"))
    @needs(VIEWER)
    def registration(self, id: str) -> ResponseReturnValue:
        """Show which addresses and names accounts must have, and what a change would do; try an address; save them."""
        directory = self.get_one(id)
        policy = directory.account_creation_policy
        parts = _registration_parts(directory)
        saved = values(parts)
        form = RegistrationForm(saved)
        tried, refused = request.form.get("email", "").strip(), None
        if was_sent():
            self._check_may_change()
            if form.validate() and set_from(form, parts):
                is_saved = request.form.get("do") == "save"
                if is_saved and is_current(form, saved) and (answer := _save_registration(directory, form, parts)):
                    return answer
                refused = _refused(policy, tried) if tried else None
        return self.render(
            "stormpath_admin/policy_accounts.html",
            form=form,
            part="accounts",
            effects=[] if form.errors else [*of_account_creation(directory), *of_schema(directory)],
            changes=changes(form, parts),
            tried="" if form.errors else tried,
            refused=refused,
            **self.head(directory, "policy"),
        )

    def _check_may_change(self) -> None:
        if not administrator.may(OWNER):
            abort(403)


def _password_parts(directory: Directory) -> Parts:
    policy = directory.password_policy
    of_strength = [name for name in (*PRESETS["stormpath"], "prevent_reuse") if name != "refuses_common"]
    return {**{name: (policy.strength, name) for name in of_strength}, "refuses_common": (policy, "refuses_common")}


def _fill(form: PasswordsForm, preset: str) -> None:
    """Put the values of a preset into the form; nothing is saved by that."""
    if preset not in PRESETS:
        abort(400)
    for name, value in PRESETS[preset].items():
        form[name].data = value


def _save_passwords(directory: Directory, form: PasswordsForm, parts: Parts) -> ResponseReturnValue | None:
    """Save the rules that were set, and lead on; None: they are refused, which the form tells."""
    if form.old.data == REPLACE and not administrator.is_fresh and (answer := ask_password()):
        return answer
    try:
        ended = directory.save_password_policy(form.old.data)
    except StormpathError as error:
        tell_at(form, error, parts)
        return None
    told = [_("The password policy was saved.")]
    if form.old.data == REPLACE:
        told.append(ngettext("One login ended.", "%(count)s logins ended.", ended))
    flash(" ".join(told), "success")
    return redirect(url_for(".passwords", id=directory.id), 303)


# --- Addresses and names ---

_LISTS = ("email_domain_whitelist", "email_domain_blacklist")


def _registration_parts(directory: Directory) -> Parts:
    policy = directory.account_creation_policy
    fields = {field.attribute: (field, "required") for field in directory.account_schema.fields}
    return {**{name: (policy, name) for name in _LISTS}, **fields}


def _save_registration(directory: Directory, form: RegistrationForm, parts: Parts) -> ResponseReturnValue | None:
    try:
        save(parts)
    except StormpathError as error:
        tell_at(form, error, parts)
        return None
    flash(_("What accounts must have was saved."), "success")
    return redirect(url_for(".registration", id=directory.id), 303)


def _refused(policy: Any, email: str) -> str:
    """Return what somebody with this address would be told; "": they may have it."""
    try:
        policy.check(names.email(email))
    except StormpathError as error:
        return error.message
    return ""
