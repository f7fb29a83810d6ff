"""What an administrator does for an account: each thing a POST of its own, for the roles that may do it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from .. import origin
from ..errors import NotReady, StormpathError
from ..mail import delivery
from ..mail.rendering import create_reset_link
from ..models import DISABLED, ENABLED, Account, DeletedAccount, Group, OutboxMessage, message
from ..models.administration import MANAGER, OWNER, SUPPORT
from ..pages import tell, tell_errors, was_sent
from ..settings import settings
from ..translation import gettext as _, mark, ngettext
from . import scope
from .account import ENDPOINTS, AccountTabs
from .base import ConsoleForm, tell_refused
from .gate import needs

Body = Callable[[Any, Account], str]


def action(path: str, role: str, *, fresh: bool = False) -> Callable[[Body], Callable[..., ResponseReturnValue]]:
    """Make a POST of what is done to an account; what it returns is flashed, and the tab it came from is next.

    :param path: the end of its address.
    """

    def make(body: Body) -> Callable[..., ResponseReturnValue]:
        @expose(f"/<id>/{path}", methods=("POST",))
        @needs(role, fresh=fresh)
        @wraps(body)
        def view(self: Any, id: str) -> ResponseReturnValue:
            account = self.get_one(id)
            try:
                flash(body(self, account), "success")
            except StormpathError as error:
                flash(said(error), "error")
            return redirect(back_to(account), 303)

        return view  # type: ignore[no-any-return]

    return make


def back_to(account: Account) -> str:
    """Return the address of the tab that a form came from."""
    endpoint = ENDPOINTS.get(request.form.get("back", ""), ENDPOINTS[""])
    return url_for(f"stormpath_admin.accounts.{endpoint}", id=account.id)


def said(error: StormpathError) -> str:
    """Return what an administrator is told of an error: of a site that is not ready, what it lacks."""
    return " ".join(error.problems) if isinstance(error, NotReady) else error.message


class ReasonForm(ConsoleForm):
    """Why something is done, for the log."""

    reason = StringField(mark("Reason"))


class PasswordForm(ConsoleForm):
    """A password for once."""

    password = PasswordField(mark("Temporary password"), [InputRequired(mark("Type a password."))])


class AccountActions(AccountTabs):
    """What is done."""

    # --- A password ---

    @action("send-reset", SUPPORT)
    def mail_reset(self, account: Account) -> str:
        """Mail a link that leads to a new password."""
        scope.application_of(account).mail_password_reset(account)
        return _("A mail with a link to a new password is on its way to %(address)s.", address=account.email)

    @expose("/<id>/link", methods=("POST",))
    @needs(SUPPORT, fresh=True)
    def link(self, id: str) -> ResponseReturnValue:
        """Show a link that leads to a new password, this once, for the administrator to hand over."""
        account = self.get_one(id)
        try:
            made = create_reset_link(scope.application_of(account), account)
        except StormpathError as error:
            flash(said(error), "error")
            return redirect(back_to(account), 303)
        hours = account.directory.password_policy.reset_token_ttl
        return self.render("stormpath_admin/account_link.html", account=account, link=made, hours=hours)

    @expose("/<id>/password", methods=("GET", "POST"))
    @needs(MANAGER, fresh=True)
    def password(self, id: str) -> ResponseReturnValue:
        """Set a password that its owner must change at once, where the site lets administrators do so."""
        account, form, status = self.get_one(id), PasswordForm(), 200
        if not settings.ADMIN_MAY_SET_PASSWORD:
            abort(404)
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            else:
                try:
                    account.password, account.must_change_password = form.password.data, True
                    account.save()
                except StormpathError as error:
                    account.refresh()
                    tell_refused(form, error)
                else:
                    flash(_("The password is set. Its owner must choose another at the next login."), "success")
                    return redirect(self.page_url(account), 303)
        rules = account.directory.password_policy.strength.describe()
        return self.render("stormpath_admin/account_password.html", account=account, form=form, rules=rules), status

    @action("must-change", SUPPORT)
    def must_change(self, account: Account) -> str:
        """Let its owner in once they have chosen another password."""
        account.must_change_password = True
        account.save()
        return _("%(name)s must choose another password at the next login, and is logged out.", name=account.email)

    @action("keep-password", MANAGER)
    def keep_password(self, account: Account) -> str:
        """Let its owner in with the password they have."""
        account.must_change_password = False
        account.save()
        return _("%(name)s may keep the password.", name=account.email)

    # --- Whether it is let in ---

    @action("unlock", SUPPORT)
    def unlock(self, account: Account) -> str:
        """Forget its wrong passwords."""
        account.unlock()
        return _("%(name)s is unlocked.", name=account.email)

    @action("enable", MANAGER)
    def let_in(self, account: Account) -> str:
        """Let it log in."""
        account.status = ENABLED
        account.save()
        return _("%(name)s is enabled.", name=account.email)

    @expose("/<id>/disable", methods=("GET", "POST"))
    @needs(MANAGER)
    def shut_out(self, id: str) -> ResponseReturnValue:
        """Ask why, then let it in no more."""
        account, form = self.get_one(id), ReasonForm()
        if was_sent():
            try:
                with origin.because(form.reason.data):
                    account.status = DISABLED
                    account.save()
            except StormpathError as error:
                tell(form, None, error.message)
            else:
                flash(_("%(name)s is disabled, and logged out everywhere.", name=account.email), "success")
                return redirect(self.page_url(account), 303)
        return self.render("stormpath_admin/account_disable.html", form=form, **self.head(account))

    @expose("/<id>/lock-down", methods=("POST",))
    @needs(MANAGER, fresh=True)
    def lock_down(self, id: str) -> ResponseReturnValue:
        """Shut out whoever got in: disable it and its API keys, end its logins, void its links."""
        account = self.get_one(id)
        with origin.because(request.form.get("reason")):
            sessions, keys = account.lock_down()
        flash(
            _(
                "%(name)s is locked down. %(sessions)s %(keys)s",
                name=account.email,
                sessions=ngettext("One login ended.", "%(count)s logins ended.", sessions),
                keys=ngettext("One API key is disabled.", "%(count)s API keys are disabled.", keys),
            ),
            "success",
        )
        return redirect(self.page_url(account), 303)

    # --- Its address ---

    @action("verify", MANAGER)
    def verify(self, account: Account) -> str:
        """Take its address for confirmed."""
        account.verify()
        return _("%(address)s is taken as verified.", address=account.email)

    @action("resend", SUPPORT)
    def resend(self, account: Account) -> str:
        """Mail a new link that confirms its address."""
        account.send_verification_email(application_id=scope.application_of(account).id)
        return _("A mail with a link to confirm the address is on its way to %(address)s.", address=account.email)

    @action("mail-again", SUPPORT)
    def mail_again(self, account: Account) -> str:
        """Send a mail once more; where its link is gone, one with a new link."""
        sent_before = _mail(account, request.form.get("message", ""))
        if delivery.retry([sent_before.id]):
            return _("The mail to %(address)s is tried again now.", address=sent_before.address)
        if sent_before.kind == message.RESET:
            scope.application_of(account).mail_password_reset(account)
        elif sent_before.kind == message.VERIFICATION:
            account.send_verification_email(application_id=scope.application_of(account).id)
        else:
            return _("It cannot be sent again: its owner has to ask for it anew.")
        return _("A mail with a new link is on its way to %(address)s.", address=account.email)

    # --- Its logins ---

    @action("sign-out", SUPPORT)
    def end_logins(self, account: Account) -> str:
        """End all its logins."""
        ended = account.sign_out()
        return ngettext(
            "%(name)s is logged out everywhere: one login ended.",
            "%(name)s is logged out everywhere: %(count)s logins ended.",
            ended,
            name=account.email,
        )

    @action("end-session", SUPPORT)
    def end_session(self, account: Account) -> str:
        """End one login."""
        found = next((each for each in account.sessions if each.id == request.form.get("session")), None)
        if found is None:
            return _("That login had ended already.")
        device = found.device
        found.end()
        return _("%(device)s is logged out.", device=device)

    # --- Its groups and API keys ---

    @action("groups", MANAGER)
    def change_groups(self, account: Account) -> str:
        """Put it into a group, or take it out."""
        group = scope.one_of(account.directory.groups, Group, request.form.get("group", ""))
        what = request.form.get("do")
        if what == "add":
            account.add_group(group)
            return _("%(name)s is in %(group)s now.", name=account.email, group=group.name)
        if what != "remove":
            abort(400)
        account.remove_group(group)
        return _("%(name)s is not in %(group)s any more.", name=account.email, group=group.name)

    @action("api-keys/disable", MANAGER)
    def disable_api_key(self, account: Account) -> str:
        """Let an API key be used no more."""
        return self._set_api_key(account, DISABLED)

    @action("api-keys/enable", OWNER)
    def enable_api_key(self, account: Account) -> str:
        """Let an API key be used again."""
        return self._set_api_key(account, ENABLED)

    def _set_api_key(self, account: Account, status: str) -> str:
        key = account.api_keys.get_key(request.form.get("key", ""))
        if key is None:
            abort(404)
        key.status = status
        key.save()
        name = key.name or key.id
        return _("%(name)s is enabled.", name=name) if key.is_enabled else _("%(name)s is disabled.", name=name)

    # --- Deleting, and back ---

    @expose("/<id>/delete", methods=("GET", "POST"))
    @needs(MANAGER, fresh=True)
    def delete_view(self, id: str) -> ResponseReturnValue:
        """Show what goes with it, or delete it; for a day it can come back."""
        account, form = self.get_one(id), ReasonForm()
        keeping, changing = DeletedAccount.tables_of_host(account)
        if was_sent():
            try:
                with origin.because(form.reason.data):
                    DeletedAccount.take(account)
            except StormpathError as error:
                tell(form, None, error.message)
            else:
                flash(_("%(name)s was deleted.", name=account.email), "success")
                return redirect(self.page_url(account), 303)
        return self.render(
            "stormpath_admin/account_delete.html",
            form=form,
            keeping=keeping,
            changing=changing,
            goes=self.goes_with(account),
            **self.head(account),
        )

    def goes_with(self, resource: Account) -> list[str]:
        """Say what stops at once."""
        sessions, keys = len(resource.sessions), resource.api_keys.count(_MOST)
        groups = [group.name for group in resource.groups.order("name")[:_MOST]]
        told = [_("the account %(email)s and its custom data", email=resource.email)]
        if sessions:
            told.append(ngettext("one login, which ends at once", "%(count)s logins, which end at once", sessions))
        if keys:
            told.append(ngettext("one API key, which stops working", "%(count)s API keys, which stop working", keys))
        if linked := [account.email for account in resource.linked_accounts[:_MOST]]:
            told.append(_("links with the accounts %(accounts)s", accounts=", ".join(linked)))
        if groups:
            told.append(_("membership in %(groups)s", groups=", ".join(groups)))
        return told

    @expose("/<id>/restore", methods=("POST",))
    @needs(MANAGER)
    def restore(self, id: str) -> ResponseReturnValue:
        """Put it back."""
        deleted = self.deleted(id)
        if deleted is None:
            abort(404)
        try:
            restored = deleted.restore()
        except StormpathError as error:
            flash(said(error), "error")
        else:
            flash(_("%(name)s is back, with the same password.", name=restored.account.email), "success")
            if restored.lost_groups:
                lost = ", ".join(restored.lost_groups)
                flash(_("These groups are gone meanwhile: %(groups)s.", groups=lost), "warning")
            if restored.lost_links:
                lost = ", ".join(restored.lost_links)
                flash(_("It is linked no more with: %(accounts)s.", accounts=lost), "warning")
        return redirect(url_for("stormpath_admin.accounts.edit_view", id=id), 303)


_MOST = 20


def _mail(account: Account, message_id: str) -> OutboxMessage:
    """Return the mail to the account with this id; anything else is a 404."""
    found = message.find_of_account(account.id, message_id) if message_id.isalnum() else None
    return found if found is not None else abort(404)
