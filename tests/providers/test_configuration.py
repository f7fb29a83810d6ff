"""The providers of the settings: which there are, and what a mistake is told as."""

import subprocess
import sys

import pytest

from stormpath_app import providers
from stormpath_app.errors import NotReady
from stormpath_app.providers import Config, Facebook, GitHub, Google, OAuth2, OpenIdConnect, Provider, configuration

SECRET = "canary-7f3a"
IDS = {"client_id": "falcon", "client_secret": SECRET}
ENDS = {f"{name}_endpoint": f"https://id.example/{name}" for name in ("authorization", "token", "resource")}
NAMES = "a provider's name is of letters, digits and hyphens, 50 at most, and not 'stormpath'."
KNOWN = "client_id, client_secret, kind, may_register, name, scopes"
NO_KIND = "needs an 'issuer' (OpenID Connect), or a 'kind': one of facebook, github, google, oauth2, oidc."


@pytest.fixture
def read(host):
    """Return a function that reads STORMPATH_SOCIAL."""

    def read(social, **more):
        switches = {"ENABLE_GOOGLE": "GOOGLE" in social, "ENABLE_FACEBOOK": "FACEBOOK" in social}
        for name, value in {"SOCIAL": social, **switches, **more}.items():
            host.config[f"STORMPATH_{name}"] = value
        return providers.configured()

    return read


@pytest.fixture
def told(read):
    """Return a function that checks STORMPATH_SOCIAL, and returns the sentences of what is wrong."""

    def told(social, level="error", **more):
        read(social, **more)
        found = [problem.sentence for problem in providers.check() if problem.level == level]
        assert SECRET not in " ".join(found)
        return found

    return told


def test_without_any_there_are_none(read, told):
    assert read({}) == {}
    assert told({}) == []


def test_the_settings_of_old_are_good(read, told):
    social = {
        "GOOGLE": {
            "client_id": "falcon",
            "client_secret": SECRET,
            "hd": "falcon.example",
            "scopes": ["email", "profile"],
        },
        "FACEBOOK": {"app_id": "falcon", "app_secret": SECRET, "scopes": "public_profile,email"},
    }
    assert told(social) == []
    found = read(social)
    assert found["google"] == Config(
        *("google", "google", "falcon", SECRET, "Google"), hosted_domain="falcon.example", scopes=("email", "profile")
    )
    assert found["facebook"] == Config(
        *("facebook", "facebook", "falcon", SECRET, "Facebook"), scopes=("public_profile", "email")
    )


@pytest.mark.parametrize(
    ("key", "given", "kind", "name"),
    [
        ("GITHUB", IDS, GitHub, "GitHub"),
        ("KEYCLOAK", {**IDS, "issuer": "https://id.example"}, OpenIdConnect, "Keycloak"),
        ("cloud-city", {"client_id": "falcon", "issuer": "https://id.example"}, OpenIdConnect, "Cloud City"),
        ("OKTA", {**IDS, "issuer": "https://id.example", "name": "The Rebels"}, OpenIdConnect, "The Rebels"),
        ("TWITCH", {**IDS, **ENDS, "id_field": "data.id"}, OAuth2, "Twitch"),
        ("WORK", {**IDS, "kind": "google", "hd": "falcon.example"}, Google, "Google"),
        ("FRIENDS", {**IDS, "kind": "facebook"}, Facebook, "Facebook"),
    ],
)
def test_a_kind_is_known_by_the_name_or_by_what_is_given(read, told, key, given, kind, name):
    assert told({key: given}) == []
    found = read({key: given})
    assert list(found) == [key.lower()]
    provider = providers.make(found[key.lower()])
    assert (type(provider), provider.config.name) == (kind, name)


@pytest.mark.parametrize("closed", [True, False, None])
def test_each_says_whether_strangers_get_an_account(read, told, closed):
    social = {"GITHUB": {**IDS, "register": closed}}
    assert told(social) == []
    assert read(social)["github"].may_register is closed


def test_google_and_facebook_are_there_where_they_are_switched_on(read, told):
    social = {"GOOGLE": IDS, "FACEBOOK": IDS, "GITHUB": IDS}
    assert list(read(social)) == ["google", "facebook", "github"]
    assert list(read(social, ENABLE_GOOGLE=False)) == ["facebook", "github"]
    assert told(social, "note", ENABLE_GOOGLE=False) == [
        "STORMPATH_SOCIAL has 'GOOGLE', and STORMPATH_ENABLE_GOOGLE is off."
    ]


def test_what_is_switched_on_and_not_there_is_told(told):
    assert told({}, ENABLE_GOOGLE=True) == ["STORMPATH_ENABLE_GOOGLE is on, and STORMPATH_SOCIAL has no 'GOOGLE'."]


