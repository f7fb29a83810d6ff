"""What a password of a directory must be."""

import unicodedata
from datetime import datetime, timedelta

import pytest

from stormpath_app import Account, Application
from stormpath_app.errors import OutOfRange, PasswordRefused, StormpathError, UnsupportedValue, WrongType
from stormpath_app.models import PasswordPolicy, PasswordStrength

from ..conftest import PASSWORD
from ..payloads import PASSWORD_ACCEPT, PASSWORD_REJECT_COMMON
from ..together import together
from .test_event import events

SHORT = "Account password minimum length not satisfied."
LONG = "Account password exceeded the maximum length."
COMMON = "Password is one of the most common ones: anybody would try it."
OWN = "Password is too close to a name of the account or the site."
COUNTS = "min_lower_case", "min_upper_case", "min_numeric", "min_symbol", "min_diacritic"


def requires(count, kind):
    return f"Password requires at least {count} {kind} character{'' if count == 1 else 's'}."


@pytest.fixture
def policy(context):
    return Application.current().default_account_store().password_policy


@pytest.fixture
def strength(policy):
    return policy.strength


@pytest.fixture
def lenient(policy):
    """Return the policy, with no rule but the lengths."""
    policy.refuses_common = False
    for name in COUNTS:
        setattr(policy.strength, name, 0)
    return policy


def violations(policy, password, own_names=()):
    try:
        policy.check(password, own_names)
    except PasswordRefused as refused:
        return refused.violations
    return []


def test_a_new_directory_has_stormpaths_rules(strength):
    assert (strength.min_length, strength.max_length) == (8, 100)
    assert [getattr(strength, name) for name in COUNTS] == [1, 1, 1, 0, 0]
    assert strength.describe() == "At least 8 characters, with a lowercase letter, an uppercase letter and a number."


TOLD = [
    ("hilol", [SHORT, requires(1, "numeric"), requires(1, "uppercase")]),
    ("hilolwoothi", [requires(1, "numeric"), requires(1, "uppercase")]),
    ("hilolwoot1", [requires(1, "uppercase")]),
    ("HILOLWOOT1", [requires(1, "lowercase")]),
    ("hilolwootX", [requires(1, "numeric")]),
    ("", [SHORT, requires(1, "numeric"), requires(1, "lowercase"), requires(1, "uppercase")]),
    ("-" * 101, [LONG, requires(1, "numeric"), requires(1, "lowercase"), requires(1, "uppercase")]),
    ("Wo0tWo0", [SHORT]),
    ("Wo0tWo0t", []),
    ("Wo0t" * 25, []),
    ("Wo0t" * 25 + "x", [LONG]),
]


def test_all_that_is_wrong_is_told_in_order_in_stormpaths_words(policy, subtests):
    for password, told in TOLD:
        with subtests.test(password=password[:30]):
            assert violations(policy, password) == told


def test_every_rule_at_once_is_told_in_order(policy):
    for name in COUNTS:
        setattr(policy.strength, name, 2)
    kinds = ("numeric", "lowercase", "uppercase", "symbol", "diacritic")
    assert violations(policy, "") == [SHORT, *(requires(2, kind) for kind in kinds)]
    assert violations(policy, "password", ["password"])[-2:] == [COMMON, OWN]


@pytest.mark.parametrize(("password", "code"), [("Wo0t", 2007), ("Wo0t" * 26, 2008), ("hilolwoot1", 400), ("x", 2007)])
def test_the_number_of_a_refusal_is_the_first_rules(context, password, code):
    with pytest.raises(PasswordRefused) as caught:
        Account.create("han@falcon.example", password)
    assert (caught.value.status, caught.value.code) == (400, code)
    assert str(caught.value) == caught.value.violations[0]


@pytest.mark.parametrize(
    ("name", "kind", "counted", "others"),
    [
        ("min_symbol", "symbol", " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¦§©«¬®±µ¶·»½¿×÷", "aZ0éÀ漢€ß"),
        ("min_diacritic", "diacritic", "ÀÁÅÆÇÈÖØÝÞßàáåæçèöøýþÿ", "aZ0 !×÷ŁőĀ漢"),
        ("min_numeric", "numeric", "0123456789", "aZ!٣²½Ⅷ"),
        ("min_lower_case", "lowercase", "abcxyz", "AZ0éß!\uff41"),
        ("min_upper_case", "uppercase", "ABCXYZ", "az0ÉÀ!\uff21"),
    ],
)
def test_what_counts_as_what(lenient, name, kind, counted, others):
    least = len(counted)
    setattr(lenient.strength, name, least)
    lenient.strength.min_length = 1
    assert violations(lenient, counted) == []
    assert violations(lenient, counted[1:] + others) == [requires(least, kind)]


