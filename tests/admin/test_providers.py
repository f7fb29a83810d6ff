"""Directories whose accounts come from another site: how one is made at the console, and the page of its provider."""

from datetime import timedelta

import pytest

from stormpath_app import Application, Directory, pages
from stormpath_app.admin.gate import PASSWORD as PASSWORD_FIELD

from ..conftest import PASSWORD, statements
from ..payloads import HTML
from .conftest import token_of

SECRET = "gocspx-never-to-be-seen"
GOOGLE = {"name": "Google", "client_id": "1234.apps.example", "client_secret": SECRET, "may_register": ""}
WORK = {
    "provider_id": "work",
    "name": "Staff",
    "issuer": "https://id.example.com/realms/staff",
    "client_id": "shop",
    "client_secret": SECRET,
    "button_name": "Example Staff",
    "may_register": "no",
}


@pytest.fixture
def here(app):
    """Return the id of the site's application."""
    with app.app_context():
        return Application.current().id


@pytest.fixture
def work(app, here):
    """Return the id of a directory of an OpenID Connect provider, which the application asks."""
    with app.app_context():
        given = {**WORK, "name": "Example Staff", "may_register": False, "provider_type": "oidc"}
        directory = Directory.create(name="Staff", provider={k: v for k, v in given.items() if k != "button_name"})
        Application.current().add_account_store(directory)
        return directory.id


def provider(app, directory_id):
    with app.app_context():
        return dict(Directory.get(directory_id).provider)


def version(app, directory_id):
    with app.app_context():
        return str(Directory.get(directory_id).provider.version)


# --- Which kind ---


def test_a_new_directory_begins_with_its_kind(owner):
    page = owner.get("/directories/new").text
    for kind, name in {"cloud": "Cloud", "google": "Google", "oidc": "OpenID Connect", "oauth2": "OAuth 2"}.items():
        assert f'href="/admin/directories/new?kind={kind}">{name}</a>' in page


def test_a_kind_that_there_is_none_of_has_no_form(owner):
    for kind in ("twitter", "stormpath", "x" * 500, "google\0"):
        assert owner.get("/directories/new", query_string={"kind": kind}).status_code == 404


@pytest.mark.parametrize("kind", ["google", "facebook", "github", "oidc", "oauth2"])
def test_each_form_says_where_the_values_are_found_and_the_address_to_register(owner, kind):
    page = owner.get(f"/directories/new?kind={kind}").text
    assert '<ol class="sp-steps">' in page
    end = "PROVIDER-ID" if kind in {"oidc", "oauth2"} else kind
    assert f'value="http://localhost/social/{end}" readonly' in page
    assert "data-copy" in page


def test_a_site_without_a_public_address_is_told_to_set_one(monkeypatch, owner, work):
    monkeypatch.setattr(pages, "page_address", lambda *_endpoint, **_values: None)
    for path in ("new?kind=oidc", "new?kind=google", f"{work}/provider"):
        page = owner.get(f"/directories/{path}")
        assert page.status_code == 200
        assert "set STORMPATH_BASE_URL" in page.text


@pytest.mark.settings(
    STORMPATH_ENABLE_GOOGLE=True,
    STORMPATH_BASE_URL="https://www.example.com/shop",
    STORMPATH_SOCIAL={"GOOGLE": {"client_id": "1", "client_secret": SECRET}},
)
def test_the_address_to_register_is_that_of_the_page_that_google_has(app, owner):
    with app.app_context():
        google = Directory.create(name="G", provider={"provider_id": "google"}).id
    page = owner.get(f"/directories/{google}/provider").text
    assert 'value="https://www.example.com/shop/google" readonly' in page


