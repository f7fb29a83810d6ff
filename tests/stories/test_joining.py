"""A stranger becomes a member: from the home page to being greeted, and the ways it goes on."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import DESKTOP, PHONE
from .people import Person

pytestmark = pytest.mark.browser

NO_SCRIPTS = {**DESKTOP, "java_script_enabled": False}


def fill(page: Page, person: Person, **otherwise: str) -> None:
    """Fill the registration form, without sending it."""
    for label, value in labelled(person, **otherwise).items():
        page.get_by_label(label).fill(value)


def labelled(person: Person, **otherwise: str) -> dict[str, str]:
    """Return what goes into the registration form, by what stands beside each field, in the form's order."""
    return {
        "Username": person.username,
        "First Name": person.given_name,
        "Last Name": person.surname,
        "Email": otherwise.get("email", person.email),
        "Password": otherwise.get("password", person.password),
    }


def greeting(page: Page) -> Locator:
    return page.get_by_role("heading", name="Hello Leia", level=1)


@pytest.mark.parametrize("device", [DESKTOP, PHONE, NO_SCRIPTS], ids=["desk", "phone", "no scripts"])
def test_a_stranger_registers_leaves_and_comes_back_by_each_name(open_page, device):
    person, page = Person(), open_page(**device)

    def press(role: str, name: str, within: str = "main") -> None:
        wanted = page.get_by_role(within).get_by_role(role, name=name)
        wanted.tap() if device.get("has_touch") else wanted.click()

    def leave() -> None:
        press("button", "Log Out", within="banner")
        expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to My Application")

    page.goto("/")
    press("link", "Create an Account")
    expect(page).to_have_title("Create an Account - My Application")
    fill(page, person)
    press("button", "Create Account")

    expect(greeting(page)).to_be_visible()
    expect(page).to_have_url("/")
    account = page.get_by_role("region", name="Your account")
    for known in ("Leia Organa", person.email, person.username, "My Application Directory", "Enabled"):
        expect(account).to_contain_text(known)
    leave()

    for login in (person.email.upper(), person.username.title()):
        press("link", "Log In")
        page.get_by_label("Username or Email").fill(login)
        page.get_by_label("Password").fill(person.password)
        press("button", "Log In")
        expect(greeting(page)).to_be_visible()
        leave()


def test_a_weak_password_is_told_all_its_faults_at_once_and_the_rest_stays_filled(page):
    person = Person()
    page.goto("/register")
    fill(page, person, password="weak")
    page.get_by_role("button", name="Create Account").click()

    expect(page).to_have_title("Error: Create an Account - My Application")
    expect(page.get_by_role("alert").get_by_role("link")).to_have_text("Password")
    faults = page.locator("#password-error")
    for fault in (
        "Account password minimum length not satisfied.",
        "Password requires at least 1 numeric character.",
        "Password requires at least 1 uppercase character.",
    ):
        expect(faults).to_contain_text(fault)
    expect(faults).not_to_contain_text("lowercase")
    for label, value in labelled(person, password="").items():
        expect(page.get_by_label(label)).to_have_value(value)
    expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")

    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Create Account").click()
    expect(greeting(page)).to_be_visible()


def test_an_error_in_the_summary_leads_to_its_field(page):
    page.goto("/register")
    fill(page, Person(), email="nowhere")
    page.get_by_role("button", name="Create Account").click()
    page.get_by_role("alert").get_by_role("link").click()
    expect(page.get_by_label("Email")).to_be_focused()
    expect(page.get_by_label("Email")).to_have_accessible_description(re.compile("email address"))


def test_an_address_that_is_taken_is_told_at_its_field(page, member):
    page.goto("/register")
    fill(page, Person(), email=member.email.upper())
    page.get_by_role("button", name="Create Account").click()
    expect(page.locator("#email-error")).to_contain_text("Account with that email already exists.")
    expect(page.get_by_label("Email")).to_have_value(member.email.upper())


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the element has the focus; each one on the way must show that it has it."""
    for _ in range(20):
        page.keyboard.press("Tab")
        shown = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert shown != "none", page.evaluate("document.activeElement.outerHTML")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"Tab does not reach {wanted}")


def test_the_keyboard_is_enough(page):
    person = Person()
    page.goto("/")
    tab_to(page, page.get_by_role("link", name="Skip to content"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("main").get_by_role("link", name="Create an Account"))
    page.keyboard.press("Enter")
    expect(page).to_have_title("Create an Account - My Application")
    page.wait_for_load_state()  # Tab goes through all of it
    for label, value in labelled(person).items():
        tab_to(page, page.get_by_label(label))
        page.keyboard.type(value)
    page.keyboard.press("Enter")
    expect(greeting(page)).to_be_visible()
    page.wait_for_load_state()

    tab_to(page, page.get_by_role("button", name="Log Out"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to My Application")


def test_the_next_field_is_one_tab_away(page):
    page.goto("/register")
    page.get_by_label("Username").focus()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.innerText"))
    assert reached == ["given_name", "surname", "middle_name", "email", "password", "Create Account"]
