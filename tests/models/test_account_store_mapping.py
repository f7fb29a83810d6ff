"""AccountStoreMapping: the order of account stores and which is the default, changed by one and by many."""

import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

from stormpath_app import Application
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountStoreAlreadyMapped,
    BelowMinimum,
    ChangedMeanwhile,
    GroupAsDefaultGroupStore,
    ReadOnly,
    WrongType,
)
from stormpath_app.models import AccountStoreMapping, Client, account_store_mapping

from ..conftest import make_app
from ..together import together
from . import test_concurrency
from .test_concurrency import at_once, outcome
from .test_event import events

NAMES = ["Customers", "Staff", "Third", "Fourth"]


@pytest.fixture
def application(context):
    """Return an application without account stores."""
    return Client().applications.create(name="Shop")


@pytest.fixture
def stores(application):
    return [Client().directories.create(name=name) for name in NAMES]


@pytest.fixture
def mappings(application, stores):
    return [application.add_account_store(store) for store in stores]


def order(application):
    """Return the names of an application's stores as the database has them; their numbers have no gaps."""
    session.expire_all()
    mappings = list(application.account_store_mappings)
    assert [mapping.list_index for mapping in mappings] == list(range(len(mappings)))
    return [mapping.account_store.name for mapping in mappings]


def move(mapping, to):
    mapping.list_index = to
    mapping.save()


def defaults(application):
    """Return the names of the stores that are the default of accounts, and those that are of groups."""
    session.expire_all()
    mappings = list(application.account_store_mappings)
    return [mapping.account_store.name for mapping in mappings if mapping.is_default_account_store], [
        mapping.account_store.name for mapping in mappings if mapping.is_default_group_store
    ]


# --- The order ---


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (0, "Staff Customers"),
        (" 0 ", "Staff Customers"),
        (1, "Customers Staff"),
        (None, "Customers Staff"),
        (7, "Customers Staff"),
        ("2147483647", "Customers Staff"),
        (2**31 - 1, "Customers Staff"),
        (10**100, "Customers Staff"),
        ("9" * 5000, "Customers Staff"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_store_is_put_in_its_place_and_those_behind_make_room(application, stores, place, expected):
    application.add_account_store(stores[0])
    made = application.add_account_store(stores[1], list_index=place)
    assert made.list_index == expected.split().index("Staff")
    assert order(application) == expected.split()


@pytest.mark.parametrize(
    ("which", "to", "expected"),
    [
        (0, 3, "Staff Third Fourth Customers"),
        (0, 99, "Staff Third Fourth Customers"),
        (0, None, "Staff Third Fourth Customers"),
        (3, 0, "Fourth Customers Staff Third"),
        (1, 2, "Customers Third Staff Fourth"),
        (2, 2, "Customers Staff Third Fourth"),
        (3, 3, "Customers Staff Third Fourth"),
    ],
)
def test_a_store_that_is_moved_makes_the_others_close_up(application, mappings, which, to, expected):
    move(mappings[which], to)
    assert order(application) == expected.split()


def test_a_store_that_is_taken_away_leaves_no_gap(application, mappings):
    mappings[1].delete()
    assert order(application) == ["Customers", "Third", "Fourth"]
    assert [mapping.list_index for mapping in application.account_store_mappings] == [0, 1, 2]


def test_the_order_of_one_application_is_no_others(application, mappings, stores):
    other = Client().applications.create(name="Bar")
    other.add_account_store(stores[3])
    move(mappings[0], 3)
    assert other.add_account_store(stores[0], list_index=0).list_index == 0
    assert order(other) == ["Customers", "Fourth"]
    assert order(application) == ["Staff", "Third", "Fourth", "Customers"]


def test_a_mapping_that_others_pushed_stays_there_when_something_else_of_it_is_saved(app, application, mappings):
    with app.app_context():
        move(AccountStoreMapping.get(mappings[3].id), 0)
    mappings[0].is_default_account_store = True
    mappings[0].save()
    assert order(application) == ["Fourth", "Customers", "Staff", "Third"]


def test_a_mapping_that_others_pushed_can_be_moved_from_where_it_was(app, application, mappings):
    with app.app_context():
        move(AccountStoreMapping.get(mappings[3].id), 0)
    move(mappings[2], 99)  # it is the last already, and was told to be the third
    assert order(application) == ["Fourth", "Customers", "Staff", "Third"]


@pytest.mark.parametrize("value", [-1, "-1", -(10**30)], ids=lambda value: str(value)[:5])
def test_a_place_before_the_first_is_refused(application, mappings, value):
    with pytest.raises(BelowMinimum, match="listIndex minimum value") as caught:
        mappings[0].list_index = value
    assert (caught.value.status, caught.value.code) == (400, 2009)
    with pytest.raises(BelowMinimum):
        application.add_account_store(Client().directories.create(name="Fifth"), list_index=value)
    assert order(application) == NAMES


@together("value", [True, 1.0, "", "first", "1.0", b"1", [1]])
def test_a_place_that_is_no_number_is_refused(mappings, value):
    with pytest.raises(WrongType):
        mappings[0].list_index = value


STEPS = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 9), st.none() | st.integers(0, 9)),
    st.tuples(st.just("move"), st.integers(0, 9), st.none() | st.integers(0, 9)),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
)


