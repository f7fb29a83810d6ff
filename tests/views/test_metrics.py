"""Numbers for Prometheus, and who does not get them."""

import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from stormpath_app import Application
from stormpath_app.cache.tables import counts
from stormpath_app.models import AccountSession
from stormpath_app.transactions import atomic

from ..conftest import make_app, statements

TOKEN = "of these tests alone, and of 32 bytes"
METRICS = pytest.mark.settings(STORMPATH_METRICS_URL="/metrics", STORMPATH_METRICS_TOKEN=TOKEN)


@pytest.fixture
def numbers(app):
    """Return a function that asks for the numbers: a name, and the outcome where it has one -> how many."""

    def numbers():
        answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert "Set-Cookie" not in answer.headers
        return {
            " ".join((sample.name, *sample.labels.values())): sample.value
            for family in parse(answer.text)
            for sample in family.samples
        }

    return numbers


# --- Who may not ---


@METRICS
@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \u00fc",
        "Bearer null",
    ],
)
def test_who_does_not_show_the_token_is_refused_without_a_statement(app, account, shown):
    with statements(app) as seen:
        headers = {} if shown is None else {"Authorization": shown}
        answer = app.test_client().get("/metrics", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"], answer.text) == (401, "Bearer", "")
    assert seen == []


@METRICS
def test_a_login_is_no_token(member):
    assert member.get("/metrics").status_code == 401


@METRICS
def test_a_token_in_the_address_is_none(client):
    assert client.get(f"/metrics?token={TOKEN}").status_code == 401


def test_there_is_no_such_page_before_somebody_says_where(client):
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("token", [None, "", "short", "changeme"])
def test_without_a_token_that_nobody_guesses_the_site_does_not_start_and_the_page_tells_nothing(instance, token):
    app = make_app(instance, STORMPATH_METRICS_URL="/metrics", STORMPATH_METRICS_TOKEN=token)
    with app.app_context():
        told = [problem.sentence for problem in app.extensions["stormpath"].check() if problem.level == "error"]
    assert any("STORMPATH_METRICS_TOKEN" in sentence for sentence in told)
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {token or ''}"})
    assert "stormpath_logins" not in answer.text


def test_a_library_that_is_not_there_is_told_with_what_installs_it(instance, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    app = make_app(instance, STORMPATH_METRICS_URL="/metrics", STORMPATH_METRICS_TOKEN=TOKEN)
    with app.app_context():
        told = " ".join(problem.sentence for problem in app.extensions["stormpath"].check())
    assert "pip install 'stormpath-app[metrics]'" in told


# --- What they are ---


@METRICS
def test_logins_are_counted_by_their_outcome(app, account, log_in, numbers):
    before = numbers()
    log_in(app.test_client())
    log_in(app.test_client())
    log_in(app.test_client(), password="wrong")
    after = numbers()
    assert (after["stormpath_logins_total succeeded"], after["stormpath_logins_total failed"]) == (2, 1)
    assert before["stormpath_logins_total failed"] == 0
    assert after["stormpath_registrations_total"] == 1
    assert after["stormpath_sessions"] == 2
    assert after["stormpath_up"] == 1


@METRICS
def test_a_login_that_ran_out_is_not_alive(app, member, numbers, held_clock):
    with app.app_context(), atomic() as session:
        session.query(AccountSession).update({"last_seen_at": held_clock.at, "created_at": held_clock.at})
    assert numbers()["stormpath_sessions"] == 1
    held_clock.forward(days=366)
    assert numbers()["stormpath_sessions"] == 0


@METRICS
def test_it_is_told_how_long_a_mail_has_waited(app, account, numbers, held_clock):
    assert (numbers()["stormpath_mails_waiting"], numbers()["stormpath_oldest_mail_seconds"]) == (0, 0)
    with app.app_context():
        Application.current().send_password_reset_email("han@falcon.example")
    held_clock.forward(seconds=90)
    assert (numbers()["stormpath_mails_waiting"], numbers()["stormpath_oldest_mail_seconds"]) == (1, 90)


@METRICS
@pytest.mark.settings(STORMPATH_THROTTLE={"free_failures": 2})
def test_it_is_told_how_many_have_to_wait(app, account, log_in, numbers):
    log_in(app.test_client(), password="wrong")
    assert numbers()["stormpath_throttled"] == 0
    log_in(app.test_client(), password="wrong")
    assert numbers()["stormpath_throttled"] == 1


@METRICS
@pytest.mark.settings(STORMPATH_THROTTLE=False)
def test_without_throttling_nobody_waits(numbers):
    assert numbers()["stormpath_throttled"] == 0


@METRICS
def test_the_cache_tells_what_all_processes_wrote_of_this_hour(outside, numbers, held_clock):
    assert (numbers()["stormpath_cache_hits_total sessions"], numbers()["stormpath_cache_misses_total policies"]) == (
        0,
        0,
    )
    hour = held_clock.at.replace(minute=0, second=0, microsecond=0)
    with outside.begin() as connection:
        connection.execute(counts.insert().values(hour=hour, region="sessions", hits=7, misses=2))
    found = numbers()
    assert (found["stormpath_cache_hits_total sessions"], found["stormpath_cache_misses_total sessions"]) == (7, 2)


@METRICS
@pytest.mark.settings(STORMPATH_APPLICATION="Falcon")
def test_a_site_that_cannot_serve_says_that_alone(numbers):
    assert numbers() == {"stormpath_up": 0}
