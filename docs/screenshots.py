"""Take the pictures in docs/screenshots/ again: `make screenshots`. It needs Chromium, as the tests in a browser do."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.servers import manage_run
from tests.stories import chromium

FOLDER = Path(__file__).resolve().parent / "screenshots"
DESK = {"viewport": {"width": 1280, "height": 640}}
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}

#: What people see, whatever port is free while the pictures are taken.
SETTINGS = {"FLASK_STORMPATH_BASE_URL": "http://127.0.0.1:5000"}

LEIA = {"First Name": "Leia", "Last Name": "Organa", "Email": "leia@alderaan.example", "Password": "Woot1Loves.Cookies"}


def login(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(LEIA["Email"])


def register(page: Page, **otherwise: str) -> None:
    page.goto("/register")
    for label, value in {**LEIA, **otherwise}.items():
        page.get_by_label(label).fill(value)


def refused(page: Page) -> None:
    register(page, Email="", Password="")
    page.get_by_role("button", name="Create Account").click()
    page.get_by_role("alert").wait_for()


def home(page: Page) -> None:
    register(page)
    page.get_by_role("button", name="Create Account").click()
    page.get_by_role("heading", name="Hello Leia").wait_for()


#: A site that people also log in to by others.
PROVIDERS = {
    "GOOGLE": {"client_id": "site", "client_secret": "of-google"},
    "FACEBOOK": {"app_id": "site", "app_secret": "of-facebook"},
    "GITHUB": {"client_id": "site", "client_secret": "of-github"},
}
WITH_OTHERS = {
    "FLASK_STORMPATH_ENABLE_GOOGLE": "true",
    "FLASK_STORMPATH_ENABLE_FACEBOOK": "true",
    "FLASK_STORMPATH_SOCIAL": json.dumps(PROVIDERS),
}

#: The name of the picture, how the page is come to, the browser that looks at it, and the site's settings.
PICTURES: tuple[tuple[str, Callable[[Page], None], dict[str, Any], dict[str, str]], ...] = (
    ("login", login, DESK, {}),
    ("login-with-others", login, DESK, WITH_OTHERS),
    ("register-refused", refused, DESK, {}),
    ("home", home, DESK, {}),
    ("home-dark", home, {**DESK, "color_scheme": "dark"}, {}),
    ("register-phone", register, PHONE, {}),
)


def main() -> None:
    """Write every picture, each from a site that was just set up."""
    if reason := chromium.missing():
        sys.exit(reason)
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = chromium.launch(driver)
        for name, way, options, more in PICTURES:
            settings = {**SETTINGS, **more}
            with tempfile.TemporaryDirectory() as folder, manage_run(Path(folder) / "instance", **settings) as site:
                context = browser.new_context(base_url=site.url, reduced_motion="reduce", **options)
                page = context.new_page()
                way(page)
                page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
                context.close()
            print(f"docs/screenshots/{name}.png", (FOLDER / f"{name}.png").stat().st_size // 1024, "KiB")
        browser.close()


if __name__ == "__main__":
    main()
