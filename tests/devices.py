"""Browsers that are closed and opened again, and copies of their login cookies."""

from typing import NamedTuple

import sqlalchemy as sa

from stormpath_app.database import database
from stormpath_app.models import AccountSession

from .models.test_event import events

SESSION, TOKEN = "__Host-stormpath_session", "__Host-stormpath_token"


def close(client):
    """Close a browser and open it again."""
    client.delete_cookie(SESSION)
    return client


class Cookies(NamedTuple):
    """The login cookies of a browser: until it closes, and remembered."""

    session: str | None
    token: str | None

    @property
    def agree(self):
        """Whether they are of one login, and the one is not a copy of the other."""
        return self.session != self.token and self.session.startswith(self.token)


def cookies(client):
    """Return the login cookies of a browser."""
    found = (client.get_cookie(name) for name in (SESSION, TOKEN))
    return Cookies(*(cookie and cookie.value for cookie in found))


def browser(app, session=None, token=None):
    """Return another browser, which has these cookies."""
    client = app.test_client()
    for name, value in ((SESSION, session), (TOKEN, token)):
        if value:
            client.set_cookie(name, value)
    return client


def is_in(client):
    with client.get("/secret") as answer:
        return answer.status_code == 200


def login(app):
    """Return the one login that there is; None where there is none."""
    with app.app_context():
        return database.session.scalars(sa.select(AccountSession)).one_or_none()


def replays(app):
    with app.app_context():
        return events("login.replayed")


def written(seen):
    """Return the statements that write."""
    return [statement for statement in seen if not statement.startswith(("SELECT", "PRAGMA", "BEGIN"))]
