"""People look after their own account: names, password, devices."""

import pytest
from playwright.sync_api import Page, expect

from .conftest import DESKTOP, PHONE
from .people import Person
from .test_coming_back import log_in

pytestmark = pytest.mark.browser

NO_SCRIPTS = {**DESKTOP, "java_script_enabled": False}
SAFARI = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Version/17.5 Mobile/15E148 Safari/604.1"
NEW = "Kessel12.Parsecs"


def enter(page: Page, person: Person, password: str | None = None) -> None:
    """Log in, and open the settings page by its link."""
    page.goto("/login")
    log_in(page, person, password)
    page.get_by_role("banner").get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Account settings")


def change_password(page: Page, old: str, new: str = NEW) -> None:
    page.locator("#settings-password").get_by_label("Current password").fill(old)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password (again)").fill(new)
    page.get_by_role("button", name="Change password").click()


@pytest.mark.parametrize("device", [DESKTOP, PHONE, NO_SCRIPTS], ids=["desk", "phone", "no scripts"])
def test_somebody_changes_their_name_after_a_mistake(open_page, member, device):
    page = open_page(**device)
    enter(page, member)
    page.get_by_label("First Name").fill("")
    page.get_by_label("Last Name").fill("Skywalker")
    page.get_by_role("button", name="Save profile").click()
    profile = page.get_by_role("region", name="Profile")
    expect(profile.get_by_role("alert")).to_contain_text("One field needs a change.")
    expect(page).to_have_title("Error: Account settings - My Application")
    page.get_by_label("First Name").fill("Padmé")
    expect(page.get_by_label("Last Name")).to_have_value("Skywalker")
    page.get_by_role("button", name="Save profile").click()
    expect(profile.get_by_role("status")).to_have_text("Profile saved.")
    expect(page).to_have_url("/settings#settings-profile")
    expect(page.get_by_role("region", name="Recent activity")).to_contain_text("Name changed")
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Padmé")


def test_a_new_password_keeps_this_device_and_logs_the_phone_out(open_page, member):
    desk, phone = open_page(), open_page(**PHONE, user_agent=SAFARI)
    enter(phone, member)
    enter(desk, member)
    devices = desk.get_by_role("region", name="Devices")
    expect(devices).to_contain_text("Safari on iPhone")
    change_password(desk, "Not.the.1.word")
    expect(desk.locator("#old_password-error")).to_contain_text("This is not your current password.")
    change_password(desk, member.password)
    told = "Password changed. 2 other devices were logged out."  # the browser that registered is the second
    status = desk.get_by_role("region", name="Password").get_by_role("status")
    expect(status).to_have_text(told)
    expect(status).to_be_in_viewport()
    expect(devices).not_to_contain_text("Safari on iPhone")
    phone.goto("/secret")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Log In")
    log_in(phone, member, NEW)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Members only")


def test_a_phone_that_was_lost_is_logged_out_from_the_desk(open_page, member):
    desk, phone = open_page(), open_page(**PHONE, user_agent=SAFARI)
    enter(phone, member)
    enter(desk, member)
    desk.get_by_role("button", name="Log out Safari on iPhone").click()
    status = desk.get_by_role("region", name="Devices").get_by_role("status")
    expect(status).to_have_text("Safari on iPhone was logged out.")
    expect(status).to_be_in_viewport()
    phone.goto("/secret")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Log In")
    desk.get_by_role("button", name="Log out the other device").click()
    expect(status).to_have_text("One other device was logged out.")
    expect(desk.get_by_text("This device")).to_be_visible()


def test_the_way_to_a_section_is_in_the_keyboards_reach(page, member):
    enter(page, member)
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Devices").press("Enter")
    expect(page.get_by_role("heading", name="Devices")).to_be_in_viewport()


def test_somebody_whose_password_was_set_for_them_chooses_their_own(site, open_page, member):
    site.manage("set-password", member.email, "--must-change", "--password-stdin", stdin=f"{NEW}\n")
    page = open_page()
    page.goto("/secret")
    log_in(page, member, NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose a new password")
    expect(page.get_by_label("New password", exact=True)).to_be_focused()

    def choose(password: str) -> None:
        page.get_by_label("New password", exact=True).fill(password)
        page.get_by_label("New password (again)").fill(password)
        page.get_by_role("button", name="Set password and log in").click()

    choose(NEW)
    expect(page.locator("#password-error")).to_contain_text("The new password is the one in use: choose another.")
    choose("Bespin4.Clouds")
    expect(page).to_have_url("/secret")
    other = open_page()
    other.goto("/login")
    log_in(other, member, "Bespin4.Clouds")
    expect(other.get_by_role("heading", level=1)).to_have_text("Hello Leia")
