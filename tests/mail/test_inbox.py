"""The mails of an app in debug that has no server."""

import logging

import pytest
from bs4 import BeautifulSoup

from stormpath_app.mail import inbox, transport
from stormpath_app.pages import STRICT

from ..conftest import make_app
from ..together import together
from .test_transport import LINK, a_mail

PLACE = "/stormpath/inbox"


@pytest.fixture
def site(instance):
    """Return an app as a developer runs it."""
    settings = {"STORMPATH_MAIL_DELIVERY": "command", "STORMPATH_BCRYPT_COST": 10}
    return make_app(instance, DEBUG=True, TESTING=False, **settings)


def keep(app, **changed):
    with app.app_context():
        return transport.send(a_mail(**changed), "one")


def page(app, path=PLACE):
    answer = app.test_client().get(path)
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def open_first(app, below=""):
    return page(app).select_one(".sp-rows a")["href"] + below


def test_a_mail_is_found_where_the_log_says(site, caplog):
    with caplog.at_level(logging.INFO):
        assert keep(site) == "kept, to be read at http://127.0.0.1:5000/stormpath/inbox"
    assert "A mail for han@falcon.example is at http://127.0.0.1:5000/stormpath/inbox" in caplog.text
    row = page(site).select_one(".sp-rows li")
    assert row.a.text == "A new password"
    assert "han@falcon.example" in row.text


def test_an_empty_inbox_says_what_will_be_there(site):
    assert "No mail was sent yet." in page(site).text


def test_the_newest_mail_is_on_top_and_the_oldest_make_room(site, monkeypatch):
    monkeypatch.setattr(inbox, "MOST", 3)
    for number in range(5):
        keep(site, subject=f"Number {number}")
    with site.app_context():
        kept = inbox.mails(site)
    assert [one.mail["Subject"] for one in kept] == ["Number 4", "Number 3", "Number 2"]


def test_a_mail_is_shown_as_text_with_links_to_click(site):
    keep(site, text=f"Grüße <b>\n{LINK}\n")
    shown = page(site, open_first(site))
    text = shown.select_one("pre")
    assert text.a["href"] == LINK
    assert "Grüße <b>" in text.text
    assert shown.iframe["sandbox"] == ["allow-popups", "allow-popups-to-escape-sandbox"]
    assert page(site, shown.iframe["src"])


def test_the_html_of_a_mail_may_do_nothing_but_be_seen(site):
    keep(site, html="<html><head><title>x</title></head><body><script>evil()</script>Hi</body></html>")
    answer = site.test_client().get(open_first(site, "/html"))
    policy = answer.headers["Content-Security-Policy"]
    for part in (
        *("default-src 'none'", "style-src 'unsafe-inline'", "img-src 'self'", "frame-ancestors 'self'"),
        *("form-action 'none'", "sandbox allow-popups allow-popups-to-escape-sandbox"),
    ):
        assert part in policy.split("; ")
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Cache-Control"] == "no-store"
    assert '<head><base target="_blank"><title>' in answer.text
    assert site.test_client().get(open_first(site)).headers["Content-Security-Policy"] == STRICT


@pytest.mark.parametrize(("missing", "status"), [("text", 200), ("html", 404)])
def test_a_mail_with_one_body_is_shown_with_that(site, missing, status):
    keep(site, **{missing: None})
    assert site.test_client().get(open_first(site)).status_code == 200
    assert site.test_client().get(open_first(site, "/html")).status_code == status


@together("key", ["nothing", "..", "%2e%2e", "..%2f..%2fstormpath.db", "a" * 300, "%00"])
def test_what_was_never_kept_is_not_found(site, key):
    keep(site)
    for path in (f"{PLACE}/{key}", f"{PLACE}/{key}/html"):
        assert site.test_client().get(path).status_code == 404


@pytest.mark.parametrize(
    "settings",
    [{"DEBUG": False}, {"DEBUG": True, "MAIL_SERVER": "mail.example.com"}, {"DEBUG": True, "TESTING": True}],
    ids=["not in debug", "a server", "a test"],
)
def test_elsewhere_there_is_no_inbox(site, settings):
    keep(site)
    below = open_first(site)
    site.config.update(settings)
    for path in (PLACE, below, f"{below}/html"):
        assert site.test_client().get(path).status_code == 404


# --- Where it is ---


def test_links_lead_to_where_the_developers_server_listens_whatever_a_client_says(site):
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    site.test_client().get("/login", headers=headers, environ_overrides={"SERVER_NAME": "::1", "SERVER_PORT": "5077"})
    assert keep(site) == "kept, to be read at http://[::1]:5077/stormpath/inbox"


def test_a_site_on_a_developers_own_machine_has_it_without_debug(instance):
    app = make_app(instance, TESTING=False, STORMPATH_MAIL_DELIVERY="command", STORMPATH_BCRYPT_COST=10)
    app.config["STORMPATH_BASE_URL"] = "http://127.0.0.1:5077"
    assert app.test_client().get(PLACE).status_code == 404
    app.extensions["stormpath"].is_local = True
    keep(app)
    assert page(app).select_one(".sp-rows li")
    app.config["MAIL_SERVER"] = "localhost"
    assert app.test_client().get(PLACE).status_code == 404
