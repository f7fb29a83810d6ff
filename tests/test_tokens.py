"""Tokens: what was signed is read again, for its purpose, in its time, and by whoever has the key."""

from datetime import timedelta

import pytest

from stormpath_app import tokens
from stormpath_app.errors import NotReady

from .conftest import SECRET_KEY

DAY = timedelta(days=1)
VALUE = ["a", 5, None, {"漢": "字"}]

pytestmark = pytest.mark.usefixtures("context", "held_clock")


def test_what_was_signed_is_read_again_and_can_stand_in_a_cookie_or_address():
    text = tokens.sign("device", VALUE)
    assert tokens.read("device", text, DAY) == VALUE
    assert text.isascii()
    assert text.replace(".", "").replace("-", "").replace("_", "").isalnum()


def test_what_was_signed_for_another_purpose_is_nothing():
    assert tokens.read("invitation", tokens.sign("device", VALUE), DAY) is None


def test_what_is_too_old_or_of_tomorrow_is_nothing(held_clock):
    text = tokens.sign("device", VALUE)
    held_clock.forward(days=1)
    assert tokens.read("device", text, DAY) == VALUE
    held_clock.forward(seconds=1)
    assert tokens.read("device", text, DAY) is None
    held_clock.forward(days=-2)
    assert tokens.read("device", text, DAY) is None


def test_a_change_of_one_letter_makes_it_nothing():
    text = tokens.sign("device", "abc")
    for place, letter in enumerate(text):
        if place < len(text) - 1:  # of the last letter of base 64 not every bit counts
            changed = text[:place] + ("A" if letter != "A" else "B") + text[place + 1 :]
            assert tokens.read("device", changed, DAY) is None, place


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "a.b.c", "\0", "é", "\ud800", "x" * 100_000, ".eJwrSS0uAQAEXQHB.x.y"], ids=ascii
)
def test_what_was_never_signed_is_nothing(text):
    assert tokens.read("device", text, DAY) is None


def test_after_a_change_of_the_key_the_old_is_read_while_it_is_a_fallback_and_never_signed_with(context):
    text = tokens.sign("device", VALUE)
    old = tokens.keys("device")
    context.config.update(SECRET_KEY="another key, which is long enough", SECRET_KEY_FALLBACKS=[SECRET_KEY, ""])
    assert tokens.read("device", text, DAY) == VALUE
    newer = tokens.sign("device", VALUE)
    assert tokens.keys("device")[1:] == old
    context.config["SECRET_KEY_FALLBACKS"] = None
    assert tokens.read("device", text, DAY) is None
    assert tokens.read("device", newer, DAY) == VALUE


def test_each_purpose_and_each_secret_has_a_key_of_its_own_that_tells_nothing_of_the_secret(context):
    found = tokens.keys("device") + tokens.keys("mail")
    context.config["SECRET_KEY"] = SECRET_KEY.encode()  # the same, as bytes
    assert tokens.keys("device") == found[:1]
    context.config["SECRET_KEY"] = "another key, which is long enough"
    found += tokens.keys("device")
    assert len(set(found)) == 3
    assert {len(key) for key in found} == {32}
    assert SECRET_KEY.encode() not in b"".join(found)


@pytest.mark.parametrize("missing", [None, "", b""])
def test_without_a_secret_nothing_is_signed(context, missing):
    context.config["SECRET_KEY"] = missing
    with pytest.raises(NotReady):
        tokens.sign("device", VALUE)