def test_accents_count_however_they_were_typed(lenient):
    lenient.strength.min_diacritic, lenient.strength.min_length = 2, 4
    assert violations(lenient, "e\u0301te\u0301") == [SHORT]
    assert violations(lenient, "e\u0301te\u0301s") == []


# --- Which passwords there may be ---


def test_any_letters_make_a_password_and_let_its_owner_in(context, subtests):
    passwords = (*PASSWORD_ACCEPT, "Wo0t" * 16, "Wo0t" + "🗝" * 96, "Wo0t\0\ud800 ok")
    for number, password in enumerate(passwords):
        with subtests.test(password=ascii(password)[:30]):
            Account.create(f"{number}@falcon.example", password)
            assert Account.from_login(f"{number}@falcon.example", password).email == f"{number}@falcon.example"


def test_a_password_that_anybody_would_try_is_refused_with_a_reason(policy, subtests):
    for password in PASSWORD_REJECT_COMMON:
        with subtests.test(password=password):
            assert violations(policy, password)[-1] == COMMON


def test_a_password_that_comes_down_to_a_name_is_refused_with_a_reason(context, subtests):
    names = ("Han12345", "Solo2026!", "1Corellia", "Han Corellia Solo 1", "HanCorelliaSolo1", "Captain77")
    addresses = ("Han1@falcon.example", "HAN1@Falcon.example!")
    for password in (*names, *addresses, "My Application1", "MyApplication1"):
        with subtests.test(password=password):
            with pytest.raises(PasswordRefused) as caught:
                Account.create("han1@falcon.example", password, "Han", "Solo", "captain", "Corellia")
            assert caught.value.violations == [OWN]


def test_a_password_that_only_has_a_name_in_it_is_taken(policy):
    for password in ("Solo shot 1st", "Kessel12.Parsecs", "Han & Chewie 4ever"):
        assert violations(policy, password, ["Han", "Solo", "han@falcon.example"]) == []


def test_the_lists_can_be_switched_off(policy):
    policy.refuses_common = False
    policy.save()
    assert Account.create("han@falcon.example", "Password1", "Han", "Solo")
    assert violations(policy, "Wo0tWo0t", ["Wo0tWo0t"]) == []


@pytest.mark.parametrize("password", ["Wo0t" * 262_144, "Wo0t" + "\u0301\u0327" * 500_000], ids=["letters", "accents"])
def test_a_megabyte_is_refused_before_anybody_looks_at_its_letters(policy, password, monkeypatch):
    def note(form, text):
        seen.append(text)
        return text  # Unicode sorts accents by pairs: composing this megabyte would take hours

    seen = []
    monkeypatch.setattr(unicodedata, "normalize", note)
    assert violations(policy, password, ["Han"])[0] == LONG
    assert max(map(len, seen), default=0) <= 1024


# --- Changing the rules ---


def test_new_rules_are_for_new_passwords(strength):
    account = Account.create("han@falcon.example", PASSWORD)
    strength.min_length = 30
    strength.save()
    account.given_name = "Han"
    account.save()
    assert Account.from_login("han@falcon.example", PASSWORD) is account
    with pytest.raises(PasswordRefused):
        Account.create("leia@alderaan.example", PASSWORD)


def test_the_log_says_what_the_rules_were_and_are(policy):
    policy.strength.min_length, policy.strength.min_symbol = 12, 1
    policy.strength.save()
    policy.refuses_common = False
    policy.save()
    assert [event.data["changed"] for event in events("password_policy.updated")] == [
        {"min_length": [8, 12], "min_symbol": [0, 1]},
        {"refuses_common": [True, False]},
    ]
    assert {event.directory_id for event in events("password_policy.updated")} == {policy.id}


@together("name", ["min_length", "max_length", *COUNTS])
def test_a_rule_is_a_whole_number_in_its_range(strength, name):
    low = 0 if name in COUNTS else 1
    for value in (low, 20, "20", " 20 ", 255):
        setattr(strength, name, value)
        assert getattr(strength, name) == int(value)
    for value in (low - 1, 256, "256"):
        with pytest.raises(OutOfRange, match=rf"must be between {low} and 255\.$"):
            setattr(strength, name, value)
    for value in (None, "", "many", 1.5, True, [8]):
        with pytest.raises(WrongType):
            setattr(strength, name, value)


def test_a_number_without_end_is_refused_too(strength):
    with pytest.raises(StormpathError):
        strength.min_length = "9" * 5000


