"""A login is decided by a hash that takes a while: what changes meanwhile counts."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, hashers
from stormpath_app.database import session
from stormpath_app.models import AccountSession


def set_and_save(resource, **values):
    for name, value in values.items():
        setattr(resource, name, value)
    resource.save()


CHANGES = {
    "a new password": lambda han: set_and_save(han, password="Kessel12.Parsecs"),
    "a password that must be changed": lambda han: set_and_save(han, must_change_password=True),
    "disabled": lambda han: set_and_save(han, status="disabled"),
    "deleted": lambda han: han.delete(),
    "its directory disabled": lambda han: set_and_save(han.directory, status="disabled"),
    "its directory deleted": lambda han: han.directory.delete(),
    "its application disabled": lambda _han: set_and_save(Application.current(), status="disabled"),
    "its directory taken from the application": lambda _han: (
        Application.current().default_account_store_mapping.delete()
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_changed_while_a_person_logs_in_keeps_them_out(app, client, account, log_in, monkeypatch, change):
    verify = hashers.verify

    def verify_slowly(*args):
        monkeypatch.setattr(hashers, "verify", verify)
        with app.app_context():  # as another request would
            change(Application.current().find_account("solo"))
        return verify(*args)

    monkeypatch.setattr(hashers, "verify", verify_slowly)
    answer = log_in(client)
    assert answer.status_code == 200
    assert "Hello" not in client.get("/secret").text
    with app.app_context():
        assert session.scalar(sa.select(sa.func.count()).select_from(AccountSession)) == 0


def test_a_change_of_the_name_meanwhile_keeps_nobody_out(app, client, account, log_in, monkeypatch):
    verify = hashers.verify

    def verify_slowly(*args):
        monkeypatch.setattr(hashers, "verify", verify)
        with app.app_context():
            set_and_save(Application.current().find_account("solo"), given_name="Ben")
        return verify(*args)

    monkeypatch.setattr(hashers, "verify", verify_slowly)
    assert log_in(client).status_code == 302
    assert client.get("/secret").text == "Hello Ben"


def test_a_hash_that_is_renewed_meanwhile_keeps_nobody_out(app, client, account, log_in):
    app.config["STORMPATH_BCRYPT_COST"] = 5
    assert log_in(client).status_code == 302
    assert client.get("/secret").text == "Hello Han"
    with app.app_context():
        assert not hashers.is_out_of_date(session.scalar(sa.select(Account.password_hash)), 5)
