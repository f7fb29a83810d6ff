"""Whether the site can serve, as a load balancer asks. `tests/test_outages.py` takes its database away."""

import threading

import pytest

from stormpath_app.views import health

from ..conftest import make_app, statements

HEALTH = pytest.mark.settings(STORMPATH_HEALTH_URL="/health")


@HEALTH
@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_a_site_that_serves_says_so_and_nothing_else(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


@HEALTH
def test_it_costs_one_statement_and_asks_for_nobody(app, member):
    member.get("/health")
    with statements(app) as seen:
        assert member.get("/health").status_code == 200
    assert seen == ["SELECT 1"]
    with statements(app) as seen:
        assert member.get("/health/live").status_code == 200
    assert seen == []


def test_a_host_has_no_such_page_before_it_says_where(client):
    assert client.get("/health").status_code == 404


@HEALTH
@pytest.mark.settings(STORMPATH_APPLICATION="Falcon")
def test_a_site_that_is_not_set_up_gets_no_requests_and_why_is_in_the_log_alone(client, caplog):
    answer = client.get("/health")
    assert (answer.status_code, answer.json) == (503, {"status": "not ready"})
    assert "There is no application 'Falcon'" in caplog.text
    assert client.get("/health/live").status_code == 200  # it need not be started again


@HEALTH
def test_a_database_that_hangs_has_one_thread_that_waits_for_it(app, monkeypatch):
    hangs, asked = threading.Event(), []

    def wait():
        asked.append(threading.current_thread())
        hangs.wait(60)

    monkeypatch.setattr(app.extensions["stormpath"], "require_ready", wait)
    with monkeypatch.context() as patched:
        patched.setattr(health, "ANSWERS", 0.05)
        for _request in range(3):
            answer = app.test_client().get("/health")
            assert (answer.status_code, answer.json) == (503, {"status": "unavailable"})
    hangs.set()
    (thread,) = asked
    thread.join()
    assert app.test_client().get("/health").status_code == 200


@HEALTH
def test_where_no_thread_is_left_it_is_asked_again_once_there_is(app, monkeypatch):
    def fail(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            app.test_client().get("/health")
    assert app.test_client().get("/health").status_code == 200


@HEALTH
def test_what_nobody_foresaw_is_an_error_and_not_health(app, monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(app.extensions["stormpath"], "require_ready", fail)
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/health")


def test_a_page_of_the_hosts_at_its_address_is_told(instance):
    app = make_app(instance, STORMPATH_HEALTH_URL="/health")
    app.add_url_rule("/health", "mine", lambda: "mine")
    with app.app_context():
        told = " ".join(problem.sentence for problem in app.extensions["stormpath"].check())
    assert "set STORMPATH_HEALTH_URL to another path, or to None" in told
