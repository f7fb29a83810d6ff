"""A forgotten password, a new account and a new address, from the browser to a real mail server and back."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ..servers import Server, manage_run
from ..smtp import Delivered, MailServer, mail_server, make_certificates
from .conftest import PATIENCE
from .people import Person, Visitor

pytestmark = pytest.mark.browser
OTHER = "Kessel12.Parsecs"


@pytest.fixture(scope="module", params=["plain", "STARTTLS", "TLS"])
def mails(request, tmp_path_factory) -> Iterator[MailServer]:
    """Return a mail server: without encryption, with STARTTLS and a login, and with TLS from the start."""
    certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    kinds = {
        "plain": {},
        "STARTTLS": {"starttls": certificates.good, "login": True},
        "TLS": {"tls": certificates.good},
    }
    with mail_server(**kinds[request.param]) as server:
        server.config["SSL_CERT_FILE"] = str(certificates.ca_file)
        yield server


@pytest.fixture(scope="module")
def site(mails, tmp_path_factory) -> Iterator[Server]:
    """Return a site that mails through it, where addresses must be confirmed."""
    instance = tmp_path_factory.mktemp("mailing") / "instance"
    settings = {f"FLASK_{name}": json.dumps(value) for name, value in mails.config.items()} | {
        "SSL_CERT_FILE": mails.config["SSL_CERT_FILE"],
        "FLASK_MAIL_DEFAULT_SENDER": "falcon@example.com",
        "FLASK_STORMPATH_VERIFY_EMAIL": "true",
        "FLASK_STORMPATH_ENABLE_FORGOT_PASSWORD": "true",
    }
    with manage_run(instance, **settings) as server:
        yield server


def mailed(mails: MailServer, address: str, subject: str) -> Delivered:
    """Wait for the newest mail to an address that has this subject; return it."""
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:
        for delivered in reversed(mails.mails):
            if delivered.recipients == [address] and delivered.mail["Subject"] == subject:
                return delivered
        time.sleep(0.05)
    there_are = [(delivered.recipients, delivered.mail["Subject"]) for delivered in mails.mails]
    raise AssertionError(f"no {subject!r} to {address}; there are: {there_are}")


def link_in(delivered: Delivered) -> str:
    """Return the link of a mail, which both of its parts have."""
    (found,) = set(re.findall(r"https?://\S+sptoken=[\w-]+", delivered.text))
    assert found in delivered.mail.get_body(("html",)).get_content().replace("&amp;", "&")
    return found


@pytest.fixture
def person(site, mails) -> Person:
    """Return somebody who has registered and confirmed their address."""
    person = Person()
    visitor = Visitor(site.url)
    assert (
        "mail"
        in visitor.send(
            "/register", given_name="Leia", surname="Organa", email=person.email, password=person.password
        ).text
    )
    path = link_in(mailed(mails, person.email, "Verify your account")).removeprefix(site.url)
    page = visitor.get(path).location.removeprefix(site.url)
    assert visitor.send(page).status == 302
    return person


def log_in(page: Page, email: str, password: str) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    with page.expect_navigation():
        page.get_by_role("button", name="Log In").click()


def test_from_forgot_password_to_logged_in(open_page, site, mails, person):
    page, elsewhere = open_page(), open_page()
    log_in(elsewhere, person.email, person.password)
    page.goto("/login")
    page.get_by_role("link", name="Forgot Password?").click()
    page.get_by_label("Email").fill(person.email.upper())
    with page.expect_navigation():
        page.get_by_role("button", name="Send Email").click()
    expect(page.get_by_role("main")).to_contain_text("mail")

    delivered = mailed(mails, person.email, "Reset your Password")
    assert delivered.encrypted is (mails.config["MAIL_USE_TLS"] or mails.config["MAIL_USE_SSL"])
    link = link_in(delivered)
    assert link.startswith(f"{site.url}/forgot/change?sptoken=")
    page.goto(link)
    expect(page).to_have_url("/forgot/change")
    page.get_by_label("Password", exact=True).fill(OTHER)
    page.get_by_label("Password (again)").fill(OTHER)
    page.get_by_role("button", name="Change Password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Password Change Complete!")
    expect(page).to_have_url("/", timeout=PATIENCE)  # after five seconds
    expect(page.get_by_role("main")).to_contain_text("Leia")
    mailed(mails, person.email, "Your password has been changed")

    elsewhere.goto("/secret")
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Log In")
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Link not accepted")


def test_a_new_account_is_let_in_once_its_address_is_confirmed(open_page, site, mails):
    page, person = open_page(), Person()
    page.goto("/register")
    for label, value in (("First Name", "Leia"), ("Last Name", "Organa"), ("Email", person.email)):
        page.get_by_label(label).fill(value)
    page.get_by_label("Password").fill(person.password)
    with page.expect_navigation():
        page.get_by_role("button", name="Create Account").click()
    expect(page.get_by_role("main")).to_contain_text("mail")

    log_in(page, person.email, person.password)
    expect(page.get_by_role("alert")).to_contain_text("Please confirm your email address first.")

    page.goto(link_in(mailed(mails, person.email, "Verify your account")))
    expect(page).to_have_url("/verify")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("Your email address is confirmed.")
    log_in(page, person.email, person.password)
    expect(page.get_by_role("main")).to_contain_text("Leia")


def test_a_new_address_counts_once_it_is_confirmed(open_page, site, mails, person):
    page, new = open_page(), f"general.{person.number}@alderaan.example"
    log_in(page, person.email, person.password)
    page.goto("/settings")
    page.get_by_label("New email").fill(new)
    page.locator("[name=email_password]").fill(person.password)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("main")).to_contain_text(new)

    page.goto(link_in(mailed(mails, new, "Confirm your new email address")))
    page.get_by_role("button", name="Confirm").click()
    told = mailed(mails, person.email, "Your email address has been changed")
    assert new in told.text
    elsewhere = open_page()
    log_in(elsewhere, new, person.password)
    expect(elsewhere.get_by_role("main")).to_contain_text("Leia")
