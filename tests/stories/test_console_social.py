"""How an owner lets people log in with another site, without a line of code; and somebody does."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from ..authorization_server import CLIENT_ID, CLIENT_SECRET
from ..openid_provider import OpenIdProvider
from ..servers import Server, manage_run
from .conftest import DESKTOP, PATIENCE
from .people import PASSWORD
from .test_administrators import log_in, looks_right
from .test_directories import Clicks

pytestmark = pytest.mark.browser

OWNER = "leia@alderaan.example"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site with an owner, who knows of no provider yet."""
    with manage_run(tmp_path_factory.mktemp("console-social") / "instance") as server:
        server.manage("create-admin", OWNER, "--password-stdin", stdin=PASSWORD)
        yield server


@pytest.fixture
def page(site: Server, browser: Browser) -> Iterator[Page]:
    """Return a page of a browser that goes to other sites, too."""
    context = browser.new_context(base_url=site.url, reduced_motion="reduce", **DESKTOP)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def test_an_owner_adds_a_provider_and_people_log_in_by_it(
    page: Page, site: Server, openid_provider: OpenIdProvider
) -> None:
    page.goto("/admin/login?next=/admin/directories/")
    log_in(page, OWNER)
    click = Clicks(page)
    click("link", "New directory")
    expect(page.get_by_role("link", name="OpenID Connect", exact=True)).to_be_visible()
    looks_right(page)
    click("link", "OpenID Connect")
    expect(page.get_by_label("Issuer")).to_be_visible()
    looks_right(page)
    for label, text in {
        "Provider ID": "Falcon",
        "Name of the directory": "Crew",
        "Issuer": openid_provider.url,
        "Client ID": CLIENT_ID,
        "Name on the button": "Falcon Pass",
    }.items():
        page.get_by_label(label).fill(text)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    address = page.get_by_label("Redirect address")
    expect(address).to_have_value(re.compile("/social/falcon$"))  # as it is typed
    openid_provider.redirect_uris = {address.input_value()}
    click("button", "Create")
    expect(page.get_by_text("Crew was created.")).to_be_visible()
    assert click.number == 3

    page.get_by_role("navigation", name="Directory").get_by_role("link", name="Provider").click()
    expect(page.get_by_role("button", name="Test")).to_be_visible()
    looks_right(page)
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text(f"Falcon Pass answers as {openid_provider.url}, with one key.")).to_be_visible()

    page.goto("/login")
    page.get_by_role("button", name="Continue with Falcon Pass").click()
    page.wait_for_url(f"{site.url}/")
    page.goto("/admin/accounts/?q=han%40falcon.example")
    page.get_by_role("link", name="Han Solo").click()
    page.get_by_role("navigation", name="Account").get_by_role("link", name="Identities").click()
    expect(page.get_by_role("heading", name="What Falcon Pass told")).to_be_visible()
    expect(page.get_by_text(openid_provider.person["sub"]).first).to_be_visible()
    looks_right(page)
    assert CLIENT_SECRET not in site.log
