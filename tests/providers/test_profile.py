"""What providers tell of people: of any type, with anything in it."""

import pytest

from stormpath_app.providers import profile


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Han", "Han"),
        ("  Han \t\n Jr. ", "Han Jr."),
        ("Ha\x00n\x1b[31m\u202e", "Ha n [31m"),
        ("a\ud800b", "a b"),
        ("می\u200cروم", "می\u200cروم"),
        ("x" * 1000, "x" * 255),
        *((value, None) for value in (None, "", "  ", "\x00", 5, True, ["Han"], {"first": "Han"})),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_name_is_what_one_can_see_of_it(told, name):
    assert profile.words(told) == name


@pytest.mark.parametrize(
    ("whole", "given", "surname"),
    [
        ("Han Solo", "Han", "Solo"),
        ("Jan van der Berg", "Jan van der", "Berg"),
        ("Chewbacca", "Chewbacca", None),
        (None, None, None),
        (5, None, None),
    ],
)
def test_a_whole_name_is_taken_apart_where_there_are_no_parts(whole, given, surname):
    told = {"name": whole}
    assert profile.names(told, "g", "m", "s") == {"given_name": given, "middle_name": None, "surname": surname}


def test_parts_are_taken_as_they_are():
    told = {"name": "Captain Solo", "g": "Han", "m": "J."}
    assert profile.names(told, "g", "m", "s") == {"given_name": "Han", "middle_name": "J.", "surname": None}


@pytest.mark.parametrize("told", ["abc", 7, 0, 10**30, "x" * 255], ids=str)
def test_an_id_is_a_text_or_a_whole_number(told):
    assert profile.subject(told) == str(told)


NO_IDS = [None, "", " ", True, 1.0, [], {}, "x" * 256, 10**255, "a\nb", "a\x00", "a\ud800"]


@pytest.mark.parametrize("told", NO_IDS, ids=lambda value: ascii(value)[:20])
def test_anything_else_is_no_id(told):
    assert profile.subject(told) is None


def test_ids_that_differ_stay_different():
    assert profile.subject(" 7") != profile.subject("7")
    assert profile.subject("A") != profile.subject("a")


@pytest.mark.parametrize("told", ["han@falcon.example", " Han@falcon.example\n", "Ünï@bücher.example"])
def test_an_address_is_taken_as_it_is_without_blanks_around_it(told):
    assert profile.email(told) == told.strip()


NO_ADDRESSES = [None, "", "han", "a b@c", "a@b\r\nBcc: c@d", "a@\x00", "a@\ud800", 5, ["a@b"], "a@b" * 99]


@pytest.mark.parametrize("told", NO_ADDRESSES, ids=lambda value: ascii(value)[:20])
def test_what_is_no_address_is_none(told):
    assert profile.email(told) is None
