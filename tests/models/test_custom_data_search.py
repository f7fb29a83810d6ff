"""Accounts found and sorted by what is in their custom data."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings, strategies as st

from stormpath_app import Account, Application, User
from stormpath_app.database import session
from stormpath_app.errors import (
    CustomDataKeyInvalid,
    CustomDataKeyRequired,
    InvalidQueryValue,
    RangeReversed,
    UnknownProperty,
    UnsupportedOrder,
)
from stormpath_app.models import Client
from stormpath_app.models.custom_data_search import LONGEST, MOST_LEAVES, InCustomData, leaves, rows

from ..conftest import PASSWORD
from ..together import together

PEOPLE = {
    "han": {"plan": "Free Trial", "age": 32, "ship": {"name": "Falcon", "speed": 1.5}, "since": "2015-03-07"},
    "leia": {"plan": "PAID 100%", "age": 19, "active": True, "since": "2016-01-01T00:30:00+01:00"},
    "luke": {"plan": "Straße", "age": 19.5, "tags": ["pilot", "jedi", {"rank": 7}], "since": "2016-12-31T23:59:59Z"},
    "ben": {"plan": None, "age": "57", "active": False, "tags": "jedi", "year": 2015},
    "lando": {},
}


@pytest.fixture
def people(context):
    for name, data in PEOPLE.items():
        User.create(f"{name}@x.example", PASSWORD, custom_data=data)
    return Application.current().default_account_store().accounts


def names(found):
    return sorted(account.email.partition("@")[0] for account in found)


@together(
    ("path", "value", "found"),
    [
        # texts, whatever their case
        ("plan", "free trial", "han"),
        ("plan", "free", ""),
        ("plan", "free*", "han"),
        ("plan", "*TRIAL", "han"),
        ("plan", "*ee tr*", "han"),
        ("plan", "STRASSE", "luke"),
        ("plan", "*100%", "leia"),
        ("plan", "*%*", "leia"),
        ("plan", "_aid*", ""),
        ("plan", "*", "han leia luke"),
        ("Plan", "free trial", ""),
        # deeper, and in lists
        ("ship.name", "falcon", "han"),
        ("ship", "falcon", ""),
        ("tags", "jedi", "ben luke"),
        ("tags.rank", 7, "luke"),
        # numbers
        ("age", 19, "leia"),
        ("age", "19", "leia"),
        ("age", "19.0", "leia"),
        ("age", "57", "ben"),
        ("age", "[19,32]", "han leia luke"),
        ("age", "(19,32)", "luke"),
        ("age", "(19,32]", "han luke"),
        ("age", "[20,]", "han"),
        ("age", "(,19]", "leia"),
        ("age", "[,]", "han leia luke"),
        ("age", "*", "ben han leia luke"),
        ("age", "3*", ""),
        ("age", "!*", ""),
        ("age", "*0*", ""),
        ("ship.speed", 1.5, "han"),
        ("age", "[-9e308,9e308]", "han leia luke"),
        # True and False
        ("active", True, "leia"),
        ("active", "false", "ben"),
        # times
        ("since", "[2015]", "han leia"),
        ("since", "[2015-01,2016)", "han leia"),
        ("since", "(2015,2016]", "luke"),
        ("since", "[2016,]", "luke"),
        ("since", "(,2015-03-07]", "han"),
        ("since", "[2015-12-31T23:30:00Z]", "leia"),
        ("since", "2015", ""),
        ("since", "2015-03*", "han"),
        ("since", date(2015, 3, 7), "han"),
        ("since", (datetime(2016, 1, 1, tzinfo=UTC), None), "luke"),
        ("year", "[2015,2016]", "ben"),
        # what nobody can have
        ("plan", "\0", ""),
        ("plan", "\ud800", ""),
        ("plan", "", ""),
        ("ship.\0", "x", ""),
        ("ship." + "x" * 300, "x", ""),
        ("nothing", "x", ""),
        ("age", 10**40, ""),
    ],
)
def test_accounts_are_found_by_their_custom_data(people, path, value, found):
    assert names(people.query(**{f"custom_data.{path}": value})) == found.split()
    assert names(people.search({f"customData.{path}": value})) == found.split()
    assert len(people.query(**{f"custom_data.{path}": value})) == len(found.split())


@together(
    ("path", "value", "error"),
    [
        ("age", "[3,1]", RangeReversed),
        ("since", "[2016,2015]", RangeReversed),
        ("since", "[2016-02,2016-01]", RangeReversed),
        *(
            ("age", value, InvalidQueryValue)
            for value in ("[x]", "[1,x]", None, ["x"], {}, float("nan"), 10**400, (1,))
        ),
        ("", "x", CustomDataKeyRequired),
        (".x", "x", CustomDataKeyRequired),
        ("a b", "x", CustomDataKeyInvalid),
    ],
)
def test_what_is_no_search_is_refused(people, path, value, error):
    with pytest.raises(error):
        people.query(**{f"custom_data.{path}": value})


def test_several_are_all_to_be_met_beside_other_attributes(people):
    assert names(people.query(**{"custom_data.age": "[19,20]", "custom_data.plan": "*paid*"})) == ["leia"]
    assert names(people.query(email="l*", **{"custom_data.age": "[19,20]"})) == ["leia", "luke"]
    assert names(people.search("luke").query(**{"customData.age": "[19,20]"})) == ["luke"]


def test_accounts_are_sorted_by_their_custom_data(people):
    def sorted_by(*clauses):
        return [account.email.partition("@")[0] for account in people.order(*clauses)]

    assert sorted_by("custom_data.age", "email") == ["lando", "leia", "luke", "han", "ben"]
    assert sorted_by("customData.age desc", "email") == ["ben", "han", "luke", "leia", "lando"]
    assert sorted_by("customData.plan", "email desc") == ["lando", "ben", "han", "leia", "luke"]
    assert [account.email for account in people.order("customData.age")[1:3]] == ["leia@x.example", "luke@x.example"]


def test_pages_of_what_is_sorted_go_on_where_they_were(people, monkeypatch):
    monkeypatch.setattr("stormpath_app.models.collection._PAGE", 2)
    assert [account.email[:3] for account in people.order("custom_data.age")] == ["lan", "lei", "luk", "han", "ben"]
    assert [account.email[:3] for account in reversed(people.order("custom_data.age"))] == [
        "ben",
        "han",
        "luk",
        "lei",
        "lan",
    ]


@pytest.mark.parametrize("collection", ["groups", "directories", "applications"])
def test_other_resources_are_not_searched_by_theirs(context, collection):
    with pytest.raises(UnknownProperty):
        getattr(Client(), collection).query(**{"custom_data.plan": "x"})
    with pytest.raises(UnsupportedOrder):
        getattr(Client(), collection).order("custom_data.plan")


def test_custom_data_as_a_whole_is_nothing_to_look_for(people):
    with pytest.raises(UnknownProperty):
        people.query(custom_data="x")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("value", "index"),
    [
        ("free", "path=? AND text_key=?"),
        ("fr*", "text_key>? AND text_key<?"),
        ("[1,5)", "number>?"),
        (date.min, "moment>?"),
    ],
    ids=str,
)
def test_an_index_is_asked_for_the_value_and_not_for_the_path_alone(context, value, index):
    found = InCustomData().criterion(Account, "custom_data.plan", value)
    statement = sa.select(Account.id).where(found.condition)
    sql = str(statement.compile(session.connection()))
    parameters = tuple(range(sql.count("?")))
    plan = [row[-1] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert any(index in line for line in plan)


# --- It is true at once, and no longer ---


def test_a_search_finds_what_is_there_now(people):
    leia = people.query(email="leia*")[0]
    leia.custom_data["plan"] = "Free Trial"
    leia.custom_data["age"] = [1, 2, 3]
    leia.save()
    assert names(people.query(**{"custom_data.plan": "free*"})) == ["han", "leia"]
    leia.custom_data["age"].pop()
    del leia.custom_data["plan"]
    leia.custom_data.save()
    assert names(people.query(**{"custom_data.plan": "free*"})) == ["han"]
    assert names(people.query(**{"custom_data.age": 3})) == []
    assert names(people.query(**{"custom_data.age": 2})) == ["leia"]
    leia.custom_data.delete()
    assert session.scalar(sa.select(sa.func.count()).where(leaves.c.owner_id == leia.id)) == 0


def test_what_can_be_found_goes_with_the_account(people):
    Application.current().default_account_store().delete()
    assert session.scalar(sa.select(sa.func.count()).select_from(leaves)) == 0


def test_of_one_key_so_much_is_found_and_no_more(people):
    leia = people.query(email="leia*")[0]
    leia.custom_data["list"] = [f"number {number}" for number in range(MOST_LEAVES + 1)]
    leia.custom_data["text"] = "x" * LONGEST + "y"
    leia.save()
    assert names(people.query(**{"custom_data.list": f"number {MOST_LEAVES - 1}"})) == ["leia"]
    assert names(people.query(**{"custom_data.list": f"number {MOST_LEAVES}"})) == []
    assert names(people.query(**{"custom_data.text": "x" * LONGEST + "*"})) == ["leia"]
    assert names(people.query(**{"custom_data.text": "*y"})) == []


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[Fernet.generate_key().decode()])
def test_what_is_encrypted_is_not_found(people):
    assert names(people.query(**{"custom_data.plan": "*"})) == []
    assert session.scalar(sa.select(sa.func.count()).select_from(leaves)) == 0


def test_a_time_is_one_whichever_way_it_is_written():
    written = ["2016-01-01 00:30+01:00", "2015-12-31T23:30:00Z", "2015-12-31T23:30:00.000Z", "2015-12-31T23:30"]
    assert {row["moment"] for row in rows("x", written)} == {datetime(2015, 12, 31, 23, 30, tzinfo=UTC)}
    no_times = ["2015", "2015-13-01", "0001-01-01T00:00:00+14:00", "20151231", "2015-12-31 at noon", "٢٠١٥-01-01"]
    assert {row["moment"] for row in rows("x", no_times)} == {None}


def test_numbers_sort_as_numbers():
    @settings(deadline=None, derandomize=True, max_examples=300, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.floats(allow_nan=False) | st.integers(-(2**60), 2**60), min_size=2, max_size=2))
    def check(numbers):
        one, other = (row["text_key"] for row in rows("x", numbers))
        as_float, than = map(float, numbers)
        assert (one < other, one == other) == (as_float < than, as_float == than)

    check()
