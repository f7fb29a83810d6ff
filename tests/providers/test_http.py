"""How providers are asked: within the time and size, through the proxy, and without a word of what is secret."""

import json
import logging
import time
import traceback
from datetime import timedelta

import pytest

from stormpath_app.errors import ProviderRefused, ProviderUnavailable

from ..authorization_server import CLIENT_ID, CLIENT_SECRET
from ..servers import free_port
from ..smtp import make_certificates, misbehaving
from ..web import Answer, Proxy
from .conftest import NONCE, REDIRECT_URI, STATE, VERIFIER, log_in

URL = {"redirect_uri": REDIRECT_URI, "state": STATE, "nonce": NONCE, "verifier": VERIFIER}
DISCOVERY = "/.well-known/openid-configuration"


@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/jwks"])
@pytest.mark.parametrize("how", ["hang", "drip"])
def test_no_provider_is_waited_for_longer_than_the_settings_say(host, keycloak, openid_provider, path, how):
    host.config["STORMPATH_HTTP_TIMEOUT"] = timedelta(milliseconds=300)
    openid_provider.answers[path] = getattr(openid_provider, how)
    with pytest.raises(ProviderUnavailable) as unavailable:
        log_in(keycloak, openid_provider)
    assert unavailable.value.developer_message == "Keycloak: No answer within 0.3 s."


def test_a_provider_that_is_not_there_is_unavailable(make):
    provider = make("oidc", provider_id="keycloak", issuer=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ProviderUnavailable) as unavailable:
        provider.authorization_url(**URL)
    assert unavailable.value.developer_message == "Keycloak: It cannot be reached (ConnectionError)."


@pytest.mark.parametrize("issuer", ["https://nowhere.invalid", "https://\u2024.example", "https://" + "a" * 300])
def test_a_name_that_nobody_has_is_unavailable(make, issuer):
    with pytest.raises(ProviderUnavailable):
        make("oidc", issuer=issuer).authorization_url(**URL)


def test_an_answer_is_read_to_one_mebibyte_and_no_further(keycloak, openid_provider):
    openid_provider.answers[DISCOVERY] = openid_provider.huge
    with pytest.raises(ProviderUnavailable) as unavailable:
        keycloak.authorization_url(**URL)
    assert unavailable.value.developer_message == "Keycloak: The answer is larger than 1048576 bytes."


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("path", [DISCOVERY, "/token"])
def test_no_redirect_is_followed(keycloak, openid_provider, path, status):
    away = {"Location": f"{openid_provider.url}/elsewhere"}
    openid_provider.answers[path] = lambda _request: Answer("", status, away)
    with pytest.raises(ProviderUnavailable):
        log_in(keycloak, openid_provider)
    assert openid_provider.asked("/elsewhere") == []


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":NaN}', b'{"a":' + b"9" * 5000 + b"}"],
    ids=ascii,
)
@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/jwks"])
def test_what_is_no_json_object_is_nonsense(keycloak, openid_provider, path, body):
    openid_provider.answers[path] = lambda _request: Answer(body)
    with pytest.raises(ProviderUnavailable):
        log_in(keycloak, openid_provider)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": 5},
        {"access_token": None},
        {"access_token": "a", "expires_in": "soon"},
        {"access_token": "a", "expires_in": []},
        {"access_token": "a", "expires_in": 1e999},
        {"access_token": "a", "id_token": 5},
    ],
    ids=str,
)
def test_tokens_that_are_none_are_nonsense(keycloak, openid_provider, answer):
    openid_provider.answers["/token"] = lambda _request: Answer(answer)
    with pytest.raises(ProviderUnavailable):
        log_in(keycloak, openid_provider)


@pytest.mark.parametrize(("status", "error"), [(400, ProviderRefused), (401, ProviderRefused), (403, ProviderRefused)])
def test_a_refusal_is_told_in_the_providers_words(keycloak, openid_provider, status, error):
    said = {"error": "access_denied", "error_description": "No\r\nlog line\x1b[31m" + "!" * 500}
    openid_provider.answers["/token"] = lambda _request: Answer(said, status)
    with pytest.raises(error) as refused:
        log_in(keycloak, openid_provider)
    told = refused.value.developer_message
    assert told.startswith(f"Keycloak error message: {status} ")
    assert "access_denied: No log line [31m!!!" in told
    assert told.isprintable()
    assert len(told) < 240


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_who_asks_too_often_or_too_slowly_may_come_later(keycloak, openid_provider, status):
    openid_provider.answers["/token"] = lambda _request: Answer({"error": "slow_down"}, status)
    with pytest.raises(ProviderUnavailable):
        log_in(keycloak, openid_provider)


# --- Secrets ---


