"""Creating an account."""

from flask import redirect
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ..authentication import login_user
from ..errors import (
    InvalidFormat,
    LoginOutdated,
    PasswordRefused,
    PropertyError,
    StormpathError,
)
from ..models import UNVERIFIED, Application
from ..pages import is_about_who_asks, link, next_url, refuse, render, site_url, tell, tell_errors, was_sent
from ..settings import settings
from ..translation import gettext as _, mark
from .forms import RegistrationForm
from .overload import refuse_the_excess
from .social_buttons import buttons
from .verification import sent


def register() -> ResponseReturnValue:
    """Create an account, log it in, then lead on; where its address must be confirmed, tell to look for the mail."""
    if (refusal := refuse_the_excess(mark("Create an Account"), "new-password")) is not None:
        return refusal
    form, target, status = RegistrationForm(), next_url(), 200
    headers: dict[str, str] = {}
    must_wait = False
    if was_sent():
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                account = Application.current().register(form.attributes())
                if account is None or account.status == UNVERIFIED:
                    return sent()
                login_user(account)
            except LoginOutdated:  # the account is there, but it or the application is closed: they learn it there
                return redirect(link("stormpath.login", target) or site_url("/"))
            except StormpathError as error:
                status, headers = refuse(error)
                must_wait = is_about_who_asks(error)
                _tell(form, error)
            else:
                return redirect(target or site_url(settings.REGISTRATION_REDIRECT_URL or settings.REDIRECT_URL))
    elif current_user.is_authenticated:
        return redirect(target or site_url(settings.REDIRECT_URL))
    page = render(
        settings.REGISTRATION_TEMPLATE,
        form,
        must_wait=must_wait,
        password_hint=_password_hint(),
        login_url=link("stormpath.login", target),
        ways=buttons(target),
    )
    return page, status, headers


def _tell(form: RegistrationForm, error: StormpathError) -> None:
    if isinstance(error, PasswordRefused):
        for violation in error.violations:
            tell(form, "password", violation)
    elif isinstance(error, InvalidFormat) and error.property == "email":
        tell(form, "email", _("You must provide a valid email address. Write it like name@example.com."))
    elif isinstance(error, PropertyError):
        tell(form, error.property, error.message)
    else:
        tell(form, None, error.message)


def _password_hint() -> str | None:
    strength = Application.current().password_strength()
    return None if strength is None else strength.describe()
