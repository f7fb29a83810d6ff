"""Two machines with one PostgreSQL and one Redis behind one name: whichever answers, it is one site."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle

import pytest
import sqlalchemy as sa

from ..caches import redis
from ..conftest import found_here
from ..databases import DatabaseServer
from ..servers import PATIENCE, Server, free_port, gunicorn
from ..smtp import MailServer, mail_server
from .people import Answer, Person, Visitor
from .test_guessing import FREE, ready
from .test_mailed_links import link_in
from .test_many_at_once import at_once

NEW = "Kessel12.Parsecs"
Machines = tuple[Server, Server]


@pytest.fixture(scope="module")
def mails() -> Iterator[MailServer]:
    """Return the mail server of both."""
    with mail_server() as server:
        yield server


@pytest.fixture(scope="module")
def database_uri(postgresql_server: DatabaseServer) -> str:
    """Return the URL of the database of both."""
    return postgresql_server.new_database()


@pytest.fixture(scope="module")
def machines(database_uri, mails, tmp_path_factory) -> Iterator[Machines]:
    """Return two sites that share a database, a cache and a secret, and no file."""
    folders = [tmp_path_factory.mktemp(name) / "instance" for name in ("one", "other")]
    with found_here(redis()) as cache:
        settings = {f"FLASK_{name}": json.dumps(value) for name, value in mails.config.items()} | {
            "FLASK_SECRET_KEY": "of two machines, which tell it to nobody else",
            "FLASK_STORMPATH_BASE_URL": f"http://127.0.0.1:{free_port()}",  # of what stands before both
            "FLASK_STORMPATH_DATABASE_URI": database_uri,
            "FLASK_STORMPATH_CACHE": json.dumps({"store": "redis", "store_opts": cache.patient}),
            "FLASK_STORMPATH_ENABLE_USERNAME": "true",
            "FLASK_STORMPATH_BCRYPT_COST": "10",
            "FLASK_MAIL_DEFAULT_SENDER": "falcon@example.com",
        }
        with gunicorn(folders[0], workers=2, **settings) as one, gunicorn(folders[1], workers=2, **settings) as other:
            yield one, other


@pytest.fixture
def outbox(database_uri: str) -> sa.Engine:
    """Return an engine that sees the mails that wait, and whatever else both have."""
    return sa.create_engine(database_uri, poolclass=sa.NullPool)


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def both(machines: Machines, person: Person) -> tuple[Visitor, Visitor]:
    """Return the browser of somebody who is logged in, as each machine sees it."""
    here, there = machines
    visitor = Visitor(here.url)
    assert visitor.register(person).status == 302
    return visitor, visitor.twin(there.url)


def ask(visitor: Visitor, path: str = "/secret") -> list[Answer]:
    """Ask several times at once, so that each worker of the machine is asked."""
    return at_once([partial(visitor.twin().get, path) for _ in range(6)])


def statuses(visitor: Visitor) -> set[int]:
    return {answer.status for answer in ask(visitor)}


def rename(writing: Visitor, person: Person, name: str, token: str | None = None) -> None:
    """Save another name with the settings page's form."""
    fields = {**person.fields, "given_name": name, "csrf_token": token or writing.token("/settings")}
    saved = writing.post("/settings/profile", **fields)
    assert saved.status == 302, saved.text


# --- Sessions ---


def test_a_login_at_one_holds_at_the_other_and_so_does_its_logout(both):
    here, there = both
    assert statuses(here) == statuses(there) == {200}
    there.post("/logout", csrf_token=there.token("/"))
    assert statuses(here) == statuses(there) == {302}


def test_a_form_of_one_can_be_sent_to_the_other(both, person):
    here, there = both
    token = here.token("/settings")
    rename(here.twin(there.url), person, "Padmé", token)  # with the cookie that came with the form
    assert "Hello Padmé" in here.get("/").text


# --- What is kept ---