@pytest.mark.parametrize("kind", ["facebook", "google", "github"])
def test_no_log_and_no_traceback_has_a_token_or_a_secret(host, make, request, caplog, kind):
    server = request.getfixturevalue(kind)
    caplog.set_level(logging.DEBUG)
    provider, token = make(kind), server.issue()
    provider.from_access_token(token)
    log_in(provider, server)
    for path in ("/me", "/tokeninfo", "/api/user"):
        server.answers[path] = server.hang
    host.config["STORMPATH_HTTP_TIMEOUT"] = 0.3
    with pytest.raises(ProviderUnavailable) as unavailable:
        provider.from_access_token(token)
    told = "".join(traceback.format_exception(unavailable.value)) + caplog.text
    assert not [secret for secret in (CLIENT_SECRET, VERIFIER, *server.tokens) if secret in told]


def test_the_requests_of_others_are_logged_as_before(keycloak, caplog):
    caplog.set_level(logging.DEBUG)
    keycloak.authorization_url(**URL)
    logging.getLogger("urllib3.connectionpool").debug("of another library's")
    assert [record.message for record in caplog.records if record.name.startswith("urllib3")] == [
        "of another library's"
    ]


def test_a_password_in_netrc_is_not_sent(make, google, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login han password solo\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert make("google").from_access_token(google.issue()).subject == google.person["sub"]


# --- Servers as such ---


def test_a_header_that_never_ends_is_not_waited_for(host, make):
    def behave(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            time.sleep(0.02)
            connection.sendall(b"x")

    host.config["STORMPATH_HTTP_TIMEOUT"] = 0.3
    with misbehaving(behave) as at, pytest.raises(ProviderUnavailable) as unavailable:
        make("oidc", provider_id="keycloak", issuer=f"http://127.0.0.1:{at['MAIL_PORT']}").authorization_url(**URL)
    assert unavailable.value.developer_message == "Keycloak: No answer within 0.3 s."


@pytest.mark.parametrize("certificate", ["good", "for_another_name", "expired", "self_signed"])
def test_a_certificate_must_be_of_the_provider_and_of_now(make, tmp_path, monkeypatch, certificate):
    certificates = make_certificates(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))

    def behave(connection):
        with getattr(certificates, certificate).wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(4096)
            told = {"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize"}
            encrypted.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(told).encode())

    with misbehaving(behave) as at:
        issuer = f"https://localhost:{at['MAIL_PORT']}"
        provider = make("oidc", provider_id="keycloak", issuer=issuer)
        if certificate == "good":
            assert provider.authorization_url(**URL).startswith(f"{issuer}/authorize?")
        else:
            with pytest.raises(ProviderUnavailable) as unavailable:
                provider.authorization_url(**URL)
            told = "Keycloak: Its certificate is not trusted, or it talks no TLS."
            assert unavailable.value.developer_message == told


# --- The proxy ---


@pytest.fixture
def proxy():
    """Return a proxy that sees what is asked for."""
    with Proxy().running() as proxy:
        yield proxy


def test_providers_are_asked_through_the_proxy_of_the_settings(host, keycloak, openid_provider, proxy):
    host.config["STORMPATH_HTTP_PROXY"] = proxy.url
    assert log_in(keycloak, openid_provider).email == "han@falcon.example"
    seen = [request.target.removeprefix(openid_provider.url) for request in proxy.seen]
    assert seen == [DISCOVERY, "/token", "/jwks"]
    assert proxy.asked("/token")[0].basic == (CLIENT_ID, CLIENT_SECRET)


def test_without_one_it_is_that_of_the_environment(keycloak, openid_provider, proxy, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    keycloak.authorization_url(**URL)
    assert [request.path for request in proxy.seen] == [DISCOVERY]


def test_the_settings_win_over_the_environment(host, keycloak, proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    host.config["STORMPATH_HTTP_PROXY"] = proxy.url
    keycloak.authorization_url(**URL)
    assert len(proxy.seen) == 1


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9", "https://keycloak.example"])
def test_a_proxy_that_is_not_there_or_lets_nobody_through_is_told(host, make, proxy, issuer):
    host.config["STORMPATH_HTTP_PROXY"] = proxy.url if "https" in issuer else f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ProviderUnavailable) as unavailable:
        make("oidc", provider_id="keycloak", issuer=issuer).authorization_url(**URL)
    assert unavailable.value.developer_message == "Keycloak: The proxy does not let us through."


def test_a_proxy_that_hangs_is_not_waited_for(host, keycloak, proxy):
    host.config.update(STORMPATH_HTTP_PROXY=proxy.url, STORMPATH_HTTP_TIMEOUT=0.3)
    proxy.answers[DISCOVERY] = proxy.drip
    with pytest.raises(ProviderUnavailable, match="Keycloak does not answer now"):
        keycloak.authorization_url(**URL)
