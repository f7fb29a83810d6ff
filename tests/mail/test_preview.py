"""What a mail would say, shown or mailed to whoever writes it."""

import json

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.database import session
from stormpath_app.errors import TooLong
from stormpath_app.mail import deliver, preview
from stormpath_app.mail.rendering import template_of
from stormpath_app.models import EmailTemplate, OneTimeToken, OutboxMessage, message

from ..conftest import PASSWORD
from ..payloads import HTML, TEMPLATE

pytestmark = pytest.mark.settings(STORMPATH_BASE_URL="https://www.example.com", STORMPATH_ENABLE_FORGOT_PASSWORD=True)
LINK = f"https://www.example.com/forgot/change?sptoken={preview.NO_TOKEN}"


@pytest.fixture
def directory(context):
    return Application.current().default_account_store()


@pytest.fixture
def han(directory):
    return Account.create("han@falcon.example", PASSWORD, "Han", "Solo")


@pytest.fixture
def owner(directory):
    return Account.create("owner@falcon.example", PASSWORD, "Ines", "Duarte")


@pytest.fixture
def reset(directory):
    return template_of(directory, "reset")


def sent_to(owner):
    """Return the one mail that waits for somebody, as it would leave."""
    (waiting,) = session.query(OutboxMessage).filter_by(address=owner.email)
    return preview.render(waiting)


def test_what_is_not_saved_is_shown_as_its_reader_would_see_it(han, reset):
    reset.subject, reset.text_body = "For $!{account.givenName}", "Here: ${url}"
    shown = preview.show("reset", han)
    assert (shown.to, shown.subject, shown.text) == (han.email, "For Han", f"Here: {LINK}")
    reset.refresh()
    assert reset.own_subject is None


def test_somebody_made_up_reads_it_where_nobody_is_chosen(directory, reset):
    reset.text_body = "$!{account.fullName} of $!{account.directory.name}: ${url}"
    shown = preview.show("reset", preview.somebody(directory))
    assert shown.text == f"Leia Organa of My Application Directory: {LINK}"
    assert (session.query(Account).count(), session.query(OneTimeToken).count()) == (0, 0)


def test_a_preview_goes_to_whoever_asks_and_not_to_its_reader(han, owner, reset):
    reset.subject, reset.text_body = "For $!{account.givenName}", "Here: ${url}"
    preview.send(reset, owner, han)
    found = sent_to(owner)
    assert (found.to, found.subject, found.text) == (owner.email, "Preview: For Han", f"Here: {LINK}")
    assert session.query(OutboxMessage).filter_by(address=han.email).count() == 0
    assert session.query(OneTimeToken).count() == 0


def test_a_preview_says_what_was_typed_though_nothing_is_saved(owner, han, reset):
    reset.html_body, reset.mime_type = "<p>${url}</p>", "text/html"
    preview.send(reset, owner, han)
    reset.refresh()
    assert reset.own_html_body is None
    found = sent_to(owner)
    assert (found.text, found.html) == (None, f"<p>{LINK}</p>")


def test_a_preview_counts_for_nobodys_quota(owner, han, reset):
    for _ in range(5):
        preview.send(reset, owner, owner)
    Application.current().send_password_reset_email(owner.email)
    Application.current().send_password_reset_email(han.email)


def test_a_preview_leaves_like_any_mail(app, owner, reset, caplog, monkeypatch):
    sent = []
    monkeypatch.setattr("stormpath_app.mail.transport.send", lambda mail, message_id: sent.append(mail))
    preview.send(reset, owner, preview.somebody(reset.directory))
    (waiting,) = session.query(OutboxMessage)
    assert deliver(waiting.id) == message.SENT
    assert [mail.subject for mail in sent] == ["Preview: Reset your Password"]


def test_a_preview_whose_reader_is_gone_is_for_somebody_made_up(owner, han, reset):
    reset.subject = "For $!{account.givenName}"
    preview.send(reset, owner, han)
    reset.refresh()
    han.delete()
    assert sent_to(owner).subject == "Preview: For Leia"


def test_a_preview_of_a_directory_that_is_gone_is_given_up(app, owner, reset):
    other = Directory.create(name="Rebels")
    preview.send(template_of(other, "reset"), owner, preview.somebody(other))
    other.delete()
    (waiting,) = session.query(OutboxMessage)
    assert deliver(waiting.id) == message.FAILED


def test_more_than_can_wait_is_refused(owner, han, reset):
    reset.text_body = "${url}" + "é" * 30_000
    with pytest.raises(TooLong):
        preview.send(reset, owner, han)
    reset.save()
    preview.send(reset, owner, han)
    assert sent_to(owner).text.endswith("é" * 30_000)


def test_what_is_typed_is_put_in_once_and_escaped(han, reset):
    for text in (*TEMPLATE, *HTML):
        han.given_name = text[:255].replace("\0", "").strip() or None
        reset.html_body = "<p>$!{account.givenName} ${url}</p>"
        shown = preview.show("reset", han).html
        assert "<script" not in shown.lower()


def test_a_preview_has_no_secret_where_it_waits(owner, han, reset):
    preview.send(reset, owner, han)
    (waiting,) = session.query(OutboxMessage)
    assert (waiting.nonce, waiting.account_id) == (None, owner.id)
    assert json.loads(waiting.parameters) == {
        "of": "reset",
        "directory": reset.directory_id,
        "reader": han.id,
        "parts": {},
    }
    assert session.query(EmailTemplate).filter_by(directory_id=reset.directory_id).count() == 5
