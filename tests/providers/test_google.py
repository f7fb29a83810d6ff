"""Google: OpenID Connect, companies' domains, and access tokens of its JavaScript."""

import pytest

from stormpath_app.errors import ProviderRefused
from stormpath_app.providers import Google

from ..authorization_server import OTHER_CLIENT_ID
from .conftest import NONCE, REDIRECT_URI, STATE, VERIFIER, log_in
from .test_openid_connect import asked_for

URL = {"redirect_uri": REDIRECT_URI, "state": STATE, "nonce": NONCE, "verifier": VERIFIER}


def test_google_is_where_it_is():
    assert Google.issuer == "https://accounts.google.com"
    assert Google.tokeninfo_endpoint == "https://oauth2.googleapis.com/tokeninfo"


def test_who_comes_from_google_is_known(make, google):
    han = log_in(make("google"), google)
    assert (han.subject, han.email, han.is_email_verified) == ("110169484474386276334", "han@falcon.example", True)


def test_somebody_can_choose_another_account(make, google):
    asked = asked_for(make("google").authorization_url(**URL, again=True))
    assert (asked["prompt"], asked["max_age"]) == ("select_account", "0")
    assert asked["scope"] == "openid email profile"


@pytest.mark.parametrize("hd", ["falcon.example", "Falcon.Example"])
def test_people_of_the_companys_domain_are_let_in(make, google, hd):
    provider = make("google", hosted_domain="falcon.example")
    assert asked_for(provider.authorization_url(**URL))["hd"] == "falcon.example"
    google.person["hd"] = hd
    assert log_in(provider, google).email == "han@falcon.example"
    assert provider.from_access_token(google.issue()).email == "han@falcon.example"


@pytest.mark.parametrize("hd", [None, "", "empire.example", "evil-falcon.example", ["falcon.example"], True], ids=str)
def test_others_are_not_whatever_their_address_looks_like(make, google, hd):
    google.person["hd"] = hd
    provider = make("google", hosted_domain="falcon.example")
    with pytest.raises(ProviderRefused) as refused:
        log_in(provider, google)
    assert refused.value.developer_message == "Google: The account is none of falcon.example."
    with pytest.raises(ProviderRefused):
        provider.from_access_token(google.issue())


# --- Access tokens ---


def test_an_access_token_that_was_given_to_this_site_says_whose_it_is(make, google):
    token = google.issue()
    han = make("google").from_access_token(token)
    assert (han.subject, han.email, han.is_email_verified) == ("110169484474386276334", "han@falcon.example", True)
    assert (han.given_name, han.surname, han.access_token) == ("Han", "Solo", token)


def test_a_token_of_another_site_is_refused(make, google):
    with pytest.raises(ProviderRefused) as refused:
        make("google").from_access_token(google.issue(client_id=OTHER_CLIENT_ID))
    assert refused.value.developer_message == "Google: The access token was given to another site."


@pytest.mark.parametrize("token", ["token-nobody-has", "", "a\r\nX: y", "ü"])
def test_what_is_no_token_is_refused(make, google, token):
    with pytest.raises(ProviderRefused) as refused:
        make("google").from_access_token(token)
    assert refused.value.developer_message in {
        "Google: The access token is none.",
        "Google error message: 400 Bad Request invalid_token: Invalid Value",
    }


def test_a_token_and_a_profile_of_two_people_are_refused(make, google):
    google.forged_userinfo["sub"] = "somebody-else"
    with pytest.raises(ProviderRefused):
        make("google").from_access_token(google.issue())
