"""How each page looks, in every light and size: nothing that keeps anybody out, and nothing from elsewhere."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, expect

from ..servers import Server, gunicorn, manage
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
#: With it each page comes from a network of its own, and one failure of it is enough.
SETTINGS = {
    "FLASK_STORMPATH_ENABLE_USERNAME": "true",
    "FLASK_STORMPATH_ENABLE_FORGOT_PASSWORD": "true",
    "FLASK_STORMPATH_PROXY_COUNT": "1",
    "FLASK_STORMPATH_THROTTLE": '{"network_failures": 1}',
}
_networks = count(1)

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def refused_login(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Username or Email").fill("nobody@alderaan.example")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("alert")).to_contain_text("Invalid username or password.")


def throttled_login(page: Page) -> None:
    refused_login(page)
    page.get_by_label("Password").fill("wrong too")
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("alert")).to_contain_text("On another device")


def crowded_login(page: Page) -> None:
    page.goto("/login")
    page.locator("form").evaluate("form => { form.action = '/crowded' }")
    page.get_by_label("Username or Email").fill("somebody.with.a.rather.long.name@alderaan.example")
    page.get_by_label("Password").fill("Woot1Loves.Cookies")
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("alert")).to_contain_text("Too many people are logging in at this moment.")
    expect(page.get_by_label("Username or Email")).to_have_value("somebody.with.a.rather.long.name@alderaan.example")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_value("")


def register(page: Page, person: Person) -> None:
    page.goto("/register")
    fields = zip(("Username", "First Name", "Last Name", "Email"), person.fields.values(), strict=True)
    for label, value in (*fields, ("Password", person.password)):
        page.get_by_label(label).fill(value)
    with page.expect_navigation():
        page.get_by_role("button", name="Create Account").click()


def throttled_registration(page: Page) -> None:
    person = Person()
    register(page, person)
    page.context.clear_cookies()
    register(page, person)
    expect(page.get_by_role("alert")).to_contain_text("One field needs a change.")
    register(page, Person())
    expect(page.get_by_role("alert")).to_contain_text("This counts for your whole network")


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


def forgot_refused(page: Page) -> None:
    page.goto("/forgot")
    page.get_by_label("Email").fill("nowhere")
    page.get_by_role("button", name="Send Email").click()
    expect(page.get_by_role("alert")).to_contain_text("One field needs a change.")


def forgot_sent(page: Page) -> None:
    page.goto("/forgot")
    page.get_by_label("Email").fill("somebody.with.a.rather.long.name@alderaan.example")
    page.get_by_role("button", name="Send Email").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look for a mail from us")


def forgot_throttled(page: Page) -> None:
    forgot_sent(page)
    page.goto("/forgot")
    page.get_by_label("Email").fill("nobody@alderaan.example")
    page.get_by_role("button", name="Send Email").click()
    expect(page.get_by_role("alert")).to_contain_text("This counts for your whole network")


def new_password(page: Page) -> None:
    page.goto("/mailed/reset")
    expect(page.get_by_role("heading", level=1)).to_have_text("Change Your Password")


def new_password_refused(page: Page) -> None:
    new_password(page)
    page.get_by_label("Password", exact=True).fill("weak")
    page.get_by_label("Password (again)").fill("weaker")
    page.get_by_role("button", name="Change Password").click()
    expect(page.get_by_role("alert")).to_contain_text("One field needs a change.")


def new_password_complete(page: Page) -> None:
    new_password(page)
    for label in ("Password", "Password (again)"):
        page.get_by_label(label, exact=True).fill(Person().password + "2")
    page.get_by_role("button", name="Change Password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Password Change Complete!")


def confirm_an_address(page: Page) -> None:
    page.goto("/mailed/change")
    expect(page.get_by_role("button", name="Confirm my email address")).to_be_visible()


def confirmed_address(page: Page) -> None:
    confirm_an_address(page)
    page.get_by_role("button", name="Confirm my email address").click()
    expect(page.get_by_role("status")).to_contain_text("Your new email address is confirmed.")


def confirmation_sent(page: Page) -> None:
    page.goto("/verify")
    page.get_by_label("Username or Email").fill("nobody@alderaan.example")
    page.get_by_role("button", name="Send Email").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look for a mail from us")


def unconfirmed_login(page: Page) -> None:
    page.goto("/unverified")
    email = page.locator("body").inner_text()
    page.goto("/login")
    page.get_by_label("Username or Email").fill(email)
    page.get_by_label("Password").fill(Person().password)
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("button", name="Send the mail again")).to_be_visible()


def log_in_somebody(page: Page, made_at: str) -> None:
    """Log in to the account that a door makes."""
    page.goto(made_at)
    email = page.locator("body").inner_text()
    page.goto("/login")
    page.get_by_label("Username or Email").fill(email)
    page.get_by_label("Password").fill(Person().password)
    page.get_by_role("button", name="Log In").click()


def another_password(page: Page) -> None:
    log_in_somebody(page, "/unchanged")
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a new password")


def another_password_refused(page: Page) -> None:
    another_password(page)
    page.get_by_label("New password", exact=True).fill("weak")
    page.get_by_label("New password (again)").fill("weak")
    page.get_by_role("button", name="Set password and log in").click()
    expect(page.get_by_role("alert")).to_contain_text("One field needs a change.")


def settings(page: Page) -> None:
    page.goto("/settings")
    expect(page.get_by_role("heading", level=1)).to_have_text("Account settings")


def names_saved(page: Page) -> None:
    settings(page)
    page.get_by_role("button", name="Save profile").click()
    expect(page.get_by_role("status")).to_have_text("Profile saved.")


def names_refused(page: Page) -> None:
    settings(page)
    page.get_by_label("First Name").fill(" ")
    page.get_by_label("Last Name").fill("A name that is rather long, as some people's names are")
    page.get_by_role("button", name="Save profile").click()
    expect(page.get_by_role("alert")).to_contain_text("One field needs a change.")


def settings_password_refused(page: Page) -> None:
    register(page, Person())
    settings(page)
    for label in ("New password", "New password (again)"):
        page.get_by_label(label, exact=True).fill("weak")
    page.locator("#settings-password").get_by_label("Current password").fill(Person().password)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert")).to_contain_text("One field needs a change.")


def one_device_of_two(page: Page) -> None:
    person = Person()
    register(page, person)
    page.get_by_role("heading", name="Hello Leia").wait_for()
    page.context.clear_cookies()
    page.goto("/login")
    page.get_by_label("Username or Email").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Log In").click()
    page.get_by_role("heading", name="Hello Leia").wait_for()
    settings(page)
    expect(page.get_by_role("button", name="Log out the other device")).to_be_visible()


def home_of_a_member(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Leia")


def secret(page: Page) -> None:
    page.goto("/secret")
    expect(page.get_by_role("heading", level=1)).to_have_text("Members only")


def other_account(page: Page) -> None:
    page.goto("/admins")
    expect(page.get_by_text("This page needs another account.")).to_be_visible()


def send(page: Page, path: str) -> None:
    """Send a form to one of the doors."""
    page.goto("/")
    page.locator("form").evaluate("(form, path) => { form.action = path }", path)
    page.get_by_role("button", name="Log Out").click()


def form_for_another_account(page: Page) -> None:
    send(page, "/admins")
    expect(page.get_by_role("status")).to_contain_text("Your account may not do this.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Leia")


def come_back(page: Page) -> None:
    """Register, close the browser and open it again."""
    register(page, Person())
    page.get_by_role("heading", name="Hello Leia").wait_for()
    page.context.clear_cookies(name="stormpath_session")


def password_again(page: Page) -> None:
    come_back(page)
    page.goto("/close")
    expect(page.get_by_role("status")).to_have_text("Enter your password again to open this page.")


def password_again_refused(page: Page) -> None:
    password_again(page)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("alert")).to_have_text("Invalid username or password.")


def form_too_late(page: Page) -> None:
    come_back(page)
    send(page, "/close")
    expect(page.get_by_role("status")).to_contain_text("What you sent was not saved. Enter your password again")


def logout_question(page: Page) -> None:
    page.goto("/")
    page.locator("[name=csrf_token]").evaluate("field => { field.value = 'stale' }")
    page.get_by_role("button", name="Log Out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log Out of My Application?")


FOR_MEMBERS = (
    settings,
    names_saved,
    names_refused,
    home_of_a_member,
    secret,
    other_account,
    form_for_another_account,
    logout_question,
)
PAGES: dict[str, Callable[[Page], object]] = {
    "home": lambda page: page.goto("/"),
    "login": lambda page: page.goto("/login"),
    "login asked for": lambda page: page.goto("/secret"),
    "register": lambda page: page.goto("/register"),
    "forgot": lambda page: page.goto("/forgot"),
    "dead link": lambda page: page.goto("/forgot/change?sptoken=none"),
    "dead confirmation": lambda page: page.goto("/verify?sptoken=none"),
    "confirmation asked for": lambda page: page.goto("/verify"),
    **{
        way.__name__.replace("_", " "): way
        for way in (
            refused_login,
            throttled_login,
            crowded_login,
            throttled_registration,
            password_again,
            password_again_refused,
            form_too_late,
            refused_registration,
            weak_password,
            unanswered_form,
            too_much,
            forgot_refused,
            forgot_sent,
            forgot_throttled,
            new_password,
            new_password_refused,
            new_password_complete,
            confirm_an_address,
            confirmed_address,
            confirmation_sent,
            unconfirmed_login,
            another_password,
            another_password_refused,
            settings_password_refused,
            one_device_of_two,
            *FOR_MEMBERS,
        )
    },
}
every_page = pytest.mark.parametrize("way", PAGES.values(), ids=PAGES)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return the site with doors, and the groups that open them."""
    instance = tmp_path_factory.mktemp("doors") / "instance"
    for command in (["init"], ["create-group", "admins"], ["create-group", "the crew of the Falcon"]):
        manage(instance, *command, **SETTINGS)
    with gunicorn(instance, workers=1, program="tests.stories.doors:create_app()", **SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def cookies(site: Server) -> list[dict[str, Any]]:
    """Return the cookies of a member's browser."""
    person, visitor = Person(), Visitor(site.url)
    assert visitor.register(person).status == 302
    assert visitor.is_logged_in()
    site.manage("add-to-group", person.email, "the crew of the Falcon")
    return [{"name": cookie.name, "value": cookie.value, "url": site.url} for cookie in visitor.cookies]


@pytest.fixture
def go(
    open_page: Callable[..., Page], cookies: list[dict[str, Any]], way: Callable[[Page], object]
) -> Callable[..., Page]:
    """Return a function that opens the page that the test is about: `go(**PHONE)`."""

    def go(**options: Any) -> Page:
        network = {"X-Forwarded-For": f"2001:db8:{next(_networks):x}::1"}
        page = open_page(extra_http_headers=network, **options)
        if way in FOR_MEMBERS:
            page.context.add_cookies(cookies)
        way(page)
        page.wait_for_load_state()  # words can be there before the stylesheet is
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


def test_no_colour_is_on_its_way_to_another_when_a_page_comes(open_page):
    page = open_page(reduced_motion="no-preference")
    page.goto("/login")
    moving = "[...document.querySelectorAll('*')].filter(e => getComputedStyle(e).transitionDuration !== '0s').length"
    assert page.evaluate(moving) == 0
    page.get_by_role("button", name="Log In").hover()
    assert page.evaluate(moving) == 1
