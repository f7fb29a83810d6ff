"""OpenID Connect: who comes back, what is believed of them, and what a provider says of itself."""

import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from stormpath_app.errors import ProviderRefused, ProviderUnavailable
from stormpath_app.providers.openid_connect import is_safe

from ..authorization_server import CLIENT_ID, CLIENT_SECRET, OTHER_CLIENT_ID, OTHER_SECRET, s256
from ..web import Answer
from .conftest import NONCE, REDIRECT_URI, STATE, VERIFIER, log_in

URL = {"redirect_uri": REDIRECT_URI, "state": STATE, "nonce": NONCE, "verifier": VERIFIER}


def asked_for(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_who_comes_back_is_known_by_the_providers_id_of_them(keycloak, openid_provider):
    han = log_in(keycloak, openid_provider)
    assert (han.subject, han.email, han.is_email_verified) == (
        openid_provider.person["sub"],
        "han@falcon.example",
        True,
    )
    assert (han.given_name, han.middle_name, han.surname) == ("Han", None, "Solo")
    assert han.access_token in openid_provider.tokens
    assert han.refresh_token == "refresh-1"
    assert han.user_info["name"] == "Han Solo"


def test_the_profile_is_the_same_however_often_somebody_logs_in(keycloak, openid_provider):
    openid_provider.forged = {"sid": "login-1", "session_state": "login-1", "acr": "1", "amr": ["pwd"]}
    first = log_in(keycloak, openid_provider).user_info
    openid_provider.forged = {"sid": "login-2", "auth_time": 1, "jti": "token-2"}
    assert log_in(keycloak, openid_provider).user_info == first == openid_provider.person


def test_a_browser_is_sent_with_all_that_binds_the_answer_to_it(keycloak, openid_provider):
    url = keycloak.authorization_url(**URL)
    assert url.startswith(f"{openid_provider.url}/authorize?")
    assert asked_for(url) == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "openid email profile",
        "state": STATE,
        "nonce": NONCE,
        "code_challenge": s256(VERIFIER),
        "code_challenge_method": "S256",
    }


def test_somebody_can_be_asked_to_prove_again_who_they_are(keycloak, openid_provider):
    asked = asked_for(keycloak.authorization_url(**URL, again=True))
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    at = log_in(keycloak, openid_provider).authenticated_at
    assert abs((datetime.now(UTC) - at).total_seconds() - 5) < 30


@pytest.mark.parametrize("odd", [True, 1e300, float(10**18), None, []], ids=str)
def test_a_moment_that_is_none_is_none(keycloak, openid_provider, odd):
    openid_provider.forged["auth_time"] = odd
    assert log_in(keycloak, openid_provider).authenticated_at is None


def test_scopes_always_have_openid(make, openid_provider):
    provider = make("oidc", issuer=openid_provider.url, scopes=("email",))
    assert asked_for(provider.authorization_url(**URL))["scope"] == "openid email"


# --- The code ---


def test_a_code_is_good_once(keycloak, openid_provider):
    code = openid_provider.visit(keycloak.authorization_url(**URL))["code"]
    keycloak.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER, nonce=NONCE)
    with pytest.raises(ProviderRefused) as refused:
        keycloak.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER, nonce=NONCE)
    told = refused.value.developer_message
    assert told == "Keycloak error message: 400 Bad Request invalid_grant: The code (...) was used, or is none."


@pytest.mark.parametrize(
    ("otherwise", "told"),
    [
        ({"verifier": "another"}, "The PKCE verifier is wrong."),
        ({"verifier": None}, "The PKCE verifier is wrong."),
        ({"redirect_uri": "http://localhost:5000/elsewhere"}, "The redirect address is another."),
        ({"nonce": "of-another-browser"}, "nonce"),
        ({"code": "code-nobody-has"}, "(...) was used"),
        *(({"code": code}, "The code is none.") for code in ("", "a\r\nb", "ü", "x" * 5000)),
    ],
    ids=str,
)
def test_a_code_is_good_for_the_browser_alone_that_went_there(keycloak, openid_provider, otherwise, told):
    with pytest.raises(ProviderRefused) as refused:
        log_in(keycloak, openid_provider, **otherwise)
    assert told in refused.value.developer_message


def test_a_code_of_another_site_is_refused(make, openid_provider, keycloak):
    code = openid_provider.visit(keycloak.authorization_url(**URL))["code"]
    empire = make("oidc", issuer=openid_provider.url, client_id=OTHER_CLIENT_ID, client_secret=OTHER_SECRET)
    with pytest.raises(ProviderRefused):
        empire.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER, nonce=NONCE)


