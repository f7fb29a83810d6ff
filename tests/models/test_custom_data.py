"""Custom data: a dictionary with each resource."""

import contextlib
import json
import math
from collections import OrderedDict
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

from stormpath_app import Account, Application, User, signals
from stormpath_app.database import database, session
from stormpath_app.errors import (
    ChangedMeanwhile,
    CustomDataKeyInvalid,
    CustomDataKeyRequired,
    CustomDataKeyReserved,
    CustomDataKeyTooLong,
    CustomDataTooDeep,
    CustomDataTooLarge,
    InvalidFormat,
    PropertyError,
    StormpathError,
    WrongType,
)
from stormpath_app.models import Client, custom_data_text
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..payloads import JSON_BODY
from ..together import together
from .test_event import events

EMAIL = "leia@alderaan.example"
PERKS = {"7": {"active": True, "since": 2015}, "8": {"active": False}}


@pytest.fixture
def leia(context):
    return User.create(EMAIL, PASSWORD, "Leia", custom_data={"plan": "free", "perks": deepcopy(PERKS)})


@pytest.fixture
def elsewhere(app):
    """Return a block with Leia as another request has her."""

    @contextlib.contextmanager
    def elsewhere():
        with app.app_context():
            yield Application.current().find_account(EMAIL)

    return elsewhere


def stored(app, holder=None):
    """Return what another request reads."""
    with app.app_context():
        found = type(holder).get(holder.id) if holder else Application.current().find_account(EMAIL)
        return dict(found.custom_data)


def tables():
    names = sa.inspect(database.engine).get_table_names()
    return {name: sa.table(name) for name in names if "custom_data" in name}


def rows():
    return sum(session.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables().values())


# --- A dictionary ---


def test_it_is_a_dictionary_that_is_saved_with_the_account(app, leia):
    leia.custom_data["somefield"] = "somevalue"
    leia.custom_data["anotherfield"] = {"json": "data"}
    leia.custom_data["woot"] = 10.202223
    leia.save()
    assert leia.custom_data["woot"] == 10.202223
    assert stored(app)["anotherfield"] == {"json": "data"}
    del leia.custom_data["woot"]
    leia.save()
    assert "woot" not in stored(app)
    with pytest.raises(KeyError, match="woot"):
        leia.custom_data["woot"]


def test_it_does_all_that_a_dictionary_does(leia):
    data, plain = leia.custom_data, {"plan": "free", "perks": PERKS}
    assert data == plain
    assert plain == data
    assert dict(data) == {**data} == plain
    assert (len(data), sorted(data), "plan" in data, "ship" in data, 5 in data) == (
        2,
        ["perks", "plan"],
        True,
        False,
        False,
    )
    assert data.get("ship") is None
    assert data.get("ship", "Falcon") == "Falcon"
    assert data.setdefault("plan", "paid") == "free"
    assert data.setdefault("ships", []) is data["ships"]
    data.update({"plan": "paid"}, age=19)
    assert data.pop("age") == 19
    assert data.pop("age", None) is None
    assert sorted(data.items()) == [("perks", PERKS), ("plan", "paid"), ("ships", [])]
    data.popitem()
    data.clear()
    assert data == {}
    assert not data


@pytest.mark.parametrize("key", ["ship", 5, None, ("plan",)])
def test_what_is_not_there_is_a_key_error(leia, key):
    with pytest.raises(KeyError):
        leia.custom_data[key]
    with pytest.raises(KeyError):
        del leia.custom_data[key]
    with pytest.raises(KeyError):
        leia.custom_data.pop(key)


def test_keys_come_as_they_are_without_another_spelling(app, leia):
    leia.custom_data.update(foo_val=1, fooCamelCase=2, created_at=3)
    leia.save()
    assert {"foo_val", "fooCamelCase", "created_at"} <= stored(app).keys()