@pytest.mark.settings(
    STORMPATH_ENABLE_GOOGLE=True,
    STORMPATH_SOCIAL={
        "GOOGLE": {"client_id": "1", "client_secret": SECRET},
        "WORK": {"issuer": "https://id.example.com", "client_id": "shop"},
    },
)
def test_what_the_settings_have_is_not_made_here(app, owner, here):
    page = owner.get("/directories/new").text
    assert "STORMPATH_SOCIAL has it" in page
    assert "kind=google" not in page
    answer = owner.get("/directories/new?kind=google", follow_redirects=True)
    assert "STORMPATH_SOCIAL has google" in answer.text
    refused = owner.post("/directories/new?kind=oidc", application=here, **WORK)
    assert "STORMPATH_SOCIAL has work" in refused.text
    with app.app_context():
        assert Directory.named("Staff") is None


# --- New ---


def test_a_directory_of_google_is_the_last_account_store_of_the_application_and_no_default(app, owner, here):
    answer = owner.post("/directories/new?kind=google", application=here, hosted_domain="example.com", **GOOGLE)
    assert answer.status_code == 303
    with app.app_context():
        *_others, last = Application.current().account_store_mappings
        assert (last.account_store.name, last.account_store.provider_id) == ("Google", "google")
        assert [last.is_default_account_store, last.is_default_group_store] == [False, False]
        config = last.account_store.provider.config()
        assert (config.client_id, config.client_secret, config.hosted_domain) == (
            "1234.apps.example",
            SECRET,
            "example.com",
        )


def test_an_openid_connect_provider_has_an_id_and_a_name_that_are_typed(app, owner, here):
    answer = owner.post("/directories/new?kind=oidc", application=here, **{**WORK, "provider_id": " Work "})
    assert answer.status_code == 303
    with app.app_context():
        config = Application.current().login_provider("work")
        assert (config.kind, config.name, config.issuer) == ("oidc", "Example Staff", WORK["issuer"])
        assert config.may_register is False


def test_a_directory_of_a_provider_can_be_for_no_application_yet(app, owner):
    assert owner.post("/directories/new?kind=github", application="", **{**GOOGLE, "name": "Hub"}).status_code == 303
    with app.app_context():
        assert Directory.named("Hub").provider.provider_id == "github"
        assert len(Application.current().account_store_mappings) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"client_id": ""}, "Fill this in."),
        ({"client_secret": ""}, ""),
        ({"issuer": ""}, "Fill this in."),
        ({"issuer": "javascript:alert(1)"}, "https://; http://"),
        ({"issuer": "http://id.example.com"}, "https://; http://"),
        ({"issuer": "https://[::1"}, "https://; http://"),
        ({"provider_id": ""}, "Give it an ID."),
        ({"provider_id": "no blanks"}, "provider id"),
        ({"provider_id": "Stormpath"}, "accounts are made here"),
        ({"provider_id": "google"}, "Google has a form of its own"),
        ({"provider_id": "x" * 51}, "provider id"),
        ({"name": ""}, "Give it a name."),
        ({"name": "my application directory"}, "already exists"),
        ({"button_name": "x" * 300}, "button_name-error"),
        ({"client_id": "a\x00b"}, "client id"),
        ({"may_register": "perhaps"}, "Not a valid choice"),
    ],
)
@pytest.mark.sqlite
def test_a_refused_form_comes_again_with_what_was_typed_and_never_the_secret(app, owner, here, wrong, told):
    sent = {"client_secret": SECRET, **WORK, **wrong}
    answer = owner.post("/directories/new?kind=oidc", application=here, **sent)
    if wrong == {"client_secret": ""}:
        assert answer.status_code == 303  # a public client has none
        return
    assert answer.status_code == 200
    assert told in answer.text
    assert SECRET not in answer.text
    assert 'value="shop"' in answer.text or "client_id" in wrong
    with app.app_context():
        assert Directory.named("Staff") is None


def test_an_application_has_one_directory_of_a_provider_and_nothing_is_left_of_a_second(app, owner, here, work):
    page = owner.post("/directories/new?kind=oidc", application=here, **{**WORK, "name": "Again"})
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    with app.app_context():
        assert Directory.named("Again") is None


