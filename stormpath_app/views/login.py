"""Logging in and out."""

from flask import redirect, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from ..authentication import login_user, logout_user
from ..errors import LoginFailed
from ..models import Application
from ..settings import settings
from .forms import Form, LoginForm
from .pages import link, next_url, refuse, render, site_url, tell, tell_errors


def login() -> ResponseReturnValue:
    """Log a person in, then lead to the page they came for."""
    form, target, status = LoginForm(), next_url(), 200
    headers: dict[str, str] = {}
    if request.method == "POST":
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                result = Application.current().authenticate_account(form.login.data, form.password.data)
                login_user(result.account)
            except LoginFailed as error:
                status, headers = refuse(error)
                tell(form, None, error.message)
            else:
                return redirect(target or site_url(settings.REDIRECT_URL))
    elif current_user.is_authenticated and target is None:
        return redirect(site_url(settings.REDIRECT_URL))
    page = render(
        settings.LOGIN_TEMPLATE,
        form,
        other_account=target is not None and bool(current_user.is_authenticated),
        register_url=link("stormpath.register", target),
    )
    return page, status, headers


def logout() -> ResponseReturnValue:
    """Log a person out: a form of ours posts; a typed address or an old link gets, unless the settings forbid it."""
    form = Form()
    posted = request.method == "POST"
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