@settings(deadline=None, derandomize=True, max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, max_size=8))
def test_the_order_is_that_of_a_list_whatever_is_inserted_moved_and_deleted(context, steps):
    application, model, made = Client().applications.create(name="Shop"), [], []
    try:
        for what, number, place in steps:
            _step(application, model, made, what, number, place)
            assert order(application) == [store.name for store in model]
    finally:
        application.delete()
        for store in made:
            store.delete()


def _step(application, model, made, what, number, place):
    """Do one thing to the application and to the list."""
    if what == "insert":
        made.append(Client().directories.create(name=f"Store {len(made)}"))
        application.add_account_store(made[-1], list_index=place)
        model.insert(len(model) if place is None else place, made[-1])
    elif model:
        mapping = application.account_store_mappings[number % len(model)]
        store = model.pop(number % len(model))
        if what == "delete":
            mapping.delete()
        else:
            move(mapping, place)
            model.insert(len(model) if place is None else place, store)


# --- Defaults ---


@pytest.mark.parametrize("name", ["is_default_account_store", "is_default_group_store"])
def test_a_new_default_takes_the_flag_from_the_one_before(application, mappings, name):
    for mapping in mappings[:2]:
        setattr(mapping, name, True)
        mapping.save()
        held = dict(zip(("is_default_account_store", "is_default_group_store"), defaults(application), strict=True))
        assert held.pop(name) == [mapping.account_store.name]
        assert list(held.values()) == [[]]
    assert not mappings[0][name]


def test_a_default_that_is_taken_away_leaves_none(application, mappings):
    mappings[0].is_default_account_store = mappings[0].is_default_group_store = True
    mappings[0].save()
    assert application.default_account_store_mapping is application.default_group_store_mapping is mappings[0]
    mappings[0].delete()
    assert defaults(application) == ([], [])
    assert application.default_account_store_mapping is application.default_group_store_mapping is None


def test_a_default_can_be_given_up(application, mappings):
    for value in (True, False):
        mappings[0].is_default_account_store = value
        mappings[0].save()
    assert defaults(application) == ([], [])


def test_a_group_is_no_default_group_store(application, stores):
    group = stores[0].groups.create(name="gold")
    with pytest.raises(GroupAsDefaultGroupStore) as caught:
        application.account_store_mappings.create(account_store=group, is_default_group_store=True)
    assert caught.value.code == 5112
    assert order(application) == []
    mapping = application.add_account_store(group, is_default=True)
    assert defaults(application) == (["gold"], [])
    mapping.is_default_group_store = True
    with pytest.raises(GroupAsDefaultGroupStore):
        mapping.save()
    assert defaults(application) == (["gold"], [])


@pytest.mark.parametrize("value", [None, 1, "perhaps"], ids=str)
def test_a_default_is_true_or_false(mappings, value):
    with pytest.raises(WrongType):
        mappings[0].is_default_account_store = value


# --- What stays ---


def test_a_mapping_stays_with_its_application_and_its_store(application, mappings, stores):
    other = Client().applications.create(name="Bar")
    for name, value in (("application", other), ("application_id", other.id), ("account_store", stores[1])):
        with pytest.raises(ReadOnly):
            setattr(mappings[0], name, value)
    with pytest.raises(ReadOnly):
        mappings[0]["account_store"] = stores[1]
    mappings[0].account_store = stores[0]
    mappings[0].save()
    assert order(application) == NAMES


def test_a_refused_change_can_be_mended_and_saved(application, mappings, stores):
    group = stores[0].groups.create(name="gold")
    mapping = application.add_account_store(group)
    mapping.list_index, mapping.is_default_group_store = 0, True
    with pytest.raises(GroupAsDefaultGroupStore):
        mapping.save()
    assert mapping.list_index == 0
    mapping.is_default_group_store = False
    mapping.save()
    assert order(application) == ["gold", *NAMES]