def test_the_values_do_not_show_in_a_log(leia):
    assert repr(leia.custom_data) == f"<CustomData of <Account {leia.id}>>"


def test_a_null_is_a_value_like_any_other(app, leia):
    leia.custom_data["plan"] = None
    leia.save()
    assert stored(app)["plan"] is None


# --- What is noticed, read and written ---


def test_a_change_inside_a_value_is_noticed(app, leia):
    leia.custom_data["perks"]["7"]["active"] = False
    leia.save()
    assert stored(app)["perks"]["7"]["active"] is False
    leia.custom_data["perks"].setdefault("9", {"tags": []})["tags"].append("new")
    leia.save()
    assert stored(app)["perks"]["9"] == {"tags": ["new"]}


def test_a_value_that_was_set_is_still_the_same_object(app, leia):
    ships = []
    leia.custom_data["ships"] = ships
    leia.save()
    ships.append("Falcon")
    leia.save()
    assert stored(app)["ships"] == ["Falcon"]


def test_nothing_is_read_with_the_account_and_all_with_one_statement(app, leia, elsewhere):
    with statements(app) as seen, elsewhere() as other:
        assert not any("custom_data" in statement for statement in seen)
        seen.clear()
        assert other.custom_data["plan"] == "free"
        assert other.custom_data["perks"] == PERKS
        assert "ship" not in other.custom_data
        assert other.custom_data.modified_at >= other.custom_data.created_at
        assert len(seen) == 1


def test_one_key_that_changed_is_one_write_and_what_did_not_is_none(app, leia, elsewhere):
    with statements(app) as seen, elsewhere() as other:
        other.custom_data["plan"] = "paid"
        other.save()
    written = [one for one in seen if "_accounts_custom_data" in one and not one.startswith("SELECT")]
    assert len(written) == 1
    assert not any(one.startswith("UPDATE stormpath_accounts ") for one in seen)
    with statements(app) as seen, elsewhere() as other:
        assert dict(other.custom_data)["plan"] == "paid"
        other.custom_data["plan"] = "paid"
        other.save()
        other.custom_data.save()
    assert [one.split()[0] for one in seen if "custom_data" in one] == ["SELECT"]


def test_a_value_is_parsed_when_it_is_asked_for_and_compared_if_it_was(leia, elsewhere, monkeypatch):
    parsed = []
    monkeypatch.setattr("stormpath_app.models.custom_data.load", lambda text: parsed.append(text) or json.loads(text))
    with elsewhere() as other:
        assert other.custom_data["plan"] == "free"
        assert len(other.custom_data) == 2
    assert parsed == ['"free"']


def test_it_can_be_saved_without_what_was_set_on_the_account(app, leia):
    leia.given_name = "General"
    leia.custom_data["plan"] = "paid"
    leia.custom_data.save()
    assert stored(app)["plan"] == "paid"
    with app.app_context():
        assert Account.get(leia.id).given_name == "Leia"
    assert leia.given_name == "General"
    leia.save()
    with app.app_context():
        assert Account.get(leia.id).given_name == "General"


def test_to_delete_it_is_to_empty_it(app, leia):
    leia.custom_data["unsaved"] = 1
    leia.custom_data.delete()
    assert leia.custom_data == stored(app) == {}
    leia.custom_data["plan"] = "free"
    leia.save()
    assert stored(app) == {"plan": "free"}


def test_a_key_that_was_removed_can_be_set_again_as_it_was(app, leia):
    for _ in range(2):
        del leia.custom_data["plan"]
        leia.save()
        assert "plan" not in stored(app)
        leia.custom_data["plan"] = "free"
        leia.save()
        assert stored(app)["plan"] == "free"


def test_to_refresh_forgets_what_was_not_saved_and_reads_what_others_did(leia, elsewhere):
    leia.custom_data.update(plan="none", ship="Falcon")
    with elsewhere() as other:
        other.custom_data["plan"] = "paid"
        other.save()
    leia.refresh()
    assert leia.custom_data == {"plan": "paid", "perks": PERKS}
    leia.custom_data["plan"] = "none"
    leia.custom_data.refresh()
    assert leia.custom_data["plan"] == "paid"


