"""The runnable site with more doors: a page for admins, one that asks for the password again, and links as of mails."""

from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask import Flask, redirect, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from stormpath_app import Account, Application, fresh_login_required, groups_required
from stormpath_app.app import create_app as create_site
from stormpath_app.database import session
from stormpath_app.models import OutboxMessage, one_time_token
from stormpath_app.views.login import login

from ..full_queue import full_queue
from .people import Person


def create_app() -> Flask:
    app = create_site()
    for path, door in (("/admins", groups_required(["admins"])), ("/close", fresh_login_required)):
        app.add_url_rule(path, path[1:], door(inside), methods=["GET", "POST"])
    app.add_url_rule("/mailed/reset", view_func=mailed_reset)
    app.add_url_rule("/mailed/change", view_func=mailed_change)
    app.add_url_rule("/unverified", view_func=unverified)
    app.add_url_rule("/unchanged", view_func=unchanged)
    app.add_url_rule("/crowded", view_func=crowded, methods=["POST"])
    return app


def inside() -> str:
    return "inside"


def mailed_reset() -> Response:
    """Open the link that somebody new has in a mail, to a new password."""
    token = Application.current().send_password_reset_email(_somebody().email).token
    return redirect(url_for("stormpath.forgot_change", sptoken=token))


def mailed_change() -> Response:
    """Open the link that somebody new has in a mail, to a new address."""
    account = _somebody()
    account.request_email_change(f"a.rather.long.address.{uuid4().hex}@x.example")
    nonce = session.scalar(sa.select(OutboxMessage.nonce).where(OutboxMessage.account_id == account.id))
    return redirect(url_for("stormpath.verify_change", sptoken=one_time_token.raw(nonce or "")))


def unverified() -> str:
    """Make somebody who has not confirmed their address; return it."""
    return _somebody(status="UNVERIFIED").email


def unchanged() -> str:
    """Make somebody who must choose another password; return their address."""
    return _somebody(must_change_password=True).email


def crowded() -> ResponseReturnValue:
    """Be the login page while too many others log in."""
    with full_queue():
        return login()


def _somebody(**attributes: Any) -> Account:
    return Account.create(f"{uuid4().hex}@x.example", Person().password, "Leia", "Organa", **attributes)
