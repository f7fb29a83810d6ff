"""Who acts, and from where."""

import threading

import pytest

from stormpath_app import origin
from stormpath_app.origin import Origin

HAN = Origin(actor="han", address="192.0.2.1", user_agent="Falcon", interface="cli")
LEIA = Origin(actor="leia")


@pytest.fixture
def sources(monkeypatch):
    """Return the sources, none of them known: other tests' apps have added theirs."""
    monkeypatch.setattr(origin, "_sources", [])
    return origin._sources


def test_where_nothing_is_known_it_is_plain_python(sources):
    assert origin.current() == Origin(actor=None, address=None, user_agent=None, interface="python")


def test_a_block_acts_as_whom_it_says_and_blocks_inside_as_theirs(sources):
    with origin.acting(HAN) as entered:
        assert origin.current() is entered is HAN
        with origin.acting(LEIA):
            assert origin.current() is LEIA
        assert origin.current() is HAN
    assert origin.current() == Origin()


def test_nobody_acts_any_more_once_a_block_has_failed(sources):
    with pytest.raises(ZeroDivisionError), origin.acting(HAN):
        1 / 0  # noqa: B018 - to fail
    assert origin.current() == Origin()


def test_another_thread_acts_as_itself(sources):
    found = []
    with origin.acting(HAN):
        thread = threading.Thread(target=lambda: found.append(origin.current()))
        thread.start()
        thread.join()
    assert found == [Origin()]


def test_the_first_source_that_knows_is_believed(sources):
    for source in (lambda: None, lambda: HAN, lambda: LEIA):
        origin.add_source(source)
    assert origin.current() is HAN


def test_who_was_entered_is_believed_before_any_source(sources):
    origin.add_source(lambda: HAN)
    with origin.acting(LEIA):
        assert origin.current() is LEIA


def test_a_source_is_asked_once_however_often_it_was_added(sources):
    asked = []

    def source():
        asked.append("once")

    origin.add_source(source)
    origin.add_source(source)
    origin.current()
    assert asked == ["once"]


def test_in_a_request_it_is_the_browser_that_asks(app):
    headers = {"User-Agent": "Falcon/1.0", "X-Forwarded-For": "198.51.100.9"}
    with app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.7"}):
        assert origin.current() == Origin(address="192.0.2.7", user_agent="Falcon/1.0", interface="web")
    assert origin.current().interface == "python"
