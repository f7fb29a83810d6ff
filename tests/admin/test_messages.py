"""The screen of mails: who sees which, their state, and one sent again."""

import re

import pytest

from stormpath_app.database import session
from stormpath_app.models import Account, Administrator, Application, OutboxMessage
from stormpath_app.models.message import FAILED


def shown(console):
    """Return the addresses of the mails in the list."""
    return re.findall(r'<small class="sp-clip">([^ <]+@[^ <]+)', console.get("/messages/").text)


@pytest.fixture
def mailed(app, ada, outbox):
    """Let a person and an administrator each have a mail; return the ids of both mails, in this order."""
    with app.app_context():
        Application.current().mail_password_reset(Account.get(ada))
        Administrator.invite("han@falcon.example", "viewer")
        return [message.id for message in session.query(OutboxMessage).order_by(OutboxMessage.id)]


def test_invitations_are_among_the_mails_that_owners_see_and_nobody_else(app, mailed, owner, sign_in):
    assert shown(owner) == ["han@falcon.example", "ada@example.com"]
    page = owner.get(f"/messages/{mailed[1]}/")
    assert re.search(r'href="(/admin/administrators/\w+/)"', page.text)
    manager = sign_in("manager")
    assert shown(manager) == ["ada@example.com"]
    assert manager.get(f"/messages/{mailed[1]}/").status_code == 404
    assert manager.get(f"/messages/{mailed[0]}/").status_code == 200


def test_support_sends_a_mail_that_failed_again_and_a_viewer_does_not(app, mailed, sign_in):
    with app.app_context():
        session.get(OutboxMessage, mailed[0]).status = FAILED
        session.commit()
    assert sign_in("viewer").post(f"/messages/{mailed[0]}/again").status_code == 403
    support = sign_in("support")
    assert "Send again" in support.get(f"/messages/{mailed[0]}/").text
    assert support.post(f"/messages/{mailed[0]}/again").status_code == 303


def test_a_quick_filter_and_the_beginning_of_an_address_narrow_the_list(app, mailed, owner):
    assert "ada@example.com" in owner.get("/messages/?q=AD").text
    assert "Nothing is found" in owner.get("/messages/?q=nobody").text
    assert "Nothing is found" in owner.get("/messages/?show=failed").text
