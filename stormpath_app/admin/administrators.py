"""Who uses the console: inviting administrators, what each may do and where, and taking it away again."""

from collections.abc import Sequence
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import RadioField, SelectMultipleField, TextAreaField
from wtforms.validators import InputRequired

from ..errors import StormpathError
from ..mail import configuration
from ..models import DISABLED, ENABLED, UNVERIFIED, Account, Administrator, Client, Directory, administrator as admins
from ..models.administration import DIRECTORY_KEY, MANAGER, OWNER, ROLES, SUPPORT, VIEWER
from ..models.event import of_account
from ..pages import tell, tell_errors, was_sent
from ..translation import gettext as _, mark, ngettext
from . import scope
from .base import ConsoleForm, ConsoleView
from .gate import needs
from .pages import role_name
from .session import administrator

#: So many addresses are invited at once, directories offered, and lines of the log shown.
MOST_INVITED, MOST_DIRECTORIES, MOST_LINES = 20, 500, 20

#: What each role may do, in a sentence.
WHAT = {
    VIEWER: mark("Looks at everything, changes nothing."),
    SUPPORT: mark("Helps people: mails and copies links, unlocks, logs out."),
    MANAGER: mark("Also creates, edits and deletes accounts, and their groups."),
    OWNER: mark(
        "Also sets applications, directories, policies, mails and keys, and invites administrators. Never limited."
    ),
}
#: What of the log is about an administrator, and what it is called.
KINDS = {
    "account.created": mark("Created"),
    "account.updated": mark("Changed"),
    "account.group_added": mark("Given a role"),
    "account.group_removed": mark("A role taken away"),
    "account.signed_out": mark("Logged out everywhere"),
    "administrator.invited": mark("Invited"),
    "administrator.joined": mark("Took up the invitation"),
    "administrator.limited": mark("Limits changed"),
    "login.succeeded": mark("Logged in"),
    "login.failed": mark("Failed to log in"),
    "logout": mark("Logged out"),
    "password.changed": mark("Password changed"),
    "password_reset.requested": mark("Asked for a new password"),
    "password_reset.completed": mark("Chose a new password by mail"),
}


class RoleForm(ConsoleForm):
    """A role, and where it holds."""

    role = RadioField(mark("Role"), [InputRequired(mark("Choose a role."))])
    directories = SelectMultipleField(mark("Directories"), validate_choice=False)

    def __init__(self, known: dict[str, Any] | None = None) -> None:
        super().__init__(known)
        self.role.choices = [(role, role_name(role)) for role in ROLES]
        offered = Client().directories.order("name")[:MOST_DIRECTORIES]
        self.known = {one.id: one for one in offered if one.name_key != DIRECTORY_KEY}
        self.directories.choices = [(one.id, one.name) for one in self.known.values()]

    def limits(self) -> Sequence[Directory] | None:
        """Return the directories that were chosen; None: none, so that it holds in all.

        :raises StormpathError: one of them is none.
        """
        if not self.directories.data:
            return None
        if not self.known.keys() >= set(self.directories.data):
            raise StormpathError(_("One of these directories is not there any more. Choose again."))
        return [self.known[one] for one in self.directories.data]


class InviteForm(RoleForm):
    """And who."""

    emails = TextAreaField(mark("Email addresses"), [InputRequired(mark("You must provide an email address."))])

    def addresses(self) -> list[str]:
        """Return the addresses, each once."""
        return list(dict.fromkeys((self.emails.data or "").replace(",", " ").replace(";", " ").split()))


