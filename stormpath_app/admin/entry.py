"""Signing in to the console, and out."""

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from ..errors import LoginFailed
from ..models.administration import VIEWER
from ..models.administrator import console
from ..pages import local_path, refuse, tell, tell_errors, was_sent
from ..translation import gettext as _, mark
from .base import ConsoleForm, ConsoleView
from .gate import needs, public
from .session import administrator, log_in, log_out


class SignInForm(ConsoleForm):
    """An administrator's email address or username, and the password."""

    login = StringField(mark("Email"), [InputRequired(mark("Login identifier required."))])
    password = PasswordField(mark("Password"), [InputRequired(mark("Password required."))])


class EntryView(ConsoleView):
    """The door."""

    @expose("/login", methods=("GET", "POST"))
    @public
    def login(self) -> ResponseReturnValue:
        """Sign an administrator in, then lead to the page they came for."""
        onward = local_path(request.args.get("next", "")) or url_for("stormpath_admin.home.index")
        if administrator and not was_sent():
            return redirect(onward)
        form, status = SignInForm(), 200
        headers: dict[str, str] = {}
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            else:
                try:
                    log_in(console().authenticate_account(form.login.data, form.password.data).account)
                except LoginFailed as error:
                    status, headers = refuse(error)
                    tell(form, None, error.message)
                else:
                    return redirect(onward, 303)
        return self.render("stormpath_admin/login.html", form=form), status, headers

    @expose("/logout", methods=("POST",))
    @needs(VIEWER)
    def logout(self) -> ResponseReturnValue:
        """Sign whoever asks out."""
        log_out()
        flash(_("You are logged out."))
        return redirect(url_for(".login"), 303)
