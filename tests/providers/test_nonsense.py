"""Whatever a provider says: somebody is named, or one of two errors is raised, and never another."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stormpath_app.errors import ProviderRefused, ProviderUnavailable
from stormpath_app.providers import openid_connect

from ..web import Answer
from .conftest import log_in

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FEW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)


def some(names):
    """Return objects that have some of these, as anything."""
    return st.dictionaries(st.sampled_from(names.split()), JSON, max_size=4)


CLAIMS = some("iss sub aud azp exp iat nbf nonce at_hash auth_time amr email email_verified name hd")
PROFILE = some("id sub email email_verified name given_name first_name last_name hd error")
TOKENS = some("access_token id_token refresh_token expires_in expires_at token_type error error_description")
KEYS = st.fixed_dictionaries({"keys": st.lists(some("kid kty use alg n e crv x"), max_size=2)})
ABOUT = some("error is_valid app_id user_id")
ADDRESSES = st.lists(some("email primary verified") | JSON, max_size=3)


def named_or_refused(how, *given):
    """Do this, and return who is named, if anybody is."""
    try:
        return how(*given)
    except (ProviderRefused, ProviderUnavailable) as error:
        return pytest.fail("It has more than one line.") if not error.developer_message.isprintable() else None


@FEW
@given(claims=CLAIMS, told=PROFILE)
def test_claims_and_userinfo_may_be_anything(make, google, claims, told):
    google.is_thin = True
    google.forged, google.forged_userinfo = claims, told
    for domain in (None, "falcon.example"):
        han = named_or_refused(log_in, make("google", hosted_domain=domain), google)
        assert han is None or domain is None or han.user_info["hd"].casefold() == domain


@FEW
@given(answer=TOKENS | JSON)
def test_the_tokens_may_be_anything(keycloak, openid_provider, answer):
    openid_provider.answers["/token"] = lambda _request: Answer(answer)
    assert named_or_refused(log_in, keycloak, openid_provider) is None


@FEW
@given(keys=KEYS | JSON)
def test_the_keys_may_be_anything(keycloak, openid_provider, keys):
    openid_connect._documents.clear()
    openid_provider.answers["/jwks"] = lambda _request: Answer(keys)
    assert named_or_refused(log_in, keycloak, openid_provider) is None


@FEW
@given(told=PROFILE | JSON, about=ABOUT | JSON)
def test_facebook_may_say_anything(make, facebook, told, about):
    facebook.answers["/me"] = lambda _request: Answer(told)
    named_or_refused(log_in, make("facebook"), facebook)
    facebook.answers["/debug_token"] = lambda _request: Answer({"data": about})
    assert named_or_refused(make("facebook").from_access_token, facebook.issue()) is None


@FEW
@given(told=PROFILE | JSON, addresses=ADDRESSES | JSON)
def test_github_may_say_anything(make, github, told, addresses):
    github.answers["/api/user"] = lambda _request: Answer(told)
    github.answers["/api/user/emails"] = lambda _request: Answer(addresses)
    named_or_refused(log_in, make("github"), github)
