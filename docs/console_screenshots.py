"""Take the pictures in docs/screenshots/console/ again, in light, dark and on a phone: `make screenshots`."""

import os
import random
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import Browser, Page, sync_playwright

from stormpath_app import clock, installation
from stormpath_app.app import create_app
from stormpath_app.database import session
from stormpath_app.errors import StormpathError
from stormpath_app.models import (
    Account,
    AccountLink,
    Administrator,
    Application,
    AuditEvent,
    Directory,
    OutboxMessage,
    message,
    one_time_token,
)
from stormpath_app.providers import Identity
from tests.servers import Server, manage_run
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
    "account-identities": "/accounts/{account}/identities",
    "account-by-provider": "/accounts/{by_provider}/identities",
    "account-timeline": "/accounts/{account}/timeline",
    "account-custom-data": "/accounts/{account}/custom-data",
    "account-json": "/accounts/{account}/json",
    "account-delete": "/accounts/{account}/delete",
    "account-new": "/accounts/new",
    "account-disable": "/accounts/{account}/disable",
    "directories": "/directories/",
    "directory": "/directories/{directory}/",
    "policy": "/directories/{directory}/policy",
    "workflow": "/directories/{directory}/workflows/",
    "provider": "/directories/{provider}/provider",
    "directory-kinds": "/directories/new",
    "directory-google": "/directories/new?kind=google",
    "directory-oidc": "/directories/new?kind=oidc",
    "directory-custom-data": "/directories/{directory}/custom-data",
    "applications": "/applications/",
    "application": "/applications/{application}/?login=amara.okafor%40example.com",
    "application-linking": "/applications/{application}/#linking",
    "groups": "/groups/",
    "group": "/groups/{group}/",
    "group-custom-data": "/groups/{group}/custom-data",
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
        customers.custom_data.update(BRAND)
        customers.save()
        Directory.create(name="Staff", description="Who works here")
        groups = [customers.groups.create(name=name, description=text) for name, text in GROUPS.items()]
        groups[0].custom_data.update({"seats": 40, "price": {"amount": 12, "currency": "EUR"}})
        groups[0].save()
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
        provider, by_provider = by_google(here, amara)
        Administrator.invite("noor.haddad@fernway.example", "support", by=OWNER)
        changed = sa.select(AuditEvent.id).where(AuditEvent.kind == "account.updated").limit(1)
        mails = sa.select(OutboxMessage).order_by(OutboxMessage.created_at)
        of_kind = {mail.kind: mail for mail in session.scalars(mails)}
        return {
            "account": amara.id,
            "directory": customers.id,
            "application": here.id,
            "provider": provider,
            "by_provider": by_provider,
            "group": groups[0].id,
            "event": session.scalar(changed),
            "message": of_kind[message.RESET].id,
            "administrator": owner.id,
            "invitation": one_time_token.raw(of_kind[message.INVITATION].nonce),
        }


def by_google(here: Application, account: Account) -> tuple[str, str]:
    """Let people log in with Google; return the ids of its directory, and of an account of it that is linked."""
    given = {"provider_id": "google", "client_id": "4711-fernway.apps.googleusercontent.com", "client_secret": "secret"}
    directory = Directory.create(name="Google", provider=given | {"hosted_domain": "fernway.example"})
    here.add_account_store(directory)
    profile = {"sub": "110169484474386276334", "name": account.full_name, "email": account.email, "locale": "pt-PT"}
    names = {"given_name": account.given_name, "surname": account.surname}
    found = here.provider_account("google", Identity(profile["sub"], account.email, True, user_info=profile, **names))
    AccountLink.join(account, found, is_confirmed=True)
    policy = here.account_linking_policy
    policy.status, policy.matching_property = "ENABLED", "email"
    policy.save()
    return directory.id, found.id


GROUPS = {"members": "Everybody who paid", "beta": "Who tries what is new", "partners": "Companies we work with"}
BRAND = {"brand": {"colour": "#0f766e", "logo": "https://static.fernway.example/logo.svg"}, "countries": ["PT", "ES"]}


def sign_in(page: Page) -> None:
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log In").click()
    page.get_by_role("heading", name="Home").wait_for()


def several(page: Page) -> None:
    page.goto("/admin/accounts/")
    for row in range(3):
        page.locator("[name=id]").nth(row).check()
    page.locator(".sp-bulk").get_by_role("button", name="Disable").click()
    page.get_by_role("heading", name="Disable").wait_for()


def key(page: Page) -> None:
    page.goto("/admin/api-keys/new")
    page.get_by_label("Name").fill("Monthly report")
    page.get_by_role("button", name="Create").click()
    page.get_by_text("The secret is shown this once.").wait_for()


def touched(page: Page, directory: str) -> None:
    page.goto(f"/admin/directories/{directory}/policy/accounts")
    page.get_by_label("Only these domains").fill("fernway.example")
    page.get_by_role("button", name="Recount").click()
    page.get_by_text("Not saved yet").wait_for()


def at(address: str) -> Callable[[Page], object]:
    return lambda page: page.goto(address)


def look(pages: dict[str, Page], name: str, way: Callable[[Page], object]) -> None:
    """Take one picture in each look."""
    for end, page in pages.items():
        way(page)
        page.screenshot(path=FOLDER / f"{name}{end}.png")


def open_pages(browser: Browser, site: str) -> dict[str, Page]:
    return {
        end: browser.new_context(base_url=site, reduced_motion="reduce", **options).new_page()
        for end, options in LOOKS.items()
    }


def take_first(browser: Browser, site: Server) -> None:
    """Take what the first owner of a site sees, who has its link from the shell."""
    (link,) = re.findall(r"http://\S+/admin/enter\?sptoken=\S+", site.log)
    pages = open_pages(browser, site.url)
    look(pages, "enter", at(link))
    close(pages)


def take(browser: Browser, site: Server, known: dict[str, str]) -> None:
    pages = open_pages(browser, site.url)
    look(pages, "invitation", at(f"/admin/invitation?sptoken={known['invitation']}"))
    look(pages, "login", at("/admin/login"))
    for page in pages.values():
        sign_in(page)
    for name, address in SCREENS.items():
        look(pages, name, at(f"/admin{address.format(**known)}"))
    look(pages, "policy-accounts", lambda page: touched(page, known["directory"]))
    look(pages, "bulk", several)
    look(pages, "api-key-made", key)
    close(pages)


def close(pages: dict[str, Page]) -> None:
    for page in pages.values():
        page.context.close()


def main() -> None:
    """Write every picture, of two sites: one that was just set up, and one that people use."""
    if reason := chromium.missing():
        sys.exit(reason)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = chromium.launch(driver)
        with manage_run(Path(folder) / "new", **SETTINGS) as site:
            take_first(browser, site)
        instance = Path(folder) / "instance"
        known = people(instance)
        with manage_run(instance, **SETTINGS) as site:
            take(browser, site, known)
        browser.close()
    print(f"docs/screenshots/console: {sum(file.stat().st_size for file in FOLDER.iterdir()) // 1024} KiB")


if __name__ == "__main__":
    main()
