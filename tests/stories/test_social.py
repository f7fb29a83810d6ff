"""People log in with accounts that they have elsewhere: at real OpenID Connect providers, and at others in small."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, expect

from ..authorization_server import CLIENT_ID, CLIENT_SECRET
from ..conftest import found_here
from ..facebook import FacebookServer
from ..github import GitHubServer
from ..openid_provider import OpenIdProvider
from ..real_provider import RealProvider, real_provider
from ..servers import Server, free_port, gunicorn, manage
from ..web import Answer, Request
from .conftest import DESKTOP, PHONE
from .people import PASSWORD, Person
from .test_look import AXE, LIGHTS, SIZES, TOO_WIDE

pytestmark = pytest.mark.browser

NO_SCRIPTS = {**DESKTOP, "java_script_enabled": False}
WAYS = ("Google", "Facebook", "GitHub", "Acme")
PAGES = ("secret", "settings")


class Facebook(FacebookServer):
    """Facebook as browsers know it: each address that leads back from there ends in a mark of its own."""

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if "Location" in answer.headers:
            answer.headers["Location"] += "#_=_"
        return answer


@dataclass
class World:
    """The club, and the sites where its members have accounts."""

    club: Server
    google: RealProvider
    acme: RealProvider
    facebook: FacebookServer
    github: GitHubServer
    #: A provider that says of somebody what a test wants it to, true or not.
    forger: OpenIdProvider

    def knows(self, person: Person) -> None:
        """Let all sites tell of somebody what is true now; at Facebook and GitHub they alone are logged in."""
        login, name = str(person.number), f"{person.given_name} {person.surname}"
        for provider in (self.google, self.acme):
            names = {"given_name": person.given_name, "family_name": person.surname, "name": name}
            provider.account(login, email=person.email, email_verified=True, **names)
        names = {"first_name": person.given_name, "last_name": person.surname, "name": name}
        self.facebook.person = {"id": f"10{login}", "email": person.email, **names}
        self.github.person = {"id": person.number, "login": person.username, "name": name, "email": None}
        old, new = ({"email": email, "verified": True} for email in (f"old.{person.email}", person.email))
        self.github.addresses = [{**old, "primary": False}, {**new, "primary": True}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    port = free_port()
    url = f"http://localhost:{port}"  # another host than the providers': to a browser, ports make no other site
    with ExitStack() as stack:
        google = stack.enter_context(found_here(real_provider(f"{url}/google")))
        acme = stack.enter_context(found_here(real_provider(f"{url}/social/acme", claims="userinfo")))
        facebook, github, forger = Facebook(), GitHubServer(), OpenIdProvider()
        for server, path in ((facebook, "/facebook"), (github, "/social/github"), (forger, "/social/forger")):
            stack.enter_context(server.running())
            server.asks, server.redirect_uris = True, {f"{url}{path}"}
        known = {
            "GOOGLE": {name: value for name, value in google.settings.items() if name != "issuer"},
            "FACEBOOK": {"app_id": CLIENT_ID, "app_secret": CLIENT_SECRET},
            "GITHUB": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
            "ACME": acme.settings,
            "FORGER": {"issuer": forger.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
        }
        addresses = {
            "google": {"issuer": google.issuer},
            "facebook": {"authorization_endpoint": f"{facebook.url}/dialog/oauth", "graph": facebook.url},
            "github": {
                "authorization_endpoint": f"{github.url}/login/oauth/authorize",
                "token_endpoint": f"{github.url}/login/oauth/access_token",
                "api": f"{github.url}/api",
            },
        }
        settings = {
            "FLASK_STORMPATH_BASE_URL": url,
            "FLASK_STORMPATH_ENABLE_GOOGLE": "true",
            "FLASK_STORMPATH_ENABLE_FACEBOOK": "true",
            "FLASK_STORMPATH_SOCIAL": json.dumps(known),
            "FLASK_STORMPATH_HTTP_TIMEOUT": "8",  # none but the one that hangs should take so long
            "FLASK_STORMPATH_THROTTLE": "false",
            "PROVIDERS": json.dumps(addresses),
        }
        instance = tmp_path_factory.mktemp("club") / "instance"
        program = "tests.stories.club:create_app()"
        manage(instance, "init", **settings)
        club = stack.enter_context(gunicorn(instance, workers=1, program=program, port=port, **settings))
        yield World(replace(club, url=url), google, acme, facebook, github, forger)


@pytest.fixture
def site(world: World) -> Server:
    return world.club


@pytest.fixture
def elsewhere(world: World) -> tuple[str, ...]:
    return world.google.issuer, world.acme.issuer, world.facebook.url, world.github.url, world.forger.url


@pytest.fixture
def leia(world: World) -> Person:
    """Return somebody who has an account at each of the sites, and none at the club."""
    person = Person()
    world.knows(person)
    return person


def log_in_there(page: Page, person: Person, answer: str = "Allow") -> None:
    """Log in at the site where the page is, unless one is logged in there; let it tell the club, or do not."""
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    if page.get_by_label("Login").is_visible():
        page.get_by_label("Login").fill(str(person.number))
        page.get_by_role("button", name="Continue").click()
    with page.expect_navigation():
        page.get_by_role("button", name=answer).click()


def choose(page: Page, way: str, path: str = "/login") -> None:
    page.goto(path)
    page.get_by_role("button", name=f"Continue with {way}").click()


def come(page: Page, person: Person, way: str = "Acme", path: str = "/login") -> None:
    """Log in at the club with a site where nobody is logged in."""
    choose(page, way, path)
    log_in_there(page, person)


def greets(page: Page, person: Person) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hello {person.given_name}")


def fact(page: Page, label: str) -> str:
    """Return what the home page says of who is logged in."""
    page.goto("/")
    return page.locator(f"dt:text-is('{label}') + dd").inner_text()


def leave(page: Page) -> None:
    page.goto("/logout")


def register(page: Page, person: Person) -> None:
    page.goto("/register")
    for label, value in (
        ("First Name", person.given_name),
        ("Last Name", person.surname),
        ("Email", person.email),
        ("Password", person.password),
    ):
        page.get_by_label(label).fill(value)
    page.get_by_role("button", name="Create Account").click()
    greets(page, person)


def log_in(page: Page, person: Person) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    with page.expect_navigation():
        page.get_by_role("button", name="Log In", exact=True).click()


def is_in(page: Page) -> bool:
    page.goto("/secret")
    return page.get_by_role("heading", level=1).inner_text() != "Log In"


def go(page: Page, path: str = "/login") -> None:
    """Choose Acme, and come to its page to log in."""
    choose(page, "Acme", path)
    expect(page.get_by_label("Login")).to_be_visible()


def come_back(page: Page, site: Server, person: Person) -> str:
    """Log in there and allow it; return the address that leads back, which the browser does not open."""
    browser = page.context.request  # it has the browser's cookies
    at, form = page.url, {"login": str(person.number)}
    while True:
        answer = browser.post(at, form=form, max_redirects=0)
        while "location" in answer.headers:
            at = urljoin(answer.url, answer.headers["location"])
            if at.startswith(site.url):
                return at
            answer = browser.get(at, max_redirects=0)
        at, form = answer.url, {"do": "allow"}


def said(page: Page) -> Any:
    """Return what the page tells of what was done."""
    return page.get_by_role("alert").or_(page.get_by_role("status")).first


# --- The first time, and the second ---


@pytest.mark.parametrize("way", WAYS)
def test_somebody_comes_with_an_account_that_they_have_elsewhere(page, leia, way):
    come(page, leia, way)
    greets(page, leia)
    assert fact(page, "Email") == leia.email
    assert fact(page, "Directory") == f"My Application-{way.lower()}"
    assert is_in(page)


@pytest.mark.parametrize("way", WAYS)
def test_who_comes_again_has_the_same_account_with_a_new_name_and_address(open_page, world, leia, way):
    page = open_page()
    come(page, leia, way)
    greets(page, leia)
    href = fact(page, "Href")
    married = replace(leia, given_name="Leia Amidala", surname="Solo")
    world.knows(married)
    other = open_page()
    come(other, leia, way)
    greets(other, married)
    assert fact(other, "Href") == href
    assert fact(other, "Name") == "Leia Amidala Solo"


def test_who_is_logged_in_elsewhere_still_needs_no_more_than_the_button(page, leia):
    come(page, leia)
    greets(page, leia)
    leave(page)
    choose(page, "Acme")
    greets(page, leia)


def test_the_registration_page_has_the_buttons_and_keeps_the_page_that_was_asked_for(page, leia):
    page.goto("/secret")
    page.get_by_role("link", name="Create an Account").click()
    page.get_by_role("button", name="Continue with Acme").click()
    log_in_there(page, leia)
    expect(page).to_have_url("/secret")
    expect(page.get_by_role("main")).to_contain_text(f"You are logged in as {leia.email}.")


@pytest.mark.parametrize("way", ["Google", "Facebook"])
def test_the_login_page_of_flask_stormpaths_manual_has_its_buttons(page, leia, way):
    come(page, leia, way, "/login-of-old")
    greets(page, leia)


@pytest.mark.parametrize("device", [PHONE, NO_SCRIPTS], ids=["phone", "no scripts"])
def test_a_phone_and_a_browser_without_scripts_do_as_well(open_page, leia, device):
    page = open_page(**device)
    come(page, leia)
    greets(page, leia)


def test_the_keyboard_is_enough(page, leia):
    page.goto("/login")
    page.get_by_role("button", name="Continue with Acme").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Login").press_sequentially(str(leia.number))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Allow").press("Enter")
    greets(page, leia)


# --- No ---


@pytest.mark.parametrize("way", WAYS)
def test_who_says_no_elsewhere_is_back_at_the_login_page_and_is_told_so(page, leia, way):
    choose(page, way)
    log_in_there(page, leia, "Cancel")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log In")
    expect(said(page)).to_have_text(f"You were not logged in: you said no at {way}.")
    assert not is_in(page)


def test_who_says_no_comes_to_the_page_they_wanted_by_another_way(page, leia):
    page.goto("/secret")
    page.get_by_role("button", name="Continue with Acme").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Continue with GitHub").click()
    log_in_there(page, leia)
    expect(page).to_have_url("/secret")


# --- Who has an account at the club ---


def confirm(site: Server, person: Person) -> None:
    site.manage("verify-account", person.email)


def test_who_has_an_account_confirms_it_with_its_password_once(site, open_page, leia):
    page = open_page()
    register(page, leia)
    confirm(site, leia)
    href = fact(page, "Href")
    leave(page)
    page.goto("/secret")
    page.get_by_role("button", name="Continue with Acme").click()
    log_in_there(page, leia)
    expect(page.get_by_role("heading", level=1)).to_have_text("You already have an account")
    expect(page.get_by_role("main")).to_contain_text(leia.email)
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill("Not.the.1.word")
    page.get_by_role("button", name="Confirm and link Acme").click()
    expect(page.locator("#password-error")).to_contain_text("This is not the password of that account.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm and link Acme").click()
    expect(page).to_have_url("/secret")
    assert fact(page, "Href") == href
    other = open_page()
    come(other, leia)
    greets(other, leia)
    assert fact(other, "Href") == href


def test_an_account_that_nobody_confirmed_is_taken_over_from_who_made_it(open_page, leia):
    stranger, page = open_page(), open_page()
    register(stranger, leia)
    come(page, leia, "Google")
    page.get_by_role("button", name="Take it over").click()
    greets(page, leia)
    assert not is_in(stranger)
    log_in(stranger, leia)
    expect(said(stranger)).to_have_text("Invalid username or password.")


def test_an_address_that_a_site_does_not_confirm_never_leads_into_an_account(site, open_page, leia):
    owner, page = open_page(), open_page()
    register(owner, leia)
    confirm(site, leia)
    come(page, leia, "Facebook")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log In")
    expect(said(page)).to_contain_text("settings")
    assert not is_in(page)


# --- Ways to log in ---


def section(page: Page) -> Any:
    return page.get_by_role("region", name="Ways to log in")


def test_a_member_links_a_site_and_unlinks_it(open_page, leia):
    page = open_page()
    register(page, leia)
    href = fact(page, "Href")
    page.goto("/settings")
    section(page).get_by_role("button", name="Link GitHub").click()
    log_in_there(page, leia)
    expect(page).to_have_url("/settings")
    expect(said(page)).to_have_text("GitHub is linked: you can log in with it from now on.")
    other = open_page()
    come(other, leia, "GitHub")
    greets(other, leia)
    assert fact(other, "Href") == href
    section(page).get_by_role("button", name="Unlink GitHub").click()
    expect(section(page).get_by_role("status")).to_have_text("GitHub is not linked any more.")
    expect(section(page).get_by_role("button", name="Link GitHub")).to_be_visible()


def test_who_says_no_while_linking_is_back_at_the_settings(page, leia):
    register(page, leia)
    page.goto("/settings")
    section(page).get_by_role("button", name="Link GitHub").click()
    log_in_there(page, leia, "Cancel")
    expect(page).to_have_url("/settings")
    expect(said(page)).to_contain_text("you said no at GitHub")


def test_the_last_way_in_stays(open_page, leia):
    stranger, page = open_page(), open_page()
    register(stranger, leia)
    come(page, leia, "Google")
    page.get_by_role("button", name="Take it over").click()
    greets(page, leia)
    page.goto("/settings")
    expect(section(page)).to_contain_text("Your only way in")
    expect(section(page).get_by_role("button", name="Unlink Google")).to_have_count(0)
    section(page).get_by_role("button", name="Link Acme").click()
    log_in_there(page, leia)
    section(page).get_by_role("button", name="Unlink Google").click()
    expect(section(page).get_by_role("status")).to_have_text("Google is not linked any more.")
    expect(section(page)).to_contain_text("Your only way in")


def test_who_comes_back_remembered_proves_it_where_they_log_in_before_the_ways_change(open_page, leia):
    stranger, page = open_page(), open_page()
    register(stranger, leia)
    come(page, leia)
    page.get_by_role("button", name="Take it over").click()
    greets(page, leia)
    kept = [cookie for cookie in page.context.cookies() if cookie["expires"] > 0]
    page = open_page(storage_state={"cookies": kept, "origins": []})
    page.goto("/settings")
    section(page).get_by_role("button", name="Link GitHub").click()
    expect(page.get_by_label("Password")).to_have_count(0)
    page.get_by_role("button", name="Continue with Acme").click()
    page.get_by_label("Login").fill(str(leia.number))  # though the provider knows the browser
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url("/settings")
    section(page).get_by_role("button", name="Link GitHub").click()
    log_in_there(page, leia)
    expect(said(page)).to_contain_text("GitHub is linked")


# --- A site that is down, or slow ---


@pytest.mark.parametrize("state", ["down", "hanging"])
def test_a_site_that_does_not_answer_gets_a_page_that_says_so_and_all_others_work(
    open_page, world, complaints, leia, state
):
    page, other = open_page(), open_page()
    go(page)
    address = come_back(page, world.club, leia)
    with getattr(world.acme, state)():
        failed = page.goto(address)
        assert failed is not None
        assert failed.status == 503
        expect(page.get_by_role("heading", level=1)).to_have_text("Acme does not answer")
        page.get_by_role("link", name="Back to Log In").click()
        page.get_by_role("button", name="Continue with GitHub").click()
        log_in_there(page, leia)
        greets(page, leia)
        register(other, Person())
    assert [complaint for complaint in complaints if "503" not in complaint] == []
    complaints.clear()
    leave(page)
    choose(page, "Acme")
    if state == "down":  # it has forgotten who was logged in there
        log_in_there(page, leia)
    greets(page, leia)


# --- Answers that are none ---


def test_an_answer_that_somebody_else_began_logs_nobody_in(open_page, site, leia):
    """Else a stranger's link would have people write into the stranger's account."""
    stranger, page = open_page(), open_page()
    go(stranger)
    address = come_back(stranger, site, leia)
    page.goto(address)
    expect(said(page)).to_have_text("This login was begun in another browser, or too long ago. Try it again.")
    assert not is_in(page)
    stranger.goto(address)
    greets(stranger, leia)


def test_a_code_of_somebody_elses_login_is_refused_in_ones_own(open_page, site, world, leia):
    victim = Person()
    world.knows(victim)
    stranger, page = open_page(), open_page()
    for each in (stranger, page):
        go(each)
    [code] = parse_qs(urlsplit(come_back(stranger, site, leia)).query)["code"]
    [state] = parse_qs(urlsplit(come_back(page, site, victim)).query)["state"]
    page.goto(f"/social/acme?{urlencode({'code': code, 'state': state})}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log In")
    assert not is_in(page)


@pytest.mark.parametrize(
    "forged",
    [{"aud": "another-site"}, {"nonce": "of-another-login"}, {"iss": "https://id.example"}, {"exp": 1}],
    ids=lambda forged: next(iter(forged)),
)
def test_a_token_of_another_site_another_login_another_provider_or_another_day_is_refused(page, world, forged, leia):
    world.forger.person.update(sub=str(leia.number), email=leia.email)
    world.forger.forged = forged
    choose(page, "Forger")
    page.get_by_role("button", name="Allow").click()
    expect(said(page)).to_contain_text("Forger did not confirm who you are.")
    assert not is_in(page)
    world.forger.forged = {}
    choose(page, "Forger")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Han")


def test_an_address_that_logged_in_does_so_once_whatever_cookies_come_back(open_page, site, leia):
    page = open_page()
    go(page)
    address = come_back(page, site, leia)
    kept = page.context.cookies(site.url)
    page.goto(address)
    greets(page, leia)
    page.goto(address)
    expect(said(page)).to_contain_text("Try it again.")
    leave(page)
    for browser in (page, open_page()):
        browser.context.add_cookies(kept)
        browser.goto(address)
        expect(page.get_by_role("heading", level=1)).to_have_text("Log In")
        assert not is_in(browser)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first one first", "last one first"])
def test_two_tabs_log_in_in_either_order_and_each_leads_to_its_own_page(page, site, leia, order):
    tabs = [page, page.context.new_page()]
    for tab, where in zip(tabs, PAGES, strict=True):
        go(tab, f"/login?next=/{where}")
    addresses = [come_back(tab, site, leia) for tab in tabs]
    for number in order:
        tabs[number].goto(addresses[number])
        expect(tabs[number]).to_have_url(f"{site.url}/{PAGES[number]}")
    assert is_in(page)


# --- How it looks ---


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_no_page_on_the_way_is_too_wide_or_keeps_anybody_out(open_page, site, world, complaints, leia, size):
    page, wrong = open_page(**size), []

    def look(name: str) -> None:
        page.wait_for_load_state()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.evaluate(AXE_SCRIPT)
        for light in LIGHTS:
            page.emulate_media(color_scheme=light)
            found = AxeResults(page.evaluate("options => axe.run(options)", AXE))
            if found.violations_count:
                wrong.append(f"{name}, {light}: {found.generate_report()}")
        if page.evaluate(TOO_WIDE):
            wrong.append(f"{name}: too wide")

    for path in ("/login", "/register"):
        page.goto(path)
        look(path)
    choose(page, "Acme")
    with page.expect_navigation():
        page.get_by_role("button", name="Cancel").click()
    look("no")
    register(page, leia)
    page.goto("/settings")
    look("nothing linked")
    leave(page)
    come(page, leia)
    look("an account that nobody confirmed")
    page.get_by_label("Password").fill("wrong")
    with page.expect_navigation():
        page.get_by_role("button", name="Confirm and link Acme").click()
    look("a wrong password")
    page.get_by_role("button", name="Take it over").click()
    greets(page, leia)
    page.goto("/settings")
    look("the last way in")
    page.context.clear_cookies()
    come(page, leia, "GitHub")
    look("an account without a password")
    page.context.clear_cookies()
    go(page)
    address = come_back(page, site, leia)
    with world.acme.down():
        page.goto(address)
    look("down")
    complaints.clear()
    assert wrong == []
