"""An administrator asks who changed something, and whether somebody logs in: in as few clicks as can be."""

import re

import pytest
from playwright.sync_api import expect

from .people import PASSWORD, Person, Visitor

pytestmark = pytest.mark.browser
ADA = "ada@console.example"


@pytest.fixture
def console(site, page):
    """Return a page of the console, with Ada signed in: an owner."""
    if not site.rows("SELECT 1 FROM stormpath_accounts WHERE email = ?", [ADA]):
        site.manage("create-admin", ADA, "--password-stdin", stdin=f"{PASSWORD}\n")
    page.goto("/admin/login")
    page.fill("[name=login]", ADA)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    expect(page).to_have_url(re.compile("/admin/?$"))
    return page


def test_who_changed_this_is_one_click_away(site, console):
    site.manage("create-group", "beta")
    console.goto("/admin/groups/")
    console.get_by_role("link", name="beta", exact=True).click()
    console.get_by_role("link", name="Who changed this?").click()
    told = console.get_by_role("row").filter(has_text="Group beta created")
    expect(told).to_contain_text("Command line")


def test_login_activity_is_seen_without_a_click(site, member: Person, console):
    visitor = Visitor(site.url)
    visitor.log_in(member)
    console.goto(f"/admin/accounts/?q={member.email}")
    row = console.get_by_role("row").filter(has_text=member.email)
    expect(row.get_by_role("img", name=re.compile("1 login, 0 failed in 30 days"))).to_be_visible()
    row.get_by_role("link").first.click()
    expect(console.get_by_role("img", name=re.compile("Days with logins: 1 of the last 365"))).to_be_visible()


def test_the_numbers_of_the_site_are_the_first_thing_seen(site, member: Person, console):
    expect(console.get_by_role("heading", name="Home")).to_be_visible()
    expect(console.locator("dl.sp-nums")).to_contain_text("New accounts")
    console.get_by_text("Show as a table").first.click()
    expect(console.locator("figure table")).to_be_visible()
    console.get_by_role("link", name="7 d", exact=True).click()
    expect(console.locator("svg.sp-chart title")).to_have_count(7)
