"""Confirming an e-mail address: that of a new account, or a new one of an account."""

from collections.abc import Callable

from flask import flash, redirect
from flask.typing import ResponseReturnValue

from ..errors import StormpathError, TooManyAttempts
from ..forms import Form
from ..mailed_links import SECRET, MailedLink
from ..models import Account, Application, OneTimeToken
from ..models.email_holder import find_token
from ..models.one_time_token import EMAIL_CHANGE, VERIFICATION
from ..pages import link, refuse, render, site_url, tell, tell_errors, was_sent
from ..settings import settings
from ..translation import gettext as _
from .forms import ResendForm


def verify() -> ResponseReturnValue:
    """Confirm the address that a mailed link is for; without one, mail a link to who asks for it."""
    mailed, form = MailedLink(VERIFICATION), ResendForm()
    if mailed.token_hash is None or (was_sent() and form.login.raw_data):
        return _resend(form)
    sentence = _("Your email address is confirmed. You can log in now.")
    return _confirm(mailed, Account.verify_email, sentence, link("stormpath.verify"))


def verify_change() -> ResponseReturnValue:
    """Give an account the new address that a mailed link is for."""
    sentence = _("Your new email address is confirmed. You log in with it from now on.")
    return _confirm(MailedLink(EMAIL_CHANGE), Account.confirm_email_change, sentence, link("stormpath.settings"))


def _confirm(
    mailed: MailedLink, confirm: Callable[[OneTimeToken], Account], sentence: str, again: str | None
) -> ResponseReturnValue:
    """Look at a link where it is opened, as mail programs do by themselves; confirm what it is for by a button."""
    form, status = Form(), 200
    try:
        token = find_token(mailed.purpose, mailed.token_hash or "")
        if not was_sent():
            if mailed.is_shown:
                return mailed.hide()
        elif form.validate():
            confirm(token)
            mailed.forget()
            flash(sentence, "success")
            return redirect(link("stormpath.login") or site_url(settings.REDIRECT_URL))
        else:
            status = tell_errors(form)
    except StormpathError as error:
        return mailed.refuse(error, again)
    return render(settings.VERIFY_TEMPLATE, form, email=token.address), status, SECRET


def _resend(form: ResendForm) -> ResponseReturnValue:
    """Mail a link that confirms an address. Who asks learns nothing of who has an account."""
    status = 200
    headers: dict[str, str] = {}
    if was_sent():
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                Application.current().request_verification(form.login.data)
            except TooManyAttempts as error:
                status, headers = refuse(error)
                tell(form, None, error.message)
            else:
                return sent()
    must_wait = status == TooManyAttempts.status
    page = render(settings.VERIFY_TEMPLATE, form, email=None, must_wait=must_wait, login_url=link("stormpath.login"))
    return page, status, headers


def sent() -> str:
    """Return the page that tells to look for the mail, the same for everybody."""
    return render(
        settings.VERIFY_EMAIL_SENT_TEMPLATE, login_url=link("stormpath.login"), verify_url=link("stormpath.verify")
    )
