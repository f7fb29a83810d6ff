"""The link that lets a person with a shell into the console: once, soon, and the first one from this machine alone."""

import threading

import pytest

from stormpath_app import entry_links, origin
from stormpath_app.entry_links import EntryLink
from stormpath_app.errors import LoginFailed, PasswordRefused, TokenRefused
from stormpath_app.models import Administrator, administrator
from stormpath_app.models.administration import OWNER, VIEWER

from .conftest import PASSWORD
from .together import together

LEIA = "leia@alderaan.example"
HERE, NEAR = origin.Origin(address="127.0.0.1"), origin.Origin(address="192.0.2.1")


@pytest.fixture
def local(context):
    """Let the server listen at this machine's own address alone."""
    context.extensions["stormpath"].is_local = True


def works(token, asking=HERE):
    with origin.acting(asking):
        try:
            EntryLink.read(token)
        except TokenRefused:
            return False
        return True


def log_in(password=PASSWORD):
    return administrator.console().authenticate_account(LEIA, password).account


def test_a_link_makes_an_owner_once(context):
    token, other = entry_links.make(), entry_links.make()
    made = EntryLink.read(token).make_owner(LEIA, PASSWORD, given_name="Leia", surname="Organa")
    assert (made.role, made.account.full_name, log_in()) == (OWNER, "Leia Organa", made.account)
    assert not works(token)
    assert not works(other)  # what was made before dies with it
    assert works(entry_links.make())


def test_a_link_lets_an_owner_who_cannot_get_in_choose_another_password(context):
    leia = Administrator.create(LEIA, PASSWORD, OWNER).account
    Administrator.create("han@falcon.example", PASSWORD, OWNER)
    Administrator.grant(leia, VIEWER)
    leia.status = "DISABLED"
    leia.save()
    for _ in range(6):
        with pytest.raises(LoginFailed):
            log_in("wrong")
    made = EntryLink.read(entry_links.make()).make_owner(LEIA, "Another1.Password")
    assert (made.account, made.role) == (leia, OWNER)
    assert log_in("Another1.Password") == leia


def test_a_link_stays_good_while_the_account_cannot_be_so(context):
    token = entry_links.make()
    with pytest.raises(PasswordRefused):
        EntryLink.read(token).make_owner(LEIA, "short")
    assert works(token)


def test_a_link_works_for_a_quarter_of_an_hour(context, held_clock):
    token = entry_links.make()
    held_clock.forward(minutes=15)
    assert works(token)
    held_clock.forward(seconds=1)
    assert not works(token)


@together("token", [None, "", "x", 5, ["x"], "é", "x" * 2000])
def test_what_never_was_a_link_is_none(context, token):
    assert not works(token)


def test_a_token_of_ours_for_something_else_is_none(context):
    from stormpath_app import tokens

    console = administrator.console()
    assert not works(tokens.sign("device", [console.id, console.version, False]))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_first_link_works_from_this_machine(local, address):
    assert works(entry_links.make(is_first=True), origin.Origin(address=address))


@pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", None, "", "unix:"])
def test_the_first_link_works_from_nowhere_else(local, address):
    assert not works(entry_links.make(is_first=True), origin.Origin(address=address))


def test_the_first_link_works_at_no_server_that_others_can_reach(context):
    assert not works(entry_links.make(is_first=True))
    assert works(entry_links.make(), NEAR)  # who is at the shell asked for that one


def test_the_first_link_dies_with_the_first_owner(local):
    token = entry_links.make(is_first=True)
    Administrator.create(LEIA, PASSWORD, OWNER)
    assert not works(token)
    assert not works(entry_links.make(is_first=True))


def test_of_many_who_use_a_link_at_once_one_makes_an_owner(app):
    with app.app_context():
        token = entry_links.make()
    begin, done = threading.Barrier(4), []

    def use(number):
        with app.app_context():
            link = EntryLink.read(token)
            begin.wait()
            try:
                link.make_owner(f"person-{number}@example.com", PASSWORD)
                done.append("made")
            except TokenRefused:
                done.append("refused")

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["made", "refused", "refused", "refused"]
    with app.app_context():
        assert len(administrator.directory().accounts) == 1
