"""May they? What a view asks for before it runs."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import current_app, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from .authentication import login_fresh

P = ParamSpec("P")


def login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let nobody into the view who is not logged in; they are sent to the login page and then back.

    With TESTING on, or LOGIN_DISABLED, everybody is let in; `LOGIN_DISABLED = False` enforces in tests too. Answers are
    not stored by caches, unless the view says otherwise.
    """
    return _guarded(view, _refuse_strangers)


def fresh_login_required(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let nobody into the view whose password was not given on this device in the last STORMPATH_FRESH_FOR.

    Who is logged in is asked for it again, then led back; all else is as with `login_required`.
    """
    return _guarded(view, _refuse_stale)


def _guarded(
    view: Callable[P, ResponseReturnValue], refuse: Callable[[], ResponseReturnValue | None]
) -> Callable[P, ResponseReturnValue]:
    """Ask `refuse` before the view: what it returns is the answer, None lets in."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        g.stormpath_private = True
        if is_enforced() and request.method != "OPTIONS" and (refusal := refuse()) is not None:
            return refusal
        answer: ResponseReturnValue = current_app.ensure_sync(view)(*args, **kwargs)
        return answer

    return guarded


def _refuse_strangers() -> ResponseReturnValue | None:
    return None if current_user.is_authenticated else current_app.login_manager.unauthorized()  # type: ignore[attr-defined]


def _refuse_stale() -> ResponseReturnValue | None:
    if not current_user.is_authenticated:
        return _refuse_strangers()
    return None if login_fresh() else current_app.login_manager.needs_refresh()  # type: ignore[attr-defined]


def is_enforced() -> bool:
    """Tell whether doors are closed: always, but under TESTING where LOGIN_DISABLED does not say, as in the seed."""
    disabled = current_app.config.get("LOGIN_DISABLED")
    return not (current_app.testing if disabled is None else disabled)
