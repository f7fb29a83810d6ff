"""Choosing another password, for those who must before they are let in."""

from flask import flash, redirect, session as browser_session
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from ..authentication import login_user
from ..errors import LoginOutdated, PasswordChangeRequired, PasswordRefused, StormpathError, TooManyAtOnce
from ..models import Application, PasswordStrength
from ..pages import link, next_url, refuse, render, site_url, tell, tell_errors, was_sent
from ..settings import settings
from ..translation import gettext as _
from .forms import NewPasswordForm

_PROOF = "stormpath_password_proof"  # in the browser's session: that its person gave the old password


def ask_for_new_password(error: PasswordChangeRequired, target: str | None) -> Response | None:
    """Lead somebody on who gave the right password and must choose another; None where there is no page for it."""
    where = link("stormpath.new_password", target)
    if where is None:
        return None
    browser_session[_PROOF] = error.proof
    return redirect(where)


def new_password() -> ResponseReturnValue:
    """Set the password that a person chose, log them in, then lead to the page they came for."""
    form, target, status = NewPasswordForm(), next_url(), 200
    headers: dict[str, str] = {}
    proof, application = browser_session.get(_PROOF, ""), Application.current()
    try:
        account = application.proven_account(proof)
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            else:
                login_user(application.choose_password(proof, form.password.data))
                browser_session.pop(_PROOF)
                return redirect(target or site_url(settings.REDIRECT_URL))
    except LoginOutdated:
        if browser_session.pop(_PROOF, None):
            flash(_("That took too long. Log in again."), "error")
        return redirect(link("stormpath.login", target) or site_url("/"))
    except StormpathError as error:
        status, headers = refuse(error)
        for sentence in error.violations if isinstance(error, PasswordRefused) else [error.message]:
            tell(form, None if isinstance(error, TooManyAtOnce) else "password", sentence)
    hint = PasswordStrength.of(account.directory_id).describe()
    page = render(settings.NEW_PASSWORD_TEMPLATE, form, password_hint=hint, email=account.email)
    return page, status, headers
