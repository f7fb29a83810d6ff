"""`mail preview`: what a mail says, before anybody gets it."""

import click
import pytest

from stormpath_app import Account, Application
from stormpath_app.database import session
from stormpath_app.mail.rendering import KINDS, template_of
from stormpath_app.models import OneTimeToken, OutboxMessage

from ..conftest import PASSWORD
from ..together import together

pytestmark = [pytest.mark.sqlite, pytest.mark.settings(STORMPATH_ADMIN_URL="/admin")]


@pytest.fixture
def preview(app):
    """Return a function that runs the command and returns its result."""
    return lambda *arguments: app.test_cli_runner().invoke(args=["stormpath", "mail", "preview", *arguments])


@together("kind", KINDS)
def test_every_mail_can_be_looked_at_and_nothing_is_written(app, preview, kind):
    result = preview(kind.replace("_", "-"))
    assert result.exit_code == 0, result.output
    sender = "My Application console" if kind == "invitation" else "My Application"
    assert result.output.startswith(f"From: {sender} <no-reply@localhost>\nTo: ")
    assert "\nSubject: " in result.output
    with app.app_context():
        for model in (Account, OutboxMessage, OneTimeToken):
            assert session.query(model).count() == 0


def test_a_mail_is_shown_as_its_reader_would_see_it(app, preview):
    with app.app_context():
        han = Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
        han.custom_data["ship"] = "Falcon"
        han.save()
        template = template_of(han.directory, "reset")
        template.text_body = "$!{account.givenName} of the $!{account.customData.ship}: ${url}"
        template.reply_to = "help@example.com"
        template.save()
    result = preview("reset", "--to", "han@falcon.example")
    assert "\nTo: han@falcon.example\nReply-To: help@example.com\nSubject: Reset your Password\n" in result.output
    assert "Han of the Falcon: http://localhost/forgot/change?sptoken=this-is-a-preview" in result.output
    assert preview("reset").output.count("Leia of the : http") == 1


def test_one_part_can_be_printed_alone(preview):
    assert preview("reset", "--html").output.startswith("<!doctype html>")
    assert preview("reset", "--text").output.startswith("Forgot your password?")


def test_a_part_that_is_not_sent_is_told(app, preview):
    with app.app_context():
        template = template_of(Application.current().default_account_store().home, "reset")
        template.mime_type = "text/plain"
        template.save()
    result = preview("reset", "--html")
    assert result.exit_code == 1
    assert "This mail has no html" in result.output


def test_a_mail_can_be_opened_in_a_browser(preview, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(click, "launch", opened.append)
    assert preview("welcome", "--open", str(tmp_path / "mail.html")).exit_code == 0
    assert opened == [str(tmp_path / "mail.html")]
    assert "Welcome to My Application" in (tmp_path / "mail.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "is not one of"),
        (["reset", "--to", "nobody@x.example"], "nobody@x.example"),
        (["reset", "--directory", "Nowhere"], "There is no directory 'Nowhere'"),
    ],
)
def test_what_there_is_not_is_told(preview, arguments, told):
    result = preview(*arguments)
    assert result.exit_code != 0
    assert told in result.output


@pytest.mark.settings(STORMPATH_BASE_URL=None)
def test_a_site_in_production_without_an_address_is_told_so(app, preview):
    app.testing = False
    result = preview("reset")
    assert result.exit_code == 1
    assert "STORMPATH_BASE_URL is not set" in result.output
