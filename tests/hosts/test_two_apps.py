"""Two apps: in one process, each with settings of its own; on one database, with people in common."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from stormpath_app import Account, StormpathManager, login_required, user
from stormpath_app.database import session
from stormpath_app.installation import set_up
from stormpath_app.models import AccountSession, Client

from ..conftest import PASSWORD

TOGETHER = {"STORMPATH_COOKIE_DOMAIN": "example.com"}
SHOP, DESK = "https://shop.example.com", "https://desk.example.com"


@pytest.fixture
def apps(bare, tmp_path):
    """Return a shop and its back office, on one database, wired by one manager."""
    manager = StormpathManager()
    uri = f"sqlite:///{tmp_path / 'accounts.db'}"
    made = []
    for name, settings in (("Shop", TOGETHER), ("Desk", TOGETHER)):
        app = bare(name, STORMPATH_DATABASE_URI=uri, STORMPATH_APPLICATION=name, **settings)
        manager.init_app(app)
        app.add_url_rule("/secret", "secret", login_required(lambda: f"Hello {user.given_name}"))
        made.append(app)
    shop, desk = made
    set_up(shop)
    with shop.app_context():
        people = manager.application.default_account_store_mapping.account_store
        Client().applications.create(name="Desk").add_account_store(people, is_default=True)
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
    return shop, desk


class Browser:
    """A browser that visits both."""

    def __init__(self, shop, desk):
        self.sites = {SHOP: shop.test_client(), DESK: desk.test_client()}

    def get(self, site, path="/secret"):
        return self.sites[site].get(path, base_url=site)

    def log_in(self, site):
        client = self.sites[site]
        page = client.get("/login", base_url=site).text
        token = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        data = {"csrf_token": token, "login": "han@falcon.example", "password": PASSWORD}
        return client.post("/login", data=data, base_url=site, headers={"Referer": f"{site}/login"})

    def carry(self, source, target):
        """Do what a browser does with cookies of the domain: take them to the other site of it."""
        for name in ("stormpath_session", "stormpath_token"):
            cookie = self.sites[source].get_cookie(name, domain="example.com")
            if cookie is None:
                self.sites[target].delete_cookie(name, domain="example.com")
            else:
                self.sites[target].set_cookie(name, cookie.value, domain="example.com", origin_only=False)


@pytest.fixture
def browser(apps):
    return Browser(*apps)


def test_people_of_a_directory_that_both_have_log_in_to_both(browser):
    for site in (SHOP, DESK):
        assert browser.get(site).status_code == 302
        assert browser.log_in(site).status_code == 302
        assert browser.get(site).text == "Hello Han"


def test_one_login_is_good_at_both_and_one_logout_ends_it_at_both(browser):
    browser.log_in(SHOP)
    browser.carry(SHOP, DESK)
    assert browser.get(DESK).text == "Hello Han"
    assert browser.get(DESK, "/logout").status_code == 302
    assert browser.get(SHOP).status_code == 302


def test_an_app_without_the_directory_lets_nobody_of_it_in(apps, browser):
    browser.log_in(SHOP)
    browser.carry(SHOP, DESK)
    with apps[1].app_context():
        manager = apps[1].extensions["stormpath"].manager
        manager.application.default_account_store_mapping.delete()
    assert browser.get(DESK).status_code == 302
    assert browser.get(SHOP).text == "Hello Han"
    assert "Invalid username or password" in browser.log_in(DESK).text


def test_each_has_its_own_settings(apps, browser):
    shop, desk = apps
    desk.config.update(STORMPATH_REDIRECT_URL="/desk", STORMPATH_SESSION_LIFETIME=timedelta(minutes=5))
    assert browser.log_in(DESK).location == "/desk"
    assert browser.log_in(SHOP).location == "/"
    with shop.app_context():
        logins = session.scalars(sa.select(AccountSession)).all()
    lifetimes = [login.expires_at - login.created_at for login in logins]
    assert sorted(lifetimes) == [timedelta(minutes=5), timedelta(days=365)]


def test_a_new_password_counts_at_both(apps, browser):
    browser.log_in(SHOP)
    browser.log_in(DESK)
    with apps[0].app_context():
        han = apps[0].extensions["stormpath"].manager.application.find_account("han@falcon.example")
        han.password = "Kessel12.Parsecs"
        han.save()
    assert browser.get(SHOP).status_code == 302
    assert browser.get(DESK).status_code == 302
