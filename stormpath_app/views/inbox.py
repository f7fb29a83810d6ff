"""The mails of an app in debug that has no mail server. Elsewhere there are no such pages."""

import re
from collections.abc import Callable

from flask import Flask, Response, abort
from flask.typing import ResponseReturnValue

from .. import current
from ..mail import inbox
from ..mail.inbox import KeptMail
from ..pages import render

#: A mail brings its own styles, runs nothing, loads nothing from elsewhere, and is a frame of ours alone.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'; form-action 'none';"
    " sandbox allow-popups allow-popups-to-escape-sandbox"
)


def mails() -> ResponseReturnValue:
    """List the mails that were kept."""
    return render("flask_stormpath/inbox.html", mails=inbox.mails(_app()))


def mail(key: str) -> ResponseReturnValue:
    """Show one."""
    return render("flask_stormpath/inbox_mail.html", kept=_find(key))


def mail_html(key: str) -> ResponseReturnValue:
    """Show the HTML of one, as a mail program would. Its links open beside it."""
    html = _find(key).html
    if html is None:
        abort(404)
    text, found = re.subn(r"<head[^>]*>", lambda head: head[0] + _LINKS_OPEN_BESIDE, html, count=1, flags=re.IGNORECASE)
    headers = {"Content-Security-Policy": _POLICY, "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer"}
    return Response(text if found else _LINKS_OPEN_BESIDE + html, headers=headers)


_LINKS_OPEN_BESIDE = '<base target="_blank">'

#: The pages, by endpoint: where, and what.
PAGES: dict[str, tuple[str, Callable[..., ResponseReturnValue]]] = {
    "inbox": ("/stormpath/inbox", mails),
    "inbox_mail": ("/stormpath/inbox/<key>", mail),
    "inbox_html": ("/stormpath/inbox/<key>/html", mail_html),
}


def _app() -> Flask:
    app = current.app()
    if not inbox.is_open(app):
        abort(404)
    return app


def _find(key: str) -> KeptMail:
    found = inbox.find(_app(), key)
    if found is None:
        abort(404)
    return found
