"""Flask-Login as we use it: who finds people, and who is there where nobody is logged in."""

from flask import Response
from flask_login import AnonymousUserMixin, LoginManager

from . import current
from .authentication import load_user
from .database import OUTAGES, outage
from .models import Claim


class Stranger(AnonymousUserMixin):  # type: ignore[misc]
    """Nobody: who `user` is where nobody is logged in. Its claims may be called, as an account's may."""

    is_authenticated = is_active = Claim(False)
    is_anonymous = Claim(True)

    def has_group(self, group: object) -> bool:
        """False: a stranger is in no group."""
        return False

    in_group = has_group

    def has_groups(self, groups: object, all: bool = True) -> bool:  # noqa: A002 - Stormpath's word
        """False: a stranger is in no group."""
        return False


class SessionManager(LoginManager):  # type: ignore[misc] # Flask-Login has no types
    """Flask-Login's manager, which finds people by our sessions alone.

    Its own would look at its remember cookie first; one that another app of the same host left would lock people out.
    """

    def _load_user(self) -> None:
        current.app().extensions["stormpath"].require_ready()
        try:
            found = load_user(current.request())
        except OUTAGES as error:
            raise outage(error) from error
        self._update_request_context_with_user(found)

    def _update_remember_cookie(self, response: Response) -> Response:
        """Leave the browser's session alone: looking at it would make every answer vary by cookie."""
        return response