@pytest.mark.parametrize(
    ("social", "sentence"),
    [
        ({"GOOGLE": {}}, "STORMPATH_SOCIAL['GOOGLE'] needs 'client_id'."),
        ({"GOOGLE": {"client_id": None, "client_secret": SECRET}}, "STORMPATH_SOCIAL['GOOGLE'] needs 'client_id'."),
        ({"FACEBOOK": {"app_id": "", "app_secret": SECRET}}, "STORMPATH_SOCIAL['FACEBOOK'] needs 'app_id'."),
        ({"FACEBOOK": {"app_id": "falcon"}}, "STORMPATH_SOCIAL['FACEBOOK'] needs 'app_secret'."),
        (
            {"GITHUB": {**IDS, "client_di": SECRET}},
            "STORMPATH_SOCIAL['GITHUB'] has no use for 'client_di'. Did you mean 'client_id'?",
        ),
        (
            {"GITHUB": {**IDS, "hd": "falcon.example"}},
            f"STORMPATH_SOCIAL['GITHUB'] has no use for 'hd'. It takes {KNOWN}.",
        ),
        (
            {"GITHUB": {**IDS, "token_endpoint": "https://evil.example"}},
            f"STORMPATH_SOCIAL['GITHUB'] has no use for 'token_endpoint'. It takes {KNOWN}.",
        ),
        ({"GITHUB": {**IDS, "client_id": 7}}, "STORMPATH_SOCIAL['GITHUB']['client_id'] must be text."),
        ({"GITHUB": {**IDS, "scopes": 7}}, "STORMPATH_SOCIAL['GITHUB']['scopes'] must be text, or a list of texts."),
        ({"GITHUB": {**IDS, "scopes": [7]}}, "STORMPATH_SOCIAL['GITHUB']['scopes'] must be text, or a list of texts."),
        ({"GITHUB": {**IDS, "register": "no"}}, "STORMPATH_SOCIAL['GITHUB']['register'] must be True or False."),
        (
            {"OKTA": {**IDS, "issuer": "http://okta.example"}},
            "STORMPATH_SOCIAL['OKTA']['issuer'] must be an https address; http is for this machine alone.",
        ),
        (
            {"TWITCH": {**IDS, **ENDS, "token_endpoint": "javascript:alert(1)"}},
            "STORMPATH_SOCIAL['TWITCH']['token_endpoint'] must be an https address; http is for this machine alone.",
        ),
        (
            {"OKTA": IDS},
            f"STORMPATH_SOCIAL['OKTA'] {NO_KIND}",
        ),
        (
            {"OKTA": {**IDS, "kind": "canary-oicd"}},
            "STORMPATH_SOCIAL['OKTA']['kind'] must be one of facebook, github, google, oauth2, oidc.",
        ),
        (
            {"GITHUB": SECRET},
            "STORMPATH_SOCIAL['GITHUB'] is of type str; it must be a dictionary, such as {'client_id': '…'}.",
        ),
        *(
            ({key: IDS}, f"STORMPATH_SOCIAL[{key!r}]: {NAMES}")
            for key in ("", "MY_COMPANY", "a/b", "STORMPATH", "x" * 51, 5)
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mistake_is_told_with_what_mends_it_and_the_provider_is_not_there(read, told, social, sentence):
    assert sentence in told(social)
    assert read(social) == {}


def test_all_mistakes_are_told_at_once_and_the_others_are_there(read, told):
    social = {"GITHUB": IDS, "OKTA": {"issuer": 5, "scope": ["email"]}}
    assert told(social) == [
        "STORMPATH_SOCIAL['OKTA'] needs 'client_id'.",
        "STORMPATH_SOCIAL['OKTA']['issuer'] must be text.",
        "STORMPATH_SOCIAL['OKTA'] has no use for 'scope'. Did you mean 'scopes'?",
    ]
    assert list(read(social)) == ["github"]


def test_two_that_differ_in_capital_letters_are_told(told):
    assert told({"GITHUB": IDS, "github": IDS}) == [
        "STORMPATH_SOCIAL has 'github' twice: capital letters do not count."
    ]


def test_what_is_no_dictionary_is_left_to_the_check_of_its_type(host):
    host.config["STORMPATH_SOCIAL"] = SECRET
    assert list(providers.check()) == []


def test_a_kind_of_the_hosts_own_is_configured_by_its_name(read, told, monkeypatch):
    monkeypatch.setitem(providers.KINDS, "gitea", None)

    @providers.add_kind
    class Gitea(Provider):
        kind, title = "gitea", "Our Gitea"
        optional = ("issuer",)

    assert told({"GITEA": IDS}) == []
    assert providers.make(read({"GITEA": IDS})["gitea"]).config.name == "Our Gitea"


# --- What is needed ---


def test_a_kind_that_nobody_knows_is_not_ready():
    with pytest.raises(NotReady) as not_ready:
        providers.make(Config("gitea", "gitea", "falcon"))
    assert not_ready.value.problems == ["There is no kind of provider 'gitea': add it with providers.add_kind."]


def test_without_the_libraries_the_check_tells_how_to_install_them(told, monkeypatch):
    monkeypatch.setattr(configuration, "find_spec", lambda name: None if name == "authlib" else object())
    assert told({}) == []
    install = "needs the libraries Authlib and requests. Install them with `pip install 'stormpath-app[social]'`."
    assert told({"GITHUB": IDS}) == [f"STORMPATH_SOCIAL {install}"]
    with pytest.raises(NotReady) as not_ready:
        providers.make(Config("github", "github", "falcon", SECRET))
    assert not_ready.value.problems == [f"Logging in with GitHub {install}"]


def test_an_app_without_providers_loads_none_of_the_libraries():
    code = "import stormpath_app.app, sys; print(sorted({'authlib', 'joserfc', 'requests'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.settings(STORMPATH_SOCIAL={"GITHUB": {"client_id": "falcon"}})
@pytest.mark.sqlite
def test_an_app_with_a_wrong_provider_answers_nobody_and_logs_what_is_wrong(client, caplog):
    assert client.get("/login").status_code == 503
    assert "STORMPATH_SOCIAL['GITHUB'] needs 'client_secret'." in caplog.text
