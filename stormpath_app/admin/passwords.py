"""An administrator's forgotten password: asking for a link by mail, and choosing another where it leads."""

from flask import abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import EmailField, HiddenField
from wtforms.validators import InputRequired

from .. import names
from ..errors import PasswordRefused, PropertyError, StormpathError, TokenRefused, TooManyAtOnce, TooManyAttempts
from ..mailed_links import SECRET, MailedLink
from ..models import OneTimeToken
from ..models.administrator import console
from ..models.one_time_token import RESET
from ..pages import refuse, tell, tell_errors, was_sent
from ..translation import gettext as _, mark
from .base import ConsoleForm, ConsoleView, tell_refused
from .entry import NewPasswordForm, may_forget, password_hint
from .gate import public
from .session import log_out


class ForgotForm(ConsoleForm):
    """The address of an administrator whose password is forgotten."""

    email = EmailField(mark("Email"), [InputRequired(mark("Email address required."))])


class ResetForm(NewPasswordForm):
    """A new password, twice, and the hash of the link that led here: another may have been opened meanwhile."""

    link = HiddenField()


class PasswordsView(ConsoleView):
    """The way back in."""

    @expose("/forgot", methods=("GET", "POST"))
    @public
    def forgot(self) -> ResponseReturnValue:
        """Mail a link that leads to a new password. Who asks learns nothing of who is an administrator."""
        if not may_forget():
            abort(404)
        form, status, sent_to = ForgotForm(), 200, None
        headers: dict[str, str] = {}
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            else:
                try:
                    sent_to = names.email(form.email.data)
                    console().request_password_reset(sent_to)
                except PropertyError:
                    status, headers = refuse(StormpathError(_("Invalid email address.")))
                    tell(form, "email", _("Invalid email address."))
                    sent_to = None
                except TooManyAttempts as error:
                    status, headers = refuse(error)
                    tell(form, None, error.message)
                    sent_to = None
        return self.render("stormpath_admin/forgot.html", form=form, sent_to=sent_to), status, headers

    @expose("/forgot/change", methods=("GET", "POST"))
    @public
    def change(self) -> ResponseReturnValue:
        """Give the administrator that a mailed link is for a new password; they log in with it."""
        mailed = MailedLink(RESET)
        try:
            token = console().find_reset_token(mailed.token_hash or "")
            if mailed.is_shown and not was_sent():
                return mailed.hide()
            return self._change(mailed, token)
        except TokenRefused:
            mailed.forget()
            raise

    def _change(self, mailed: MailedLink, token: OneTimeToken) -> ResponseReturnValue:
        form, status, headers = ResetForm({"link": mailed.token_hash}), 200, SECRET
        account = token.account
        if was_sent():
            if form.link.data != mailed.token_hash:
                raise TokenRefused  # of somebody else, who made this browser open it
            if not form.validate():
                status = tell_errors(form)
            else:
                try:
                    console().reset_account_password(token, form.password.data)
                except (PasswordRefused, TooManyAtOnce) as error:
                    status, more = refuse(error)
                    headers = {**SECRET, **more}
                    tell_refused(form, error)
                else:
                    mailed.forget()
                    log_out()
                    flash(_("Your password is changed. Log in with it."), "success")
                    return redirect(url_for("stormpath_admin.entry.login"), 303)
        page = self.render(
            "stormpath_admin/password_new.html",
            form=form,
            email=account.email,
            hint=password_hint(account),
            heading=_("Choose a new password"),
            text=_("All devices that are logged in to this account will be logged out."),
            button=_("Save password"),
        )
        return page, status, headers