def test_what_is_assigned_is_all_there_is(app, leia):
    leia.custom_data = {"ship": "Falcon"}
    leia["custom_data"] = {**leia.custom_data, "age": 19}
    leia.save()
    assert stored(app) == {"ship": "Falcon", "age": 19}
    leia.custom_data = leia.custom_data
    leia.custom_data = None
    leia.save()
    assert stored(app) == {"ship": "Falcon", "age": 19}


@together("value", [[], "x", 5, [("a", 1)], True])
def test_what_is_assigned_is_a_dictionary(leia, value):
    with pytest.raises(WrongType, match="Account custom data is of the wrong type"):
        leia.custom_data = value
    with pytest.raises(WrongType):
        User.create("han@falcon.example", PASSWORD, custom_data=value)
    assert leia.custom_data["plan"] == "free"


def test_what_is_assigned_is_refused_as_a_whole(app, leia):
    with pytest.raises(CustomDataKeyReserved):
        leia.custom_data = {"ship": "Falcon", "href": "/"}
    leia.save()
    assert stored(app) == {"plan": "free", "perks": PERKS}


def test_the_dictionary_of_an_account_leaves_it_out_and_its_name_gives_it(leia):
    assert "custom_data" not in dict(leia)
    assert "custom_data" in leia
    assert leia["custom_data"] is leia.custom_data


# --- With every resource ---


def holders():
    application = Application.current()
    directory = application.default_account_store()
    group = directory.find_group("rebels") or directory.groups.create(name="rebels")
    return [Client().tenant, application, directory, group]


@pytest.mark.parametrize("number", range(4), ids=["tenant", "application", "directory", "group"])
def test_other_resources_have_it_too(app, context, number):
    holder = holders()[number]
    holder.custom_data["plan"] = {"seats": 5}
    holder.save()
    assert stored(app, holder) == {"plan": {"seats": 5}}
    holder["custom_data"]["plan"]["seats"] = 6
    holder.custom_data.save()
    assert stored(app, holder) == {"plan": {"seats": 6}}
    assert holder.custom_data.href == f"{holder.href}/customData"


@pytest.mark.parametrize("kind", ["applications", "directories", "groups", "accounts"])
def test_it_can_be_given_when_a_resource_is_created(app, context, kind):
    places = {"accounts": Application.current(), "groups": Application.current()}
    collection = getattr(places.get(kind, Client()), kind)
    given = {"email": EMAIL, "password": PASSWORD} if kind == "accounts" else {"name": "one"}
    one = collection.create({**given, "custom_data": {"plan": "free"}})
    assert stored(app, one) == {"plan": "free"}
    given = {"email": "han@x.example", "password": PASSWORD} if kind == "accounts" else {"name": "two"}
    assert stored(app, collection.create(given, custom_data=None)) == {}


def test_an_account_with_wrong_custom_data_is_not_created(app, context):
    with pytest.raises(WrongType):
        User.create(EMAIL, PASSWORD, custom_data={"now": datetime.now(UTC)})
    assert len(Application.current().accounts) == 0


def test_its_own_attributes_tell_when_and_where(held_clock, leia):
    data, before = leia.custom_data, leia.modified_at
    assert data.href == f"{leia.href}/customData"
    assert data.created_at == leia.created_at
    held_clock.forward(hours=1)
    data["plan"] = "paid"
    data.save()
    assert data.modified_at == held_clock.at
    held_clock.forward(hours=1)
    del data["plan"]
    data.save()
    leia.refresh()
    assert data.modified_at == held_clock.at
    assert leia.modified_at == before
    assert list(data) == ["perks"]


