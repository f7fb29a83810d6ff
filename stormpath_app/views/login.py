"""Logging in and out."""

from flask import redirect, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ..authentication import login_fresh, login_user, logout_user
from ..errors import AccountNotVerified, LoginFailed, PasswordChangeRequired
from ..forms import Form
from ..models import Application
from ..pages import is_about_who_asks, link, next_url, refuse, render, site_url, tell, tell_errors, was_sent
from ..settings import settings
from ..translation import gettext as _, mark
from .forms import LoginForm
from .new_password import ask_for_new_password
from .overload import refuse_the_excess
from .social_buttons import AGAIN, Button, button, buttons


def login() -> ResponseReturnValue:
    """Log a person in, then lead to the page they came for."""
    if (refusal := refuse_the_excess(mark("Log In"), "current-password")) is not None:
        return refusal
    form, target, status = LoginForm(), next_url(), 200
    headers: dict[str, str] = {}
    must_wait = is_unverified = False
    if was_sent():
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                result = Application.current().authenticate_account(form.login.data, form.password.data)
                login_user(result.account)
            except LoginFailed as error:
                status, headers = refuse(error)
                if isinstance(error, PasswordChangeRequired) and (answer := ask_for_new_password(error, target)):
                    return answer
                is_unverified = isinstance(error, AccountNotVerified)
                must_wait = is_about_who_asks(error)
                tell(form, None, _("Please confirm your email address first.") if is_unverified else error.message)
            else:
                return redirect(target or site_url(settings.REDIRECT_URL))
    elif onward := _onward(target):
        return redirect(onward)
    return _page(form, target, must_wait=must_wait, is_unverified=is_unverified), status, headers


def _onward(target: str | None) -> str | None:
    """Return where somebody is led who is logged in and need not be asked; None for all others."""
    if not current_user.is_authenticated or _is_asked_again():
        return None
    if target is not None and AGAIN not in request.args:
        return None  # the page that sent them wants another account
    return target or site_url(settings.REDIRECT_URL)


def _page(form: LoginForm, target: str | None, *, must_wait: bool, is_unverified: bool) -> str:
    again = _is_asked_again()
    if again and not form.is_submitted():
        form.login.data = current_user.email
    has_password, ways = _ways(target, again=again)
    return render(
        settings.LOGIN_TEMPLATE,
        form,
        must_wait=must_wait,
        forgot_url=link("stormpath.forgot"),
        # For the form that asks for the mail again: only who knows the password learns what is missing.
        verify_url=link("stormpath.verify") if is_unverified else None,
        other_account=target is not None and not again and bool(current_user.is_authenticated),
        ways=ways,
        has_password=has_password,
        # The registration page would lead somebody who is logged in straight back.
        register_url=None if current_user.is_authenticated else link("stormpath.register", target),
    )


def _ways(target: str | None, *, again: bool) -> tuple[bool, list[Button]]:
    """Return whether a password is asked for, and the buttons of providers.

    Who is asked again is asked for the one or for the others.
    """
    if not again:
        return True, buttons(target)
    ways = Application.current().ways_in(current_user._get_current_object())
    linked = [] if ways.has_password else [way.provider for way in ways.providers if way.is_linked]
    return ways.has_password, [button(provider, target, again=True) for provider in linked]


def _is_asked_again() -> bool:
    """Tell whether a door sent somebody here whose login is not fresh.

    The address alone is not believed, and decides on no words: those are flashed by the door.
    """
    return AGAIN in request.args and bool(current_user.is_authenticated) and not login_fresh()


def logout() -> ResponseReturnValue:
    """Log a person out: a form of ours posts; a typed address or an old link gets, unless the settings forbid it."""
    form = Form()
    posted = was_sent()
    if posted and form.validate():
        logout_user()
    elif posted or settings.LOGOUT_REQUIRES_POST:
        status = tell_errors(form) if posted else 200
        return render("flask_stormpath/logout.html", form), status
    elif request.method == "GET" and not _is_prefetched():
        logout_user()
    return redirect(site_url("/"))


def _is_prefetched() -> bool:
    """Tell whether a browser asks ahead of its user, who has not clicked yet."""
    return any("prefetch" in request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
