"""Keys: one for each purpose, of every secret key that still counts."""

import pytest

from stormpath_app import tokens

OLD, NEW = "the secret key before this one", b"the secret key of today"


@pytest.fixture
def keys(context):
    context.config.update(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=[OLD])
    return tokens.keys


def test_the_newest_key_comes_first_and_the_others_follow(keys, context):
    new, old = keys("a purpose")
    context.config.update(SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=None)
    assert (keys("a purpose"), len(new)) == ([old], 32)
    context.config.update(SECRET_KEY=NEW.decode())
    assert keys("a purpose") == [new]  # the same as text and as bytes


def test_each_purpose_has_keys_of_its_own_and_none_is_the_secret_key(keys):
    found = {*keys("one"), *keys("another")}
    assert len(found) == 4
    assert not found & {NEW, OLD.encode()}