def test_it_goes_with_its_resource(leia):
    application, directory, group = holders()[1:]
    for holder in (application, directory, group):
        holder.custom_data["x"] = "y"
        holder.save()
    assert rows() > 0
    directory.delete()
    application.delete()
    assert rows() == 0


@pytest.mark.sqlite  # a host's SQLite alone can be so
def test_it_goes_with_its_resource_where_foreign_keys_are_not_enforced(leia):
    session.commit()
    session.execute(sa.text("PRAGMA foreign_keys = OFF"))
    try:
        holders()[2].delete()
        assert rows() == 0
    finally:
        session.commit()
        session.execute(sa.text("PRAGMA foreign_keys = ON"))


# --- What it may be ---

KEYS = [
    ("", CustomDataKeyRequired, 3000),
    ("x" * 256, CustomDataKeyTooLong, 3001),
    *((key, CustomDataKeyInvalid, 3002) for key in ("-x", "a b", "a.b", "ä", "a\n", "a\0", "$", "x[0]", "\ud800", "٣")),
    *((key, CustomDataKeyReserved, 3003) for key in custom_data_text.RESERVED),
    *((key, WrongType, 2004) for key in (5, None, ("a",), b"a")),
]


@together(("key", "error", "code"), KEYS)
def test_a_key_that_cannot_be_is_refused_where_it_is_set(app, leia, key, error, code):
    with pytest.raises(error) as caught:
        leia.custom_data[key] = 1
    assert (caught.value.code, caught.value.status) == (code, 400)
    with pytest.raises(error):
        User.create("han@falcon.example", PASSWORD, custom_data={key: 1})
    leia.save()
    assert stored(app).keys() == {"plan", "perks"}


@together("key", ["x", "X" * 255, "_", "0", "a-", "a_b-C9", "Href", "created_at", "save"])
def test_a_key_that_can_be_is_taken(app, leia, key):
    leia.custom_data[key] = 1
    leia.save()
    assert stored(app)[key] == 1


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


def looped():
    value = {}
    value["itself"] = [value]
    return value


WRONG = [
    *((value, WrongType) for value in (math.nan, math.inf, -math.inf, {"a": [math.nan]})),
    *((value, WrongType) for value in (b"x", {1, 2}, datetime.now(UTC), Decimal(1), object(), 1j, range(3))),
    *((value, WrongType) for value in ({1: "x"}, {None: "x"}, {True: "x"}, {"a": {("b",): 1}})),
    *((value, WrongType) for value in (10**5000, {"a": -(10**5000)})),
    *((value, InvalidFormat) for value in ("\0", "a\0b", {"a\0": 1}, ["\ud800"], {"\udfff": 1}, "\ud83d")),
    *((value, CustomDataTooDeep) for value in (nested(33), {"a": nested(32)}, nested(1000), looped())),
]


@together(("value", "error"), WRONG, ids=range(len(WRONG)))
def test_a_value_that_cannot_be_is_refused_where_it_is_set_and_where_it_is_saved(app, leia, value, error):
    with pytest.raises(error, match="Account custom data 'x' is"):
        leia.custom_data["x"] = value
    leia.custom_data["perks"]["7"] = value
    leia.given_name = "General"
    with pytest.raises(error, match="Account custom data 'perks' is"):
        leia.save()
    assert stored(app) == {"plan": "free", "perks": PERKS}
    assert leia.given_name == "General"


@together(
    "value",
    [
        nested(32),
        10**4000,
        -(2**63) - 1,
        2**64,
        1e308,
        5e-324,
        -0.0,
        0.1,
        "",
        [],
        {},
        "\\u0000",
        "🗝️",
        "\u2028",
        "'\"\\%s",
    ],
)
def test_what_was_stored_is_read_exactly(app, leia, value):
    leia.custom_data["x"] = value
    leia.save()
    assert repr(stored(app)["x"]) == repr(value)


