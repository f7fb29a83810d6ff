"""Charts: right numbers at their places, each in words too, and nothing that a strict policy forbids."""

import re
from datetime import date
from xml.etree import ElementTree

import pytest

from stormpath_app.admin import charts
from stormpath_app.admin.charts import Row

pytestmark = pytest.mark.sqlite

ROWS = [Row("1 Oct", 10, 0, 5), Row("2 Oct", 40, 20, 5), Row("<b>3</b> & 4", 0, 1, 0)]


@pytest.fixture
def drawn(context):
    return {
        "lines": charts.lines(ROWS, 'Logins "per" <day>'),
        "spark": charts.spark([0, 2, 1], [0, 0, 3]),
        "heat": charts.heat([0, 1, 4, 0], date(2026, 11, 24)),
    }


@pytest.mark.parametrize("name", ["lines", "spark", "heat"])
def test_a_chart_is_well_formed_named_and_has_no_style_or_script(drawn, name):
    parsed = ElementTree.fromstring(drawn[name])
    assert not re.search(r"style=|<style|<script|on[a-z]+=|href|<b>", drawn[name])
    named = [each for each in parsed.iter() if each.get("role") == "img"]
    assert [bool(each.get("aria-label")) for each in named] == [True]


def test_each_day_of_a_chart_says_its_numbers(drawn):
    titles = re.findall("<title>(.*?)</title>", drawn["lines"])
    assert titles == [
        "1 Oct: 10 logins, 0 failed",
        "2 Oct: 40 logins, 20 failed",
        "&lt;b&gt;3&lt;/b&gt; &amp; 4: 0 logins, 1 failed",
    ]


def test_lines_are_drawn_to_scale(drawn):
    assert 'd="M0 150.0L10 0.0L20 200.0"' in drawn["lines"]  # of 40: 10, 40, 0
    assert 'class="fail" d="M0 200.0L10 100.0L20 195.0"' in drawn["lines"]
    assert 'class="past" d="M0 175.0L10 175.0L20 200.0"' in drawn["lines"]
    assert re.findall('class="y"[^>]*>([^<]*)<', drawn["lines"]) == ["40", "30", "20", "10", "0"]


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 4), (3, 4), (4, 4), (5, 8), (9, 12), (11, 20), (41, 60), (99, 120), (1799, 2000), (10**9, 10**9)],
)
def test_a_scale_ends_just_above_what_there_is(most, top):
    assert charts._top(most) == top


@pytest.mark.parametrize("number", [1, 2, 24, 30, 90])
def test_some_days_are_named_the_first_and_the_last_among_them(context, number):
    drawn = charts.lines([Row(f"day {at}", 1, 0, 0) for at in range(number)], "Logins")
    named = re.findall(r'<text x="([\d.]+)%"[^>]*>day (\d+)<', drawn)
    assert len(named) == min(number, 5)
    assert [int(day) for _place, day in (named[0], named[-1])] == [0, number - 1]
    assert (named[0][0], named[-1][0]) == ("0.00", "100.00" if number > 1 else "0.00")


def test_a_chart_of_nothing_is_drawn(context):
    ElementTree.fromstring(charts.lines([Row("today", 0, 0, 0)] * 7, "Logins"))
    ElementTree.fromstring(charts.spark([0] * 30, [0] * 30))
    ElementTree.fromstring(charts.heat([0] * 365, date(2026, 11, 24)))


def test_a_sparks_days_stand_beside_each_other(drawn):
    assert 'aria-label="3 logins, 3 failed in 3 days"' in drawn["spark"]
    assert 'class="none" d="M1 24V22"' in drawn["spark"]
    assert 'class="good" d="M4 24V14M7 24V19"' in drawn["spark"]
    assert 'class="fail" d="M7 19V4"' in drawn["spark"]


def test_a_heat_map_has_a_square_for_each_day_in_the_column_of_its_week(drawn):
    squares = re.findall(r'class="(l\d)" d="([^"]+)"', drawn["heat"])
    # 24 November 2026 is a Tuesday: Saturday and Sunday are in the week before.
    assert squares == [("l0", "M0 59.5h9M11 15.5h9"), ("l1", "M0 70.5h9"), ("l4", "M11 4.5h9")]
    assert "2 of the last 4" in drawn["heat"]