def test_a_wrong_secret_is_refused_and_not_shown(make, openid_provider):
    provider = make("oidc", issuer=openid_provider.url, client_secret="canary-secret")
    with pytest.raises(ProviderRefused) as refused:
        log_in(provider, openid_provider)
    assert "invalid_client" in refused.value.developer_message
    assert "canary" not in refused.value.developer_message


@pytest.mark.parametrize(
    ("methods", "header", "body"),
    [
        (["client_secret_basic", "client_secret_post"], True, False),
        (["client_secret_post"], False, True),
        (None, True, False),
        ("nonsense", True, False),
    ],
    ids=str,
)
def test_the_secret_is_told_in_the_way_that_the_provider_takes(keycloak, openid_provider, methods, header, body):
    openid_provider.forged_metadata["token_endpoint_auth_methods_supported"] = methods
    log_in(keycloak, openid_provider)
    (asked,) = openid_provider.asked("/token")
    assert (asked.basic is not None, "client_secret" in asked.form) == (header, body)


def test_a_client_without_a_secret_is_told_by_its_id(make, openid_provider):
    openid_provider.clients[CLIENT_ID] = ""
    log_in(make("oidc", issuer=openid_provider.url, client_secret=""), openid_provider)
    assert openid_provider.asked("/token")[0].form["client_id"] == CLIENT_ID


def test_an_access_token_alone_is_refused_as_nobody_says_whose_site_it_is_for(keycloak, openid_provider):
    with pytest.raises(ProviderRefused):
        keycloak.from_access_token(openid_provider.issue())


# --- The person ---


@pytest.mark.parametrize("verified", ["true", "false", False, 1, "yes", None, [True]], ids=repr)
def test_an_address_is_verified_only_where_the_provider_says_exactly_so(keycloak, openid_provider, verified):
    openid_provider.person["email_verified"] = verified
    if verified is None:
        del openid_provider.person["email_verified"]
    han = log_in(keycloak, openid_provider)
    assert (han.email, han.is_email_verified) == ("han@falcon.example", False)


@pytest.mark.parametrize("email", [None, "", 5, ["a@b.example"], "han", "a@b\r\nBcc: c@d", "a" * 300 + "@b"], ids=str)
def test_what_is_no_address_is_none(keycloak, openid_provider, email):
    openid_provider.person["email"] = email
    openid_provider.forged_userinfo["email"] = email
    assert log_in(keycloak, openid_provider).email is None


@pytest.mark.parametrize("sub", ["", " ", 5.5, True, ["1"], {"a": 1}, "x" * 256, "a\nb"], ids=ascii)
def test_who_has_no_id_that_can_be_told_from_others_is_refused(keycloak, openid_provider, sub):
    openid_provider.forged["sub"] = sub
    openid_provider.forged_userinfo["sub"] = sub
    with pytest.raises(ProviderRefused):
        log_in(keycloak, openid_provider)


def test_what_a_thin_id_token_lacks_the_userinfo_tells(keycloak, openid_provider):
    openid_provider.is_thin = True
    han = log_in(keycloak, openid_provider)
    assert (han.email, han.is_email_verified, han.given_name) == ("han@falcon.example", True, "Han")


def test_a_full_id_token_is_not_asked_for_more(keycloak, openid_provider):
    log_in(keycloak, openid_provider)
    assert openid_provider.asked("/userinfo") == []


def test_the_userinfo_of_another_person_is_refused(keycloak, openid_provider):
    openid_provider.is_thin = True
    openid_provider.forged_userinfo["sub"] = "somebody-else"
    with pytest.raises(ProviderRefused, match="did not confirm who you are"):
        log_in(keycloak, openid_provider)


def test_one_address_is_not_verified_by_what_is_said_of_another(keycloak, openid_provider):
    del openid_provider.person["given_name"]
    openid_provider.forged.update(email="leia@alderaan.example", email_verified=None)
    han = log_in(keycloak, openid_provider)
    assert len(openid_provider.asked("/userinfo")) == 1
    assert (han.email, han.is_email_verified) == ("leia@alderaan.example", False)


# --- What it says of itself ---


