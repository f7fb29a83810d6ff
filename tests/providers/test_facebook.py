"""Facebook: the dialog, the Graph API, and what it does not say."""

import pytest

from stormpath_app.errors import ProviderRefused, ProviderUnavailable
from stormpath_app.providers import Facebook

from ..authorization_server import CLIENT_SECRET, OTHER_CLIENT_ID, s256
from ..web import Answer
from .conftest import NONCE, REDIRECT_URI, STATE, VERIFIER, log_in
from .test_openid_connect import asked_for

URL = {"redirect_uri": REDIRECT_URI, "state": STATE, "nonce": NONCE, "verifier": VERIFIER}


def test_facebook_is_where_it_is():
    assert Facebook.authorization_endpoint.startswith("https://www.facebook.com/v")
    assert Facebook.graph.startswith("https://graph.facebook.com/v")


def test_who_comes_from_facebook_is_known_and_no_address_is_verified(make, facebook):
    facebook.person["email_verified"] = facebook.person["verified"] = True
    leia = log_in(make("facebook"), facebook)
    assert (leia.subject, leia.email, leia.is_email_verified) == ("10158723645", "leia@alderaan.example", False)
    assert (leia.given_name, leia.middle_name, leia.surname) == ("Leia", None, "Organa")
    assert leia.access_token in facebook.tokens
    assert leia.user_info["name"] == "Leia Organa"


def test_a_browser_is_sent_to_the_dialog(make, facebook):
    url = make("facebook").authorization_url(**URL, again=True)
    assert url.startswith(f"{facebook.url}/dialog/oauth?")
    asked = asked_for(url)
    assert (asked["scope"], asked["state"], asked["auth_type"]) == ("public_profile email", STATE, "reauthenticate")
    assert asked["code_challenge"] == s256(VERIFIER)
    assert "auth_type" not in asked_for(make("facebook").authorization_url(**URL))


def test_who_does_not_share_the_address_comes_without_one(make, facebook):
    facebook.declined.add("email")
    leia = log_in(make("facebook"), facebook)
    assert (leia.subject, leia.email) == ("10158723645", None)


def test_a_code_that_was_used_is_refused_in_facebooks_words(make, facebook):
    provider = make("facebook")
    code = facebook.visit(provider.authorization_url(**URL))["code"]
    provider.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER)
    with pytest.raises(ProviderRefused) as refused:
        provider.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER)
    told = refused.value.developer_message
    assert told.startswith("Facebook error message: 400 Bad Request OAuthException: The code (...) was used")


def test_a_wrong_app_secret_is_refused(make, facebook):
    with pytest.raises(ProviderRefused):
        log_in(make("facebook", client_secret="wrong"), facebook)


# --- Access tokens ---


def test_an_access_token_that_was_given_to_this_app_says_whose_it_is(make, facebook):
    token = facebook.issue()
    leia = make("facebook").from_access_token(token)
    assert (leia.subject, leia.email, leia.access_token) == ("10158723645", "leia@alderaan.example", token)
    assert facebook.asked("/me")[-1].query["appsecret_proof"]


def test_a_token_of_another_app_is_refused(make, facebook):
    with pytest.raises(ProviderRefused) as refused:
        make("facebook").from_access_token(facebook.issue(client_id=OTHER_CLIENT_ID))
    assert "did not match the Viewing App" in refused.value.developer_message


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ({"app_id": OTHER_CLIENT_ID}, "given to another site"),
        ({"app_id": None}, "given to another site"),
        ({"is_valid": False}, "not valid"),
        ({"is_valid": "true"}, "not valid"),
        ({"user_id": "1"}, "of two people"),
    ],
    ids=str,
)
def test_a_token_that_is_not_this_persons_for_this_app_is_refused(make, facebook, forged, told):
    facebook.forged_debug = forged
    with pytest.raises(ProviderRefused) as refused:
        make("facebook").from_access_token(facebook.issue())
    assert told in refused.value.developer_message


@pytest.mark.parametrize("token", ["token-nobody-has", "", "a\r\nX: y", "ü"])
def test_what_is_no_token_is_refused(make, facebook, token):
    with pytest.raises(ProviderRefused):
        make("facebook").from_access_token(token)


def test_facebooks_words_do_not_repeat_a_token(make, facebook):
    token = facebook.issue()
    refused = facebook.issue()
    facebook.answers["/me"] = lambda _request: Answer({"error": {"message": f"{token} {CLIENT_SECRET} no"}}, 400)
    with pytest.raises(ProviderRefused) as error:
        make("facebook").from_access_token(token)
    assert error.value.developer_message == "Facebook error message: 400 Bad Request (...) (...) no"
    assert refused not in error.value.developer_message


@pytest.mark.parametrize("path", ["/oauth/access_token", "/me"])
@pytest.mark.parametrize("how", ["fail", "html", "huge"])
def test_facebook_that_is_down_is_unavailable(make, facebook, path, how):
    facebook.answers[path] = getattr(facebook, how)
    with pytest.raises(ProviderUnavailable, match="Facebook does not answer now"):
        log_in(make("facebook"), facebook)
