"""Signing in to the console, staying, and out."""

from flask import current_app, flash, jsonify, redirect, request, session as browser_session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired

from ..authentication import is_secure
from ..errors import LoginFailed, LoginOutdated, NoRole, PasswordChangeRequired, StormpathError
from ..mail import configuration
from ..models import ENABLED, Account
from ..models.administration import VIEWER
from ..models.administrator import console, directory, exist
from ..pages import local_path, prefers_json, refuse, tell, tell_errors, was_sent
from ..translation import gettext as _, mark
from .base import ConsoleForm, ConsoleView, tell_refused
from .gate import needs, public
from .session import administrator, log_in, log_out

_PROOF = "stormpath_admin_proof"  # in the browser's session: that its person gave the old password


class SignInForm(ConsoleForm):
    """An administrator's email address or username, and the password."""

    login = StringField(mark("Email"), [InputRequired(mark("Login identifier required."))])
    password = PasswordField(mark("Password"), [InputRequired(mark("Password required."))])


class NewPasswordForm(ConsoleForm):
    """A new password, twice."""

    password = PasswordField(mark("New password"), [InputRequired(mark("You must supply a password."))])
    password_again = PasswordField(
        mark("New password (again)"),
        [
            InputRequired(mark("Please verify the password.")),
            EqualTo("password", mark("Passwords don't match.")),
        ],
    )


def onward() -> str:
    """Return where somebody who signs in is led: the page they came for, if it is one of this site."""
    return local_path(request.args.get("next", "")) or url_for("stormpath_admin.home.index")


def password_hint(account: Account) -> str:
    """Return what a password of this account must be like."""
    hint: str = account.directory.password_policy.strength.describe()
    return hint


class EntryView(ConsoleView):
    """The door."""

    @expose("/login", methods=("GET", "POST"))
    @public
    def login(self) -> ResponseReturnValue:
        """Sign an administrator in, then lead to the page they came for."""
        if administrator and not was_sent():
            return redirect(onward())
        form, status = SignInForm(), 200
        headers: dict[str, str] = {}
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            else:
                try:
                    log_in(console().authenticate_account(form.login.data, form.password.data).account)
                except PasswordChangeRequired as error:
                    browser_session[_PROOF] = error.proof
                    return redirect(url_for(".new_password", next=request.args.get("next") or None), 303)
                except LoginFailed as error:
                    status, headers = refuse(error)
                    tell(form, None, error.message)
                else:
                    return redirect(onward(), 303)
        insecure = is_secure() and not request.is_secure
        page = self.render(
            "stormpath_admin/login.html", form=form, forgot=may_forget(), insecure=insecure, is_unowned=_is_unowned()
        )
        return page, status, headers

    @expose("/login/password", methods=("GET", "POST"))
    @public
    def new_password(self) -> ResponseReturnValue:
        """Set the password that somebody chose who must, sign them in, then lead to the page they came for."""
        proof, form, status = browser_session.get(_PROOF, ""), NewPasswordForm(), 200
        headers: dict[str, str] = {}
        try:
            account = console().proven_account(proof)
            if was_sent():
                if not form.validate():
                    status = tell_errors(form)
                else:
                    log_in(console().choose_password(proof, form.password.data))
                    browser_session.pop(_PROOF)
                    return redirect(onward(), 303)
        except LoginOutdated:
            if browser_session.pop(_PROOF, None):
                flash(_("That took too long. Log in again."), "error")
            return redirect(url_for(".login", next=request.args.get("next") or None), 303)
        except NoRole as error:  # the password is another one now, and opens nothing here
            browser_session.pop(_PROOF, None)
            flash(error.message, "error")
            return redirect(url_for(".login"), 303)
        except StormpathError as error:
            status, headers = refuse(error)
            tell_refused(form, error)
        page = self.render(
            "stormpath_admin/password_new.html",
            form=form,
            email=account.email,
            hint=password_hint(account),
            heading=_("Choose a new password"),
            text=_("Before you are let in, choose another password than the one you have."),
            button=_("Save password and log in"),
        )
        return page, status, headers

    @expose("/stay", methods=("POST",))
    @needs(VIEWER)
    def stay(self) -> ResponseReturnValue:
        """Keep the login alive for whoever was warned that it ends; this very request does."""
        if prefers_json():
            return jsonify(seconds=administrator.seconds_left, can_stay=administrator.can_stay)
        return redirect(local_path(request.form.get("back", "")) or url_for("stormpath_admin.home.index"), 303)

    @expose("/logout", methods=("POST",))
    @needs(VIEWER)
    def logout(self) -> ResponseReturnValue:
        """Sign whoever asks out."""
        log_out()
        flash(_("You are logged out."))
        return redirect(url_for(".login"), 303)


def _is_unowned() -> bool:
    """Tell whether the console has no owner yet, to whoever runs the site on their own machine."""
    return current_app.extensions["stormpath"].is_local and not exist()


def may_forget() -> bool:
    """Tell whether administrators can be mailed a link to a new password."""
    return directory().password_policy.reset_email_status == ENABLED and configuration.can_mail_links()