@pytest.mark.parametrize("role", ["viewer", "support", "manager"])
def test_owners_alone_make_one_or_change_it(app, sign_in, here, work, role):
    browser = sign_in(role)
    assert browser.get("/directories/new?kind=oidc").status_code == 403
    assert browser.post("/directories/new?kind=google", application=here, **GOOGLE).status_code == 403
    page = browser.get(f"/directories/{work}/provider")
    assert page.status_code == 200
    assert "Save provider" not in page.text
    assert browser.post(f"/directories/{work}/provider", **WORK).status_code == 403
    assert browser.post(f"/directories/{work}/provider/test").status_code == 403


def test_the_password_is_asked_for_before_and_the_secret_is_not_carried_along(app, stale, here):
    assert "Enter your password" in stale.get("/directories/new?kind=google").text
    page = stale.post("/directories/new?kind=google", application=here, **GOOGLE)
    assert "Enter your password" in page.text
    assert SECRET not in page.text
    assert "1234.apps.example" in page.text
    fields = {
        **GOOGLE,
        "client_secret": "",
        "application": here,
        PASSWORD_FIELD: PASSWORD,
        "csrf_token": token_of(page),
    }
    answer = stale.post("/directories/new?kind=google", **fields)
    assert "Fill this in." in answer.text
    with app.app_context():
        assert Directory.named("Google") is None


# --- Its page ---


def test_the_tab_shows_what_this_site_is_to_the_provider_and_no_secret(owner, work):
    page = owner.get(f"/directories/{work}/provider").text
    for part in ("Example Staff", "OpenID Connect", WORK["issuer"], "shop", "http://localhost/social/work", "Set on"):
        assert part in page
    assert SECRET not in page


def test_what_changes_is_saved_and_a_secret_that_is_not_typed_stays(app, owner, work):
    fields = {**WORK, "client_secret": "", "client_id": "store", "may_register": "yes", "scope": "openid email"}
    answer = owner.post(f"/directories/{work}/provider", version=version(app, work), **fields)
    assert answer.status_code == 303
    with app.app_context():
        config = Directory.get(work).provider.config()
        assert (config.client_id, config.client_secret, config.scopes) == ("store", SECRET, ("openid", "email"))
        assert config.may_register is True


def test_another_secret_replaces_the_one_there_is_and_the_log_tells_that_alone(app, owner, work):
    fields = {**WORK, "client_secret": "another-secret"}
    assert owner.post(f"/directories/{work}/provider", version=version(app, work), **fields).status_code == 303
    with app.app_context():
        assert Directory.get(work).provider.config().client_secret == "another-secret"
    log = owner.get(f"/log/?directory={work}").text
    assert "Provider of Staff changed" in log
    assert "another-secret" not in log
    assert "another-secret" not in owner.get("/log/export/json", buffered=True).text
    assert "another-secret" not in owner.get("/directories/export/json", buffered=True).text


def test_two_who_change_it_at_once_are_told(app, owner, work):
    before = version(app, work)
    assert (
        owner.post(f"/directories/{work}/provider", version=before, **{**WORK, "client_id": "one"}).status_code == 303
    )
    page = owner.post(f"/directories/{work}/provider", version=before, **{**WORK, "client_id": "two"})
    assert page.status_code == 200
    assert "Somebody else changed this" in page.text
    assert SECRET not in page.text
    assert provider(app, work)["client_id"] == "one"


def test_what_cannot_be_is_told_at_its_field(app, owner, work):
    page = owner.post(f"/directories/{work}/provider", version=version(app, work), **{**WORK, "issuer": "nowhere"})
    assert 'id="issuer-error"' in page.text
    assert SECRET not in page.text
    assert provider(app, work)["issuer"] == WORK["issuer"]


@pytest.mark.settings(
    STORMPATH_SOCIAL={"WORK": {"issuer": "https://set.example.com", "client_id": "set", "client_secret": SECRET}}
)
def test_what_the_settings_have_can_be_read_there_and_is_not_changed_here(app, owner, work):
    page = owner.get(f"/directories/{work}/provider").text
    assert "STORMPATH_SOCIAL" in page
    assert "https://set.example.com" in page
    assert "Save provider" not in page
    assert SECRET not in page
    answer = owner.post(f"/directories/{work}/provider", version=version(app, work), **WORK)
    assert "STORMPATH_SOCIAL has work" in answer.text
    assert provider(app, work)["client_id"] == "shop"


