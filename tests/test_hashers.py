"""Stored forms of passwords: which password opens which, and what each look at one costs."""

from contextlib import contextmanager

import bcrypt
import pytest

from stormpath_app import hashers

#: Of the password "password", published with passlib.
PUBLISHED = "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2"


@contextmanager
def rounds(*, paid=True):
    """Collect how many rounds of bcrypt are spent, hash by hash; `paid=False` spends none."""
    spent, hashpw = [], bcrypt.hashpw

    def count(password, salt):
        cost = int(salt[4:6])
        spent.append(2**cost)
        return hashpw(password, salt) if paid else salt + b"." * 31

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bcrypt, "hashpw", count)
        yield spent


def opens(password, other):
    return hashers.verify(other, hashers.hash(password, 4), 4)


# --- Which password opens which ---


def test_a_form_that_passlib_published_is_opened_by_its_password():
    assert hashers.verify("password", PUBLISHED, 12)


@pytest.mark.parametrize(
    "password",
    ["Woot1Loves.Cookies", "", "x" * 1024, "é" * 512, "漢字🗝️", "a\0b", "lone \ud800 half", " ", "$2b$04$", "%s"],
    ids=lambda password: ascii(password[:8]),
)
def test_a_password_opens_its_own_stored_form(password):
    assert opens(password, password)


@pytest.mark.parametrize(
    ("password", "other"),
    [
        ("a" * 72 + "b", "a" * 72 + "c"),  # all that bcrypt alone looks at is equal
        ("é" * 36 + "b", "é" * 36 + "c"),
        ("a" * 72, "a" * 73),
        ("Woot1Loves.Cookies", "woot1Loves.Cookies"),
        ("a\0b", "a\0c"),
        ("a", "a\0"),
        ("word", "word "),
        (" word", "word"),
        ("two  blanks", "two blanks"),
        ("half \ud800", "half \ud801"),
        ("half \ud800", "half ?"),
        ("ﬁsh", "fish"),
        ("x" * 1024, "x" * 1025),
        ("x", ""),
    ],
    ids=lambda text: ascii(text[-8:]),
)
def test_a_password_that_differs_anywhere_opens_nothing(password, other):
    assert not opens(password, other)


@pytest.mark.parametrize(
    ("one", "other"), [("Pa\u0308sswo\u0308rd", "Pässwörd"), ("\u1112\u1161\u11ab", "한"), ("\u212b", "Å")]
)
def test_one_word_typed_on_two_machines_is_one_password(one, other):
    assert opens(one, other)
    assert opens(other, one)


def test_two_forms_of_one_password_tell_nothing_of_each_other():
    assert hashers.hash("Woot1Loves.Cookies", 4) != hashers.hash("Woot1Loves.Cookies", 4)


def test_a_stored_form_does_not_hold_the_password():
    assert "Cookies" not in hashers.hash("Woot1Loves.Cookies", 4)


@pytest.mark.parametrize(
    "stored",
    [
        *(None, "", " ", "\0", "password", "Woot1Loves.Cookies", "!", "*", "x" * 10_000, "\ud800"),
        "$2b$04$" + "." * 53,
        PUBLISHED[:-1],
        PUBLISHED + "\n",
        PUBLISHED.replace("v=2", "v=1"),
        PUBLISHED.replace("t=2b", "t=2a"),
        PUBLISHED.replace("r=12", "r=99"),
        PUBLISHED.replace("r=12", "r=3"),
        PUBLISHED.replace("r=12", "r=0"),
        PUBLISHED.replace("r=12", "r=4").replace("uku$", "uka$"),  # a salt that base64 cannot have written
    ],
    ids=lambda stored: ascii(stored and stored[-66:]),
)
def test_nothing_opens_a_form_that_is_none(stored):
    assert hashers.verify("password", stored, 4) is False


# --- How long a password may be ---


@pytest.mark.parametrize(
    ("password", "is_too_long"),
    [("x" * 1024, False), ("x" * 1025, True), ("é" * 512, False), ("é" * 513, True), ("\U0001f5dd" * 256, False)],
    ids=lambda value: ascii(value)[-12:],
)
def test_length_is_counted_in_bytes(password, is_too_long):
    assert hashers.is_too_long(password) is is_too_long


def test_a_megabyte_is_refused_before_it_is_composed(monkeypatch):
    composed = []  # composing a megabyte of accents would take hours
    monkeypatch.setattr(hashers, "normal", lambda password: composed.append(password) or password)
    assert hashers.is_too_long("a" + "\u0301\u0327" * 500_000)
    assert not hashers.verify("a" + "\u0301\u0327" * 500_000, PUBLISHED.replace("r=12", "r=4"), 4)
    assert composed == []


# --- What it costs ---


@pytest.mark.parametrize("stored_cost", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("password", ["Woot1Loves.Cookies", "another one"])
def test_an_older_cheaper_form_costs_what_a_new_one_does(stored_cost, password):
    stored = hashers.hash("Woot1Loves.Cookies", stored_cost)
    with rounds() as spent:
        assert hashers.verify(password, stored, 8) is (password == "Woot1Loves.Cookies")
    assert sum(spent) == 2**8


@pytest.mark.parametrize("stored", [None, "", "junk", PUBLISHED[:-1]])
@pytest.mark.parametrize("password", ["Woot1Loves.Cookies", ""])
def test_where_there_is_no_form_a_look_costs_one_all_the_same(stored, password):
    with rounds() as spent:
        hashers.verify(password, stored, 6)
    assert spent == [2**6]


@pytest.mark.parametrize("stored", [None, "", "junk", PUBLISHED.replace("r=12", "r=6")])
def test_a_password_that_is_too_long_costs_no_hash_whatever_is_stored(stored):
    with rounds() as spent:
        assert not hashers.verify("x" * 1_048_576, stored, 6)
    assert spent == []


@pytest.mark.parametrize("absurd", [15, 20, 31])
def test_no_stored_form_can_make_a_login_hang(absurd):
    with rounds(paid=False) as spent:
        hashers.verify("password", PUBLISHED.replace("r=12", f"r={absurd}"), 12)
    assert sum(spent) <= 2**14  # the dearest that the settings allow


# --- Whether it is of today ---


@pytest.mark.parametrize(
    ("stored", "is_out_of_date"),
    [
        (PUBLISHED, False),
        (PUBLISHED.replace("r=12", "r=11"), True),
        (PUBLISHED.replace("r=12", "r=13"), True),
        ("$2b$12$x", True),
    ],
)
def test_a_form_of_another_cost_or_kind_is_out_of_date(stored, is_out_of_date):
    assert hashers.is_out_of_date(stored, 12) is is_out_of_date
