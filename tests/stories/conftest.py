"""A site in a process of its own, and browsers that go there. Both are started once per test process."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from ..servers import Server, manage_run
from . import chromium
from .people import Person, Visitor

#: A page that this machine makes itself is there at once; how long a busy one may take, in milliseconds.
PATIENCE = 30_000

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}

RESULTS = Path(__file__).resolve().parents[2] / "test-results"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a site as `manage.py run` serves it, where people may choose a username."""
    instance = tmp_path_factory.mktemp("site") / "instance"
    with manage_run(instance, FLASK_STORMPATH_ENABLE_USERNAME="true") as server:
        yield server


@pytest.fixture(scope="session")
def driver() -> Iterator[Playwright]:
    """Return what starts browsers."""
    if reason := chromium.missing():
        (pytest.fail if os.environ.get("CI") in {"true", "1"} else pytest.skip)(reason)
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(driver: Playwright) -> Iterator[Browser]:
    """Return Chromium."""
    browser = chromium.launch(driver)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def browser_with_memory(driver: Playwright) -> Iterator[Browser]:
    """Return Chromium as people have it: for the back button, it keeps whole pages in memory."""
    browser = chromium.launch(driver, with_back_forward_cache=True)
    yield browser
    browser.close()


@pytest.fixture
def elsewhere() -> tuple[str, ...]:
    """Return the other sites that pages may lead to."""
    return ()


@pytest.fixture
def complaints() -> list[str]:
    """Return what browsers complain about; a test takes out what it expects, and nothing may be left."""
    return []


@pytest.fixture
def open_page(
    site: Server, browser: Browser, elsewhere: tuple[str, ...], complaints: list[str], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Return a function that opens an empty page in a browser nobody used before: `open_page(**PHONE)`."""
    contexts: list[BrowserContext] = []

    def open_page(browser: Browser = browser, **options: Any) -> Page:
        # axe must not see a colour on its way to another.
        options = {"base_url": site.url, "reduced_motion": "reduce", **DESKTOP, **options}
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        _listen(context, (options["base_url"], *elsewhere), complaints)
        return context.new_page()

    yield open_page
    for number, context in enumerate(contexts):
        if getattr(request.node, "failed", False):
            RESULTS.mkdir(exist_ok=True)
            for page in context.pages:
                page.screenshot(path=RESULTS / f"{request.node.name}-{number}.png", full_page=True)
        context.close()
    assert complaints == []


def _listen(context: BrowserContext, sites: tuple[str, ...], complaints: list[str]) -> None:
    """Collect what a browser complains of, what it asks other sites for, and what ours could not answer."""

    def hear(message: Any) -> None:
        refused = "the server responded with a status of 4" in message.text  # for the tests to judge, not for us
        if message.type in {"error", "warning"} and not refused:
            complaints.append(f"{message.type}: {message.text}")

    def see(request: Any) -> None:
        if not request.url.startswith(tuple(f"{site}/" for site in sites)):
            complaints.append(f"asked for {request.url}")

    def judge(response: Any) -> None:
        if response.status >= 500:
            complaints.append(f"{response.status}: {response.url}")

    context.on("console", hear)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", see)
    context.on("response", judge)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Tell fixtures whether their test failed."""
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """Return an empty page on a desk."""
    return open_page()


@pytest.fixture
def member(site: Server) -> Person:
    """Return somebody who has an account."""
    person = Person()
    assert Visitor(site.url).register(person).status == 302
    return person
