"""A member comes back: to log in, to a page for members, and after logging out."""

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from ..servers import Server
from .conftest import PATIENCE
from .people import Person

pytestmark = pytest.mark.browser


def log_in(page: Page, person: Person, password: str | None = None) -> None:
    page.get_by_label("Username or Email").fill(person.email)
    page.get_by_label("Password").fill(password or person.password)
    with page.expect_navigation():  # what comes next is done to the page that it leads to
        page.get_by_role("button", name="Log In").click()


@pytest.mark.parametrize("who", ["a member", "nobody"])
def test_a_wrong_password_gets_the_one_text_and_the_login_stays(page, member, who):
    person = member if who == "a member" else Person()
    page.goto("/login")
    expect(page.get_by_label("Username or Email")).to_be_focused()
    log_in(page, person, "Not.the.1.word")
    expect(page.get_by_role("alert")).to_have_text("Invalid username or password.")
    expect(page).to_have_title("Error: Log In - My Application")
    expect(page.get_by_label("Username or Email")).to_have_value(person.email)
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()


def test_a_page_for_members_leads_to_the_login_and_back(page, member):
    page.goto("/secret")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log In")
    expect(page.get_by_role("status")).to_have_text("Log in to open this page.")
    log_in(page, member, "Not.the.1.word")  # a mistake on the way does not lose it
    expect(page.get_by_role("alert")).to_be_visible()
    log_in(page, member)
    expect(page).to_have_url("/secret")
    expect(page.get_by_role("main")).to_contain_text(f"You are logged in as {member.email}.")


def test_a_page_for_members_leads_through_registration_and_back(page):
    person = Person()
    page.goto("/secret")
    page.get_by_role("link", name="Create an Account").click()
    for field, value in {**person.fields, "password": person.password}.items():
        page.locator(f"[name={field}]").fill(value)
    page.get_by_role("button", name="Create Account").click()
    expect(page).to_have_url("/secret")
    expect(page.get_by_role("main")).to_contain_text(f"You are logged in as {person.email}.")


def test_a_login_survives_the_closing_of_the_browser(open_page, member):
    page = open_page()
    page.goto("/secret")
    log_in(page, member)
    expect(page).to_have_url("/secret")
    kept = [cookie for cookie in page.context.cookies() if cookie["expires"] > 0]
    again = open_page(storage_state={"cookies": kept, "origins": []})
    again.goto("/secret")
    expect(again.get_by_role("main")).to_contain_text(member.email)


def kept(page: Page) -> dict:
    """Return what the browser still has after it was closed: what a copy of its disk has, too."""
    return {"cookies": [cookie for cookie in page.context.cookies() if cookie["expires"] > 0], "origins": []}


def is_logged_in(page: Page) -> bool:
    page.goto("/secret")
    return page.get_by_role("heading", level=1).inner_text() != "Log In"


def test_five_tabs_that_open_again_at_once_all_stay_logged_in(site, open_page, member):
    page = open_page()
    page.goto("/login")
    log_in(page, member)
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Leia")
    before = kept(page)

    context = open_page(storage_state=before).context
    tabs = [context.pages[0], *(context.new_page() for _ in range(4))]
    for tab in tabs:
        tab.evaluate("url => setTimeout(() => { location.href = url }, 100)", f"{site.url}/secret")
    for tab in tabs:
        expect(tab.get_by_role("main")).to_contain_text(f"You are logged in as {member.email}.")
    for tab in tabs:
        assert is_logged_in(tab)
    named = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    assert named["stormpath_session"].startswith(named["stormpath_token"])
    assert named["stormpath_token"] not in {cookie["value"] for cookie in before["cookies"]}


def test_a_cookie_that_was_stolen_and_is_shown_later_ends_the_login_of_thief_and_owner(site, open_page, member):
    page = open_page()
    page.goto("/login")
    log_in(page, member)
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Leia")
    stolen = kept(page)

    owner = open_page(storage_state=stolen)
    assert is_logged_in(owner)
    assert is_logged_in(owner)
    let_pass(site, seconds=31)
    thief = open_page(storage_state=stolen)
    assert not is_logged_in(thief)
    assert not is_logged_in(owner)
    log_in(owner, member)
    expect(owner.get_by_role("main")).to_contain_text(f"You are logged in as {member.email}.")
    assert not is_logged_in(thief)


def let_pass(site: Server, seconds: int) -> None:
    """Let all rotations have been so many seconds earlier."""
    rotated = "SELECT id, rotated_at FROM stormpath_account_sessions WHERE rotated_at IS NOT NULL"
    for row_id, moment in site.rows(rotated):
        earlier = (datetime.fromisoformat(moment) - timedelta(seconds=seconds)).isoformat(" ", "microseconds")
        assert site.write("UPDATE stormpath_account_sessions SET rotated_at = ? WHERE id = ?", (earlier, row_id))


def test_the_cookies_of_a_login_are_for_the_site_alone(page, member):
    page.goto("/login")
    log_in(page, member)
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Leia")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies.keys() == {"stormpath_session", "stormpath_token", "stormpath_device", "session"}
    for name, cookie in cookies.items():
        kept = (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["secure"])
        assert kept == (True, "Lax", "/", False), name  # not secure: `manage.py run` speaks plain http
    assert page.evaluate("document.cookie") == ""


def test_a_logout_that_was_refused_is_told_once(page, member):
    page.goto("/login")
    log_in(page, member)
    page.locator("[name=csrf_token]").evaluate("field => { field.value = 'stale' }")
    page.get_by_role("button", name="Log Out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log Out of My Application?")
    expect(page.get_by_role("alert")).to_have_count(1)
    page.get_by_role("link", name="Stay logged in").click()
    expect(page).to_have_title("Home - My Application")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("kind", ["browser", "browser_with_memory"])
def test_after_logout_the_back_button_shows_nothing_of_the_account(open_page, member, kind, request):
    page = open_page(browser=request.getfixturevalue(kind))
    page.goto("/login")
    log_in(page, member)
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Leia")
    for path in ("/secret", "/"):
        page.goto(path)
        expect(page.get_by_role("banner")).to_contain_text(member.email)
    page.get_by_role("button", name="Log Out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to My Application")

    shown = [go_back(page) for _ in range(3)]
    assert any("Log in to open this page." in text for text in shown)  # where the page for members was
    for text in shown:
        assert "Hello" not in text
        assert member.email not in text


def go_back(page: Page) -> str:
    """Press the back button; return what the page says once it is there."""
    before = page.evaluate("performance.timeOrigin")
    page.evaluate("setTimeout(() => history.back())")
    page.wait_for_function(
        "before => performance.timeOrigin !== before && document.readyState === 'complete'",
        arg=before,
        timeout=PATIENCE,
    )
    return page.locator("body").inner_text()
