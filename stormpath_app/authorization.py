"""May they? What a view asks for before it runs."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import current_app, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

P = ParamSpec("P")


def login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let nobody into the view who is not logged in; they are sent to the login page and then back.

    With TESTING on, or LOGIN_DISABLED, everybody is let in; `LOGIN_DISABLED = False` enforces in tests too. Answers are
    not stored by caches, unless the view says otherwise.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        g.stormpath_private = True
        if is_enforced() and request.method != "OPTIONS" and not current_user.is_authenticated:
            refusal: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
            return refusal
        answer: ResponseReturnValue = current_app.ensure_sync(view)(*args, **kwargs)
        return answer

    return guarded


def is_enforced() -> bool:
    """Tell whether doors are closed: always, but under TESTING where LOGIN_DISABLED does not say, as in the seed."""
    disabled = current_app.config.get("LOGIN_DISABLED")
    return not (current_app.testing if disabled is None else disabled)
