"""Who shows a token that was replaced, although its successor is in use, is found out; also under a new secret key."""

from datetime import timedelta

import pytest

from stormpath_app import Account, login_user
from stormpath_app.database import database

from .conftest import PASSWORD, closed, make_app
from .devices import browser, close, cookies, is_in, login, replays

# Before somebody logs in: the time is held, and the page is there.
pytestmark = pytest.mark.usefixtures("does", "held_clock")


@pytest.fixture
def stolen(app, member, held_clock):
    """Return the cookies that were stolen before their owner came back: the owner's browser has others now, in use."""
    old = cookies(member)
    assert is_in(close(member))
    assert is_in(member)
    return old


# --- Copies ---


def test_a_copy_that_is_shown_in_time_is_let_in_as_a_tab_is(app, member, stolen, held_clock):
    held_clock.forward(seconds=29)
    assert is_in(browser(app, token=stolen.token))
    assert replays(app) == []


@pytest.mark.parametrize("cookie", ["session", "token"])
def test_a_copy_that_is_shown_later_is_refused_and_ends_the_login(app, member, stolen, held_clock, cookie):
    held_clock.forward(seconds=31)
    thief = browser(app, **{cookie: getattr(stolen, cookie)})
    answer = thief.get("/secret", environ_base={"REMOTE_ADDR": "192.0.2.66"}, headers={"User-Agent": "Bounty/1.0"})
    assert answer.status_code == 302
    assert getattr(cookies(thief), cookie) == getattr(stolen, cookie)  # it got no other
    assert not is_in(member)
    assert login(app) is None
    (event,) = replays(app)
    assert (event.address, event.user_agent, event.actor_id, event.at) == (
        *("192.0.2.66", "Bounty/1.0", None, held_clock.at),
    )
    with app.app_context():
        han = Account.from_login("solo", PASSWORD)
        assert (event.account_id, event.directory_id) == (han.id, han.directory_id)


def test_where_the_thief_was_first_the_owners_old_cookie_ends_what_was_stolen(app, member, held_clock):
    thief = browser(app, token=cookies(member).token)
    assert is_in(thief)
    assert is_in(thief)
    held_clock.forward(seconds=31)
    assert not is_in(member)
    assert not is_in(thief)


def test_a_thief_cannot_hurry_on_until_the_owners_cookie_is_forgotten(app, member, held_clock):
    thief = browser(app, token=cookies(member).token)
    for _ in range(50):
        held_clock.forward(seconds=31)
        assert is_in(close(thief))
    assert login(app).rotations == 50
    assert not is_in(member)
    assert not is_in(thief)
    assert len(replays(app)) == 1


def test_a_copy_of_the_remembered_cookie_does_not_pass_for_a_browser_that_stayed_open(app, member, held_clock):
    thief = browser(app, session=cookies(member).token)
    assert is_in(thief)
    assert login(app).rotations == 1  # so the owner's browser, which is still open, finds it out
    held_clock.forward(seconds=31)
    assert is_in(thief)
    assert not is_in(member)
    assert not is_in(thief)


@pytest.mark.parametrize("change", [lambda seal: "A" * 43, lambda seal: seal[:-1], lambda seal: seal.swapcase()])
def test_nor_does_a_seal_that_somebody_made_up(app, member, change):
    forged = cookies(member).token + change(cookies(member).session[-43:])
    assert not is_in(browser(app, session=forged))
    assert login(app).rotations == 0


def test_a_copy_ends_a_login_once(app, member, stolen, held_clock):
    held_clock.forward(seconds=31)
    for _ in range(3):
        assert not is_in(browser(app, *stolen))
    assert len(replays(app)) == 1


def test_a_copy_ends_that_login_alone(app, member, log_in, stolen, held_clock):
    phone = app.test_client()
    log_in(phone)
    held_clock.forward(seconds=31)
    assert not is_in(browser(app, token=stolen.token))
    assert (is_in(member), is_in(phone)) == (False, True)


def test_an_old_cookie_beside_the_newest_is_nobodys_copy(app, member, stolen, held_clock):
    held_clock.forward(seconds=31)
    mixed = browser(app, stolen.session, cookies(member).token)
    assert is_in(mixed)
    assert cookies(mixed).agree
    assert replays(app) == []


