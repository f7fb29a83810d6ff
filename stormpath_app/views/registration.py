"""Creating an account."""

from contextlib import suppress

from flask import redirect, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ..authentication import login_user
from ..errors import InvalidFormat, LoginOutdated, PasswordRefused, PropertyError, StormpathError
from ..models import Application
from ..settings import settings
from ..translation import gettext as _
from .forms import RegistrationForm
from .pages import link, next_url, refuse, render, site_url, tell, tell_errors


def register() -> ResponseReturnValue:
    """Create an account, log it in, then lead on."""
    form, target, status = RegistrationForm(), next_url(), 200
    headers: dict[str, str] = {}
    if request.method == "POST":
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                account = Application.current().accounts.create(form.attributes())
            except StormpathError as error:
                status, headers = refuse(error)
                _tell(form, error)
            else:
                with suppress(LoginOutdated):  # whoever heard of the account may have closed it already
                    login_user(account)
                return redirect(target or site_url(settings.REGISTRATION_REDIRECT_URL or settings.REDIRECT_URL))
    elif current_user.is_authenticated:
        return redirect(target or site_url(settings.REDIRECT_URL))
    page = render(
        settings.REGISTRATION_TEMPLATE,
        form,
        password_hint=_password_hint(),
        login_url=link("stormpath.login", target),
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
    mapping = Application.current().default_account_store_mapping
    return None if mapping is None else mapping.account_store.password_policy.strength.describe()
