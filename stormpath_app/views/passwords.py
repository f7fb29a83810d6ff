"""A forgotten password: asking for a link by mail, and choosing a new password where it leads."""

from flask.typing import ResponseReturnValue

from .. import names
from ..authentication import login_user
from ..errors import (
    LoginFailed,
    PasswordRefused,
    PropertyError,
    StormpathError,
    TokenRefused,
    TooManyAtOnce,
    TooManyAttempts,
)
from ..mailed_links import SECRET, MailedLink
from ..models import ENABLED, Account, Application, OneTimeToken, PasswordStrength
from ..models.one_time_token import RESET
from ..pages import link, refuse, render, site_url, tell, tell_errors, was_sent
from ..settings import settings
from ..translation import gettext as _
from .forms import ForgotForm, ResetForm

#: How long the last page waits before it leads on, in seconds.
WAITS = 5


def forgot() -> ResponseReturnValue:
    """Mail a link that leads to a new password. Who asks learns nothing of who has an account."""
    form, status = ForgotForm(), 200
    headers: dict[str, str] = {}
    if was_sent():
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                address = names.email(form.email.data)
                Application.current().request_password_reset(address)
            except PropertyError:
                error = StormpathError(_("Invalid email address."))
                status, headers = refuse(error)
                tell(form, "email", error.message)
            except TooManyAttempts as error:
                status, headers = refuse(error)
                tell(form, None, error.message)
            else:
                return _page(settings.FORGOT_PASSWORD_EMAIL_SENT_TEMPLATE, form, email=address)
    must_wait = status == TooManyAttempts.status
    return _page(settings.FORGOT_PASSWORD_TEMPLATE, form, must_wait=must_wait), status, headers


def forgot_change() -> ResponseReturnValue:
    """Give the account that a mailed link is for a new password, and log it in."""
    mailed = MailedLink(RESET)
    try:
        token = Application.current().find_reset_token(mailed.token_hash or "")
        if mailed.is_shown and not was_sent():
            return mailed.hide()
        return _change(mailed, token)
    except TokenRefused as error:
        return mailed.refuse(error, link("stormpath.forgot"))


def _change(mailed: MailedLink, token: OneTimeToken) -> ResponseReturnValue:
    form, status, headers = ResetForm({"link": mailed.token_hash}), 200, SECRET
    account = token.account
    if was_sent():
        if form.link.data and form.link.data != mailed.token_hash:
            raise TokenRefused  # of somebody else, who made this browser open it
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                Application.current().reset_account_password(token, form.password.data)
            except PasswordRefused as error:
                status, _headers = refuse(error)
                for violation in error.violations:
                    tell(form, "password", violation)
            except TooManyAtOnce as error:
                status, more = refuse(error)
                headers = {**SECRET, **more}
                tell(form, None, error.message)
            else:
                mailed.forget()
                return _complete(account)
    page = _page(
        settings.FORGOT_PASSWORD_CHANGE_TEMPLATE,
        form,
        email=account.email,
        password_hint=PasswordStrength.of(account.directory_id).describe(),
        logs_in=settings.RESET_AUTOLOGIN and account.status == ENABLED,
    )
    return page, status, headers


def _complete(account: Account) -> ResponseReturnValue:
    """Say that all is done, and lead on: who is logged in by it, after a while; others, who must log in, by a link."""
    is_logged_in, headers = _log_in(account), SECRET
    onward = site_url(settings.REDIRECT_URL)
    if is_logged_in:
        headers = {**headers, "Refresh": f"{WAITS}; url={onward}"}
    page = _page(
        settings.FORGOT_PASSWORD_COMPLETE_TEMPLATE, is_logged_in=is_logged_in, onward_url=onward, seconds=WAITS
    )
    return page, headers


def _log_in(account: Account) -> bool:
    try:
        return bool(settings.RESET_AUTOLOGIN) and login_user(account)
    except LoginFailed:  # it was changed meanwhile
        return False


def _page(template: str, form: ForgotForm | ResetForm | None = None, **context: object) -> str:
    return render(template, form, login_url=link("stormpath.login"), **context)
