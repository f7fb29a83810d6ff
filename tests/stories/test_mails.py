"""How our mails look: in every light and size, nothing keeps anybody out."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, Page

from ..servers import manage
from .test_look import LIGHTS, TOO_WIDE

pytestmark = pytest.mark.browser

#: The rules for mails: those on regions are for whole pages, and a mail is shown inside one.
AXE = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(scope="module", params=["reset", "verification", "account-exists", "email-changed"])
def mail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the HTML of a mail, as `mail preview` shows it."""
    instance = tmp_path_factory.mktemp("mail") / "instance"
    settings = {"FLASK_STORMPATH_BASE_URL": "https://accounts.a-rather-long-name.example.com"}
    manage(instance, "init", **settings)
    return manage(instance, "mail", "preview", request.param, "--html", **settings)


@pytest.fixture
def page(browser: Browser, mail: str) -> Iterator[Page]:
    """Return a browser that shows the mail, and must load nothing for it."""
    context = browser.new_context()
    loaded: list[str] = []
    context.on("request", lambda request: loaded.append(request.url))
    page = context.new_page()
    page.set_content(mail)
    yield page
    context.close()
    assert loaded == []


def test_axe_finds_nothing_in_a_mail_by_day_or_by_night(page):
    page.evaluate(AXE_SCRIPT)
    grounds = set()
    for light in LIGHTS:
        page.emulate_media(color_scheme=light)
        found = AxeResults(page.evaluate("options => axe.run(options)", AXE))
        assert not found.violations_count, f"{light}: {found.generate_report()}"
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_no_mail_scrolls_sideways(page):
    for width in (320, 360, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(TOO_WIDE) <= 0, width
