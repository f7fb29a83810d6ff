"""The log in the console: what it shows and to whom, how it is filtered, and what one event tells."""

import csv
import io
import json

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account, Application, Directory, origin
from stormpath_app.database import session
from stormpath_app.models import AuditEvent, Group, event
from stormpath_app.models.administrator import Administrator
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..models.test_event import events
from ..together import together


@pytest.fixture
def people(app):
    """Make two directories with an account each, and something that happened to both."""
    with app.app_context():
        for name, email in (("Falcon", "han@falcon.example"), ("Alderaan", "leia@alderaan.example")):
            directory = Directory.create(name=name)
            account = directory.accounts.create(email=email, password=PASSWORD)
            account.status = "DISABLED"
            account.save()
        with origin.acting(origin.Origin(address="192.0.2.7", interface="web")), atomic():
            event.record("login.failed", code=7104)
        app.extensions["stormpath"].manager.log_event(account, "invoice.paid", {"number": "=1+1"})


def sentences(page):
    return [each.text.strip() for each in BeautifulSoup(page.text, "html.parser").select("td a[data-open]")]


def one(app, kind, at=-1):
    with app.app_context():
        return events(kind)[at].id


def test_the_newest_event_comes_first(owner, people):
    page = owner.get("/log/")
    assert page.status_code == 200
    assert sentences(page)[:3] == [
        "Invoice paid",
        "Login failed: nobody has this login",
        "Account leia@alderaan.example disabled",
    ]


@together(
    ("asked", "found"),
    [
        ("kind=login.*&address=192.0.2.7", ["Login failed: nobody has this login"]),
        ("kind=invoice.paid", ["Invoice paid"]),
        ("show=app", ["Invoice paid"]),
        ("show=errors", ["Login failed: nobody has this login"]),
        (
            "account=han@falcon.example&show=changes",
            ["Account han@falcon.example disabled", "Account han@falcon.example created"],
        ),
        ("address=192.0.2.8", []),
        ("interface=web&kind=*.failed", ["Login failed: nobody has this login"]),
        ("since=2001-01-01&until=2001-01-02", []),
        ("since=2001-01-01&kind=app.*", ["Invoice paid"]),
        ("directory=nobody", []),
        ("account=nobody@nowhere.example", []),
        ("since=yesterday", []),
        ("kind=%00&show=app", ["Invoice paid"]),
        ("before=%3Cb%3E&show=app", ["Invoice paid"]),
    ],
)
def test_the_address_filters(people, owner, asked, found):
    page = owner.get(f"/log/?{asked}")
    assert page.status_code == 200
    assert sentences(page) == found


@together("value", ["%", "'", '"><script>', "\0", "漢" * 300, "a" * 5000, "-1", "😀", "\r\nx", "*" * 100])
@together(
    "name",
    [
        "kind",
        "account",
        "actor",
        "directory",
        "application",
        "address",
        "interface",
        "target",
        "since",
        "before",
        "show",
    ],
)
def test_no_filter_can_break_the_page(people, owner, name, value):
    page = owner.browser.get("/admin/log/", query_string={name: value})
    assert page.status_code == 200
    assert "<script>" not in page.text.replace("<script src", "")


def test_a_limited_administrator_sees_events_of_their_directories_alone(app, people, sign_in):
    falcon = sign_in("manager", directories=["Falcon"])
    told = sentences(falcon.get("/log/"))
    assert told[0] == "Account han@falcon.example disabled"
    assert not [each for each in told if "leia" in each or "Login failed" in each or "Invoice" in each]
    assert sentences(falcon.get("/log/?account=leia@alderaan.example")) == []
    for kind, status in (("app.invoice.paid", 404), ("login.failed", 404), ("tenant.created", 404)):
        assert falcon.get(f"/log/{one(app, kind)}/").status_code == status
    assert falcon.get(f"/log/{one(app, 'account.updated', 0)}/").status_code == 200
    exported = falcon.get("/log/export.csv").text
    assert "han@falcon.example" in exported
    assert "leia" not in exported
    with app.app_context():
        leia = Directory.named("Alderaan").find_account("leia@alderaan.example")
        empire = Application.create(name="Empire")
    assert sentences(falcon.get(f"/log/?account={leia.id}")) == []
    page = falcon.get(f"/log/?directory={leia.directory_id}")
    assert sentences(page) == []
    assert "Alderaan" not in page.text
    assert "Empire" not in falcon.get(f"/log/?application={empire.id}").text


