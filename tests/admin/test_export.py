"""Lists as files: what is in them and what is not, how they are sent, and what the log keeps of it."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from stormpath_app import Application, Directory
from stormpath_app.admin import export
from stormpath_app.database import session
from stormpath_app.models import Account, AuditEvent, Tenant, collection

from ..conftest import PASSWORD, statements
from .test_lists import HOSTILE

pytestmark = pytest.mark.sqlite

CSV_CELL = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1+1", "\r=1+1"]
SCREENS = ("accounts", "groups", "applications", "api-keys")


@pytest.fixture
def people(app):
    with app.app_context():
        for number in range(5):
            Account.create(f"{number}@falcon.example", PASSWORD, "Leia", "Organa")


def table(answer):
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("value", [*CSV_CELL, " =1+1", "\n=1+1", "＝1+1", "＋1", "－1", "＠SUM(1)"])  # noqa: RUF001
def test_no_cell_begins_like_a_formula(value):
    assert export.cell(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "Leia", "1+1", "a=b", "leia@alderaan.example", "O'Hara"])
def test_a_cell_that_is_no_formula_stays_as_it_is(value):
    assert export.cell(value) == value


@pytest.mark.parametrize("value", [value for value in CSV_CELL if value.strip() == value])
def test_a_name_like_a_formula_is_text_in_the_file(app, owner, value):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, value, value)
    row = table(owner.get("/accounts/export/csv"))[0]
    assert row["given_name"] == f"'{value}"
    assert json.loads(owner.get("/accounts/export/json").text)[0]["given_name"] == value


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_no_file_has_a_secret_a_hash_or_custom_data(app, owner, screen, kind):
    with app.app_context():
        account = Account.create("leia@alderaan.example", PASSWORD, custom_data={"plan": "the death star"})
        account.directory.create_group(name="crew")
        secrets = [account.password_hash, account.api_keys.create().secret, Tenant.current().api_keys.create().secret]
    answer = owner.get(f"/{screen}/export/{kind}")
    assert answer.status_code == 200
    assert not any(secret in answer.text for secret in secrets)
    assert "the death star" not in answer.text
    names = set(table(answer)[0]) if kind == "csv" else set(json.loads(answer.text)[0])
    assert not any(word in name for name in names for word in ("hash", "secret", "token", "custom", "_key", "version"))


def test_a_file_has_what_the_list_shows_in_its_order(people, owner):
    rows = table(owner.get("/accounts/export/csv?q=falcon&sort=-name&size=25"))
    assert [row["email"][0] for row in rows] == list("43210")
    assert [row["email"][0] for row in table(owner.get("/accounts/export/csv?q=3@falcon"))] == ["3"]
    assert table(owner.get("/accounts/export/csv?show=disabled")) == []
    assert json.loads(owner.get("/accounts/export/json?show=disabled").text) == []


def test_a_file_is_downloaded_by_a_name_that_says_what_and_when(held_clock, people, owner):
    answer = owner.get("/groups/export/csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="groups-2026-11-24.csv"'
    assert answer.mimetype == "text/csv"


def test_a_file_is_sent_while_it_is_read_and_never_whole_in_memory(people, owner, app, monkeypatch):
    monkeypatch.setattr(collection, "_PAGE", 2)
    answer = owner.get("/accounts/export/csv")
    assert answer.is_streamed
    lines = answer.iter_encoded()
    with statements(app) as sent:
        for _line in range(3):  # the head and the first two
            next(lines)
        assert sum("stormpath_accounts" in each for each in sent) <= 1
    assert len(list(lines)) == 3


def test_files_that_are_read_at_once_do_not_mix(people, app, owner, sign_in):
    consoles = [owner, sign_in("owner", email="second@console.example")]

    def read(number):
        return table(consoles[number % 2].get(f"/accounts/export/csv?q={number % 5}@falcon"))

    with ThreadPoolExecutor(4) as pool:
        for number, rows in enumerate(pool.map(read, range(12))):
            assert [row["email"] for row in rows] == [f"{number % 5}@falcon.example"]


def test_a_file_has_nothing_that_is_out_of_scope(app, people, sign_in):
    with app.app_context():
        Directory.create(name="Empire").create_account(email="darth@vader.example", password=PASSWORD)
        home = Application.current().default_account_store().home.name
    limited = sign_in("viewer", directories=[home])
    for kind in ("csv", "json"):
        text = limited.get(f"/accounts/export/{kind}").text
        assert "falcon" in text
        assert "vader" not in text
        assert "console.example" not in text


def test_each_file_is_in_the_log_with_what_it_was_of(app, people, owner):
    owner.get("/accounts/export/csv?q=falcon&show=enabled").get_data()
    with app.app_context():
        event = session.query(AuditEvent).filter_by(kind="accounts.exported").one()
        assert event.actor_name == "owner@console.example"
        assert event.data == {"format": "csv", "filters": {"q": "falcon", "show": "enabled"}}


def test_no_address_makes_an_export_fail(people, owner):
    for value in HOSTILE:
        asked = dict.fromkeys(("q", "show", "sort", "size"), value.encode("utf-8", "surrogatepass"))
        answer = owner.get("/accounts/export/csv", query_string=asked)
        assert answer.status_code < 500, value
        answer.get_data()


def test_there_are_no_other_formats(owner):
    for kind in ("xlsx", "yaml", "html", "ods", "../csv"):
        assert owner.get(f"/accounts/export/{kind}").status_code == 404
