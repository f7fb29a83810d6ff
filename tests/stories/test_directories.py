"""How an owner changes a password policy safely, and looks at a mail before anybody gets it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from ..servers import Server, manage_run
from .people import PASSWORD
from .test_administrators import log_in, looks_right

pytestmark = pytest.mark.browser

OWNER = "leia@alderaan.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site with an owner and two accounts, where mails are kept on the machine."""
    instance = tmp_path_factory.mktemp("directories") / "instance"
    with manage_run(instance, FLASK_STORMPATH_ENABLE_FORGOT_PASSWORD="true") as server:
        server.manage("create-admin", OWNER, "--password-stdin", stdin=PASSWORD)
        for name in ("Mei", "Amara"):
            address = f"{name.lower()}@example.com"
            server.manage("create-account", address, "--given-name", name, "--password-stdin", stdin=PASSWORD)
        yield server


def enter(page: Page) -> None:
    page.goto("/admin/login?next=/admin/directories/")
    log_in(page, OWNER)
    page.get_by_role("link", name="My Application Directory").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My Application Directory")


class Clicks:
    """What counts the clicks of somebody on a page."""

    def __init__(self, page: Page) -> None:
        self._page, self.number = page, 0

    def __call__(self, role: str, name: str) -> None:
        """Click what has this role and name: by a key, as Chromium may send the mouse's click into the frame."""
        self.number += 1
        self._page.get_by_role(role, name=name, exact=True).press("Enter")


def test_a_policy_is_changed_safely_on_one_screen(page: Page, site: Server) -> None:
    enter(page)
    page.get_by_role("navigation", name="Directory").get_by_role("link", name="Policy").click()
    expect(page.get_by_label("Minimum length")).to_be_visible()
    screen = page.url
    looks_right(page)
    page.get_by_role("button", name="NIST 800-63B-4").click()
    expect(page.get_by_label("Minimum length")).to_have_value("15")
    effect = page.get_by_role("region", name="If you save this now")
    expect(effect).to_contain_text("2 Accounts keep the password they have")
    page.get_by_label("Password to try").fill("correct horse")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_text("Characters: 13, at least 15")).to_be_visible()
    expect(page.get_by_label("Password to try")).to_have_value("")
    page.get_by_label("Check old passwords at the next login").check()
    page.get_by_role("button", name="Recount").last.click()
    expect(effect).to_contain_text("2 Passwords are looked at when their owner next logs in.")
    looks_right(page)
    assert site.rows("SELECT min(min_length) FROM stormpath_password_strengths") == [(8,)]
    page.get_by_role("button", name="Save policy").click()
    expect(page.get_by_text("The password policy was saved.")).to_be_visible()
    assert page.url.partition("#")[0] == screen
    assert "correct horse" not in site.log


def test_a_mail_is_previewed_and_tested_in_two_clicks(page: Page, site: Server) -> None:
    enter(page)
    click = Clicks(page)
    with page.expect_navigation():  # to a page that follows what is typed
        click("link", "Workflows")
    page.get_by_label("Who reads it: email, username or name").fill("mei")
    preview = page.frame_locator("iframe[name=preview]")
    expect(preview.get_by_text("mei@example.com")).to_be_visible()
    click("button", "Send to me")
    expect(preview.get_by_text(f"On its way to {OWNER}.")).to_be_visible()
    assert click.number == 2
    kind = "SELECT kind, address FROM stormpath_outbox_messages"
    assert site.rows(kind) == [("preview", OWNER)]


def test_a_preview_follows_what_is_typed_and_leaves_no_step_behind(page: Page) -> None:
    enter(page)
    with page.expect_navigation():
        page.get_by_role("link", name="Workflows").click()
    preview = page.frame_locator("iframe[name=preview]")
    expect(preview.get_by_text("It says what the default says.")).to_be_visible()
    steps = page.evaluate("history.length")
    page.get_by_label("Subject").fill("Hello $!{account.givenNam}")
    expect(preview.get_by_text("It is no macro, and is mailed as it stands.")).to_be_visible()
    page.get_by_label("Subject").fill("Hello $!{account.givenName}")
    expect(preview.get_by_text("Hello Leia")).to_be_visible()
    assert page.evaluate("history.length") == steps
    looks_right(page)
    page.get_by_label("Text", exact=True).fill("there is no link")
    page.get_by_role("button", name="Save mail").click()
    expect(page.get_by_role("alert")).to_contain_text("One field needs a change.")
    expect(page.get_by_label("Subject")).to_have_value("Hello $!{account.givenName}")
    expect(preview.get_by_text("Hello Leia")).to_be_visible()
    looks_right(page)


def test_all_of_it_works_without_scripts(open_page: Callable[..., Page]) -> None:
    page = open_page(java_script_enabled=False)
    enter(page)
    page.get_by_role("link", name="Workflows").click()
    page.get_by_label("Subject").fill("For $!{account.givenName}")
    page.get_by_label("Who reads it: email, username or name").fill("amara@example.com")
    page.get_by_label("How it is shown").select_option("HTML, narrow and dark")
    page.get_by_role("button", name="Preview").last.click()
    preview = page.frame_locator("iframe[name=preview]")
    expect(preview.get_by_text("For Amara")).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value("For $!{account.givenName}")
    page.get_by_label("Subject").press("Enter")
    expect(page.get_by_label("Subject")).to_have_value("For $!{account.givenName}")
    page.get_by_role("button", name="Put the default in").click()
    expect(page.get_by_text("Nothing is saved yet.")).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value("Reset your Password")


def test_each_page_of_a_directory_keeps_nobody_out(page: Page) -> None:
    enter(page)
    first = page.url
    for path in ("", "policy/accounts", "workflows/welcome", "provider", "delete"):
        page.goto(first + path)
        looks_right(page)
    page.goto("/admin/directories/")
    looks_right(page)
    page.goto("/admin/directories/new")
    looks_right(page)


def test_custom_data_is_edited_on_a_phone_with_its_tab_in_sight(page: Page, site: Server) -> None:
    enter(page)
    page.set_viewport_size({"width": 360, "height": 780})
    tab = page.get_by_role("navigation", name="Directory").get_by_role("link", name="Custom data")
    tab.click()
    expect(tab).to_have_attribute("aria-current", "page")
    expect(tab).to_be_in_viewport(ratio=1)
    page.get_by_label("JSON", exact=True).fill('{"plan": {"name": "gold"}}')
    page.get_by_role("button", name="Save custom data").click()
    expect(page.get_by_role("region", name="Custom data")).to_contain_text("gold")
    looks_right(page)
    page.goto("/admin/applications/")
    page.get_by_role("link", name="My Application", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My Application")
    looks_right(page)
    page.get_by_role("link", name="Custom data").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Custom data of My Application")
    looks_right(page)