def test_what_administrators_do_at_the_door_is_for_owners(app, people, owner, sign_in):
    manager = sign_in("manager")
    with app.app_context():
        made = sa.select(AuditEvent.id).where(AuditEvent.target_name == "manager@console.example")
        created = session.scalars(made.where(AuditEvent.kind == "account.created")).one()
    assert "manager@console.example created" in owner.get("/log/?kind=account.created").text
    assert "manager@console.example created" not in manager.get("/log/?kind=account.created").text
    assert (owner.get(f"/log/{created}/").status_code, manager.get(f"/log/{created}/").status_code) == (200, 404)


@pytest.mark.parametrize("path", ["/log/", "/log/export.csv", "/log/0353QuDJUTzgm3zO2H0Sat/"])
def test_a_stranger_is_sent_to_the_login(app, client, people, path):
    assert client.get(f"/admin{path}").status_code == 302


@pytest.mark.parametrize(
    "path", ["/log/nobody/", "/log/0353QuDJUTzgm3zO2H0Sat/", "/log/%00/", "/log/" + "a" * 500 + "/"]
)
def test_an_event_that_there_is_not_is_a_404(people, owner, path):
    assert owner.get(path).status_code == 404


def test_one_event_tells_all_that_is_known(app, people, owner):
    with app.app_context():
        han = Directory.named("Falcon").find_account("han@falcon.example")
        lando = Administrator.create("lando@console.example", PASSWORD, "support").account
        who = origin.Origin(
            actor=lando.id,
            actor_name="lando@console.example",
            address="192.0.2.9",
            user_agent="Mozilla/5.0 (Windows NT 10.0) Firefox/120.0",
            interface="admin",
        )
        with origin.acting(who), origin.because("Asked for by <phone>"):
            han.given_name, han.status = "Ben", "ENABLED"
            han.save()
    page = owner.get(f"/log/{one(app, 'account.updated')}/")
    text = BeautifulSoup(page.text, "html.parser").get_text(" ", strip=True)
    for told in (
        "lando@console.example",
        "192.0.2.9",
        "Firefox on Windows",
        "Asked for by <phone>",
        "account.updated",
        "Falcon",
    ):
        assert told in text
    assert [each.text for each in BeautifulSoup(page.text, "html.parser").select("del, ins")] == [
        *("nothing", "Ben"),
        *("DISABLED", "ENABLED"),
    ]
    shown = json.loads(BeautifulSoup(page.text, "html.parser").select("pre")[-1].text)
    assert shown["details"]["changed"]["given_name"] == [None, "Ben"]
    assert shown["actor_name"] == "lando@console.example"


def test_an_event_leads_to_what_it_is_about_as_long_as_it_is_there(app, people, owner):
    with app.app_context():
        group = Directory.named("Falcon").groups.create(name="crew")
        address = f"/admin/groups/{group.id}/"
    event_id = one(app, "group.created")
    assert f'href="{address}"' in owner.get(f"/log/{event_id}/").text
    with app.app_context():
        Group.get(group.id).delete()
    page = owner.get(f"/log/{event_id}/")
    assert (page.status_code, "crew" in page.text) == (200, True)
    assert f'href="{address}"' not in page.text


def test_an_event_of_a_deleted_directory_is_still_told(app, people, owner):
    with app.app_context():
        Directory.named("Falcon").delete()
    assert "Directory Falcon deleted" in owner.get("/log/").text
    page = owner.get(f"/log/{one(app, 'directory.deleted')}/")
    assert "deleted meanwhile" in page.text


