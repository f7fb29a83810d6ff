"""`flask stormpath after-restore`: what a backup brings back, and must not be good again."""

import contextlib
import sqlite3

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, event_words
from stormpath_app.database import database, session, sqlite_file
from stormpath_app.models import AccountSession, AuditEvent, Client, OneTimeToken, OutboxMessage, restoration, retention

from ..conftest import PASSWORD


@pytest.fixture
def run(app):
    return lambda *words, **how: app.test_cli_runner().invoke(app.cli, ["stormpath", "after-restore", *words], **how)


@pytest.fixture
def waiting(app, account):
    """Let a link to a new password wait in a mail, and a mail be sent already."""
    with app.app_context():
        Application.current().send_password_reset_email("han@falcon.example")
        assert count(OneTimeToken) == 1


def count(model, *conditions):
    return session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions))


def test_logins_and_links_are_dead_and_the_mail_is_given_up_for_a_reason_that_people_can_read(
    app, member, waiting, run
):
    assert member.get("/secret").status_code == 200
    done = run("--yes")
    assert (done.exit_code, "logins: 1 voided\nmailed links: 1 voided\nmails that waited: 1 voided" in done.output) == (
        0,
        True,
    )
    assert member.get("/secret").status_code == 302
    with app.app_context():
        assert count(OneTimeToken) == 0
        mail = session.scalar(sa.select(OutboxMessage))
        assert (mail.status, mail.nonce) == ("FAILED", None)
        assert "it may have left before, and was not sent again" in mail.last_error


def test_it_asks_before_it_does_anything(app, member, run):
    done = run(input="n\n")
    assert done.exit_code == 1
    assert "whoever chose another password has the one before" in done.output
    assert member.get("/secret").status_code == 200
    assert run(input="y\n").exit_code == 0
    assert member.get("/secret").status_code == 302


def test_it_tells_when_the_log_ends_as_that_is_when_the_backup_was_made(app, account, held_clock, run):
    held_clock.forward(days=3650)
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    assert "The log ends on 2036-11-21 at 12:00 UTC." in run("--yes").output


def test_the_log_has_that_it_was_done(app, member, run):
    run("--yes")
    with app.app_context():
        found = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
        assert (found.kind, found.interface) == ("database.restored", "cli")
        assert found.data["counts"] == {"logins": 1, "mailed links": 0, "mails that waited": 0}
        assert event_words.tell(found).sentence == "The database was restored from a backup"


def test_a_login_that_began_meanwhile_stays(app, client, account, log_in, held_clock):
    with app.app_context():
        logins = restoration.voided()[0]
    held_clock.forward(seconds=1)
    log_in(client)
    with app.app_context():
        assert sum(logins.prune()) == 0
    assert client.get("/secret").status_code == 200


def test_what_was_interrupted_goes_on_where_it_was(app, account, log_in, run, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    for _number in range(5):
        log_in(app.test_client())
    with app.app_context():
        assert next(restoration.voided()[0].prune()) == 2  # and no further
        assert count(AccountSession) == 3
    assert "logins: 3 voided" in run("--yes").output


def test_a_machine_whose_clock_is_behind_ends_all_the_same(app, member, waiting, run, held_clock):
    held_clock.forward(days=-2)
    assert "logins: 1 voided\nmailed links: 1 voided\nmails that waited: 1 voided" in run("--yes").output


@pytest.fixture
def api_keys(app, account):
    with app.app_context():
        han = Account.from_login("han@falcon.example", PASSWORD)
        return han.api_keys.create(name="Hyperdrive"), Client().tenant.api_keys.create()


def test_api_keys_are_listed_for_somebody_to_judge_and_go_on_opening(app, api_keys, run):
    output = run("--yes").output
    assert "API keys that open something: 2." in output
    assert f"{api_keys[0].id}  han@falcon.example  Hyperdrive\n" in output
    assert f"{api_keys[1].id}  of the tenant\n" in output
    assert not any(key.secret in output for key in api_keys)


def test_all_api_keys_can_be_disabled(app, api_keys, run, monkeypatch):
    monkeypatch.setattr(restoration, "BATCH", 1)
    output = run("--yes", "--disable-api-keys").output
    assert "API keys: 2 voided" in output
    assert "that open something" not in output
    with app.app_context():
        assert restoration.count_api_keys() == 0
        assert count(AuditEvent, AuditEvent.kind == "api_key.updated") == 2


@pytest.mark.sqlite
def test_who_logged_out_after_a_backup_is_logged_in_by_its_restore_until_this_was_run(app, member, run, tmp_path):
    file, copy = sqlite_file(app), tmp_path / "copy.db"
    backup(file, copy)
    cookies = list(member._cookies.values())
    member.get("/logout")
    with app.app_context():
        database.engine.dispose()
    backup(copy, file)
    thief = app.test_client()
    for cookie in cookies:
        thief._cookies[cookie._storage_key] = cookie
    assert thief.get("/secret").status_code == 200
    assert run("--yes").exit_code == 0
    assert thief.get("/secret").status_code == 302


def backup(source, target):
    with contextlib.closing(sqlite3.connect(source)) as one, contextlib.closing(sqlite3.connect(target)) as other:
        one.backup(other)
