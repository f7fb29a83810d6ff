"""Sites on several machines with one store: what one changes counts on all at once, whatever becomes of the store."""

import logging
import subprocess
import sys

import pytest

from stormpath_app import Account, Application, Directory, cache, groups_required
from stormpath_app.cache.reach import EVERY
from stormpath_app.database import database, session
from tests.conftest import PASSWORD, make_app, statements
from tests.servers import PATIENCE, ROOT, free_port


def setting(server, patience=PATIENCE, **options):
    options = {**server.options, **dict.fromkeys(server.timeouts, patience), **options}
    return {"store": server.store_class, "store_opts": options}


@pytest.fixture
def patience():
    """Return for how many seconds the store is waited for: nobody gives up because this machine is busy."""
    return PATIENCE


#: Where the store freezes.
soon = pytest.mark.parametrize("patience", [1])


def with_groups(app):
    @app.get("/crew")
    @groups_required(["crew"])
    def crew():
        return "of the crew"

    return app


@pytest.fixture
def site(app, cache_server, held_time, patience):
    app.config["STORMPATH_CACHE"] = setting(cache_server, patience)
    return with_groups(app)


@pytest.fixture
def make_site(instance, held_time):
    """Return a function that makes the same site on another machine."""
    made = []

    def make(server, **options):
        made.append(with_groups(make_app(instance, STORMPATH_CACHE=setting(server, **options))))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            database.engine.dispose()


@pytest.fixture
def elsewhere(make_site, cache_server, site, patience):
    return make_site(cache_server, patience=patience)


@pytest.fixture
def han(site, member):
    """Return Han's browser, with what is asked of him kept."""
    warm(member)
    return member


def warm(browser):
    for _time in range(3):
        assert browser.get("/secret").text == "Hello Han"


def is_in(browser):
    return browser.get("/secret").status_code == 200


def taken_to(site, browser):
    """Return the same browser at the site on another machine."""
    there = site.test_client()
    for cookie in browser._cookies.values():
        there.set_cookie(cookie.key, cookie.value, domain=cookie.domain, path=cookie.path)
    return there


def account():
    return Application.current().find_account("han@falcon.example")


def test_a_signed_in_page_costs_no_statement(site, han):
    with statements(site) as seen:
        assert is_in(han)
    assert seen == []


def test_who_is_signed_in_on_another_machine_costs_no_statement_there(site, elsewhere, han):
    there = taken_to(elsewhere, han)
    warm(there)
    with statements(elsewhere) as seen:
        assert is_in(there)
    assert seen == []


def disable_account():
    found = account()
    found.status = "DISABLED"
    found.save()


def change_password():
    account().change_password(PASSWORD, f"{PASSWORD}2")


def end_sessions():
    account().sign_out()


def delete_account():
    account().delete()


def disable_directory():
    directory = session.get(Directory, account().directory_id)
    directory.status = "DISABLED"
    directory.save()


def disable_application():
    application = Application.current()
    application.status = "DISABLED"
    application.save()


def unmap():
    Application.current().account_store_mappings[0].delete()


def write_a_text():
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE stormpath_accounts SET status = 'DISABLED'")


