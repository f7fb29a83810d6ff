"""GitHub: the dialog, the REST API, and addresses that are hidden from the profile."""

import pytest

from stormpath_app.errors import ProviderRefused, ProviderUnavailable
from stormpath_app.providers import GitHub

from ..authorization_server import OTHER_CLIENT_ID
from ..web import Answer
from .conftest import NONCE, REDIRECT_URI, STATE, VERIFIER, log_in
from .test_openid_connect import asked_for

URL = {"redirect_uri": REDIRECT_URI, "state": STATE, "nonce": NONCE, "verifier": VERIFIER}


def test_github_is_where_it_is():
    assert GitHub.authorization_endpoint == "https://github.com/login/oauth/authorize"
    assert GitHub.token_endpoint == "https://github.com/login/oauth/access_token"
    assert GitHub.api == "https://api.github.com"


def test_who_comes_from_github_is_known_with_the_primary_address(make, github):
    chewie = log_in(make("github"), github)
    assert (chewie.subject, chewie.email, chewie.is_email_verified) == ("583231", "chewie@kashyyyk.example", True)
    assert (chewie.given_name, chewie.surname) == ("Chew", "Bacca")
    assert chewie.access_token in github.tokens


def test_a_browser_is_sent_to_the_dialog(make, github):
    asked = asked_for(make("github").authorization_url(**URL, again=True))
    assert (asked["scope"], asked["prompt"], asked["code_challenge_method"]) == ("user:email", "select_account", "S256")
    assert "prompt" not in asked_for(make("github").authorization_url(**URL))


@pytest.mark.parametrize("verified", [False, "true", None, 1], ids=repr)
def test_an_address_that_github_does_not_call_verified_is_not(make, github, verified):
    github.addresses[1]["verified"] = verified
    chewie = log_in(make("github"), github)
    assert (chewie.email, chewie.is_email_verified) == ("chewie@kashyyyk.example", False)


@pytest.mark.parametrize("addresses", [[], [None, "chewie@kashyyyk.example"], [{"email": "a@b.example"}]], ids=str)
def test_who_has_no_primary_address_comes_without_one(make, github, addresses):
    github.addresses = addresses
    assert log_in(make("github"), github).email is None


def test_without_the_scope_the_address_of_the_profile_is_told_and_not_verified(make, github):
    github.person["email"] = "public@kashyyyk.example"
    chewie = log_in(make("github", scopes=("read:user",)), github)
    assert (chewie.email, chewie.is_email_verified) == ("public@kashyyyk.example", False)


def test_a_code_that_was_used_is_refused_though_github_answers_with_200(make, github):
    provider = make("github")
    code = github.visit(provider.authorization_url(**URL))["code"]
    provider.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER)
    with pytest.raises(ProviderRefused) as refused:
        provider.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER)
    assert refused.value.developer_message.startswith(
        "GitHub error message: 200 OK bad_verification_code: The code (...)"
    )


# --- Access tokens ---


def test_an_access_token_that_was_given_to_this_app_says_whose_it_is(make, github):
    token = github.issue()
    chewie = make("github").from_access_token(token)
    assert (chewie.subject, chewie.email, chewie.access_token) == ("583231", "chewie@kashyyyk.example", token)


@pytest.mark.parametrize("token", ["of another app", "token-nobody-has", "", "a\r\nX: y"])
def test_any_other_is_refused(make, github, token):
    given = github.issue(client_id=OTHER_CLIENT_ID) if token == "of another app" else token
    with pytest.raises(ProviderRefused):
        make("github").from_access_token(given)


@pytest.mark.parametrize("its_app", [None, {}, {"client_id": OTHER_CLIENT_ID}, "falcon-client"], ids=str)
def test_a_token_is_not_this_apps_because_github_knows_it(make, github, its_app):
    github.answers["/api/applications/falcon-client/token"] = lambda _request: Answer({"id": 1, "app": its_app})
    with pytest.raises(ProviderRefused) as refused:
        make("github").from_access_token(github.issue())
    assert refused.value.developer_message == "GitHub: The access token was given to another site."


@pytest.mark.parametrize("path", ["/login/oauth/access_token", "/api/user", "/api/user/emails"])
@pytest.mark.parametrize("how", ["fail", "html", "huge"])
def test_github_that_is_down_is_unavailable(make, github, path, how):
    github.answers[path] = getattr(github, how)
    with pytest.raises(ProviderUnavailable, match="GitHub does not answer now"):
        log_in(make("github"), github)