@pytest.mark.parametrize(("written", "meant"), [(True, True), (False, False), ("true", True), (" False ", False)])
def test_whether_common_ones_are_refused_may_be_written_as_text(policy, written, meant):
    policy.refuses_common = written
    assert policy.refuses_common is meant


@together("value", ["perhaps", "", "1", 1, 0, None, []])
def test_whether_common_ones_are_refused_is_yes_or_no(policy, value):
    with pytest.raises(WrongType):
        policy.refuses_common = value


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({}, "At least 8 characters."),
        ({"min_symbol": 1}, "At least 8 characters, with a symbol."),
        ({"min_numeric": 2, "min_diacritic": 1}, "At least 8 characters, with 2 numbers and an accented letter."),
        (
            {"min_lower_case": 2, "min_upper_case": 3, "min_symbol": 4, "min_diacritic": 5},
            "At least 8 characters, with 2 lowercase letters, 3 uppercase letters, 4 symbols and 5 accented letters.",
        ),
    ],
)
def test_the_rules_can_be_told_in_a_sentence(lenient, rules, told):
    for name, value in rules.items():
        setattr(lenient.strength, name, value)
    assert lenient.strength.describe() == told


def test_the_rules_are_found_by_their_href(policy):
    assert PasswordPolicy.get(policy.href) is policy
    assert policy.strength.href == f"{policy.href}/strength"
    assert PasswordStrength.get(policy.strength.href) is policy.strength


# --- Presets ---


def test_a_preset_is_known_by_its_values_saved_or_not(policy):
    assert policy.preset == "stormpath"
    policy.strength.min_length = 9
    assert policy.preset is None
    policy.preset = "nist-800-63b-4"
    assert policy.preset == "nist-800-63b-4"
    policy.refuses_common = False
    assert policy.preset is None


def test_nist_asks_for_fifteen_characters_and_for_no_classes_of_them(policy):
    policy.preset = "nist-800-63b-4"
    assert (policy.strength.min_length, policy.refuses_common) == (15, True)
    assert policy.strength.max_length >= 64
    assert [getattr(policy.strength, name) for name in COUNTS] == [0, 0, 0, 0, 0]
    assert violations(policy, "correct horse b") == []
    assert violations(policy, "correct horse ") == [SHORT]
    assert violations(policy, "x y" * 21 + "z") == []


def test_a_preset_leaves_reuse_as_it_is(policy):
    policy.strength.prevent_reuse = 5
    policy.preset = "nist-800-63b-4"
    assert policy.strength.prevent_reuse == 5


@pytest.mark.parametrize("name", ["", "nist", None, ["stormpath"]])
def test_an_unknown_preset_is_refused(policy, name):
    with pytest.raises((UnsupportedValue, TypeError)):
        policy.preset = name


# --- A password that is tried ---


def test_each_rule_that_is_asked_says_what_it_found(policy):
    policy.strength.min_length, policy.strength.min_symbol = 12, 1
    assert [(verdict.rule, verdict.is_met, verdict.found) for verdict in policy.judge("correct horse")] == [
        ("min_length", True, "Characters: 13, at least 12"),
        ("max_length", True, "Characters: 13, at most 100"),
        ("min_numeric", False, "Numbers: 0, at least 1"),
        ("min_lower_case", True, "Lowercase letters: 12, at least 1"),
        ("min_upper_case", False, "Uppercase letters: 0, at least 1"),
        ("min_symbol", True, "Symbols: 1, at least 1"),
        ("refuses_common", True, "It is none of the most common passwords"),
        ("refuses_common", True, "It is no name of the account or the site"),
    ]


def test_no_verdict_has_a_part_of_the_password(policy):
    for password in ("Xq7", "qwerty123", "Falcon"):
        told = str([vars(verdict) for verdict in policy.judge(password, ["Falcon"])])
        assert password not in told


def test_a_password_beyond_all_bounds_has_one_verdict(policy):
    (verdict,) = policy.judge("x" * 100_000)
    assert (verdict.rule, verdict.is_met) == ("max_length", False)


# --- The passwords there are ---


def test_a_moment_to_come_is_now(strength, held_clock):
    strength.checks_before = held_clock.at + timedelta(days=1)
    assert strength.checks_before == held_clock.at


@pytest.mark.parametrize("value", ["2026-01-01", 7, datetime(2026, 1, 1)])  # noqa: DTZ001 - without a zone
def test_what_is_no_moment_is_refused(strength, value):
    with pytest.raises(WrongType):
        strength.checks_before = value


def test_the_log_tells_the_moments_before_and_after(strength, held_clock):
    strength.checks_before = held_clock.at
    strength.save()
    assert events("password_policy.updated")[-1].data["changed"] == {"checks_before": [None, held_clock.at.isoformat()]}
