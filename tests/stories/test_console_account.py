"""What an administrator does for somebody at the console: each task within its budget of clicks, without a script."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Locator, Page, expect

from ..servers import Server, manage_run
from .conftest import DESKTOP, PHONE
from .people import PASSWORD, Person
from .test_administrators import let_passwords_be_old
from .test_look import AXE, TOO_WIDE

pytestmark = pytest.mark.browser

ADMIN = "ines@console.example"
TABS = ("", "edit", "security", "sessions", "groups", "api-keys", "messages", "timeline", "custom-data", "json")
PAGES = (*TABS, "disable", "delete")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site with an administrator, and a group."""
    instance = tmp_path_factory.mktemp("console") / "instance"
    with manage_run(instance, FLASK_STORMPATH_ENABLE_FORGOT_PASSWORD="true") as server:
        server.manage("create-admin", ADMIN, "--password-stdin", stdin=PASSWORD)
        server.manage("create-group", "editors")
        yield server


@pytest.fixture
def person(site: Server) -> Person:
    """Return somebody with an account."""
    person = Person()
    names = ["--given-name", person.given_name, "--surname", person.surname]
    site.manage("create-account", person.email, *names, "--password-stdin", stdin=person.password)
    return person


class Administrator:
    """An administrator at the console, whose clicks are counted from the account's page on."""

    def __init__(self, page: Page, person: Person) -> None:
        self.page, self.person, self.clicks = page, person, 0

    def click(self, what: Locator) -> None:
        self.clicks += 1
        what.click()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("main").get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("main").get_by_role("link", name=name, exact=True)

    def tab(self, name: str) -> None:
        self.click(self.page.get_by_label("Account", exact=True).get_by_role("link", name=name))

    def open_menu(self, name: str) -> None:
        self.click(self.page.get_by_role("main").locator("summary").get_by_text(name).or_(self.page.get_by_label(name)))

    def told(self, text: str) -> None:
        expect(self.page.get_by_role("status").or_(self.page.get_by_role("alert")).first).to_contain_text(text)


def sign_in(page: Page) -> None:
    page.goto("/admin/login")
    page.get_by_label("Email").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log In").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


def find(page: Page, person: Person) -> None:
    page.goto(f"/admin/accounts/?q={person.email}")
    page.get_by_role("main").get_by_role("link", name=f"{person.given_name} {person.surname}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{person.given_name} {person.surname}")


At = Callable[..., Administrator]


@pytest.fixture
def at(open_page: Callable[..., Page]) -> At:
    """Return a function that signs an administrator in and opens somebody's page; no script runs."""

    def at(person: Person, **options: Any) -> Administrator:
        page = open_page(**{"java_script_enabled": False, **options})
        sign_in(page)
        find(page, person)
        return Administrator(page, person)

    return at


def lock(site: Server, page: Page, person: Person) -> None:
    """Type a wrong password; let it have been one of many."""
    log_in(page, person, "wrong")
    until = f"{datetime.now(UTC) + timedelta(minutes=10):%Y-%m-%d %H:%M:%S.%f}"
    whose = "(SELECT 'account:' || id FROM stormpath_accounts WHERE email = ?)"
    update = f"UPDATE stormpath_attempts SET failures = 9, blocked_until = ? WHERE key = {whose}"
    assert site.write(update, (until, person.email)) == 1


def log_in(page: Page, person: Person, password: str = PASSWORD) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(password)
    with page.expect_navigation():
        page.get_by_role("button", name="Log In").click()


def is_signed_in(page: Page) -> bool:
    page.goto("/settings")
    return "/login" not in page.url


# --- Task 2 and 4: why, and out ---


def test_why_somebody_cannot_log_in_is_told_at_once_and_mended_by_one_click(site, at, person, open_page):
    visitor = open_page()
    lock(site, visitor, person)
    ines = at(person)
    expect(ines.page.get_by_role("heading", level=2).first).to_contain_text("Leia Organa cannot log in")
    expect(ines.page.get_by_role("main")).to_contain_text("Locked until")
    ines.click(ines.button("Unlock now"))
    expect(ines.page.get_by_role("heading", level=2).first).to_contain_text("Leia Organa can log in")
    assert ines.clicks <= 1
    log_in(visitor, person)
    assert is_signed_in(visitor)


def test_an_account_is_disabled_by_one_click_and_a_reason_and_enabled_by_one(at, person, open_page):
    visitor = open_page()
    log_in(visitor, person)
    ines = at(person)
    ines.click(ines.link("Disable"))
    ines.page.get_by_label("Reason").fill("Asked for by phone")
    ines.page.keyboard.press("Enter")
    ines.told("is disabled, and logged out everywhere")
    assert ines.clicks <= 1
    assert not is_signed_in(visitor)
    expect(ines.page.get_by_role("main")).to_contain_text("“Asked for by phone”")
    ines.clicks = 0
    ines.click(ines.button("Enable").first)
    ines.told("is enabled")
    assert ines.clicks <= 1


# --- Task 3: a password ---


def test_a_reset_mail_is_two_clicks(at, person):
    ines = at(person)
    ines.open_menu("Reset password")
    ines.click(ines.button("Send mail"))
    ines.told("on its way")
    assert ines.clicks <= 2
    ines.tab("Messages")
    expect(ines.page.get_by_role("main")).to_contain_text("Password reset")


