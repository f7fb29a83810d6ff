"""What administrators do for themselves: their name, their password, and where they are signed in."""

from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from ..errors import LoginFailed, StormpathError
from ..models import Account
from ..models.administration import VIEWER
from ..pages import refuse, tell, tell_errors, was_sent
from ..translation import gettext as _, mark
from .base import ConsoleForm, ConsoleView, tell_outdated, tell_refused
from .entry import NewPasswordForm, password_hint
from .gate import needs
from .session import administrator, log_in


class NameForm(ConsoleForm):
    """What others see."""

    given_name = StringField(mark("First Name"))
    surname = StringField(mark("Last Name"))


class ChangePasswordForm(NewPasswordForm):
    """A new password in the place of the old one."""

    old_password = PasswordField(mark("Current password"), [InputRequired(mark("Password required."))])


def _known(account: Account) -> dict[str, Any]:
    return {"given_name": account.given_name, "surname": account.surname, "version": str(account.version)}


class MyselfView(ConsoleView):
    """One page of three forms; each is sent to an address of its own."""

    path = "/me"

    @expose("/")
    @needs(VIEWER)
    def index(self) -> ResponseReturnValue:
        """Show it."""
        return self._page()

    def _page(self, names: NameForm | None = None, passwords: ChangePasswordForm | None = None) -> str:
        account = administrator.account
        return self.render(
            "stormpath_admin/myself.html",
            account=account,
            names=names or NameForm(_known(account)),
            passwords=passwords or ChangePasswordForm(),
            form=names or passwords,
            hint=password_hint(account),
            logins=account.sessions,
            current=administrator.session_id,
        )

    @expose("/name", methods=("GET", "POST"))
    @needs(VIEWER)
    def name_(self) -> ResponseReturnValue:
        """Save another name."""
        if not was_sent():
            return redirect(url_for(".index"))
        form, account = NameForm(), administrator.account
        if not tell_outdated(form, _known(account)):
            account.given_name, account.surname = form.given_name.data or None, form.surname.data or None
            try:
                account.save()
            except StormpathError as error:
                account.refresh()
                tell_refused(form, error)
            else:
                flash(_("Your name was saved."), "success")
                return redirect(url_for(".index"), 303)
        return self._page(names=form)

    @expose("/password", methods=("GET", "POST"))
    @needs(VIEWER)
    def password(self) -> ResponseReturnValue:
        """Change the password. Other logins end, and this one begins anew: a copy of its cookie ends too."""
        if not was_sent():
            return redirect(url_for(".index"))
        form, account, status = ChangePasswordForm(), administrator.account, 200
        headers: dict[str, str] = {}
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                account.change_password(form.old_password.data, form.password.data)
            except LoginFailed as error:
                status, headers = refuse(error)
                tell(form, "old_password", _("The password is wrong.") if status == 200 else error.message)
            except StormpathError as error:
                status, headers = refuse(error)
                tell_refused(form, error)
            else:
                log_in(account)
                flash(_("Your password is changed, and your other devices are logged out."), "success")
                return redirect(url_for(".index"), 303)
        return self._page(passwords=form), status, headers

    @expose("/logins", methods=("GET", "POST"))
    @needs(VIEWER)
    def logins(self) -> ResponseReturnValue:
        """End one of the logins, or all others."""
        wanted = request.form.get("login", "")
        if not was_sent():
            return redirect(url_for(".index"))
        account = administrator.account
        if wanted == "others":
            account.sign_out(others=True)
        else:
            found = next((login for login in account.sessions if login.id == wanted), None)
            if found is None or found.is_current:
                abort(404)
            found.end()
        flash(_("Logged out there."), "success")
        return redirect(url_for(".index"), 303)
