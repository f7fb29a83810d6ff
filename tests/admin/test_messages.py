"""Messages in the console: which mails wait, left or failed, and sending one again."""

import pytest

from stormpath_app import Account, Application
from stormpath_app.admin import messages
from stormpath_app.database import session
from stormpath_app.models import OutboxMessage

from ..conftest import PASSWORD

pytestmark = pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)


@pytest.fixture
def mails(app):
    """Return the ids of three mails: one waits, one was sent, one failed."""
    with app.app_context():
        for name in ("ada", "ben", "cem"):
            Account.create(f"{name}@example.com", PASSWORD)
            Application.current().send_password_reset_email(f"{name}@example.com")
        found = session.query(OutboxMessage).filter(OutboxMessage.account_id.is_not(None)).order_by("id").all()
        found = [each for each in found if "reset" in each.kind]
        found[1].status = "SENT"
        found[2].status, found[2].last_error = "FAILED", "550 <b>no such user</b>"
        found[2].expires_at = None  # as of a mail without a link
        session.commit()
        return [each.id for each in found]


def test_each_mail_is_listed_with_what_became_of_it(owner, mails):
    page = owner.get("/messages/?q=cem").text
    assert "Password reset" in page
    assert "Failed" in page
    assert "550 &lt;b&gt;no such user&lt;/b&gt;" in page


@pytest.mark.parametrize(("show", "number"), [("waiting", 0), ("sent", 1), ("failed", 2)])
def test_a_state_can_be_chosen(owner, mails, show, number):
    page = owner.get(f"/messages/?show={show}").text
    assert [f"/messages/{each}/" in page for each in mails] == [place == number for place in range(3)]


def test_pages_of_mails_follow_each_other_and_lead_back(owner, mails, monkeypatch):
    monkeypatch.setattr(messages, "_PAGE", 1)
    first = owner.get("/messages/?q=")
    assert f"after={mails[2]}" in first.text
    second = owner.get(f"/messages/?after={mails[2]}").text
    assert f"/messages/{mails[1]}/" in second
    assert f"before={mails[1]}" in second
    assert f"/messages/{mails[2]}/" in owner.get(f"/messages/?before={mails[1]}").text


def test_a_mail_is_shown_without_a_link_that_works(owner, mails):
    page = owner.get(f"/messages/{mails[0]}/").text
    assert "THE-LINK-IS-NOT-SHOWN" in page


def test_one_that_failed_is_tried_again_by_support_and_not_by_viewers(app, sign_in, mails):
    assert sign_in("viewer").post(f"/messages/{mails[2]}/again").status_code == 403
    answer = sign_in("support").post(f"/messages/{mails[2]}/again", follow=True)
    assert answer.status_code == 200
    with app.app_context():
        assert session.get(OutboxMessage, mails[2]).status == "QUEUED"


def test_one_that_failed_with_a_link_is_not_offered_to_be_sent_again_as_the_link_is_gone(app, owner, mails):
    assert "Send again" in owner.get(f"/messages/{mails[0]}/").text
    with app.app_context():
        session.get(OutboxMessage, mails[0]).status = "FAILED"
        session.commit()
    assert "Send again" not in owner.get(f"/messages/{mails[0]}/").text
    assert "The link in it is gone." in owner.post(f"/messages/{mails[0]}/again", follow=True).text


def test_one_that_was_sent_is_not_sent_again(owner, mails):
    assert "It was sent already." in owner.post(f"/messages/{mails[1]}/again", follow=True).text
