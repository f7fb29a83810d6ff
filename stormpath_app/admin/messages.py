"""Messages: which mails wait, which left, which did not and why; and sending one again."""

from typing import Any

import sqlalchemy as sa
from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose

from .. import names
from ..database import session
from ..errors import NotReady, TokenRefused
from ..mail import delivery, rendering
from ..models import Account, OutboxMessage, message
from ..models.administration import OWNER, SUPPORT, VIEWER
from ..models.message import FAILED, QUEUED, SENT
from ..translation import gettext as _, mark
from . import pages, scope
from .base import ConsoleView
from .gate import needs
from .pages import count
from .session import administrator

_PAGE = 25
#: How many of the last messages are looked at for what no index has: the directory of a limited administrator.
_RECENT = 10_000

STATES = {"waiting": (QUEUED, mark("Waiting")), "sent": (SENT, mark("Sent")), "failed": (FAILED, mark("Failed"))}
KINDS = {
    message.VERIFICATION: mark("Verify email"),
    message.VERIFICATION_SUCCESS: mark("Email verified"),
    message.WELCOME: mark("Welcome"),
    message.RESET: mark("Password reset"),
    message.RESET_SUCCESS: mark("Password was reset"),
    message.EMAIL_CHANGE: mark("Confirm the new address"),
    message.EMAIL_CHANGED: mark("Address changed"),
    message.ACCOUNT_EXISTS: mark("Somebody registered again"),
    message.INVITATION: mark("Invitation to the console"),
    message.PASSWORD_CHANGED: mark("Password changed"),
    message.PREVIEW: mark("Preview"),
    message.TEST: mark("Test"),
}


def kind_name(kind: str) -> str:
    """Return what a mail is about, in the reader's language."""
    return _(KINDS[kind]) if kind in KINDS else kind


class MessagesView(ConsoleView):
    """The mails to the accounts that the administrator deals with."""

    path, icon, section = "/messages", "mail", 2

    @expose("/")
    @needs(VIEWER)
    def index_view(self) -> ResponseReturnValue:
        """Show them, the newest first."""
        show, text = request.args.get("show", ""), request.args.get("q", "").strip()
        found = _narrowed(_in_scope(), show, text)
        page = _Page(found, request.args.get("after"), request.args.get("before"))
        chips = [
            {
                "label": _(label),
                "count": count(_count(_narrowed(_in_scope(), key, text))),
                "url": url_for(".index_view", show=key or None, q=text or None),
                "is_current": show == key,
            }
            for key, label in (("", mark("All")), *((key, label) for key, (_status, label) in STATES.items()))
        ]
        known: dict[str, Any] = {"show": show or None, "q": text or None}
        return self.render(
            "stormpath_admin/messages.html",
            page=page,
            chips=chips,
            text=text,
            show=show,
            newer=url_for(".index_view", before=page.items[0].id, **known) if page.has_before else None,
            older=url_for(".index_view", after=page.items[-1].id, **known) if page.has_after else None,
            kind_name=kind_name,
        )

    @expose("/<id>/")
    @needs(VIEWER)
    def message(self, id: str) -> ResponseReturnValue:
        """Show one: its state, why, and what it says."""
        found = find(id)
        return self.render(
            "stormpath_admin/message.html",
            message=found,
            mail=_said(found),
            kind_name=kind_name,
            account_url=_account_url(found),
        )

    @expose("/<id>/again", methods=("POST",))
    @needs(SUPPORT)
    def again(self, id: str) -> ResponseReturnValue:
        """Try to send one again, at once."""
        found = find(id)
        if delivery.retry([found.id]):
            flash(_("The mail to %(address)s is tried again now.", address=found.address), "success")
        elif found.status == SENT:
            flash(_("It was sent already."), "warning")
        else:
            flash(_("The link in it is gone. Send a new one from the page of the account."), "warning")
        return redirect(url_for(".message", id=found.id), 303)


def find(message_id: str) -> OutboxMessage:
    """Return the message in scope with this id; anything else is a 404."""
    if not message_id.isalnum():
        abort(404)
    found: OutboxMessage | None = session.scalar(_in_scope().where(OutboxMessage.id == message_id))
    return found if found is not None else abort(404)


def number(show: str) -> int:
    """Return how many messages in scope are in a state, as far as they are counted."""
    return _count(_narrowed(_in_scope(), show, ""))


def _in_scope() -> sa.Select[Any]:
    """Return a statement for the messages in scope: no request of a stranger's, as that is none yet.

    Those to administrators, their invitations say, are for owners.
    """
    wanted = sa.select(OutboxMessage).where(OutboxMessage.kind.not_in(message.REQUESTS))
    mine = OutboxMessage.account_id.in_(
        sa.select(Account.id).where(Account.id == OutboxMessage.account_id, Account.directory_id.in_(_directory_ids()))
    )
    if administrator.directory_ids is None:
        return wanted.where(sa.or_(OutboxMessage.account_id.is_(None), mine))
    return wanted.where(mine)


def _directory_ids() -> list[str]:
    return [*scope.ids(), *scope.apart()] if administrator.may(OWNER) else scope.ids()


def _narrowed(wanted: sa.Select[Any], show: str, text: str) -> sa.Select[Any]:
    if show in STATES:
        wanted = wanted.where(OutboxMessage.status == STATES[show][0])
    if text:
        key = names.key(text) if names.can_be_stored(text) else ""
        wanted = wanted.where(OutboxMessage.address_key.startswith(key, autoescape=True))
    oldest = sa.select(OutboxMessage.id).order_by(OutboxMessage.id.desc()).offset(_RECENT).limit(1).scalar_subquery()
    return wanted.where(OutboxMessage.id > sa.func.coalesce(oldest, ""))


def _count(wanted: sa.Select[Any]) -> int:
    return pages.number(wanted.with_only_columns(OutboxMessage.id))


class _Page:
    """Some messages, the newest first: from the place that the address names."""

    def __init__(self, wanted: sa.Select[Any], after: str | None, before: str | None) -> None:
        place = next((each for each in (after, before) if each and each.isalnum()), None)
        backwards = after is None and place is not None
        if place:
            wanted = wanted.where(OutboxMessage.id > place if backwards else OutboxMessage.id < place)
        order = OutboxMessage.id.asc() if backwards else OutboxMessage.id.desc()
        rows = list(session.scalars(wanted.order_by(order).limit(_PAGE + 1)))
        has_more = len(rows) > _PAGE
        self.items = rows[:_PAGE][::-1] if backwards else rows[:_PAGE]
        self.has_before = has_more if backwards else place is not None
        self.has_after = place is not None if backwards else has_more
        if not self.items:
            self.has_before = self.has_after = False


def _account_url(found: OutboxMessage) -> str | None:
    if found.account is None:
        return None
    is_theirs = found.account.directory_id in scope.apart()
    page = "administrators.page" if is_theirs else "accounts.edit_view"
    return url_for(f"stormpath_admin.{page}", id=found.account_id)


def _said(found: OutboxMessage) -> Any:
    """Return what the mail says, without a link that works; None where it cannot be told any more."""
    occasion = rendering.Occasion(
        found.kind,
        found.address,
        account=found.account,
        application=found.application,
        token=_("THE-LINK-IS-NOT-SHOWN") if rendering.has_link(found.kind) else None,
        data=found.data,
        language=found.language,
    )
    try:
        return rendering.render_occasion(occasion)
    except (NotReady, TokenRefused, KeyError):
        return None