def test_the_log_tells_what_was_mapped_moved_and_unmapped(application, stores):
    group = stores[0].groups.create(name="gold")
    mapping = application.add_account_store(group, is_default=True)
    application.add_account_store(stores[1])
    move(mapping, 1)
    mapping.delete()
    logged = [event for event in events() if event.kind.startswith("account_store.")]
    logged = [event for event in logged if event.application_id == application.id]
    assert [(event.kind.partition(".")[2], event.directory_id, event.data.get("group_id")) for event in logged] == [
        ("mapped", stores[0].id, group.id),
        ("mapped", stores[1].id, None),
        ("updated", stores[0].id, group.id),
        ("unmapped", stores[0].id, group.id),
    ]
    assert logged[2].data["changed"] == {"list_index": [0, 1]}


def test_an_application_can_be_saved_as_before_after_its_stores_changed(application, stores):
    application.description = "Of spare parts"
    mapping = application.add_account_store(stores[0])
    application.save()
    move(mapping, 0)
    mapping.delete()
    application.description += " and more"
    application.save()
    application.refresh()
    assert application.description == "Of spare parts and more"


# --- Many at once ---


def one_order(app):
    """Tell whether the numbers of all applications are 0, 1, 2, with one default at most."""
    with app.app_context():
        for application in Client().applications:
            order(application)
            assert all(len(names) <= 1 for names in defaults(application))
    return True


def _map(name):
    store = Client().directories.create(name=name)
    Application.current().account_store_mappings.create(
        account_store=store, list_index=0, is_default_account_store=True
    )


def test_threads_that_map_stores_at_one_place_all_get_one(app):
    assert at_once(app, _map, *map(str, range(8))) == ["done"] * 8
    assert one_order(app)
    with app.app_context():
        assert len(Application.current().account_store_mappings) == 9


def test_of_threads_that_map_one_store_one_does(app):
    with app.app_context():
        store = Client().directories.create(name="Staff").href
    outcomes = at_once(app, lambda place: Application.current().add_account_store(store, list_index=place), *range(8))
    assert outcomes == [AccountStoreAlreadyMapped.__name__] * 7 + ["done"]
    assert one_order(app)


def shuffle(number):
    """Map, move and take away stores."""
    application = Application.current()
    store = Client().directories.create(name=f"Store {number}")
    mapping = application.add_account_store(store, list_index=0)
    for place in (99, 0):
        move(mapping, place)
    mapping.is_default_account_store = True
    mapping.save()
    if number % 2:
        with contextlib.suppress(ChangedMeanwhile):
            store.delete()
    else:
        mapping.delete()


def test_threads_that_map_move_and_delete_leave_one_order(app):
    assert at_once(app, shuffle, *range(6)) == ["done"] * 6
    assert one_order(app)


def _shuffle_in_process(instance, number):
    app = make_app(Path(instance))
    with app.app_context():
        test_concurrency._barrier.wait(60)
        return outcome(shuffle, number)


def test_processes_that_map_move_and_delete_leave_one_order(app, instance):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, spawn, test_concurrency._enter, (spawn.Barrier(3),)) as pool:
        assert list(pool.map(_shuffle_in_process, [str(instance)] * 3, range(3))) == ["done"] * 3
    assert one_order(app)


@pytest.mark.parametrize("then", [lambda mapping: move(mapping, 2), lambda mapping: mapping.delete()])
def test_a_mapping_that_somebody_else_took_away_is_told_so(app, application, mappings, then):
    with app.app_context():
        AccountStoreMapping.get(mappings[0].id).delete()
    with pytest.raises(ChangedMeanwhile):
        then(mappings[0])
    assert order(application) == ["Staff", "Third", "Fourth"]


def test_a_change_that_read_too_early_is_made_once_more(application, mappings, monkeypatch):
    locked, real = [], account_store_mapping.lock

    def lock(ids):
        locked.append(ids)
        if len(locked) == 1:
            raise account_store_mapping._ReadTooEarly
        return real(ids)

    monkeypatch.setattr(account_store_mapping, "lock", lock)
    move(mappings[0], 1)
    assert order(application) == ["Staff", "Customers", "Third", "Fourth"]
    assert session.scalar(sa.select(sa.func.count()).select_from(AccountStoreMapping)) == 5 + 1  # the console's