def test_a_new_name_at_one_is_on_the_pages_of_the_other_at_once(both, person):
    for number, (writing, reading) in zip(range(20), cycle([both, both[::-1]]), strict=False):
        rename(writing, person, f"Leia {number}")
        for answer in (*ask(reading, "/"), *ask(writing, "/")):
            assert f"Hello Leia {number}<" in answer.text


def test_who_is_disabled_by_a_command_at_one_is_out_of_the_other(machines, both, person):
    assert statuses(both[1]) == {200}
    machines[0].manage("disable-account", person.email)
    assert statuses(both[1]) == statuses(both[0]) == {302}
    machines[1].manage("enable-account", person.email)
    assert both[0].log_in(person).status == 302


def test_a_new_password_at_one_ends_the_logins_at_the_other(machines, both, person):
    elsewhere = Visitor(machines[1].url)
    elsewhere.log_in(person)
    assert statuses(elsewhere) == {200}
    fields = {"old_password": person.password, "password": NEW, "password_again": NEW}
    fields["csrf_token"] = both[0].token("/settings")
    changed = both[0].post("/settings/password", **fields)
    assert changed.status == 302, changed.text
    assert statuses(elsewhere) == statuses(both[1]) == {302}
    assert statuses(both[0]) == {200}
    assert elsewhere.log_in(person).status == 200
    assert elsewhere.log_in(person, NEW).status == 302


# --- Throttles ---


def test_wrong_passwords_at_either_count_at_both(machines, both, person, outbox):
    urls = cycle(server.url for server in machines)
    tries = [ready(machines[0], person.email, f"Guess.{number}", Visitor(next(urls))) for number in range(10 * FREE)]
    answers = Counter(answer.status for answer in at_once(tries))
    assert answers.keys() == {200, 429}
    assert FREE <= answers[200] <= FREE + 4
    with outbox.begin() as connection:  # however long that took, the last wait is not over
        longer = (
            "UPDATE stormpath_attempts SET blocked_until = blocked_until + interval '10 minutes' WHERE failures >= 5"
        )
        connection.exec_driver_sql(longer)
    for server in machines:
        assert Visitor(server.url).log_in(person).status == 429
    assert statuses(both[0]) == statuses(both[1]) == {200}


# --- Mails ---


def test_of_many_links_that_are_asked_for_at_either_each_is_mailed_once_and_works_at_the_other(machines, mails, outbox):
    people = [Person() for _ in range(10)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: Visitor(machines[one.number % 2].url).register(one), people))
        list(pool.map(lambda one: Visitor(machines[one.number % 2].url).send("/forgot", email=one.email), people))
    wait_until_all_left(outbox)
    links = {one.email: [link_in(mail) for mail in mails.mails if mail.recipients == [one.email]] for one in people}
    for one in people:
        (link,) = links[one.email]  # once
        path = link[link.index("/forgot") :]
        visitor = Visitor(machines[(one.number + 1) % 2].url)
        opened = visitor.get(path)
        assert opened.status == 302
        done = visitor.send("/forgot/change", password=NEW, password_again=NEW)
        assert "Password Change Complete!" in done.text
        assert Visitor(machines[one.number % 2].url).log_in(one, NEW).status == 302
    wait_until_all_left(outbox)
    changed = [mail for mail in mails.mails if mail.mail["Subject"] == "Your password has been changed"]
    told = Counter(mail.recipients[0] for mail in changed)
    assert {email: told[email] for email in links} == dict.fromkeys(links, 1)


def wait_until_all_left(outbox: sa.Engine) -> None:
    end = time.monotonic() + PATIENCE
    waiting = sa.text("SELECT kind, status, attempts, last_error FROM stormpath_outbox_messages WHERE status <> 'SENT'")
    while True:
        with outbox.connect() as connection:
            left = connection.execute(waiting).all()
        if not left:
            return
        assert time.monotonic() < end, left
        time.sleep(0.05)
