"""How people at the console find somebody, and do to many at once what they would not do one by one."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from ..servers import Server, manage_run
from .people import PASSWORD
from .test_administrators import log_in, looks_right

pytestmark = pytest.mark.browser

OWNER = "leia@alderaan.example"
PEOPLE = ("Amara", "Mei", "Priya", "Tomas")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site with an owner, four accounts and a group."""
    instance = tmp_path_factory.mktemp("lists") / "instance"
    with manage_run(instance, FLASK_STORMPATH_ENABLE_FORGOT_PASSWORD="true") as server:
        server.manage("create-admin", OWNER, "--password-stdin", stdin=PASSWORD)
        server.manage("create-group", "members")
        for name in PEOPLE:
            address = f"{name.lower()}@example.com"
            server.manage("create-account", address, "--given-name", name, "--password-stdin", stdin=PASSWORD)
        yield server


def enter(page: Page, path: str = "/admin/accounts/") -> None:
    page.goto(f"/admin/login?next={path}")
    log_in(page, OWNER)
    page.wait_for_url(f"**{path}")


def choose(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("checkbox", name=f"Choose {name.lower()}@example.com").check()


def test_somebody_is_found_from_anywhere_without_a_mouse(page: Page) -> None:
    enter(page, "/admin/messages/")
    page.keyboard.press("/")
    page.keyboard.insert_text("MEI@example.com")  # at once: a slow typist is asked about what is half typed, too
    palette = page.get_by_role("dialog")
    expect(palette.get_by_role("link", name="mei@example.com")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Mei")


def test_the_palette_is_walked_through_by_arrows_and_esc_gives_the_focus_back(page: Page) -> None:
    enter(page)
    page.keyboard.press("j")
    focused = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Control+k")
    page.keyboard.insert_text("example.com")
    hits = page.get_by_role("dialog").get_by_role("link")
    expect(hits).to_have_count(4)
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("4 results")
    page.keyboard.press("ArrowDown")
    expect(hits.first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("dialog").get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("document.activeElement.textContent") == focused


def test_typing_asks_no_more_often_than_somebody_stops(page: Page) -> None:
    began = datetime.now(UTC)
    page.clock.install(time=began)
    enter(page)
    page.clock.pause_at(began + timedelta(minutes=5))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "part=1" in request.url else None)
    page.keyboard.press("Control+k")
    for letter in "priya@example.com":
        page.clock.run_for(15)
        page.keyboard.type(letter)
    page.clock.run_for(119)
    assert asked == []
    page.clock.run_for(1)
    expect(page.get_by_role("dialog").get_by_role("link").first).to_be_visible()
    assert len(asked) == 1


def test_the_box_opens_the_palette_with_what_was_typed_into_it_and_tab_passes_it(page: Page) -> None:
    enter(page)
    box = page.get_by_role("searchbox", name="Find an account, group, directory or page")
    box.focus()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.type("amara")
    expect(page.get_by_role("dialog").get_by_role("searchbox")).to_have_value("amara")
    expect(page.get_by_role("dialog").get_by_role("link", name="amara@example.com")).to_be_visible()


def test_a_login_that_ended_meanwhile_leads_from_the_palette_to_the_login_page(page: Page) -> None:
    enter(page)
    page.keyboard.press("Control+k")
    page.context.clear_cookies()
    page.keyboard.insert_text("amara")
    expect(page).to_have_url(re.compile("/admin/login.next=.*amara"))


def test_rows_are_moved_through_chosen_and_opened_by_keys(page: Page) -> None:
    enter(page, "/admin/accounts/?sort=name")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Amara")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_role("checkbox", name="Choose mei@example.com")).to_be_checked()
    page.keyboard.press("k")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="Amara")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Amara")


def test_several_are_put_into_a_group_at_once(page: Page) -> None:
    enter(page)
    choose(page, "Amara", "Priya")
    expect(page.locator(".sp-bulk")).to_be_visible()
    page.get_by_role("button", name="Add to group", exact=True).click()
    expect(page.get_by_label("Group", exact=True)).to_be_visible()
    looks_right(page)
    page.get_by_label("Group", exact=True).select_option(label="members")
    page.get_by_role("button", name="Add to group", exact=True).click()
    expect(page.get_by_text("Done for 2.")).to_be_visible()


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["with script", "without"])
def test_several_are_disabled_at_once_and_enabled_again(
    open_page: Callable[..., Page], options: dict[str, bool]
) -> None:
    page = open_page(**options)
    enter(page)
    for button, state in (("Disable", "Disabled"), ("Enable", "Enabled")):
        choose(page, "Mei", "Tomas")
        with page.expect_navigation():  # to the page that asks, whose button has the same name
            page.locator(".sp-bulk").get_by_role("button", name=button, exact=True).click()
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_text("Done for 2.")).to_be_visible()
        expect(page.get_by_role("row", name="mei@example.com")).to_contain_text(state)


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["with script", "without"])
def test_the_menu_of_a_row_sends_a_mail_at_once_and_asks_before_it_disables(
    open_page: Callable[..., Page], options: dict[str, bool]
) -> None:
    page = open_page(**options)
    enter(page)
    row = page.get_by_role("row", name="priya@example.com")
    row.locator("summary").click()
    row.get_by_role("button", name="Send reset mail").click()
    expect(page.get_by_text("Done for 1.")).to_be_visible()
    row.locator("summary").click()
    row.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Disable")
    expect(page.get_by_role("main")).to_contain_text("priya@example.com")


def test_what_the_list_shows_is_downloaded(page: Page) -> None:
    enter(page, "/admin/accounts/?q=mei")
    page.get_by_text("Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert "mei@example.com" in text
    assert "amara@example.com" not in text


def test_each_list_and_form_looks_right_in_every_light_and_size(page: Page) -> None:
    enter(page)
    for path in (
        *("accounts/?q=a&show=enabled", "accounts/?q=nobody-at-all", "groups/", "groups/new", "applications/"),
        *("applications/new", "api-keys/", "api-keys/new", "messages/", "search/?q=example"),
    ):
        page.goto(f"/admin/{path}")
        looks_right(page)
