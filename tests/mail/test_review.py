"""A template looked at before it is saved."""

import pytest

from stormpath_app import Account, Application
from stormpath_app.mail.rendering import template_of
from stormpath_app.mail.review import BAD, OK, WARN, diff, own_parts, review

from ..conftest import PASSWORD
from ..payloads import HTML, TEMPLATE


@pytest.fixture
def directory(context):
    return Application.current().default_account_store()


@pytest.fixture
def reset(directory):
    return template_of(directory, "reset")


def told(template):
    return [(finding.part, finding.tone, finding.macro, finding.meant) for finding in review(template)]


def test_the_default_of_each_mail_is_well(directory):
    for template in directory.email_templates:
        assert {finding.tone for finding in review(template)} <= {OK}
        assert own_parts(template) == []


def test_a_mail_that_needs_a_link_is_told_where_there_is_none(reset):
    reset.text_body, reset.html_body = "Hello", "<p>${url}</p>"
    assert told(reset) == [("text_body", BAD, None, "${url}"), ("html_body", OK, "${url}", None)]


def test_what_is_not_sent_is_not_looked_at(reset):
    reset.html_body, reset.mime_type = "Hello", "text/plain"
    assert [part for part, *_rest in told(reset)] == ["text_body"]


def test_a_typing_error_is_told_with_the_macro_that_is_meant(reset):
    reset.subject, reset.text_body = "Hello $!{acount.givenName}", "${url} ${expiration}"
    assert told(reset)[:3] == [
        ("subject", WARN, "$!{acount.givenName}", "$!{account.givenName}"),
        ("text_body", OK, "${url}", None),
        ("text_body", WARN, "${expiration}", None),
    ]


def test_a_link_in_a_mail_that_has_none_is_told(directory):
    welcome = template_of(directory, "welcome")
    welcome.text_body = "Go to ${url}"
    assert told(welcome) == [("text_body", WARN, "${url}", None)]


def test_names_that_accounts_lack_are_counted(directory, reset):
    reset.text_body = "Hello ${account.givenName}, $!{account.surname}: ${url}"
    assert [tone for _part, tone, *_rest in told(reset)] == [OK, OK]
    directory.accounts.create(email="han@falcon.example", password=PASSWORD)
    directory.accounts.create(email="leia@falcon.example", password=PASSWORD, given_name="Leia")
    assert [finding.sentence for finding in review(reset) if finding.tone == WARN] == [
        "Accounts without such a name: 1. They read it as it stands here.",
        "Accounts without such a name: 2. For them it is left out.",
    ]


def test_any_text_can_be_looked_at(reset):
    for text in (*TEMPLATE, *HTML):
        reset.text_body = text
        assert review(reset)


def test_what_was_set_is_told(reset):
    reset.subject = reset.reply_to = None
    reset.from_name = "The crew"
    assert own_parts(reset) == ["from_name"]


def test_two_texts_are_compared_line_by_line():
    before = "a\nb\nc\nd\ne\nf\ng\nh\ni"
    after = "a\nB\nc\nd\ne\nf\ng\nh\ni\nj"
    assert diff(before, after) == [
        *[(" ", "a"), ("-", "b"), ("+", "B"), (" ", "c"), (" ", "d")],
        ("…", ""),
        *[(" ", "h"), (" ", "i"), ("+", "j")],
    ]
    assert diff(before, before) == []
    assert diff("", "new") == [("+", "new")]


def test_nothing_is_written_by_a_look(directory, reset):
    reset.text_body = "Hello"
    review(reset)
    Account.create("han@falcon.example", PASSWORD)
    assert template_of(directory, "reset").own_text_body == "Hello"  # still unsaved, and there
    reset.refresh()
    assert reset.own_text_body is None
