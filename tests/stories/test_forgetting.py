"""Somebody forgot their password: the link of the mail, a new password, and back to the site, logged in."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from ..servers import Server, gunicorn, manage
from .conftest import DESKTOP, PHONE
from .people import Person

pytestmark = pytest.mark.browser

SETTINGS = {"FLASK_STORMPATH_ENABLE_FORGOT_PASSWORD": "true"}
NO_SCRIPTS = {**DESKTOP, "java_script_enabled": False}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the site, where a link of a mail can be opened."""
    instance = tmp_path_factory.mktemp("mailed") / "instance"
    manage(instance, "init", **SETTINGS)
    with gunicorn(instance, workers=1, program="tests.stories.doors:create_app()", **SETTINGS) as server:
        yield server


@pytest.mark.parametrize("device", [PHONE, NO_SCRIPTS], ids=["phone", "no scripts"])
def test_who_chose_a_new_password_is_led_on_by_itself_and_is_logged_in(open_page, device):
    page, password = open_page(**device), Person().password + "2"
    page.goto("/mailed/reset")
    expect(page).to_have_url("/forgot/change")  # the token is gone from it
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password (again)").fill(password)
    page.get_by_role("button", name="Change Password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Password Change Complete!")
    expect(page.get_by_role("heading", name="Hello Leia", level=1)).to_be_visible(timeout=30_000)
    expect(page).to_have_url("/")


def test_who_asks_goes_from_the_login_page_to_the_mail_and_back(open_page):
    page = open_page()
    page.goto("/login")
    page.get_by_role("link", name="Forgot Password?").click()
    page.get_by_label("Email").fill("nobody@alderaan.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Look for a mail from us")
    page.get_by_role("link", name="Back to Log In").click()
    expect(page).to_have_url("/login")
