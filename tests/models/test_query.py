"""The grammar of searches."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from stormpath_app.errors import InvalidOrder, InvalidQueryValue, RangeReversed
from stormpath_app.models.query import (
    Numbers,
    Order,
    Pattern,
    Range,
    Times,
    numbers,
    orders,
    pattern,
    snake,
    times,
    written_range as read,
)


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("givenName", "given_name"),
        ("given_name", "given_name"),
        ("passwordModifiedAt", "password_modified_at"),
        ("customData.favouriteShip.Name", "custom_data.favouriteShip.Name"),
    ],
)
def test_attributes_have_the_names_of_python_whichever_way_they_are_written(written, meant):
    assert snake(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("le", Pattern("le")),
        ("le*", Pattern("le", behind=True)),
        ("*le", Pattern("le", before=True)),
        ("*le*", Pattern("le", before=True, behind=True)),
        ("l*e", Pattern("l*e")),
        ("*", Pattern("", before=True, behind=True)),
        ("**", Pattern("", before=True, behind=True)),
        ("***", Pattern("*", before=True, behind=True)),
        ("", Pattern("")),
    ],
)
def test_stars_are_wildcards_at_the_ends_alone(written, meant):
    assert pattern(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("[1,2]", Range("1", "2", with_low=True, with_high=True)),
        (" ( 1 , 2 ) ", Range("1", "2", with_low=False, with_high=False)),
        ("[1,2)", Range("1", "2", with_low=True, with_high=False)),
        ("(,2]", Range("", "2", with_low=False, with_high=True)),
        ("[,]", Range("", "", with_low=True, with_high=True)),
        ("[2015]", Range("2015", "2015", with_low=True, with_high=True)),
        *((text, None) for text in ("", "1", "1,2", "[1,2", "1,2]", "[1,2,3]", "[]", "(1)", "[1)", "[[1,2]]")),
        (7, None),
    ],
)
def test_ranges_have_brackets_of_both_kinds_and_ends_may_be_open(written, meant):
    assert read(written) == meant


@pytest.mark.parametrize(
    ("written", "low", "high"),
    [
        ("2015", at(2015, 1, 1), at(2016, 1, 1)),
        ("2015-12", at(2015, 12, 1), at(2016, 1, 1)),
        ("2016-02", at(2016, 2, 1), at(2016, 3, 1)),
        ("2015-01-31", at(2015, 1, 31), at(2015, 2, 1)),
        ("2015-01-10T23", at(2015, 1, 10, 23), at(2015, 1, 11)),
        ("2015-01-10T12:59", at(2015, 1, 10, 12, 59), at(2015, 1, 10, 13)),
        ("2015-01-10T12:30:59Z", at(2015, 1, 10, 12, 30, 59), at(2015, 1, 10, 12, 31)),
        ("2015-01-10T12:30:59.5", at(2015, 1, 10, 12, 30, 59, 500000), at(2015, 1, 10, 12, 30, 59, 600000)),
        ("2015-01-10T01+02:00", at(2015, 1, 9, 23), at(2015, 1, 10)),
        (date(2015, 1, 31), at(2015, 1, 31), at(2015, 2, 1)),
        (datetime(2015, 1, 1), at(2015, 1, 1), at(2015, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001
        (datetime(2015, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), at(2015, 1, 1), at(2015, 1, 1, 0, 0, 0, 1)),
        ("[2015-01,2016)", at(2015, 1, 1), at(2016, 1, 1)),
        ("[2015,2016]", at(2015, 1, 1), at(2017, 1, 1)),
        ("(2015,2017)", at(2016, 1, 1), at(2017, 1, 1)),
        ("(2015,]", at(2016, 1, 1), None),
        ("[,2015]", None, at(2016, 1, 1)),
        ("[,]", None, None),
        ("[2015]", at(2015, 1, 1), at(2016, 1, 1)),
        ((at(2015, 1, 1), at(2016, 1, 1)), at(2015, 1, 1), at(2016, 1, 1)),
        (("2015", None), at(2015, 1, 1), None),
    ],
)
def test_a_stamp_is_the_whole_of_its_period(written, low, high):
    assert times("Account", "created_at", written) == Times(low, high)


@pytest.mark.parametrize(
    "written",
    [
        *("", "soon", "15", "2015-13", "2015-02-30", "2015-1", "2015-01-10 12", "2015-01-10T25", "٢٠١٥", "0000"),
        *(
            "9999",
            "[2015",
            "2015]",
            "[2015,2016",
            "[2015,2016,2017]",
            "[soon,later]",
            "2015*",
            "[]",
            "(2015)",
            "2015\n,",
        ),
        *(None, 2015, ("2015",), ("2015", 7), "0001-01-01T00+14:00"),
    ],
)
def test_what_is_no_time_is_refused(written):
    with pytest.raises(InvalidQueryValue) as refused:
        times("Account", "created_at", written)
    assert refused.value.code == 2103


@pytest.mark.parametrize("written", ["[2016,2015]", "(2015-02,2015-01)", (at(2016, 1, 1), at(2015, 1, 1))])
def test_a_range_that_ends_before_it_starts_is_refused(written):
    with pytest.raises(RangeReversed) as refused:
        times("Account", "created_at", written)
    assert refused.value.code == 2108


def test_a_range_may_be_empty():
    assert times("Account", "created_at", "(2015,2015)") == Times(at(2016, 1, 1), at(2015, 1, 1))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (7, Numbers(Decimal(7), Decimal(7), with_low=True, with_high=True)),
        ("1.5", Numbers(Decimal("1.5"), Decimal("1.5"), with_low=True, with_high=True)),
        ("[0,1e3)", Numbers(Decimal(0), Decimal(1000), with_low=True, with_high=False)),
        ("(,-1]", Numbers(None, Decimal(-1), with_low=False, with_high=True)),
    ],
)
def test_numbers_come_alone_or_in_ranges(written, meant):
    assert numbers("Account", "rank", written) == meant


@pytest.mark.parametrize(
    "written",
    ["", "x", "nan", "[1,inf]", "1_0", "1e999", "9" * 999, pytest.param(10**5000, id="long"), None, "٣", True],
)
def test_what_is_no_number_is_refused(written):
    with pytest.raises(InvalidQueryValue):
        numbers("Account", "rank", written)


def test_a_range_of_numbers_goes_up():
    with pytest.raises(RangeReversed):
        numbers("Account", "rank", "[2,1]")


@pytest.mark.parametrize(
    ("clauses", "meant"),
    [
        (["surname"], [Order("surname")]),
        (["surname asc, givenName DESC"], [Order("surname"), Order("given_name", descending=True)]),
        (["surname", " given_name  desc "], [Order("surname"), Order("given_name", descending=True)]),
        (["customData.rankNo desc"], [Order("custom_data.rankNo", descending=True)]),
    ],
)
def test_orders_are_clauses_one_by_one_or_with_commas(clauses, meant):
    assert list(orders("Account", *clauses)) == meant


@pytest.mark.parametrize("clause", ["", ",", "surname,", "surname up", "surname asc desc", "asc desc up", " "])
def test_what_is_no_order_is_refused(clause):
    with pytest.raises(InvalidOrder) as refused:
        orders("Account", clause)
    assert refused.value.code == 2104
