"""The settings as they are: what is open, what is in force, and no secret."""

import pytest

from stormpath_app.models.administration import MANAGER

from ..conftest import SECRET_KEY

pytestmark = pytest.mark.sqlite

CANARY = "canary-9f3c"


@pytest.mark.settings(
    STORMPATH_API_KEY_ID=f"{CANARY}-id",
    STORMPATH_API_KEY_SECRET=f"{CANARY}-secret",
    MAIL_PASSWORD=f"{CANARY}-mail",
    STORMPATH_SOCIAL={"GITHUB": {"client_id": "falcon", "client_secret": f"{CANARY}-secret"}},
    STORMPATH_HTTP_PROXY=f"http://han:{CANARY}-secret@proxy.example.com:3128",
    STORMPATH_REDIRECT_URL="/dashboard",
)
def test_settings_are_shown_and_secrets_never(owner):
    page = owner.get("/settings/").text
    assert "STORMPATH_REDIRECT_URL" in page
    assert "/dashboard" in page
    assert "Set, and not shown" in page
    assert SECRET_KEY not in page
    assert f"{CANARY}-secret" not in page
    assert f"{CANARY}-mail" not in page


def test_it_tells_what_a_deploy_check_finds_with_what_mends_it(owner):
    page = owner.get("/settings/").text
    assert "Before the public comes" in page
    assert "STORMPATH_BASE_URL is not set: set it to the public address of the site." in page


def test_it_tells_what_is_running(owner, dialect):
    page = owner.get("/settings/").text
    assert f"({dialect} " in page
    assert "Mails that wait" in page


def test_it_is_for_owners(sign_in):
    assert sign_in(MANAGER).get("/settings/").status_code == 403
