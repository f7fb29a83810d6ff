"""What a stranger can learn of who has an account here: nothing, by words, headers, work or statements."""

import re

import bcrypt
import pytest
import sqlalchemy as sa

from stormpath_app import Account, hashers
from stormpath_app.database import session

from ..conftest import PASSWORD, statements, token

COST = 6
WRONG = "Wrong1.Password"

#: Logins a stranger might try, all with a wrong password.
LOGINS = {
    "exists": "exists@x.example",
    "exists, by username": "chosen",
    "unknown": "unknown@x.example",
    "unknown, no address": "unknown",
    "disabled": "disabled@x.example",
    "unverified": "unverified@x.example",
    "without a password": "passwordless@x.example",
    "with an older hash": "older@x.example",
    "longer than any login": "x" * 300,
    "no text to store": "a\0b",
}

#: Those of them that no account can ever have.
NOBODY = {"longer than any login", "no text to store"}

#: That one counts its wrong passwords with "exists".
SHARED = {"exists, by username"}

pytestmark = pytest.mark.settings(STORMPATH_BCRYPT_COST=COST, STORMPATH_ENABLE_USERNAME=True)


@pytest.fixture
def people(app):
    """Make an account of each kind."""
    with app.app_context():
        Account.create("exists@x.example", PASSWORD, "A", "B", username="chosen")
        Account.create("disabled@x.example", PASSWORD, "A", "B", status="DISABLED")
        Account.create("unverified@x.example", PASSWORD, "A", "B", status="UNVERIFIED")
        for name, stored in (("passwordless", None), ("older", hashers.hash(PASSWORD, 4))):
            Account.create(f"{name}@x.example", PASSWORD, "A", "B")
            change = sa.update(Account).where(Account.email == f"{name}@x.example").values(password_hash=stored)
            session.execute(change)
        session.commit()


def attempt(client, login, password=WRONG):
    return client.post("/login", data={"csrf_token": token(client), "login": login, "password": password})


@pytest.fixture
def rounds(monkeypatch):
    """Count the rounds of bcrypt: a list, one number for each hash."""
    spent, hashpw = [], bcrypt.hashpw

    def counted(password, salt):
        spent.append(2 ** int(salt.split(b"$")[2]))
        return hashpw(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", counted)
    return spent


@pytest.mark.parametrize("password", [WRONG, " ", "\0", "x" * 2000, "hilol"])
def test_a_wrong_password_is_answered_alike_whoever_it_is_tried_on(app, people, password):
    def seen(login):
        answer = attempt(app.test_client(), login, password)
        page = re.sub(r'(name="(?:csrf_token|login)"[^>]*value=")[^"]*', r"\1", answer.text)
        flags = [re.sub(r"=[^;]*", "=", line, count=1) for line in answer.headers.getlist("Set-Cookie")]
        return answer.status_code, page, sorted(set(answer.headers.keys())), flags

    expected = seen("exists@x.example")
    assert expected[0] == 200
    assert "Invalid username or password." in expected[1]
    assert {name: seen(login) == expected for name, login in LOGINS.items()} == dict.fromkeys(LOGINS, True)


@pytest.mark.parametrize(("password", "cost"), [(WRONG, 2**COST), ("x" * 2000, 0)], ids=["wrong", "too long"])
def test_a_wrong_password_costs_the_same_rounds_whoever_it_is_tried_on(client, people, rounds, password, cost):
    work = {}
    for name, login in LOGINS.items():
        rounds.clear()
        attempt(client, login, password)
        work[name] = sum(rounds)
    assert work == dict.fromkeys(LOGINS, cost)


def test_the_right_password_costs_no_less_than_a_wrong_one(client, people, rounds):
    for login in ("exists@x.example", "disabled@x.example", "unverified@x.example"):
        rounds.clear()
        attempt(client, login, PASSWORD)
        assert sum(rounds) == 2**COST
        client.delete_cookie("__Host-stormpath_session")
        client.delete_cookie("__Host-stormpath_token")


def test_a_wrong_password_sends_the_same_statements_whoever_it_is_tried_on(app, client, people, held_clock):
    """Each is a round trip: over a network, one more can be measured."""
    attempt(client, "nobody")  # the first request of an app also looks whether it is set up
    for try_number in range(1, 8):  # the last of them are refused
        sent = {}
        for name, login in LOGINS.items():
            if name not in NOBODY | SHARED:
                with statements(app) as seen:
                    attempt(client, login)
                sent[name] = [re.sub(r"^(\w+).*?(stormpath_\w+).*", r"\1 \2", one, flags=re.DOTALL) for one in seen]
        assert sent == dict.fromkeys(sent, sent["exists"]), try_number


def test_for_a_password_that_is_too_long_nobody_is_looked_for(app, client, people):
    attempt(client, "nobody")  # the first request of an app also looks whether it is set up
    for login in LOGINS.values():
        with statements(app) as seen:
            attempt(client, login, "x" * 2000)
        assert not [one for one in seen if "stormpath_login_names" in one or "FROM stormpath_accounts" in one]


def test_an_older_hash_is_replaced_by_the_first_right_login_and_by_no_wrong_one(app, client, people):
    def stored():
        with app.app_context():
            return session.scalar(sa.select(Account.password_hash).where(Account.email == "older@x.example"))

    before = stored()
    attempt(client, "older@x.example")
    assert stored() == before
    assert attempt(client, "older@x.example", PASSWORD).status_code == 302
    assert f"r={COST}$" in stored()


@pytest.mark.settings(STORMPATH_THROTTLE=False)
@pytest.mark.parametrize("stored", [None, "", "x", "$2b$04$" + "." * 53, "$bcrypt-sha256$v=2,t=2b,r=4$"])
def test_an_account_without_a_password_is_opened_by_none(app, client, people, stored):
    with app.app_context():
        session.execute(
            sa.update(Account).where(Account.email == "passwordless@x.example").values(password_hash=stored)
        )
        session.commit()
    for password in ("", " ", "None", "null", "undefined", "0", "\0", PASSWORD, stored or ""):
        answer = attempt(client, "passwordless@x.example", password)
        assert answer.status_code == 200
    data = {"csrf_token": token(client), "login": "passwordless@x.example"}
    assert client.post("/login", data=data).status_code == 200
    assert client.get("/secret").status_code == 302


def test_neither_answer_nor_log_names_the_cause_to_a_stranger(client, people, caplog):
    for login in LOGINS.values():
        answer = attempt(client, login)
        for word in ("7100", "7101", "7102", "7104", "does not exist", "is disabled", "not verified", "no Account"):
            assert word not in answer.text
    assert WRONG not in caplog.text
