"""How administrators come in, bring in others, prove who they are and are told when their login ends."""

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, expect

from ..servers import Server, manage_run
from .people import PASSWORD
from .test_look import AXE, LIGHTS, TOO_WIDE

pytestmark = pytest.mark.browser

OWNER, HAN = "leia@alderaan.example", "han@falcon.example"
OTHER = "Kessel12.Parsecs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site where mails are kept on the machine."""
    with manage_run(tmp_path_factory.mktemp("console") / "instance") as server:
        yield server


@pytest.fixture
def owner(site: Server) -> str:
    """Return the address of an owner, who is there once for all stories."""
    if OWNER not in site.manage("list-accounts", "--directory", "Stormpath Administrators"):
        site.manage(
            *("create-admin", OWNER, "--given-name", "Leia", "--surname", "Organa", "--password-stdin"), stdin=PASSWORD
        )
    return OWNER


def choose_password(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("New password", exact=True).fill(password)
    page.get_by_label("New password (again)").fill(password)


def log_in(page: Page, login: str, password: str = PASSWORD) -> None:
    page.get_by_label("Email").fill(login)
    page.get_by_label("Password", exact=True).fill(password)
    with page.expect_navigation():  # to a page that is wholly there, with what its scripts do
        page.get_by_role("button", name="Log In").click()


def let_passwords_be_old(site: Server) -> None:
    """Let nobody at the console have entered their password of late."""
    assert site.write("UPDATE stormpath_account_sessions SET authenticated_at = NULL WHERE is_console")


def looks_right(page: Page) -> None:
    """Accept a page that keeps nobody out, by day, by night, and on a phone."""
    page.wait_for_load_state()
    page.evaluate(AXE_SCRIPT)
    before = page.viewport_size
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(TOO_WIDE) <= 0, f"{page.url} is wider than {width}"
        for light in LIGHTS:
            page.emulate_media(color_scheme=light)
            found = AxeResults(page.evaluate("options => axe.run(options)", AXE))
            assert not found.violations_count, f"{page.url}, {light}, {width}: {found.generate_report()}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before or {"width": 1280, "height": 800})


def test_the_first_owner_comes_by_the_link_that_the_server_printed(
    tmp_path_factory: pytest.TempPathFactory, open_page: Callable[..., Page]
) -> None:
    with manage_run(tmp_path_factory.mktemp("new") / "instance") as server:
        (link,) = re.findall(r"http://\S+/admin/enter\?sptoken=\S+", server.log)
        page = open_page(base_url=server.url)
        page.goto(link)
        assert page.url == f"{server.url}/admin/enter"
        expect(page.get_by_text("You become the first owner")).to_be_visible()
        page.get_by_label("Email").fill(OWNER)
        page.get_by_label("First Name").fill("Leia")
        choose_password(page)
        page.get_by_role("button", name="Save and log in").click()
        expect(page).to_have_url(f"{server.url}/admin/")
        stranger = open_page(base_url=server.url)
        stranger.goto(link)
        expect(stranger.get_by_text("This link does not work any more.")).to_be_visible()
        for each in (page, stranger):
            each.wait_for_load_state("networkidle")  # before the server stops


def test_an_owner_invites_somebody_by_mail_who_then_comes_in(
    site: Server, owner: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto("/admin/administrators/")
    log_in(page, owner)
    page.get_by_role("link", name="Invite").click()
    expect(page.get_by_label("Email addresses")).to_be_visible()
    let_passwords_be_old(site)
    page.reload()
    expect(page.get_by_role("heading", name="Enter your password")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Email addresses").fill(HAN)
    page.get_by_label("support").check()
    page.get_by_role("button", name="Send invitations").click()
    expect(page.get_by_text("One invitation is on its way.")).to_be_visible()
    expect(page.get_by_role("row", name=HAN)).to_contain_text("Invited")

    his = open_page()
    for _moment in range(60):  # the thread that sends mails takes its time
        his.goto("/stormpath/inbox")
        if his.get_by_role("link", name="Your invitation").count():
            break
        his.wait_for_timeout(500)
    with his.expect_navigation():
        his.get_by_role("link", name="Your invitation").first.click()
    (link,) = set(re.findall(r"http://\S+/admin/invitation\?sptoken=[\w-]+", his.locator("body").inner_text()))
    his.goto(link)
    assert his.url == f"{site.url}/admin/invitation"
    his.get_by_label("First Name").fill("Han")
    his.get_by_label("Last Name").fill("Solo")
    choose_password(his, OTHER)
    his.get_by_role("button", name="Save and log in").click()
    expect(his).to_have_url(f"{site.url}/admin/")
    expect(his.get_by_role("link", name="Accounts", exact=True)).to_be_visible()
    expect(his.get_by_role("link", name="Administrators")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("row", name=HAN)).to_contain_text("Enabled")


def test_before_a_login_ends_whoever_is_there_is_warned_and_can_stay(
    site: Server, owner: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.clock.install()
    page.goto("/admin/login")
    log_in(page, owner)
    expect(page).to_have_url(f"{site.url}/admin/")
    page.wait_for_load_state()  # its scripts have set their timers, so the clock may move
    warning = page.get_by_role("alert").filter(has_text="You are logged out in two minutes.")
    page.clock.fast_forward("12:00")  # a minute too early: the seconds that the test takes pass as well
    expect(warning).to_be_hidden()
    page.clock.fast_forward("01:05")
    expect(warning).to_be_visible()
    looks_right(page)
    page.get_by_role("button", name="Stay logged in").click()
    expect(warning).to_be_hidden()
    page.clock.fast_forward("12:00")
    expect(warning).to_be_hidden()


def test_a_login_ends_without_activity_and_the_page_with_it(
    site: Server, owner: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.clock.install()
    page.goto("/admin/accounts/")
    log_in(page, owner)
    expect(page.get_by_role("heading", name="Accounts", level=1)).to_be_visible()
    assert site.write("UPDATE stormpath_account_sessions SET last_seen_at = '2026-01-01 12:00:00' WHERE is_console")
    page.clock.fast_forward("15:01")
    expect(page).to_have_url(f"{site.url}/admin/login?next=/admin/accounts/")
    page.wait_for_load_state()
    log_in(page, owner)
    expect(page).to_have_url(f"{site.url}/admin/accounts/")


def test_without_scripts_a_page_says_until_when_one_is_logged_in(owner: str, open_page: Callable[..., Page]) -> None:
    page = open_page(java_script_enabled=False)
    page.goto("/admin/login")
    log_in(page, owner)
    page.locator("summary").first.click()
    expect(page.get_by_text("if nothing happens").first).to_be_visible()


def test_each_page_of_the_door_and_of_administrators_looks_right(
    site: Server, owner: str, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    for path in ("/admin/login", "/admin/forgot"):
        page.goto(path)
        looks_right(page)
    page.goto(site.manage("admin-link").split()[0])
    looks_right(page)
    choose_password(page, "weak")
    page.get_by_role("button", name="Save and log in").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    looks_right(page)
    page.goto("/admin/login")
    log_in(page, owner, "wrong")
    looks_right(page)
    log_in(page, owner)
    expect(page).to_have_url(f"{site.url}/admin/")
    for path in ("/admin/administrators/", "/admin/settings/", "/admin/me/"):
        page.goto(path)
        looks_right(page)
    page.goto("/admin/administrators/")
    page.get_by_role("link", name="Leia Organa").first.click()
    expect(page.get_by_role("link", name="Remove")).to_be_visible()
    looks_right(page)
    let_passwords_be_old(site)
    page.get_by_role("link", name="Remove").click()
    expect(page.get_by_role("heading", name="Enter your password")).to_be_visible()
    looks_right(page)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    with page.expect_navigation():
        page.get_by_role("button", name="Go on").click()
    looks_right(page)
    page.goto("/admin/administrators/invite")
    looks_right(page)