def test_a_link_to_a_new_password_is_two_clicks_and_opens_once(at, person, open_page):
    ines = at(person)
    ines.open_menu("Reset password")
    ines.click(ines.button("Copy link"))
    link = ines.page.locator("#link").inner_text()
    assert ines.clicks <= 2
    visitor = open_page()
    visitor.goto(link)
    for label in ("Password", "Password (again)"):
        visitor.get_by_label(label, exact=True).fill("Kessel12.Parsecs")
    visitor.get_by_role("button").last.click()
    expect(visitor.get_by_role("heading", level=1)).to_contain_text("Complete")
    visitor.goto(link)
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Link not accepted")


def test_a_script_copies_the_link(at, person):
    ines = at(person, java_script_enabled=True, permissions=["clipboard-read", "clipboard-write"])
    ines.open_menu("Reset password")
    ines.click(ines.button("Copy link"))
    ines.click(ines.button("Copy the link"))
    expect(ines.page.locator("[data-copied]")).to_be_visible()
    link = ines.page.locator("#link").inner_text()
    assert ines.page.evaluate("navigator.clipboard.readText()") == link.strip()


# --- Task 5: groups ---


def test_a_group_is_added_in_two_clicks_and_removed_in_one(at, person):
    ines = at(person)
    ines.tab("Groups")
    ines.page.get_by_label("Name of a group to add to").fill("edit")
    ines.page.keyboard.press("Enter")
    ines.click(ines.button("Add to editors"))
    ines.told("is in editors now")
    assert ines.clicks <= 2
    ines.clicks = 0
    ines.click(ines.button("Remove from editors"))
    ines.told("is not in editors any more")
    assert ines.clicks <= 1


# --- Task 6: logins ---


def test_one_device_is_logged_out_by_one_click_and_all_by_one(at, person, open_page):
    phone, desk = open_page(**PHONE), open_page()
    log_in(phone, person)
    log_in(desk, person)
    ines = at(person)
    ines.tab("Sessions")
    ines.clicks = 0
    ines.click(ines.page.get_by_role("main").get_by_role("button", name="Log out Chrome").first)
    ines.told("is logged out")
    assert ines.clicks <= 1
    assert [is_signed_in(phone), is_signed_in(desk)].count(True) == 1
    ines.clicks = 0
    ines.click(ines.button("Log out everywhere"))
    ines.told("is logged out everywhere")
    assert ines.clicks <= 1
    assert [is_signed_in(phone), is_signed_in(desk)] == [False, False]


# --- Task 13: somebody got in ---


def test_a_lock_down_is_two_clicks_a_note_and_the_password_once_more(site, at, person, open_page):
    thief = open_page()
    log_in(thief, person)
    ines = at(person)
    let_passwords_be_old(site)
    ines.click(ines.link("Disable"))
    ines.page.get_by_label("Reason").fill("A stranger wrote from it")
    ines.click(ines.button("Lock down"))
    ines.page.get_by_label("Password").last.fill(PASSWORD)
    ines.page.keyboard.press("Enter")
    ines.told("is locked down")
    assert ines.clicks <= 2
    assert not is_signed_in(thief)
    expect(ines.page.get_by_role("main")).to_contain_text("“A stranger wrote from it”")


# --- Two at once; gone and back ---


def test_the_second_of_two_administrators_is_told_and_replaces_nothing_unseen(at, person):
    ines, theo = at(person), at(person)
    for each in (ines, theo):
        each.click(each.link("Edit").first)
    ines.page.get_by_label("First name").fill("Lea")
    ines.click(ines.button("Save account"))
    ines.told("was saved")
    theo.page.get_by_label("Last name").fill("Solo")
    theo.click(theo.button("Save account"))
    theo.told("Somebody else changed this since you opened it.")
    theo.told("First name is now “Lea”.")
    expect(theo.page.get_by_label("Last name")).to_have_value("Solo")
    theo.page.get_by_label("First name").fill("Lea")
    theo.click(theo.button("Save account"))
    expect(theo.page.get_by_role("heading", level=1)).to_have_text("Lea Solo")


def test_an_account_that_was_deleted_by_mistake_comes_back_by_one_click(at, person, open_page):
    ines = at(person)
    ines.open_menu("More actions")
    ines.click(ines.link("Delete"))
    ines.click(ines.button("Delete account"))
    ines.told("was deleted")
    ines.clicks = 0
    ines.click(ines.button("Undo"))
    ines.told("is back")
    assert ines.clicks <= 1
    visitor = open_page()
    log_in(visitor, person)
    assert is_signed_in(visitor)


# --- How it looks ---


@pytest.mark.parametrize("light", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1280", "360"])
def test_no_page_of_an_account_is_too_wide_or_keeps_anybody_out(site, at, person, size, light):
    site.manage("add-to-group", person.email, "editors")
    ines = at(person, java_script_enabled=True, color_scheme=light, **size)
    base, wrong = ines.page.url, []
    for path in PAGES:
        ines.page.goto(base + path)
        expect(ines.page.get_by_role("heading", level=1)).to_be_visible()
        if ines.page.evaluate(TOO_WIDE):
            wrong.append(f"{path}: too wide")
        ines.page.evaluate(AXE_SCRIPT)
        found = AxeResults(ines.page.evaluate("options => axe.run(options)", AXE))
        if found.violations_count:
            wrong.append(f"{path}: {found.generate_report()}")
    assert wrong == []