def test_the_pages_of_things_lead_to_who_changed_them(app, people, owner):
    with app.app_context():
        falcon = Directory.named("Falcon")
        falcon.password_policy.strength.min_length = 12
        falcon.password_policy.strength.save()
        falcon.description = "Fast"
        falcon.save()
        group = falcon.groups.create(name="crew")
        group.add_account("han@falcon.example")
        site = Application.create(name="Site")
        site.add_account_store(falcon)
    for path, told in (
        (f"/directories/{falcon.id}/", ["Directory Falcon changed: description nothing → Fast", "min length 8 → 12"]),
        (f"/groups/{group.id}/", ["Added to the group crew", "Group crew created"]),
        (f"/applications/{site.id}/", ["Falcon added to an application", "Application Site created"]),
    ):
        page = owner.get(path, follow_redirects=True)
        link = BeautifulSoup(page.text, "html.parser").find(
            "a", string=lambda text: text and "Who changed this?" in text
        )
        link = link or next(each for each in BeautifulSoup(page.text, "html.parser")("a") if "Who changed" in each.text)
        found = sentences(owner.browser.get(link["href"]))
        assert len(found) >= 2
        assert all(any(one in each for each in found) for one in told)
        assert not [each for each in found if "Invoice" in each]


# --- Pages and files ---


@pytest.fixture
def many(app, held_clock):
    with app.app_context():
        for number in range(60):
            held_clock.forward(seconds=1)
            with atomic():
                event.record(f"app.thing{number}.done")


def test_older_events_are_a_page_away(many, owner):
    first = owner.get("/log/?show=app")
    assert len(sentences(first)) == 25
    older = BeautifulSoup(first.text, "html.parser").find("a", rel="next")["href"]
    second = owner.browser.get(older)
    assert len(sentences(second)) == 25
    assert not set(sentences(first)) & set(sentences(second))
    assert "show=app" in older
    third = owner.browser.get(BeautifulSoup(second.text, "html.parser").find("a", rel="next")["href"])
    assert len(sentences(third)) == 10
    assert BeautifulSoup(third.text, "html.parser").find("a", rel="next") is None
    assert "60 events" in third.text


def test_the_export_has_all_and_no_cell_that_a_spreadsheet_runs(app, people, many, owner, monkeypatch):
    monkeypatch.setattr("stormpath_app.admin.log._LINES", 7)
    with app.app_context(), origin.acting(origin.Origin(address="=cmd|' /C calc'!A0", actor_name="@SUM(1)")), atomic():
        event.record("app.thing.failed")
    answer = owner.get("/log/export.csv?show=app")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 62
    (odd,) = [row for row in rows if row["kind"] == "app.thing.failed"]
    assert (odd["address"], odd["actor"]) == ("'=cmd|' /C calc'!A0", "'@SUM(1)")
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    with app.app_context():
        assert len(events("log.exported")) == 1


def test_a_page_costs_as_much_with_many_people_as_with_one(app, owner):
    owner.get("/log/")

    def cost(number):
        with app.app_context():
            for _ in range(number):
                Account.create(f"{event.new_id()}@falcon.example", PASSWORD)
        with statements(app) as sent:
            assert owner.get("/log/").status_code == 200
        return len(sent)

    assert cost(1) == cost(12) < 20


def test_the_timeline_of_an_account_tells_the_apps_events_too(app, people, owner):
    with app.app_context():
        leia = Directory.named("Alderaan").find_account("leia@alderaan.example")
    page = owner.get(f"/accounts/{leia.id}/timeline")
    assert page.status_code == 200
    assert [told in page.text for told in ("Invoice paid", "disabled", "created")] == [True] * 3
    page = owner.get(f"/accounts/{leia.id}/timeline?show=app")
    assert ("Invoice paid" in page.text, "leia@alderaan.example created" in page.text) == (True, False)