class AdministratorsView(ConsoleView):
    """Owners alone see this, and a change needs their password."""

    path, icon, section = "/administrators", "shield", 3
    reads = OWNER

    @expose("/")
    @needs(OWNER)
    def index(self) -> ResponseReturnValue:
        """List them."""
        return self.render("stormpath_admin/administrators.html", everybody=admins.everybody())

    # --- New ones ---

    @expose("/invite", methods=("GET", "POST"))
    @needs(OWNER, fresh=True)
    def invite(self) -> ResponseReturnValue:
        """Show the form; or mail a link to each address, to where its owner chooses a password."""
        form, status = InviteForm({"role": VIEWER}), 200
        if was_sent():
            addresses = form.addresses()
            if len(addresses) > MOST_INVITED:
                tell(form, "emails", _("Invite %(count)s at once at most.", count=MOST_INVITED))
            elif not form.validate():
                status = tell_errors(form)
            elif self._invited(form, addresses):
                return redirect(url_for(".index"), 303)
        can_mail = configuration.can_mail_links()
        return self.render("stormpath_admin/invite.html", form=form, what=WHAT, can_mail=can_mail), status

    def _invited(self, form: InviteForm, addresses: list[str]) -> bool:
        """Invite those who can be; leave the others in the form, with the reasons."""
        refused, done = [], []
        by = administrator.account.full_name or administrator.account.email
        for address in addresses:
            try:
                Administrator.invite(address, form.role.data, directories=form.limits(), by=by)
                done.append(address)
            except StormpathError as error:
                refused.append(address)
                tell(form, "emails", f"{address}: {error.message}")
        if done:
            flash(ngettext("One invitation is on its way.", "%(count)s invitations are on their way.", len(done)))
        form.emails.data = "\n".join(refused)
        return not refused

    @expose("/<id>/invitation", methods=("POST",))
    @needs(OWNER, fresh=True)
    def resend(self, id: str) -> ResponseReturnValue:
        """Mail an invitation once more; the link before is dead then."""
        account = _find(id)
        found = Administrator.of(account)
        if found is None or not found.is_invited:
            abort(404)
        by = administrator.account.full_name or administrator.account.email
        return self._done(account, lambda: found.send_invitation(by=by), _("A new invitation is on its way."))

    # --- One of them ---

    @expose("/<id>/", methods=("GET",))
    @needs(OWNER)
    def page(self, id: str) -> ResponseReturnValue:
        """Show one: role, limits, and what the log has of them."""
        return self._page(_find(id))

    def _page(self, account: Account, form: RoleForm | None = None) -> str:
        found = Administrator.of(account)
        known = {"role": found.role if found else None, "directories": sorted((found and found.directory_ids) or ())}
        lines = of_account(account.id, KINDS, before=None, limit=MOST_LINES)
        return self.render(
            "stormpath_admin/administrator.html",
            account=account,
            found=found,
            is_limited=found is not None and found.directory_ids is not None,
            form=form or RoleForm(known),
            was=_state(found),
            what=WHAT,
            lines=[(line, _(KINDS[line.kind]), line.target_kind == "group" and line.target_name) for line in lines],
        )

    @expose("/<id>/role", methods=("POST",))
    @needs(OWNER, fresh=True)
    def role(self, id: str) -> ResponseReturnValue:
        """Give one another role, or other limits."""
        account, form = _find(id), RoleForm()
        if request.form.get("was") != _state(Administrator.of(account)):
            flash(_("Somebody else changed this role since you opened it. Look, then choose once more."), "error")
            return redirect(url_for(".page", id=id), 303)
        if not form.validate():
            status = tell_errors(form)
            return self._page(account, form), status
        return self._done(
            account,
            lambda: Administrator.grant(account, form.role.data, directories=form.limits()),
            _("%(name)s was saved.", name=account.email),
        )

    @expose("/<id>/status", methods=("POST",))
    @needs(OWNER, fresh=True)
    def status(self, id: str) -> ResponseReturnValue:
        """Let one in, or no more."""
        account, wanted = _find(id), request.form.get("status")
        if wanted not in {ENABLED, DISABLED} or account.status == UNVERIFIED:
            abort(400)

        def change() -> None:
            account.status = wanted
            account.save()

        name, is_back = account.email, wanted == ENABLED
        text = _("%(name)s may log in.", name=name) if is_back else _("%(name)s is disabled and logged out.", name=name)
        return self._done(account, change, text)

    @expose("/<id>/remove", methods=("GET", "POST"))
    @needs(OWNER, fresh=True)
    def remove(self, id: str) -> ResponseReturnValue:
        """Show what goes with one, or delete it."""
        account = _find(id)
        if was_sent():
            try:
                account.delete()
            except StormpathError as error:
                flash(error.message, "error")
            else:
                flash(_("%(name)s is no administrator any more.", name=account.email), "success")
                return redirect(url_for(".index"), 303)
        return self.render("stormpath_admin/administrator_remove.html", account=account)

    def _done(self, account: Account, change: Any, text: str) -> ResponseReturnValue:
        """Do something to one, tell what came of it, and show them."""
        try:
            change()
        except StormpathError as error:
            flash(error.message, "error")
        else:
            flash(text, "success")
        return redirect(url_for(".page", id=account.id), 303)


def _find(account_id: str) -> Account:
    """Return the account with this id of the administrators' directory; anything else is a 404."""
    return scope.one_of(admins.directory().accounts, Account, account_id)


def _state(found: Administrator | None) -> str:
    """Return what a form was made of, for who sends it to be told what others changed meanwhile."""
    if found is None:
        return ""
    limits = "all" if found.directory_ids is None else " ".join(sorted(found.directory_ids))
    return f"{found.role} {limits}"
