"""What is told after a change, to whoever listens, and what is not."""

import contextlib

import pytest

from stormpath_app import Application, StormpathError, signals
from stormpath_app.transactions import atomic

from .conftest import PASSWORD

OTHER = "Kessel12.Parsecs"


@pytest.fixture
def application(app):
    with app.app_context():
        yield Application.current()


@pytest.fixture
def han(application):
    return application.accounts.create(email="han@falcon.example", password=PASSWORD)


@pytest.fixture
def heard(app, application, han):
    """Return what was told since Han is there: the signal's name and its payload."""
    found = []
    with contextlib.ExitStack() as stack:
        for name in ("login_failed", "password_changed", "status_changed", "group_joined", "group_left"):
            stack.enter_context(getattr(signals, name).connected_to(_hear(found, name), app))
        for name in ("group_deleted", "directory_deleted", "user_deleted"):
            stack.enter_context(getattr(signals, name).connected_to(_hear(found, name), app))
        yield found


def _hear(found, name):
    return lambda _sender, **payload: found.append((name, payload))


def test_a_failed_login_tells_whose_it_was_and_why(application, han, heard):
    with pytest.raises(StormpathError) as caught:
        application.authenticate_account("HAN@falcon.example", "wrong")
    told = {"login": "HAN@falcon.example", "application": application, "error": caught.value}
    assert heard == [("login_failed", {**told, "account": han, "user": dict(han)})]


def test_a_login_of_nobody_tells_that_too(application, heard):
    with pytest.raises(StormpathError):
        application.authenticate_account("jabba@hutt.example", "wrong")
    ((name, payload),) = heard
    assert (name, payload["account"], payload["user"]) == ("login_failed", None, None)
    assert payload["error"].code == 7104


@pytest.mark.settings(STORMPATH_THROTTLE={"free_failures": 1})
def test_an_attempt_that_was_not_looked_at_tells_nothing(held_clock, application, han, heard):
    for _attempt in range(3):
        with pytest.raises(StormpathError):
            application.authenticate_account(han.email, "wrong")
    assert [name for name, _payload in heard] == ["login_failed"]


def test_a_login_that_succeeds_tells_no_failure(application, han, heard):
    application.authenticate_account(han.email, PASSWORD)
    assert heard == []


def test_a_new_password_is_told_without_it(han, heard):
    han.password = OTHER
    han.save()
    assert [name for name, _payload in heard] == ["password_changed"]
    assert OTHER not in str(heard)
    assert heard[0][1] == {"user": dict(han), "account": han}


def test_a_new_status_is_told_with_the_one_before(han, heard):
    han.status = "disabled"
    han.save()
    assert heard == [("status_changed", {"user": dict(han), "account": han, "before": "ENABLED"})]


def test_joining_and_leaving_a_group_is_told_once(application, han, heard):
    pilots = application.groups.create(name="pilots")
    han.add_group(pilots)
    han.add_group(pilots)
    han.remove_group(pilots)
    payload = {"user": dict(han), "account": han, "group": pilots}
    assert heard == [("group_joined", payload), ("group_left", payload)]


def test_a_group_that_is_deleted_tells_that_alone(application, han, heard):
    pilots = application.groups.create(name="pilots")
    han.add_group(pilots)
    heard.clear()
    last = dict(pilots)
    pilots.delete()
    assert heard == [("group_deleted", {"group": last})]


def test_a_directory_that_is_deleted_tells_that_alone(han, heard):
    directory, last = han.directory, dict(han.directory)
    directory.delete()
    assert heard == [("directory_deleted", {"directory": last})]


def test_what_was_rolled_back_is_not_told(application, han, heard):
    pilots = application.groups.create(name="pilots")
    with contextlib.suppress(ZeroDivisionError), atomic():
        han.add_group(pilots)
        raise ZeroDivisionError
    assert heard == []
    assert not pilots.has_account(han)


def test_what_belongs_together_is_told_after_the_commit(application, han, heard):
    pilots = application.groups.create(name="pilots")
    with atomic():
        han.add_group(pilots)
        assert heard == []
    assert [name for name, _payload in heard] == ["group_joined"]
