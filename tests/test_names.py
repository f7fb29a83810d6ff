"""Which names are one name, and what may be a name or an address at all."""

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stormpath_app import names
from stormpath_app.errors import InvalidFormat, PropertyRequired, StormpathError, TooLong, WrongType

from .payloads import EMAIL_ALIKE, EMAIL_MUST_BE_DISTINCT, EMAIL_REJECT, EMAIL_SAME_ACCOUNT, EMAIL_WRONG_TYPE

# --- Keys ---


@pytest.mark.parametrize(("one", "other"), EMAIL_SAME_ACCOUNT)
def test_spellings_of_one_address_have_one_key(one, other):
    assert names.key(one) == names.key(other)


@pytest.mark.parametrize(("one", "other"), EMAIL_MUST_BE_DISTINCT)
def test_addresses_that_only_look_alike_have_two_keys(one, other):
    assert names.key(one) != names.key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("user@example.com", " USER@Example.com "),
        ("user@bücher.example", "User@xn--bcher-kva.example"),
        ("straße@example.org", "straße@EXAMPLE.org"),
    ],
)
def test_mail_to_spellings_that_differ_by_capitals_or_in_the_domain_is_one_persons(one, other):
    assert names.is_same_mailbox(one, other)


@pytest.mark.parametrize(("one", "other"), [*EMAIL_ALIKE, *EMAIL_MUST_BE_DISTINCT, ("a@x.example", "a@y.example")])
def test_mail_to_an_address_that_is_only_alike_may_be_another_persons(one, other):
    assert not names.is_same_mailbox(one, other)
    assert not names.is_same_mailbox(other, one)


@pytest.mark.parametrize("other", ["SOLO", " solo ", "\uff53\uff4f\uff4c\uff4f", "Solo\u3000"])
def test_spellings_of_one_username_have_one_key(other):
    assert names.key(other) == names.key("solo")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "\0",
            "\ud800",
            "\udfff@\ud800",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a@.",
            "a@..",
            "a@-",
            "a@xn--",
            "a@xn--\xff",
        ),
        *(
            "a@[::1",
            "a@" + "b" * 64,
            "a@" + "b." * 5000,
            "x" * 100_000,
            "\ufdfa" * 1000,
            "a@\u0660\u05d0",
            "\u200f@\u200d",
        ),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_any_text_has_a_key(text):
    assert isinstance(names.key(text), str)


def test_text_of_any_letter_has_a_key_that_stays_its_own():
    for code in range(0, 0x110000, 101):
        letter = chr(code)
        assert names.key(f"x{letter}x@x{letter}.example") == names.key(f"x{letter}x@x{letter}.example".upper().lower())


@pytest.mark.parametrize(
    "invisible",
    [
        *("\u200b", "\u200e", "\u00ad", "\u2060", "\ufeff", "\u061c", "\u202e", "\u2066", "\U000e0041"),
        # Not of Unicode's category Cf, and as little to be seen:
        *("\u034f", "\u115f", "\u3164", "\uffa0", "\u17b4", "\u180b", "\ufe00", "\U000e0100", "\u2800"),
        # Joiners, which between Latin letters join nothing:
        *("\u200c", "\u200d", "\ufe0f"),
    ],
    ids=ascii,
)
def test_a_username_with_an_invisible_letter_is_refused_or_the_same_name(invisible):
    try:
        twin = names.text("Account", "username", f"so{invisible}lo")
    except InvalidFormat:
        return
    assert names.key(twin) == names.key("solo")


# --- Text ---


@pytest.mark.parametrize("typed", ["Han", " Han\t", "\u3000Han\n"])
def test_text_is_kept_without_the_blanks_around_it(typed):
    assert names.text("Account", "given name", typed) == "Han"


@pytest.mark.parametrize("nothing", [None, "", "  ", "\n"])
def test_blanks_are_nothing(nothing):
    assert names.text("Account", "given name", nothing) is None
    with pytest.raises(
        PropertyRequired, match=r"^Account given name is required; it cannot be null, empty, or blank\.$"
    ):
        names.text("Account", "given name", nothing, required=True)


@pytest.mark.parametrize(
    "value", [5, True, b"Han", ["Han"], {"a": 1}, object()], ids=lambda value: type(value).__name__
)
def test_what_is_not_text_is_refused(value):
    with pytest.raises(WrongType):
        names.text("Account", "given name", value)


def test_text_may_have_255_characters_and_no_more():
    assert names.text("Account", "surname", "x" * 255) == "x" * 255
    with pytest.raises(TooLong, match="exceeded the maximum length of 255 characters"):
        names.text("Account", "surname", "x" * 256)


def test_text_is_too_long_too_where_its_key_is():
    with pytest.raises(TooLong):
        names.text("Account", "username", "\ufdfa" * 100)  # one letter that unfolds into eighteen


