"""ID tokens: each way to forge one, and the keys that they are signed with."""

import time
from datetime import timedelta

import pytest
from joserfc import jwk

from stormpath_app.errors import ProviderRefused
from stormpath_app.providers import id_token

from ..authorization_server import CLIENT_ID, CLIENT_SECRET
from ..openid_provider import rsa_key
from ..web import Answer
from .conftest import log_in

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "empire-client"}, "aud"),
        ({"aud": ["empire-client"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": [CLIENT_ID, "empire-client"]}, "azp"),
        ({"azp": "empire-client"}, "azp"),
        ({"nonce": "of-another-browser"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"exp": -HOUR}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"iat": HOUR}, "issued in the future"),
        ({"iat": None}, "iat"),
        ({"nbf": HOUR}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"at_hash": "of-another-token"}, "at_hash"),
        ({"at_hash": 5}, "at_hash"),
    ],
    ids=str,
)
def test_what_is_not_of_this_login_is_refused(keycloak, openid_provider, forged, why):
    now = time.time()  # and not when the tests were collected, which each process does at another moment
    for name, value in forged.items():
        openid_provider.forged[name] = int(now + value.total_seconds()) if isinstance(value, timedelta) else value
    with pytest.raises(ProviderRefused, match="Keycloak did not confirm who you are") as refused:
        log_in(keycloak, openid_provider)
    assert why in refused.value.developer_message


def test_a_token_for_several_sites_is_good_where_it_names_this_one_as_the_one_that_asked(keycloak, openid_provider):
    openid_provider.forged.update(aud=[CLIENT_ID, "empire-client"], azp=CLIENT_ID)
    assert log_in(keycloak, openid_provider).email == "han@falcon.example"


def test_two_clocks_may_be_a_little_apart(keycloak, openid_provider):
    openid_provider.forged.update(exp=int(time.time()) - 20, iat=int(time.time()) + 20)
    assert log_in(keycloak, openid_provider)


# --- The signature ---


def test_a_token_that_is_not_signed_is_refused(keycloak, openid_provider):
    openid_provider.signs = "none"
    with pytest.raises(ProviderRefused):
        log_in(keycloak, openid_provider)


def test_a_provider_cannot_say_that_it_signs_nothing(keycloak, openid_provider):
    openid_provider.signs = "none"
    openid_provider.forged_metadata["id_token_signing_alg_values_supported"] = ["none", "HS256"]
    with pytest.raises(ProviderRefused):
        log_in(keycloak, openid_provider)


@pytest.mark.parametrize("secret", [CLIENT_SECRET, "the public key"])
def test_a_token_that_is_signed_with_what_others_know_is_refused(keycloak, openid_provider, secret):
    public = openid_provider.keys[0].as_pem(private=False)
    known = secret.encode() if secret == CLIENT_SECRET else public.replace(b"-----", b"")
    openid_provider.signs = jwk.OctKey.import_key(known, {"kid": "key-1"})
    openid_provider.algorithm = "HS256"
    with pytest.raises(ProviderRefused):
        log_in(keycloak, openid_provider)


def test_a_token_of_another_key_under_the_same_name_is_refused(keycloak, openid_provider):
    openid_provider.signs = jwk.RSAKey.generate_key(2048, {"kid": "key-1"})
    with pytest.raises(ProviderRefused) as refused:
        log_in(keycloak, openid_provider)
    assert "bad_signature" in refused.value.developer_message


@pytest.mark.parametrize(
    "text",
    ["", "a", "a.b", "a.b.c", "eyJ.eyJ.", "\ud800", "." * 9999, "e30.e30.e30", "x" * 200_000],
    ids=lambda text: ascii(text)[:12],
)
def test_what_is_no_token_is_untrue(openid_provider, text):
    keys = {"keys": [key.as_dict(private=False) for key in openid_provider.keys]}
    id_token.is_of_unknown_key(text, keys)
    with pytest.raises(id_token.Untrue):
        id_token.claims(text, keys, algorithms=None, issuer="i", client_id="c", nonce=None, access_token="a")


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", jwk.ECKey.generate_key("P-256", {"kid": "ec"})),
        ("PS256", rsa_key("ps")),
        ("RS512", rsa_key("rs")),
        ("Ed25519", jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"})),
    ],
    ids=["ES256", "PS256", "RS512", "Ed25519"],
)
def test_each_way_to_sign_with_a_key_of_the_providers_own_is_good(keycloak, openid_provider, algorithm, key):
    openid_provider.keys.append(key)
    openid_provider.signs, openid_provider.algorithm = key, algorithm
    assert log_in(keycloak, openid_provider)


# --- Keys that change ---


def test_a_new_key_is_asked_for_but_no_more_than_once_a_minute(keycloak, openid_provider, held_clock):
    log_in(keycloak, openid_provider)
    openid_provider.rotate()
    with pytest.raises(ProviderRefused):
        log_in(keycloak, openid_provider)
    assert len(openid_provider.asked("/jwks")) == 1
    held_clock.forward(seconds=61)
    assert log_in(keycloak, openid_provider)
    assert len(openid_provider.asked("/jwks")) == 2


def test_a_token_that_names_no_key_is_good_where_there_is_one(keycloak, openid_provider):
    openid_provider.names_key = False
    assert log_in(keycloak, openid_provider)


def test_a_token_that_names_no_key_is_refused_where_there_are_several(keycloak, openid_provider):
    openid_provider.rotate()
    openid_provider.names_key = False
    with pytest.raises(ProviderRefused):
        log_in(keycloak, openid_provider)


def test_keys_that_nobody_knows_are_passed_over(keycloak, openid_provider):
    good = {"keys": [None, "key", {"kty": "XX", "kid": "x"}, {"use": "enc", "kid": "key-1"}]}
    good["keys"] += [key.as_dict(private=False) for key in openid_provider.keys]
    openid_provider.answers["/jwks"] = lambda _request: Answer(good)
    assert log_in(keycloak, openid_provider)


@pytest.mark.parametrize("key", [{}, {"kty": "RSA"}, {"kty": "RSA", "n": 5, "e": []}, {"kty": []}], ids=str)
def test_a_key_that_cannot_be_read_is_none(keycloak, openid_provider, key):
    openid_provider.answers["/jwks"] = lambda _request: Answer({"keys": [{"kid": "key-1", **key}]})
    with pytest.raises(ProviderRefused):
        log_in(keycloak, openid_provider)
