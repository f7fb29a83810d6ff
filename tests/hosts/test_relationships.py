"""Relationships of a host's models to our accounts: in processes of their own, which a backref lasts as long as."""

import subprocess
import sys

import pytest

APP = """
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from stormpath_app import Account, StormpathManager, login_required, user
from stormpath_app.errors import PointedAt
from stormpath_app.installation import set_up

PASSWORD = "Woot1Loves.Cookies"
db = SQLAlchemy()
app = Flask("shop", instance_path=INSTANCE)
app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY="any text will do here", WTF_CSRF_ENABLED=False)
app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///shop.db", STORMPATH_BCRYPT_COST=4)
db.init_app(app)
manager = StormpathManager(app, db=db)

class Order(db.Model):
    __tablename__ = "orders"
    id = db.Column(db.Integer, primary_key=True)
    what = db.Column(db.String(40))
    account_id = db.Column(db.ForeignKey(Account.id))
    account = db.relationship(Account, backref=db.backref("orders", BACKREF))

@app.get("/orders")
@login_required
def orders():
    return f"{user.given_name}: {', '.join(order.what for order in user.orders)}"
"""


@pytest.fixture
def run(tmp_path):
    """Return a function that runs the shop and what is added to it, with a backref as it is given."""

    def run(story, backref="lazy='select'"):
        app = APP.replace("INSTANCE", repr(str(tmp_path))).replace("BACKREF", backref)
        done = subprocess.run(
            [sys.executable, "-c", app + story], text=True, capture_output=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1]

    return run


MADE = """
set_up(app)
with app.app_context():
    db.create_all()
    leia = Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa")
    db.session.execute(sa.insert(Order.__table__), {"what": "a droid", "account_id": leia.id})
    db.session.commit()
"""

FIRST_PAGE = """
client = app.test_client()
client.post("/login", data={"login": "leia@alderaan.example", "password": PASSWORD})
print(client.get("/orders").text)
"""

DELETED = """
with app.app_context():
    manager.application.find_account("leia@alderaan.example").delete()
    print(db.session.execute(sa.select(Order.what, Order.account_id)).all())
"""

ENFORCED = """
with app.app_context():
    sa.event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
"""


def test_a_backref_is_there_at_the_first_page_of_a_process(run):
    run(MADE)
    assert run(FIRST_PAGE) == ["Leia: a droid"]


@pytest.mark.parametrize("enforced", [ENFORCED, ""], ids=["enforced", "not enforced"])
@pytest.mark.parametrize(
    ("backref", "left"),
    [
        ("lazy='select'", "[('a droid', None)]"),
        ("lazy='dynamic'", "[('a droid', None)]"),
        ("cascade='all, delete-orphan'", "[]"),
    ],
    ids=["plain", "dynamic", "cascade"],
)
def test_a_backref_does_what_it_says_with_the_rows_of_a_deleted_account(run, backref, left, enforced):
    assert run(enforced + MADE + DELETED, backref) == [left]