def test_who_shows_a_copy_can_log_in_anew(app, member, stolen, held_clock, log_in):
    held_clock.forward(seconds=31)
    other = browser(app, *stolen)
    assert log_in(other).status_code == 302
    assert (is_in(other), is_in(member)) == (True, False)
    assert len(replays(app)) == 1


def test_an_app_that_logs_in_without_looking_who_is_there_ends_what_was_copied(app, does, member, stolen, held_clock):
    does.append(lambda: str(login_user(Account.from_login("solo", PASSWORD))))
    held_clock.forward(seconds=31)
    other = browser(app, *stolen)
    other.get("/do")
    assert (is_in(other), is_in(member)) == (True, False)
    assert len(replays(app)) == 1


def garbage(name, _other):
    return f"{name}.{'A' * 43}"


def anothers_secret(name, other):
    return f"{name}.{other.split('.')[1]}"


@pytest.mark.parametrize("guess", [garbage, anothers_secret])
@pytest.mark.parametrize("cookie", ["session", "token"])
def test_who_knows_the_name_of_a_login_and_guesses_ends_nothing(app, member, stolen, held_clock, log_in, guess, cookie):
    other = app.test_client()
    log_in(other)
    name = stolen.token.split(".")[0]
    held_clock.forward(seconds=31)
    assert not is_in(browser(app, **{cookie: guess(name, cookies(other).token)}))
    assert is_in(member)
    assert replays(app) == []


@pytest.mark.settings(STORMPATH_SESSION_LIFETIME=timedelta(hours=1))
def test_a_copy_of_a_login_that_ended_by_itself_is_not_worth_a_word(app, member, stolen, held_clock):
    held_clock.forward(hours=2)
    assert not is_in(browser(app, token=stolen.token))
    assert replays(app) == []


def test_a_logout_with_a_token_that_was_just_replaced_ends_the_login(app, member):
    tab = browser(app, token=cookies(member).token)
    assert is_in(close(member))
    tab.get("/logout")
    assert not is_in(member)
    assert (login(app), cookies(tab)) == (None, (None, None))


def test_a_database_that_takes_no_change_refuses_a_copy_all_the_same(app, member, stolen, outside, held_clock):
    held_clock.forward(seconds=31)
    thief = browser(app, token=stolen.token)
    with closed(outside, "stormpath_audit_events", "INSERT"):
        assert not is_in(thief)
        assert is_in(member)  # a login ends with its audit line, or not at all
    assert not is_in(thief)
    assert not is_in(member)


# --- Another secret key ---

NEW_KEY = "the next secret key of these tests, and long enough too"


@pytest.fixture
def later(app, instance):
    """Return a function that makes the app again, as it runs with other secret keys."""
    made = []

    def later(**settings):
        made.append(make_app(instance, **settings))
        return made[-1]

    yield later
    for other in made:
        with other.app_context():
            database.engine.dispose()


def test_under_a_new_secret_key_tabs_still_get_what_the_old_one_computed(app, member, later):
    tab = cookies(member).token
    assert is_in(close(member))
    after = later(SECRET_KEY=NEW_KEY, SECRET_KEY_FALLBACKS=["of long ago", app.secret_key])
    late = browser(after, token=tab)
    assert is_in(late)
    assert cookies(late).token == cookies(member).token
    assert is_in(browser(after, *cookies(member)))
    assert is_in(late)


def test_under_a_new_secret_key_a_copy_is_still_found_out(app, member, stolen, later, held_clock):
    after = later(SECRET_KEY=NEW_KEY, SECRET_KEY_FALLBACKS=[app.secret_key])
    held_clock.forward(seconds=31)
    assert not is_in(browser(after, token=stolen.token))
    assert login(app) is None


def test_what_is_computed_anew_is_of_the_new_key_alone(app, member, later):
    before = cookies(member).token
    after = later(SECRET_KEY=NEW_KEY, SECRET_KEY_FALLBACKS=[app.secret_key])
    returned = browser(after, token=before)
    assert is_in(returned)
    assert not is_in(browser(app, token=before))  # only the old key is known there: it cannot tell
    assert is_in(browser(later(SECRET_KEY=NEW_KEY), token=before))
    assert is_in(browser(app, *cookies(returned)))  # what is in force needs no key


def test_without_the_old_key_a_replaced_token_is_refused_and_ends_nothing(app, member, stolen, later):
    after = later(SECRET_KEY=NEW_KEY)
    assert not is_in(browser(after, token=stolen.token))
    assert is_in(browser(after, *cookies(member)))
