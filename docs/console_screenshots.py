"""Take the pictures in docs/screenshots/console/ again, in light, dark and on a phone: `make screenshots`."""

import os
import random
import sys
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import Browser, Page, sync_playwright

from stormpath_app import clock, installation
from stormpath_app.app import create_app
from stormpath_app.database import session
from stormpath_app.errors import StormpathError
from stormpath_app.models import Administrator, Application, AuditEvent, Directory, OutboxMessage
from tests.servers import manage_run
from tests.stories import chromium

FOLDER = Path(__file__).resolve().parent / "screenshots" / "console"
OWNER, PASSWORD = "ines.duarte@fernway.example", "Woot1Loves.Cookies"
SETTINGS = {"FLASK_STORMPATH_BASE_URL": "http://127.0.0.1:5000", "FLASK_STORMPATH_APPLICATION": "Fernway"}
SETTINGS |= {"FLASK_STORMPATH_BCRYPT_COST": "10"}
LOOKS = {
    "": {"viewport": {"width": 1280, "height": 900}},
    "-dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "-phone": {"viewport": {"width": 360, "height": 780}, "is_mobile": True, "has_touch": True},
}

GIVEN = ["Amara", "Priya", "Sofia", "Tomás", "Jonas", "Noor", "Daniel", "Elif", "Mei", "Ada", "Grace", "Linus"]
SURNAMES = [
    "Okafor",
    "Raman",
    "Rossi",
    "Herrera",
    "Lindqvist",
    "Haddad",
    "Fischer",
    "Kaya",
    "Tanaka",
    "Lovelace",
    "Hopper",
]

#: The names of the pictures, and where each screen is.
SCREENS = {
    "home": "/",
    "accounts": "/accounts/",
    "account": "/accounts/{account}/",
    "account-edit": "/accounts/{account}/edit",
    "account-security": "/accounts/{account}/security",
    "account-sessions": "/accounts/{account}/sessions",
    "account-groups": "/accounts/{account}/groups",
    "account-timeline": "/accounts/{account}/timeline",
    "account-custom-data": "/accounts/{account}/custom-data",
    "account-json": "/accounts/{account}/json",
    "account-delete": "/accounts/{account}/delete",
    "account-new": "/accounts/new",
    "account-disable": "/accounts/{account}/disable",
    "directories": "/directories/",
    "directory": "/directories/{directory}/",
    "policy": "/directories/{directory}/policy",
    "workflow": "/directories/{directory}/workflows/reset",
    "provider": "/directories/{directory}/provider",
    "applications": "/applications/",
    "application": "/applications/{application}/?login=amara.okafor%40example.com",
    "groups": "/groups/",
    "group": "/groups/{group}/",
    "group-delete": "/groups/{group}/delete",
    "log": "/log/",
    "event": "/log/{event}/",
    "messages": "/messages/",
    "message": "/messages/{message}/",
    "api-keys": "/api-keys/",
    "api-key-new": "/api-keys/new",
    "administrators": "/administrators/",
    "administrator": "/administrators/{administrator}/",
    "invite": "/administrators/invite",
    "me": "/me/",
    "settings": "/settings/",
    "search": "/search/?q=rossi",
}


def hold(at: datetime) -> None:
    clock.now = lambda: at


def people(instance: Path) -> dict[str, str]:
    """Fill a site with some people and what they did in a month; return the ids of what the pictures show."""
    draw, now, ticking = random.Random(3), clock.now(), clock.now
    os.environ.update(SETTINGS)
    app = create_app(instance_path=str(instance), check=False)
    app.secret_key = installation.make_secret(app)
    installation.set_up(app)
    with app.app_context():
        here = Application.current()
        customers = here.default_account_store().home
        customers.name = "Customers"
        customers.save()
        Directory.create(name="Staff", description="Who works here")
        groups = [customers.groups.create(name=name, description=text) for name, text in GROUPS.items()]
        owner = Administrator.create(OWNER, PASSWORD, "owner", given_name="Ines", surname="Duarte").account
        names = [("Amara", "Okafor"), *{(draw.choice(GIVEN), draw.choice(SURNAMES)) for _person in range(40)}]
        accounts = []
        for given, surname in dict.fromkeys(names):
            hold(now - timedelta(days=draw.randrange(31, 40)))
            email = f"{given}.{surname}@example.com".lower().replace("á", "a")
            status = draw.choice(["ENABLED"] * 8 + ["DISABLED", "UNVERIFIED"])
            accounts.append(here.accounts.create(email=email, password=PASSWORD, given_name=given, surname=surname))
            accounts[-1].status = status if given != "Amara" else "ENABLED"
            accounts[-1].save()
            accounts[-1].add_group(draw.choice(groups))
        amara = accounts[0]
        amara.custom_data.update({"plan": "pro", "seats": 12, "billing": {"country": "PT", "vat": "PT123456789"}})
        amara.custom_data.save()
        for day in range(30, 0, -1):
            for account in draw.sample(accounts, draw.randrange(3, 9)):
                hold(now - timedelta(days=day, minutes=draw.randrange(1400)))
                with suppress(StormpathError):
                    here.authenticate_account(account.email, PASSWORD if draw.random() < 0.9 else "wrong")
        for minute in range(12, 0, -1):
            hold(now - timedelta(seconds=minute * 20))
            with suppress(StormpathError):
                here.authenticate_account(amara.email, "wrong")
        clock.now = ticking
        here.send_password_reset_email(accounts[3].email)
        amara.api_keys.create(name="Nightly export")
        changed = sa.select(AuditEvent.id).where(AuditEvent.kind == "account.updated").limit(1)
        return {
            "account": amara.id,
            "directory": customers.id,
            "application": here.id,
            "group": groups[0].id,
            "event": session.scalar(changed),
            "message": session.scalar(sa.select(OutboxMessage.id).limit(1)),
            "administrator": owner.id,
        }


GROUPS = {"members": "Everybody who paid", "beta": "Who tries what is new", "partners": "Companies we work with"}


def sign_in(page: Page, look: str) -> None:
    page.goto("/admin/login")
    page.screenshot(path=FOLDER / f"login{look}.png")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log In").click()
    page.get_by_role("heading", name="Home").wait_for()


def take(browser: Browser, site: str, known: dict[str, str]) -> None:
    for look, options in LOOKS.items():
        context = browser.new_context(base_url=site, reduced_motion="reduce", **options)
        page = context.new_page()
        sign_in(page, look)
        for name, address in SCREENS.items():
            page.goto(f"/admin{address.format(**known)}")
            page.screenshot(path=FOLDER / f"{name}{look}.png")
        context.close()


def main() -> None:
    """Write every picture, of one site."""
    if reason := chromium.missing():
        sys.exit(reason)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        instance = Path(folder) / "instance"
        known = people(instance)
        with manage_run(instance, **SETTINGS) as site:
            browser = chromium.launch(driver)
            take(browser, site.url, known)
            browser.close()
    print(f"docs/screenshots/console: {sum(file.stat().st_size for file in FOLDER.iterdir()) // 1024} KiB")


if __name__ == "__main__":
    main()