def test_a_tuple_and_a_special_dictionary_are_read_again_as_json_has_them(app, leia):
    leia.custom_data["x"] = {"pair": (1, (2,)), "rest": OrderedDict(a=True)}
    leia.save()
    assert stored(app)["x"] == {"pair": [1, [2]], "rest": {"a": True}}


@together("body", JSON_BODY)
def test_what_comes_as_json_is_stored_or_refused(app, leia, body):
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return  # an interface answers that
    for give in (lambda: leia.custom_data.update(x=value), lambda: setattr(leia, "custom_data", value)):
        with contextlib.suppress(StormpathError):
            give()
            leia.save()
        leia.refresh()
        assert dict(leia.custom_data) == stored(app)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXTS, inside, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(
    st.from_regex(r"\A[A-Za-z0-9_]{1,8}\Z").filter(lambda key: key not in custom_data_text.RESERVED), JSON
)


def test_any_json_is_read_as_it_was_written(app, leia):
    @settings(deadline=None, derandomize=True, max_examples=60, suppress_health_check=list(HealthCheck))
    @given(before=DOCUMENTS, after=DOCUMENTS)
    def check(before, after):
        leia.custom_data = before
        leia.save()
        leia.custom_data.refresh()
        assert leia.custom_data == before
        leia.custom_data.update(after)
        leia.custom_data.save()
        assert json.dumps(stored(app), sort_keys=True) == json.dumps({**before, **after}, sort_keys=True)

    check()


# --- How much ---


def test_ten_megabytes_are_stored_and_one_byte_more_is_not(app, leia):
    leia.custom_data = {"a": "ü" * (5 * 1024 * 1024 - 4), "b": 12}  # with the keys and the quotes
    leia.save()
    leia.custom_data["b"] = 1234
    leia.save()
    leia.custom_data["b"] = 12345
    with pytest.raises(CustomDataTooLarge) as caught:
        leia.save()
    assert caught.value.code == 3004
    assert stored(app)["b"] == 1234
    del leia.custom_data["a"]
    leia.save()
    assert stored(app) == {"b": 12345}


def test_an_account_with_too_much_is_not_created(context):
    with pytest.raises(CustomDataTooLarge):
        User.create(EMAIL, PASSWORD, custom_data={"a": "x" * 6_000_000, "b": "x" * 6_000_000})
    assert len(Application.current().accounts) == 0
    assert rows() == 0


def test_what_others_wrote_meanwhile_counts(app, leia, elsewhere):
    with elsewhere() as other:
        other.custom_data["a"] = "x" * 6_000_000
        other.save()
    leia.custom_data["b"] = "x" * 6_000_000
    with pytest.raises(CustomDataTooLarge):
        leia.save()
    assert stored(app).keys() == {"plan", "perks", "a"}


# --- Two at once, and what is undone ---


def test_two_who_change_different_keys_both_keep_their_change(app, leia, elsewhere):
    assert leia.custom_data["plan"] == "free"
    with elsewhere() as other:
        other.custom_data["plan"], other.given_name = "paid", "General"
        other.save()
    leia.custom_data["perks"]["7"]["active"] = False
    leia.custom_data["ship"] = "Falcon"
    leia.save()
    assert stored(app) == {"plan": "paid", "perks": {**PERKS, "7": {"active": False, "since": 2015}}, "ship": "Falcon"}


def test_of_two_who_change_one_key_the_last_one_stays(app, leia, elsewhere):
    leia.custom_data["perks"]["7"] = "ours"
    with elsewhere() as other:
        other.custom_data["perks"]["8"] = "theirs"
        other.save()
    leia.save()
    assert stored(app)["perks"] == {"7": "ours", "8": {"active": False}}