def test_a_provider_is_asked_once_an_hour_where_its_pages_are(keycloak, openid_provider, held_clock):
    held_clock.at = datetime.now(UTC)
    for _time in range(3):
        log_in(keycloak, openid_provider)
    paths = ("/.well-known/openid-configuration", "/jwks")
    assert [len(openid_provider.asked(path)) for path in paths] == [1, 1]
    held_clock.forward(minutes=61)
    openid_provider.forged.update(iat=int(time.time()))
    log_in(keycloak, openid_provider)
    assert [len(openid_provider.asked(path)) for path in paths] == [2, 2]


def test_a_document_of_another_issuer_is_not_believed_and_not_kept(keycloak, openid_provider):
    openid_provider.forged_metadata["issuer"] = "https://evil.example"
    with pytest.raises(ProviderUnavailable) as unavailable:
        keycloak.authorization_url(**URL)
    assert f"is not of {openid_provider.url}" in unavailable.value.developer_message
    openid_provider.forged_metadata.clear()
    assert keycloak.authorization_url(**URL)


def test_a_slash_at_the_end_of_an_issuer_makes_no_other(make, openid_provider):
    log_in(make("oidc", issuer=f"{openid_provider.url}/"), openid_provider)


@pytest.mark.parametrize(
    "address",
    [
        *("http://evil.example/authorize", "javascript:alert(1)", 5, None, "https://", "http://[::1"),
        *("https://falcon.example:99999/", "https://falcon.example/\ud800", "https://falcon..example/"),
        *("https://\u2028/", f"https://{'a' * 64}.example/"),
    ],
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_no_secret_goes_to_an_address_that_is_not_https(keycloak, openid_provider, name, address):
    openid_provider.forged_metadata[name] = address
    with pytest.raises(ProviderUnavailable, match="Keycloak does not answer now"):
        log_in(keycloak, openid_provider)


def test_http_is_for_this_machine_alone():
    assert is_safe("https://accounts.example.com")
    assert is_safe("http://localhost:8080/realms/falcon")
    assert is_safe("http://[::1]:8080")
    assert not is_safe("http://accounts.example.com")
    assert not is_safe("http://localhost.example.com")
    assert not is_safe("ftp://localhost")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize("how", ["fail", "html", "huge"])
def test_a_provider_that_is_down_or_talks_nonsense_is_unavailable(keycloak, openid_provider, path, how):
    openid_provider.is_thin = True
    openid_provider.answers[path] = getattr(openid_provider, how)
    with pytest.raises(ProviderUnavailable) as unavailable:
        log_in(keycloak, openid_provider)
    assert unavailable.value.message.startswith("Keycloak does not answer now.")
    assert CLIENT_SECRET not in unavailable.value.developer_message


def test_a_provider_without_an_id_token_in_its_answer_is_unavailable(keycloak, openid_provider):
    code = openid_provider.visit(keycloak.authorization_url(**URL))["code"]
    openid_provider.codes[code].scopes.discard("openid")
    with pytest.raises(ProviderUnavailable):
        keycloak.from_code(code, redirect_uri=REDIRECT_URI, verifier=VERIFIER, nonce=NONCE)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_provider_that_has_no_discovery_is_unavailable_and_refuses_nobody(keycloak, openid_provider, status):
    openid_provider.answers["/.well-known/openid-configuration"] = lambda _request: Answer("Not here", status)
    with pytest.raises(ProviderUnavailable) as unavailable:
        log_in(keycloak, openid_provider)
    assert f"error message: {status}" in unavailable.value.developer_message


# --- Whether it answers ---


def test_what_a_provider_says_of_itself_is_asked_anew_each_time(keycloak, openid_provider):
    assert keycloak.discover() == (openid_provider.url, 1)
    openid_provider.rotate()
    assert keycloak.discover().keys == 2
    assert len(openid_provider.asked("/jwks")) == 2


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ({"issuer": "https://elsewhere.example"}, "is not of"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "token_endpoint is not https"),
        ({"authorization_endpoint": None}, "authorization_endpoint is not https"),
        ({"jwks_uri": "javascript:alert(1)"}, "jwks_uri is not https"),
    ],
)
def test_a_provider_that_says_what_cannot_be_used_does_not_answer(keycloak, openid_provider, forged, told):
    openid_provider.forged_metadata.update(forged)
    with pytest.raises(ProviderUnavailable) as refused:
        keycloak.discover()
    assert told in refused.value.developer_message


def test_a_provider_without_a_key_does_not_answer(keycloak, openid_provider):
    openid_provider.keys.clear()
    with pytest.raises(ProviderUnavailable) as refused:
        keycloak.discover()
    assert "There is no key" in refused.value.developer_message
