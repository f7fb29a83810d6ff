"""The first page of the console: right numbers, what needs somebody, and nothing of other directories."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account, Application, Directory, origin, throttle
from stormpath_app.database import session
from stormpath_app.models import event, message
from stormpath_app.models.administrator import Administrator
from stormpath_app.models.message import OutboxMessage
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..together import together


@pytest.fixture
def han(app):
    with app.app_context():
        return Account.create("han@falcon.example", PASSWORD, "Han", "Solo")


def log_in_at(account, ago, held_clock, times=1, kind="login.succeeded"):
    now, held_clock.at = held_clock.at, held_clock.at - ago
    with atomic():
        for _ in range(times):
            event.record(kind, account_id=account.id, directory_id=account.directory_id)
    held_clock.at = now


def figures(page):
    found = BeautifulSoup(page.text, "html.parser").select(".sp-nums > div")
    return {each.dt.text: [dd.get_text(" ", strip=True) for dd in each("dd")] for each in found}


def items(page):
    found = BeautifulSoup(page.text, "html.parser").select("section[aria-labelledby=attention] li")
    return {each.strong.text: each.a and each.a["href"] for each in found}


def test_a_new_site_says_what_to_do_next(owner):
    page = owner.get("/")
    assert page.status_code == 200
    assert "Nobody has an account yet" in page.text
    assert figures(page) == {}


def test_the_numbers_stand_beside_those_of_the_period_before(app, han, owner, held_clock):
    with app.app_context():
        log_in_at(han, timedelta(days=2), held_clock, 6)
        log_in_at(han, timedelta(days=2), held_clock, 1, "login.failed")
        log_in_at(han, timedelta(days=9), held_clock, 4)
    found = figures(owner.get("/?days=7"))
    assert found["Logins"] == ["6", "up 50.0 %"] or found["Logins"][1].endswith("50.0 %")
    assert found["Failed logins"] == ["1", "nothing before"]
    assert found["Password resets"][0] == "0"
    assert figures(owner.get("/?days=1"))["Logins"][0] == "0"
    assert figures(owner.get("/?days=90"))["Logins"] == ["10", "nothing before"]


@together("days", ["", "0", "-7", "7.5", "365", "x", "\0", "7" * 500])
def test_a_period_that_there_is_not_is_the_usual_one(han, owner, days):
    page = owner.browser.get("/admin/", query_string={"days": days})
    assert page.status_code == 200
    assert BeautifulSoup(page.text, "html.parser").select_one(".sp-seg [aria-current]").text == "30 d"


def test_the_chart_has_a_table_with_every_value(app, han, owner, held_clock):
    with app.app_context():
        log_in_at(han, timedelta(days=2), held_clock, 6)
    page = BeautifulSoup(owner.get("/?days=7").text, "html.parser")
    assert len(page.select("svg.sp-chart title")) == 7
    assert [row("td")[1].text for row in page.select("figure tbody tr")] == ["0", "0", "0", "0", "6", "0", "0"]


def test_a_limited_administrator_has_the_numbers_and_events_of_their_directories(app, han, sign_in, held_clock):
    with app.app_context():
        other = Directory.create(name="Alderaan").accounts.create(email="leia@alderaan.example", password=PASSWORD)
        log_in_at(han, timedelta(days=1), held_clock, 5)
        log_in_at(other, timedelta(days=1), held_clock, 2)
    held_clock.forward(seconds=1)
    page = sign_in("viewer", directories=["Alderaan"]).get("/?days=7")
    assert figures(page)["Logins"][0] == "2"
    assert figures(page)["New accounts"][0] == "1"
    assert "han@falcon.example" not in page.text
    assert figures(sign_in("viewer", email="boss@console.example").get("/?days=7"))["Logins"][0] == "7"


def test_the_logins_of_administrators_are_no_numbers_of_the_site(app, han, owner):
    with app.app_context():
        boss = Administrator.create("boss@console.example", PASSWORD, "viewer").account
        with atomic():
            event.record("login.succeeded", account_id=boss.id, directory_id=boss.directory_id)
    assert figures(owner.get("/"))["Logins"][0] == "0"


# --- What needs attention ---


def test_a_site_that_is_well_says_so(app, han, sign_in):
    assert "Nothing needs you" in sign_in("viewer").get("/").text


def test_a_locked_account_needs_attention(app, han, sign_in, held_clock):
    with app.app_context():
        for _ in range(5):
            throttle.reserve(han.id)
    page = sign_in("viewer").get("/")
    assert items(page) == {"1 account is locked": "/admin/accounts/?show=locked"}


def test_mails_that_failed_or_wait_need_attention(app, han, sign_in, held_clock):
    with app.app_context():
        with atomic():
            message.queue(message.TEST, han)
            message.queue(message.TEST, han)
        first = sa.select(sa.func.min(OutboxMessage.id)).scalar_subquery()
        with atomic():
            session.execute(sa.update(OutboxMessage).where(OutboxMessage.id == first).values(status="FAILED"))
    viewer = sign_in("viewer")
    held_clock.forward(minutes=14)
    assert items(viewer.get("/")) == {"1 mail failed": "/admin/messages/?show=failed"}
    held_clock.forward(minutes=2)
    viewer = sign_in("viewer", email="boss@console.example")
    assert items(viewer.get("/"))["1 mail is not sent"] == "/admin/messages/?show=waiting"
    limited = sign_in("viewer", directories=["Stormpath Administrators"], email="lando@console.example")
    assert items(limited.get("/")) == {}


def test_an_application_whose_accounts_have_no_place_needs_attention(app, han, sign_in):
    with app.app_context():
        application = Application.current()
        store = application.default_account_store()
        store.status = "DISABLED"
        store.save()
    found = items(sign_in("viewer").get("/"))
    assert found == {"Nobody can register at My Application": f"/admin/applications/{application.id}/"}


def test_warnings_of_the_deploy_check_are_for_owners(app, han, owner, sign_in):
    (title,) = [title for title in items(owner.get("/")) if title.startswith("Deploy check")]
    assert items(owner.get("/"))[title] == "/admin/settings/"
    assert not [title for title in items(sign_in("manager").get("/")) if title.startswith("Deploy check")]


def test_an_invitation_that_ran_out_needs_an_owner(app, han, sign_in, held_clock):
    with app.app_context():
        Administrator.invite("lando@console.example", "support")
    assert not [title for title in items(sign_in("owner").get("/")) if "invitation" in title]
    held_clock.forward(days=8)
    late = sign_in("owner", email="boss@console.example")
    assert items(late.get("/"))["1 invitation has run out"] == "/admin/administrators/"
    assert not [title for title in items(sign_in("manager").get("/")) if "invitation" in title]


def test_many_more_failures_than_before_need_attention(app, han, sign_in, held_clock):
    with app.app_context():
        log_in_at(han, timedelta(days=1), held_clock, 60, "login.failed")
        log_in_at(han, timedelta(days=40), held_clock, 3, "login.failed")
    assert items(sign_in("viewer").get("/")) == {"60 logins failed": "/admin/log/?kind=login.failed"}


# --- Recent events ---


def test_recent_events_are_told_in_words_and_lead_to_the_log(app, han, owner):
    with app.app_context(), origin.acting(origin.Origin(interface="cli", actor_name="deploy")):
        account = Account.get(han.id)
        account.status = "DISABLED"
        account.save()
    page = BeautifulSoup(owner.get("/").text, "html.parser")
    told = page.select("section[aria-labelledby=recent] li")
    assert len(told) <= 8
    text = [each.get_text(" ", strip=True) for each in told]
    assert any(each.startswith("Account han@falcon.example disabled by deploy · Command line") for each in text)


def test_the_page_costs_few_statements(app, han, owner):
    owner.get("/")
    with statements(app) as sent:
        assert owner.get("/?days=90").status_code == 200
    with statements(app) as again:
        owner.get("/?days=90")
    assert len(again) < 45
    assert not [each for each in again if each.startswith("INSERT")]
    assert len(sent) >= len(again)
