"""Errors: one class per cause, Stormpath's numbers, and sentences that are safe on a page."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from stormpath_app import errors
from stormpath_app.errors import LoginFailed, NotReady, PasswordRefused, PropertyError, StormpathError

DOCS = Path(__file__).parent.parent / "docs"
ALL = [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, StormpathError)]
#: Made with nothing but their name.
PLAIN = [
    error
    for error in ALL
    if not issubclass(error, (PropertyError, PasswordRefused, NotReady, errors.PointedAt, errors.ProviderError))
]
#: What only the owner of an account, who knows its password, can be told; and what is true for everybody.
TOLD = {errors.AccountDisabled, errors.AccountNotVerified, errors.ApplicationDisabled, errors.TooManyAttempts}
TOLD |= {errors.TooManyAtOnce, errors.PasswordChangeRequired, errors.NoRole, errors.RegistrationClosed}
#: Causes that Stormpath had no number for; they have that of the nearest.
UNNUMBERED = {errors.LoginOutdated, errors.ChangedMeanwhile, errors.PointedAt}
UNNUMBERED |= {*errors.ApiKeyRefused.__subclasses__()}  # a program is shown the number
UNNUMBERED |= {  # as a status of HTTP
    *(errors.MailQuotaExceeded, errors.TokenRefused, errors.ProviderUnavailable, errors.SecretLocked, errors.LastWayIn),
}
UNNUMBERED |= {errors.RegistrationClosed}


def name(value):
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(
    ("error", "status", "code", "message", "developer_message"),
    [
        (
            *(errors.WrongPassword(), 400, 7100, "Invalid username or password."),
            "Login attempt failed because the specified password is incorrect.",
        ),
        (
            *(errors.AccountNotFound(), 400, 7104, "Invalid username or password."),
            (
                "Login attempt failed because there is no Account in the Application's associated Account Stores with"
                " the specified username or email."
            ),
        ),
        (errors.AccountDisabled(), 400, 7101, "Login attempt failed because the Account is disabled.", None),
        (errors.AccountNotVerified(), 400, 7102, "Login attempt failed because the Account is not verified.", None),
        (
            *(errors.AccountStoreNotMapped(), 400, 5114, "Invalid username or password."),
            "The specified Account Store is not one of the Application's assigned Account Stores.",
        ),
        (errors.ResourceNotFound(), 404, 404, "The requested resource does not exist.", None),
        (errors.Conflict(), 409, 409, "Another resource with that information already exists.", None),
        (
            *(errors.DirectoryNameTaken(), 400, 5010),
            *("Sorry, that Directory name is not available. Please choose another.", None),
        ),
        (
            *(errors.PropertyRequired("Account", "password"), 400, 2000),
            *("Account password is required; it cannot be null, empty, or blank.", None),
        ),
        (
            *(errors.AccountAlreadyExists("Account", "email"), 409, 2001),
            *("Account with that email already exists.  Please choose another email.", None),
        ),
        (
            *(errors.InvalidFormat("Account", "email address"), 400, 2006),
            *("Account email address is in an invalid format.", None),
        ),
        (
            *(errors.UnsupportedValue("Account", "status", allowed="ENABLED, DISABLED"), 400, 2003),
            *("Account status must be one of: ENABLED, DISABLED.", None),
        ),
        (errors.WrongType("Account", "status"), 400, 2004, "Account status is of the wrong type.", None),
        (
            *(errors.OutOfRange("Password strength", "length", low=1, high=255), 400, 2013),
            *("Password strength length must be between 1 and 255.", None),
        ),
        (errors.UnknownProperty("Account", "given_nmae"), 400, 2015, "Account has no property 'given_nmae'.", None),
        (
            *(errors.ProviderRefused("Google", "Google: 400 Bad Request"), 400, 7200),
            "Google did not confirm who you are. Try again, or log in another way.",
            "Google: 400 Bad Request",
        ),
        (
            *(errors.ProviderLacksEmail("GitHub"), 400, 7201),
            *("GitHub did not tell us your email address. Allow it there, or log in another way.", None),
        ),
        (
            *(errors.ProviderUnavailable("Facebook"), 503, 503),
            *("Facebook does not answer now. Log in another way, or try again later.", None),
        ),
        (errors.AccountStoreAlreadyMapped(), 409, 5104, errors.AccountStoreAlreadyMapped.message, None),
    ],
    ids=name,
)
def test_an_error_has_stormpaths_number_and_text(error, status, code, message, developer_message):
    assert (error.status, error.code) == (status, code)
    assert (error.message, error.developer_message) == (message, developer_message or message)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NoDefaultAccountStore, 5100),
        (errors.DefaultAccountStoreDisabled, 5101),
        (errors.NoDefaultGroupStore, 5102),
        (errors.DefaultGroupStoreDisabled, 5103),
        (errors.NoAccountStores, 5105),
    ],
    ids=name,
)
def test_what_is_wrong_with_the_site_is_told_to_its_makers_alone(error, code):
    assert (error().status, error().code) == (400, code)
    assert "ccount store" in error().developer_message.lower()
    assert "ccount store" not in error().message.lower()


@pytest.mark.parametrize("error", PLAIN, ids=name)
def test_the_text_an_error_is_shown_as_is_its_message(error):
    assert error().message == str(error()) == error().user_message != ""


@pytest.mark.parametrize("error", PLAIN, ids=name)
def test_both_texts_can_be_chosen(error):
    told = error("To people.", developer_message="To developers.")
    assert (told.message, str(told), told.developer_message) == ("To people.", "To people.", "To developers.")


@pytest.mark.parametrize("error", [error for error in PLAIN if issubclass(error, LoginFailed)], ids=name)
def test_a_stranger_cannot_tell_by_the_message_why_a_login_failed(error):
    assert (error().message == "Invalid username or password.") is (error not in TOLD)


@pytest.mark.parametrize("error", ALL, ids=name)
def test_no_two_causes_have_one_number(error):
    others = {other for other in ALL if other.code == error.code and not issubclass(other, error)}
    kin = {other for other in others if issubclass(error, other) or error.code == 400}
    assert others - kin <= UNNUMBERED | {error} or error in UNNUMBERED


@pytest.mark.parametrize("code", sorted({error.code for error in ALL} | {2007, 2008}))
def test_more_info_leads_to_where_the_number_is_explained(code):
    page, _, anchor = PasswordRefused(["Too short."], code=code).more_info.partition("#")
    assert anchor == str(code)
    assert re.search(rf'id="{anchor}"', (DOCS.parent / page).read_text())


def test_an_error_of_an_attribute_names_it():
    error = errors.AccountAlreadyExists("Account", "username")
    assert (error.thing, error.property) == ("Account", "username")


def test_a_refused_password_tells_all_that_is_wrong_and_shows_the_first():
    error = PasswordRefused(["Too short.", "No digit."], code=2007)
    assert (error.status, error.code, error.violations) == (400, 2007, ["Too short.", "No digit."])
    assert (str(error), error.developer_message) == ("Too short.", "Too short. No digit.")


@pytest.mark.parametrize(
    ("seconds", "told", "retry_after"),
    [
        (0.001, "one second", 1),
        (1, "one second", 1),
        (1.001, "2 seconds", 2),
        (30, "30 seconds", 30),
        (89, "89 seconds", 89),
        (89.5, "2 minutes", 90),
        (120, "2 minutes", 120),
        (121, "3 minutes", 121),
        (900, "15 minutes", 900),
    ],
)
def test_too_many_attempts_tell_when_to_come_again(seconds, told, retry_after):
    error = errors.TooManyAttempts(wait=timedelta(seconds=seconds))
    assert str(error) == f"Too many attempts. Try again in {told}."
    assert (error.status, error.code, error.retry_after) == (429, 429, retry_after)


@pytest.mark.parametrize(("seconds", "told"), [(1, "one second"), (5, "5 seconds")])
def test_too_many_at_once_are_told_when_to_come_again(seconds, told):
    error = errors.TooManyAtOnce(wait=timedelta(seconds=seconds))
    assert str(error) == f"Too many people are logging in at this moment. Try again in {told}."
    assert (error.status, error.code, error.retry_after) == (429, 429, seconds)


def test_a_site_that_is_not_ready_tells_strangers_nothing_of_why():
    error = NotReady(["SECRET_KEY is not set.", "There is no database."])
    assert (error.status, error.code, str(error)) == (503, 503, "This site is not set up yet.")
    assert error.problems == ["SECRET_KEY is not set.", "There is no database."]
    assert error.developer_message == "SECRET_KEY is not set. There is no database."