@pytest.mark.parametrize(
    "save", [lambda leia: leia.save(), lambda leia: leia.custom_data.save()], ids=["hers", "its own"]
)
def test_what_belongs_to_nobody_any_more_is_not_saved(leia, elsewhere, save):
    leia.custom_data["plan"] = "paid"
    with elsewhere() as other:
        other.delete()
    with pytest.raises(ChangedMeanwhile):
        save(leia)
    assert rows() == 0


def test_what_was_rolled_back_is_read_anew(app, leia):
    def fail():
        with atomic():
            leia.custom_data["plan"] = "paid"
            del leia.custom_data["perks"]
            leia.save()
            assert leia.custom_data == {"plan": "paid"}
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert leia.custom_data == stored(app) == {"plan": "free", "perks": PERKS}
    leia.custom_data["plan"] = "paid"
    leia.save()
    assert stored(app)["plan"] == "paid"


def test_a_savepoint_that_fails_undoes_itself_alone(app, leia):
    with atomic():
        leia.custom_data["plan"] = "paid"
        leia.save()
        leia.custom_data["big"] = "x" * 11_000_000
        with pytest.raises(CustomDataTooLarge):
            leia.save()
        leia.custom_data["big"] = "small"
        leia.save()
    assert stored(app) == {"plan": "paid", "perks": PERKS, "big": "small"}


def test_what_could_not_be_saved_is_still_there_to_be_mended(app, leia):
    leia.custom_data["plan"] = "paid"
    del leia.custom_data["perks"]
    leia.status = "ENABLED"
    leia.chosen_username = "a@b"
    with pytest.raises(PropertyError):
        leia.save()
    assert leia.custom_data == {"plan": "paid"}
    leia.username = "leia"
    leia.save()
    assert stored(app) == {"plan": "paid"}


def test_no_other_verb_writes_it(app, leia):
    leia.custom_data["plan"] = "paid"
    leia.check_password(PASSWORD)
    leia.unlock()
    assert stored(app)["plan"] == "free"
    assert leia.custom_data["plan"] == "paid"


# --- The log, and signals ---


def test_the_log_tells_the_keys_and_never_the_values(leia):
    leia.custom_data["plan"] = "a secret"
    del leia.custom_data["perks"]
    leia.given_name = "General"
    leia.save()
    leia.custom_data["ship"] = "another secret"
    leia.custom_data.save()
    leia.save()
    one, other = events("account.updated")
    assert one.data == {"changed": {"given_name": ["Leia", "General"]}, "custom_data": ["perks", "plan"]}
    assert other.data == {"custom_data": ["ship"]}


@pytest.mark.parametrize("number", [1, 2, 3], ids=["application", "directory", "group"])
def test_the_log_tells_it_of_other_resources(context, number):
    holder = holders()[number]
    holder.custom_data["plan"] = "a secret"
    holder.save()
    (told,) = events(f"{holder.thing.lower()}.updated")
    assert told.data["custom_data"] == ["plan"]
    assert "secret" not in told.details


def test_a_signal_tells_once_that_custom_data_changed(app, leia):
    told = []

    def receive(sender, user, account):
        told.append(account.custom_data["plan"])

    with signals.user_updated.connected_to(receive, app):
        leia.custom_data["plan"] = "paid"
        leia.save()
        leia.custom_data["plan"] = "more"
        leia.custom_data.save()
        leia.save()
        leia.custom_data.save()
    assert told == ["paid", "more"]


def test_a_receiver_can_save_custom_data_of_its_own(app, leia):
    told = []

    def receive(sender, account, **more):
        told.append(dict(account.custom_data))
        account.custom_data["seen"] = True
        account.save()

    with signals.user_updated.connected_to(receive, app):
        leia.custom_data["plan"] = "paid"
        leia.save()
    assert [(data["plan"], data.get("seen")) for data in told] == [("paid", None), ("paid", True)]
    assert stored(app) == {"plan": "paid", "perks": PERKS, "seen": True}
    assert [event.data["custom_data"] for event in events("account.updated")] == [["plan"], ["seen"]]
