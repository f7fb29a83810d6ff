"""How each page looks, in every light and size: nothing that keeps anybody out, and nothing from elsewhere."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, expect

from ..servers import Server
from .conftest import DESKTOP, PHONE
from .people import Person, Visitor

pytestmark = pytest.mark.browser

SIZES = {"1280": DESKTOP, "360": PHONE}
LIGHTS = ("light", "dark")

AXE = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"target-size": {"enabled": True}},
}
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def refused_login(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Username or Email").fill("nobody@alderaan.example")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("alert")).to_be_visible()


def throttled_login(page: Page) -> None:
    """The answer to too many attempts; how many that takes depends on how long each does."""
    person, alert = Person(), page.get_by_role("alert")
    page.goto("/login")
    for number in range(20):
        page.get_by_label("Username or Email").fill(person.email)
        page.get_by_label("Password").fill(f"wrong {number}")
        page.get_by_role("button", name="Log In").click()
        expect(page.get_by_label("Password")).to_have_value("")
        expect(alert).to_be_visible()
        if "Too many attempts." in (alert.text_content() or ""):
            return
    raise AssertionError("Nobody stopped the guessing.")


def refused_registration(page: Page) -> None:
    page.goto("/register")
    page.get_by_label("Email").fill("nowhere")
    page.get_by_label("Password").fill("weak")
    page.get_by_role("button", name="Create Account").click()
    expect(page.get_by_role("alert")).to_be_visible()


def weak_password(page: Page) -> None:
    page.goto("/register")
    for label in ("Username", "First Name", "Last Name"):
        page.get_by_label(label).fill("A name that is rather long, as some people's names are")
    page.get_by_label("Email").fill("nobody@alderaan.example")
    page.get_by_label("Password").fill("weak")
    page.get_by_role("button", name="Create Account").click()
    expect(page.get_by_role("alert")).to_be_visible()


def unanswered_form(page: Page) -> None:
    """The form of a page that was open while its session ended."""
    page.goto("/login")
    page.context.clear_cookies()
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("alert")).to_be_visible()


def too_much(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Username or Email").fill("x" * 70_000)
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Too much")


def home_of_a_member(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Leia")


def secret(page: Page) -> None:
    page.goto("/secret")
    expect(page.get_by_role("heading", level=1)).to_have_text("Members only")


def other_account(page: Page) -> None:
    page.goto("/login?next=/secret")
    expect(page.get_by_text("This page needs another account.")).to_be_visible()


def logout_question(page: Page) -> None:
    page.goto("/")
    page.locator("[name=csrf_token]").evaluate("field => { field.value = 'stale' }")
    page.get_by_role("button", name="Log Out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log Out of My Application?")


FOR_MEMBERS = (home_of_a_member, secret, other_account, logout_question)
PAGES: dict[str, Callable[[Page], object]] = {
    "home": lambda page: page.goto("/"),
    "login": lambda page: page.goto("/login"),
    "login asked for": lambda page: page.goto("/secret"),
    "register": lambda page: page.goto("/register"),
    **{
        way.__name__.replace("_", " "): way
        for way in (
            refused_login,
            throttled_login,
            refused_registration,
            weak_password,
            unanswered_form,
            too_much,
            *FOR_MEMBERS,
        )
    },
}
every_page = pytest.mark.parametrize("way", PAGES.values(), ids=PAGES)


@pytest.fixture(scope="session")
def cookies(site: Server) -> list[dict[str, Any]]:
    """Return the cookies of a member's browser."""
    person, visitor = Person(), Visitor(site.url)
    assert visitor.register(person).status == 302
    assert visitor.is_logged_in()
    return [{"name": cookie.name, "value": cookie.value, "url": site.url} for cookie in visitor.cookies]


@pytest.fixture
def go(
    open_page: Callable[..., Page], cookies: list[dict[str, Any]], way: Callable[[Page], object]
) -> Callable[..., Page]:
    """Return a function that opens the page that the test is about: `go(**PHONE)`."""

    def go(**options: Any) -> Page:
        page = open_page(reduced_motion="reduce", **options)  # axe must not see a colour on its way to another
        if way in FOR_MEMBERS:
            page.context.add_cookies(cookies)
        way(page)
        return page

    return go


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@every_page
def test_axe_finds_nothing_by_day_or_by_night(go, size):
    page = go(**size)
    grounds = set()
    page.evaluate(AXE_SCRIPT)  # the tool's own way in: as a <script>, the page's policy would refuse it
    for light in LIGHTS:
        page.emulate_media(color_scheme=light)
        found = AxeResults(page.evaluate("options => axe.run(options)", AXE))
        assert not found.violations_count, f"{light}: {found.generate_report()}"
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


@every_page
def test_nothing_scrolls_sideways_on_a_small_screen_or_with_type_twice_as_large(go):
    page = go(**PHONE)
    for width, type_size in ((360, "100%"), (320, "100%"), (640, "200%"), (1280, "200%")):
        page.set_viewport_size({"width": width, "height": 740})
        page.evaluate("size => { document.documentElement.style.fontSize = size }", type_size)
        assert page.evaluate(TOO_WIDE) <= 0, f"{width}px wide, type at {type_size}"
