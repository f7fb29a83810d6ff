"""May they? What a view asks for before it runs."""

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import ParamSpec

from flask.typing import ResponseReturnValue
from flask_login import current_user

from . import current
from .authentication import login_fresh
from .models import Group
from .models.group import references

P = ParamSpec("P")
#: A view as Flask takes it, async or not; and what becomes of it behind a door.
View = Callable[P, ResponseReturnValue | Awaitable[ResponseReturnValue]]
Guarded = Callable[P, ResponseReturnValue]


def login_required(view: View[P]) -> Guarded[P]:
    """Let nobody into the view who is not logged in; they are sent to the login page and then back.

    With TESTING on, or LOGIN_DISABLED, everybody is let in; `LOGIN_DISABLED = False` enforces in tests too. Answers are
    not stored by caches, unless the view says otherwise.
    """
    return _guarded(view, refuse_strangers)


def fresh_login_required(view: View[P]) -> Guarded[P]:
    """Let nobody into the view whose password was not given on this device in the last STORMPATH_FRESH_FOR.

    Who is logged in is asked for it again, then led back; all else is as with `login_required`.
    """
    return _guarded(view, refuse_stale)


def groups_required(
    groups: Iterable[Group | str],
    all: bool = True,  # noqa: A002 - Stormpath's word
) -> Callable[[View[P]], Guarded[P]]:
    """Let nobody into the view who is not in the groups; who is logged in is told that it takes another account.

    A DISABLED group lets nobody in. For the rest it is as `login_required`, and costs no statement more.

    :param groups: a list of names, hrefs or Group objects. A name is that of a group of the account's own directory.
    :param all: False: one of the groups is enough.
    :raises TypeError, ValueError: it is no list of groups, or an empty one.
    """
    wanted = references(groups)
    if not wanted:
        raise ValueError("groups_required needs a group, as in groups_required(['admins']); or take login_required.")

    def refuse_others() -> ResponseReturnValue | None:
        account = current_user._get_current_object()
        may_enter = account.is_authenticated and account.has_groups(wanted, all=all)
        return None if may_enter else _unauthorized()

    return lambda view: _guarded(view, refuse_others)


def is_enforced() -> bool:
    """Tell whether doors are closed: always, but under TESTING where LOGIN_DISABLED does not say, as in the seed."""
    config = current.app().config
    disabled = config.get("LOGIN_DISABLED")
    return not (config["TESTING"] if disabled is None else disabled)


def _guarded(view: View[P], refuse: Callable[[], ResponseReturnValue | None]) -> Guarded[P]:
    """Ask `refuse` before the view: what it returns is the answer, None lets in."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        current.g().stormpath_private = True
        if is_enforced() and current.request().method != "OPTIONS" and (refusal := refuse()) is not None:
            return refusal
        answer: ResponseReturnValue = current.app().ensure_sync(view)(*args, **kwargs)
        return answer

    return guarded


def refuse_strangers() -> ResponseReturnValue | None:
    """Return the answer for who is not logged in; None for everybody else."""
    return None if current_user._get_current_object().is_authenticated else _unauthorized()


def refuse_stale() -> ResponseReturnValue | None:
    """Return the answer for who is not logged in, or whose login is not fresh; None for everybody else."""
    if not current_user.is_authenticated:
        return _unauthorized()
    return None if login_fresh() else current.app().login_manager.needs_refresh()  # type: ignore[attr-defined]


def _unauthorized() -> ResponseReturnValue:
    refusal: ResponseReturnValue = current.app().login_manager.unauthorized()  # type: ignore[attr-defined]
    return refusal