# --- Whether it answers ---


@pytest.fixture
def answering(app, work, openid_provider):
    """Return the address of the test of a provider that answers."""
    with app.app_context():
        one = Directory.get(work).provider
        one.issuer = openid_provider.url
        one.save()
    return f"/directories/{work}/provider/test"


def test_a_provider_that_answers_is_told_in_green(owner, answering, openid_provider):
    answer = owner.post(answering, issuer="http://127.0.0.1:1/", follow=True)
    assert f"answers as {openid_provider.url}, with one key" in answer.text
    assert 'class="sp-alert sp-ok"' in answer.text


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("html", "no JSON that can be read"),
        ("fail", "500 Internal Server Error"),
        ("huge", "The answer is larger"),
        ("hang", "No answer within"),
        ("drip", "No answer within"),
    ],
)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
@pytest.mark.sqlite
def test_a_provider_that_does_not_is_told_in_red_and_why(app, owner, answering, openid_provider, says, told, path):
    app.config["STORMPATH_HTTP_TIMEOUT"] = timedelta(seconds=0.3)
    openid_provider.answers[path] = getattr(openid_provider, says)
    answer = owner.post(answering, follow=True)
    assert answer.status_code == 200
    assert "Nobody can log in by it now." in answer.text
    assert told in answer.text
    assert 'class="sp-alert sp-bad"' in answer.text


def test_a_host_that_is_not_there_is_told(app, owner, work):
    for issuer in ("https://nowhere.invalid", "http://127.0.0.1:1"):
        with app.app_context():
            one = Directory.get(work).provider
            one.issuer = issuer
            one.save()
        answer = owner.post(f"/directories/{work}/provider/test", follow=True)
        assert "cannot be reached" in answer.text


def test_a_provider_that_tells_nothing_of_itself_is_not_asked(app, owner):
    with app.app_context():
        given = {"provider_id": "github", "client_id": "1", "client_secret": SECRET}
        hub = Directory.create(name="Hub", provider=given).id
    assert "Does it answer?" not in owner.get(f"/directories/{hub}/provider").text
    assert owner.post(f"/directories/{hub}/provider/test").status_code == 404


# --- Another one ---


def test_a_directory_of_accounts_of_its_own_has_nothing_to_change(owner, home_directory):
    assert "Cloud directory" in owner.get(f"/directories/{home_directory}/provider").text
    assert owner.post(f"/directories/{home_directory}/provider", **WORK).status_code == 404
    assert owner.post(f"/directories/{home_directory}/provider/test").status_code == 404


def test_a_provider_that_is_not_set_up_says_that_nobody_can_log_in_by_it(app, owner):
    with app.app_context():
        bare = Directory.create(name="Bare", provider={"provider_id": "google"}).id
    assert "Nobody can log in by it." in owner.get(f"/directories/{bare}/provider").text
    assert owner.post(f"/directories/{bare}/provider/test").status_code == 404


def test_what_people_typed_is_shown_and_not_read_by_the_browser(app, owner, work):
    for text in HTML:
        visible = "".join(letter for letter in text if letter.isprintable())[:200]
        with app.app_context():
            one = Directory.get(work).provider
            one.name = one.client_id = one.hosted_domain = visible
            one.save()
        for path in ("", f"{work}/provider"):
            page = owner.get(f"/directories/{path}").text
            assert "<script>alert" not in page.lower()
            assert "onerror=" not in page.lower() or "&lt;" in page


def test_the_list_shows_by_which_provider_the_accounts_of_a_directory_come(app, owner, work):
    assert '<span class="sp-badge">Work</span>' in owner.get("/directories/").text
    with statements(app) as seen:
        owner.get("/directories/")
    assert not [one for one in seen if "stormpath_providers" in one]