@pytest.mark.parametrize(
    "letter", ["\0", "\x1b", "\r", "\n", "\x85", "\u2028", "\u2029", "\u202e", "\u200b", "\ud800"], ids=ascii
)
def test_a_letter_that_no_one_can_see_is_refused(letter):
    with pytest.raises(InvalidFormat):
        names.text("Account", "given name", f"Ha{letter}n")


PEOPLE = [
    *("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "क्\u200dष", "👩\u200d🚀", "❤\ufe0f"),
    *("O'Neil-Smith", "Đặng Thị", "李", "José Á. Núñez"),
]


@pytest.mark.parametrize("name", PEOPLE, ids=ascii)
def test_the_names_of_people_everywhere_are_kept_as_they_are(name):
    assert names.text("Account", "given name", name) == name


@pytest.mark.parametrize("joiner", ["\u200d", "\u200c\u200d", "\ufe0f"], ids=ascii)
def test_joiners_alone_are_no_name(joiner):
    with pytest.raises((PropertyRequired, InvalidFormat)):
        names.text("Account", "username", joiner, required=True)


@pytest.mark.parametrize(
    ("value", "can"),
    [
        ("solo", True),
        ("", True),
        ("x" * 255, True),
        ("x" * 256, False),
        ("a\0b", False),
        ("a\ud800", False),
        ("🚀", True),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_a_database_can_hold_what_has_no_nul_no_half_letter_and_is_short_enough(value, can):
    assert names.can_be_stored(value) is can


# --- E-mail addresses ---


@pytest.mark.parametrize(
    "address", ["Han.Solo+falcon@Falcon.example", "o'neil@example.org", "用户@例え.example", "a@b"]
)
def test_an_address_is_kept_as_it_was_typed(address):
    assert names.email(f" {address}\n") == address


@pytest.mark.parametrize("address", EMAIL_REJECT, ids=ascii)
def test_what_mail_cannot_be_sent_to_is_refused(address):
    with pytest.raises(InvalidFormat, match=r"^Account email address is in an invalid format\.$"):
        names.email(address)


@pytest.mark.parametrize("value", EMAIL_WRONG_TYPE, ids=lambda value: type(value).__name__)
def test_an_address_of_the_wrong_type_is_refused(value):
    with pytest.raises(WrongType):
        names.email(value)


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_an_address_is_required(nothing):
    with pytest.raises(PropertyRequired):
        names.email(nothing)


def test_an_address_that_is_too_long_is_refused():
    with pytest.raises(TooLong):
        names.email("x" * 60 + "@" + ".".join(["y" * 60] * 4))


@pytest.mark.parametrize("invisible", ["\u034f", "\u3164", "\ufe0f", "\u200d"], ids=ascii)
def test_an_address_with_an_invisible_letter_is_refused(invisible):
    with pytest.raises(InvalidFormat):
        names.email(f"mi{invisible}ke@example.org")


def test_an_address_with_any_letter_is_refused_or_can_be_stored_and_looked_up():
    for code in range(0, 0x110000, 997):
        address = f"x{chr(code)}@example.org"
        try:
            kept = names.email(address)
        except StormpathError:
            continue
        assert names.can_be_stored(kept)
        assert names.key(unicodedata.normalize("NFD", kept)) == names.key(kept)


# --- What is searched ---


@pytest.mark.parametrize(
    ("shown", "folded"),
    [
        ("Jürgen", "jurgen"),
        ("Straße", "strasse"),
        ("ŁUKASZ Ørsted", "lukasz orsted"),
        ("Þórr Æsir", "thorr aesir"),
        ("İpek \u0131rmak", "ipek irmak"),
        ("王芳", "王芳"),
        ("김수", "김수"),
        ("ﬁne", "fine"),
    ],
)
def test_a_text_is_searched_without_its_accents(shown, folded):
    assert names.unmarked(names.part(shown)) == folded


@settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.text(), st.text())
def test_a_part_of_a_key_is_a_part_of_it_without_accents(one, other):
    one, other = names.part(one), names.part(other)
    assert names.unmarked(one) + names.unmarked(other) == names.unmarked(one + other)


@settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.text(), st.text())
def test_no_field_of_a_search_text_runs_into_the_next(one, other):
    fields = names.search_text(names.key(one), names.key(other)).split(names.FIELD)
    assert (len(fields), fields[0], fields[-1]) == (4, "", "")
    assert not any("\0" <= letter < " " for field in fields for letter in field)


@pytest.mark.parametrize("text", ["\0", "\x02", "a\nb", "\x7f", "\ud800", "x" * 256])
def test_what_no_name_can_have_cannot_be_sought(text):
    assert not names.can_be_sought(text)