CHANGES = [
    disable_account,
    change_password,
    end_sessions,
    delete_account,
    disable_directory,
    disable_application,
    unmap,
    write_a_text,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_changed_on_one_machine_counts_on_the_other_at_its_next_request(site, elsewhere, han, change):
    with elsewhere.app_context():  # which looked at nobody yet
        change()
    assert not is_in(han)
    assert not is_in(taken_to(elsewhere, han))


def test_a_group_that_somebody_leaves_is_left_at_the_next_request(site, elsewhere, han):
    with elsewhere.app_context():
        crew = session.get(Directory, account().directory_id).groups.create({"name": "crew"})
        account().add_group(crew)
    assert [han.get("/crew").status_code for _time in range(3)] == [200] * 3
    with elsewhere.app_context():
        account().remove_group("crew")
    assert han.get("/crew").status_code != 200


def test_logging_out_leaves_what_is_kept_of_others(site, han, log_in):
    with site.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    leia = site.test_client()
    log_in(leia, "leia@alderaan.example")
    leia.get("/logout")
    assert not is_in(leia)
    with statements(site) as seen:
        assert is_in(han)
    assert seen == []


def test_a_login_that_is_kept_and_copied_is_not_let_in_by_its_id_alone(site, han):
    there = site.test_client()
    for cookie in han._cookies.values():
        there.set_cookie(cookie.key, cookie.value[:-60] + "A" * 60, domain=cookie.domain, path=cookie.path)
    assert not is_in(there)
    assert is_in(han)


# --- What becomes of the store ---


def told(caplog):
    lines = [record.getMessage() for record in caplog.records if "cache" in record.getMessage()]
    return ["gone" if "not answer" in line else "back" for line in lines]


def test_a_site_goes_on_without_its_store_and_comes_back_to_it(site, han, cache_server, held_time, caplog):
    cache_server.kill()
    with caplog.at_level(logging.WARNING):
        for _time in range(3):
            assert is_in(han)
            held_time.at += 1.1
    assert told(caplog) == ["gone"]
    cache_server.start()
    held_time.at += 10
    warm(han)
    assert told(caplog) == ["gone", "back"]
    with statements(site) as seen:
        assert is_in(han)
    assert seen == []


@soon
def test_a_store_that_does_not_answer_is_not_waited_for_again_and_again(site, han, cache_server, held_time, caplog):
    cache_server.freeze()
    asked = []
    with site.app_context():
        store = cache.keeper()._store
    ask, store._ask = store._ask, lambda question: asked.append(question) or ask(question)
    with caplog.at_level(logging.WARNING):
        for _time in range(5):
            assert is_in(han)
    assert len(asked) == 1
    cache_server.thaw()
    assert is_in(han)
    assert len(asked) == 1
    held_time.at += 1.1
    warm(han)
    assert told(caplog) == ["gone", "back"]


@soon
def test_a_change_while_the_store_is_gone_counts_here_at_once_and_when_it_is_back(
    site, elsewhere, han, cache_server, held_time
):
    there = taken_to(elsewhere, han)
    warm(there)
    cache_server.freeze()
    with site.app_context():
        disable_account()
    assert not is_in(han)
    assert not is_in(there)
    cache_server.thaw()
    assert not is_in(han)
    held_time.at += 10
    assert not is_in(han)
    assert not is_in(there)


def test_a_writer_that_is_cut_off_is_late_by_seconds_at_most(site, make_site, han, cache_server, held_time):
    cut_off = make_site(cache_server, port=free_port())
    with cut_off.app_context():
        disable_account()
    held_time.at += EVERY - 0.1
    assert is_in(han), "nobody could tell"
    held_time.at += 0.2
    assert not is_in(han)


def test_rubbish_and_swapped_values_make_nobody_somebody_else(site, han, log_in, cache_server):
    with site.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    leia = site.test_client()
    log_in(leia, "leia@alderaan.example")
    for spoil in (cache_server.swap, cache_server.fill_with_rubbish, cache_server.flush, cache_server.restart) * 2:
        for _time in range(2):
            assert han.get("/secret").text == "Hello Han"
            assert leia.get("/secret").text == "Hello Leia"
        spoil()
    assert han.get("/secret").text == "Hello Han"
    assert leia.get("/secret").text == "Hello Leia"


def test_a_clear_of_another_process_reaches_all(site, elsewhere, han):
    with elsewhere.app_context():  # which looked at nobody yet
        cache.keeper().clear()
    with statements(site) as seen:
        assert is_in(han)
    assert len(seen) == 1


def test_so_does_one_that_cannot_reach_the_store(site, make_site, han, cache_server, held_time):
    with site.app_context():
        before = cache.keeper()._generation.known().n
    with make_site(cache_server, port=free_port()).app_context():
        cache.keeper().clear()
    held_time.at += EVERY
    with statements(site) as seen:
        assert is_in(han)
    assert len(seen) == 2
    with site.app_context():
        assert cache.keeper()._generation.known().n != before


FORKS = """
import os, sys
from flask import Flask
from stormpath_app.cache import RedisStore, Region
from stormpath_app.cache.reach import Known
from stormpath_app.cache.region import Lifetime
from stormpath_app.cache.shared import Shared

site, region = Flask("site"), Region("policies")
site.secret_key = "of this test alone, and long enough"
patience = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), int(sys.argv[2]))
keeper = Shared(RedisStore(port=int(sys.argv[1]), **patience), {"policies": Lifetime(300, 300)})

def ask(name):
    keeper._generation.known = lambda: Known(0, "tenant")
    for number in range(200):
        key = f"{name} {number}"
        row, ticket = keeper.look(region, key)
        keeper.keep(region, key, ticket, (key,))
        assert keeper.look(region, key)[0] == (key,), key

with site.app_context():
    ask("before")
    children = []
    for name in ("first", "second"):
        child = os.fork()
        if not child:
            ask(name)
            assert len(keeper._store.client.client_list()) >= 2
            os._exit(0)
        children.append(child)
    ask("parent")
    sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_forked_workers_share_no_connection(redis_server):
    command = [sys.executable, "-c", FORKS, str(redis_server.port), str(PATIENCE)]
    done = subprocess.run(command, cwd=ROOT, timeout=PATIENCE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- Settings ---


def problems(app, given):
    app.config["STORMPATH_CACHE"] = given
    with app.app_context():
        return [problem.sentence for problem in cache.check()]


@pytest.mark.sqlite
def test_a_client_that_is_not_installed_is_told_with_what_installs_it(app, monkeypatch):
    for store, module in (("redis", "redis"), ("memcached", "pymemcache.client.base")):
        monkeypatch.setitem(sys.modules, module, None)
        (sentence,) = problems(app, {"store": store})
        assert f"pip install 'stormpath-app[{store}]'" in sentence


@pytest.mark.sqlite
def test_an_option_that_a_store_does_not_have_is_told_and_no_value_is_shown(app):
    for store, options in (
        ("redis", {"prot": 1, "password": "hidden"}),
        ("redis", {"url": "redis://:hidden/"}),
        ("redis", {"url": "redis://localhost", "prot": "hidden"}),
        ("memcached", {"prot": "hidden"}),
    ):
        (sentence,) = problems(app, {"store": store, "store_opts": options})
        assert "store_opts" in sentence
        assert "hidden" not in sentence
    assert problems(app, {"store": "redis", "store_opts": {"url": "redis://:hidden@localhost:1/3"}}) == []
    assert problems(app, {"store": cache.MemcachedStore, "store_opts": {"host": "localhost", "port": "1"}}) == []
