"""What `check` says of how an app sends its mails."""

import pytest

from stormpath_app import Application

from ..test_installation import problems

pytestmark = pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)
nothing_forgotten = pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=False)

RIGHT = {
    "STORMPATH_BASE_URL": "https://www.example.com",
    "STORMPATH_BCRYPT_COST": 12,
    "TESTING": False,
    "MAIL_SERVER": "mail.example.com",
    "MAIL_USE_TLS": True,
    "MAIL_DEFAULT_SENDER": "no-reply@example.com",
}


def told(app, **changed):
    """Return what is told of mails, with these settings."""
    app.extensions.pop("mail", None)
    app.config.update(RIGHT | changed)
    return [(level, sentence) for level, sentence in problems(app) if "MAIL" in sentence or "link" in sentence]


def test_an_app_that_has_all_it_needs_is_told_nothing(app):
    assert told(app) == []
    assert told(app, STORMPATH_MAIL_DELIVERY="command") == []


def test_mails_without_a_server_are_told_of(app):
    assert told(app, MAIL_SERVER=None) == [
        ("warning", "There are mails to send, but MAIL_SERVER is not set: this machine itself is tried.")
    ]


def test_mails_without_a_sender_are_told_of(app):
    ((level, sentence),) = told(app, MAIL_DEFAULT_SENDER=None)
    assert level == "warning"
    assert sentence.startswith("MAIL_DEFAULT_SENDER is not set")


def test_both_ways_of_tls_at_once_are_an_error(app):
    ((level, sentence),) = told(app, MAIL_USE_SSL=True)
    assert level == "error"
    assert sentence.startswith("MAIL_USE_TLS and MAIL_USE_SSL are both on")


@pytest.mark.parametrize(("server", "count"), [("mail.example.com", 1), ("localhost", 0), ("127.0.0.1", 0)])
def test_a_password_that_would_travel_unencrypted_is_told_of(app, server, count):
    assert len(told(app, MAIL_SERVER=server, MAIL_USE_TLS=False, MAIL_PASSWORD="a secret")) == count


def test_links_that_could_begin_with_nothing_are_an_error(app):
    ((level, sentence),) = told(app, STORMPATH_BASE_URL=None)
    assert (level, sentence) == (
        "error",
        "STORMPATH_BASE_URL is not set, and the links in mails begin with it: set it to the public address.",
    )
    with app.app_context():
        for template in Application.current().default_account_store().home.password_policy.reset_email_templates:
            template.link_base_url = "https://www.example.com/reset"
            template.save()
    assert told(app, STORMPATH_BASE_URL=None) == []


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, marks=nothing_forgotten),
        {"DEBUG": True},
        {"TESTING": True},
        {"MAIL_SUPPRESS_SEND": True},
    ],
    ids=str,
)
def test_where_no_mail_is_to_leave_none_of_it_is_missed(app, changed):
    assert told(app, **{"MAIL_SERVER": None, "MAIL_DEFAULT_SENDER": None, "MAIL_USE_TLS": None} | changed) == []


@nothing_forgotten
@pytest.mark.parametrize(
    "switch", ["verification_email_status", "verification_success_email_status", "welcome_email_status"]
)
def test_a_directory_that_sends_mails_needs_a_server(app, switch):
    with app.app_context():
        policy = Application.current().default_account_store().home.account_creation_policy
        policy[switch] = "ENABLED"
        policy.save()
    assert len(told(app, MAIL_SERVER=None)) == 1


@nothing_forgotten
def test_a_directory_that_sends_links_which_begin_with_nothing_does_not_close_the_site(app):
    with app.app_context():
        policy = Application.current().default_account_store().home.account_creation_policy
        policy.verification_email_status = "ENABLED"
        policy.save()
    ((level, sentence),) = told(app, STORMPATH_BASE_URL=None)
    assert (level, sentence) == (
        "warning",
        "STORMPATH_BASE_URL is not set, and the links in mails begin with it: set it to the public address.",
    )
