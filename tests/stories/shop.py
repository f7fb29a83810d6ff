"""A shop that keeps its accounts in its own database: its members have a card, which is a row of the shop's own."""

import os
from pathlib import Path

import sqlalchemy as sa
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from stormpath_app import Account, StormpathManager
from stormpath_app.installation import set_up

GROUPS = ("silver", "gold")


class Base(DeclarativeBase):
    """The tables of the shop."""


db = SQLAlchemy(model_class=Base)
manager = StormpathManager(db=db)


class Card(db.Model):  # type: ignore[name-defined]
    __tablename__ = "cards"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(sa.ForeignKey(Account.id))
    color: Mapped[str] = mapped_column(sa.String(10))


def create_app() -> Flask:
    app = Flask("shop", instance_path=os.environ["STORMPATH_INSTANCE_PATH"])
    Path(app.instance_path).mkdir(exist_ok=True)
    app.config.update(SECRET_KEY="of a shop in these stories alone", SQLALCHEMY_DATABASE_URI="sqlite:///shop.db")
    app.config.update(STORMPATH_BCRYPT_COST=10)
    # A busy machine may keep others waiting for longer than the driver's five seconds.
    app.config.update(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 60}})
    db.init_app(app)
    manager.init_app(app)
    set_up(app)
    with app.app_context():
        db.create_all()
        for name in GROUPS:
            manager.application.groups.create(name=name)
        db.engine.dispose()  # the workers are forks of this process
    app.add_url_rule("/join", "join", join, methods=["POST"])
    app.add_url_rule("/upgrade", "upgrade", upgrade, methods=["POST"])
    return app


def join() -> str:
    """Make an account, put it into a group, and give it a card: all three, or none."""
    with manager.atomic():
        account = manager.application.accounts.create(email=request.form["email"], password=request.form["password"])
        account.add_group("silver")
        db.session.add(Card(account_id=account.id, color="silver"))
    return "Welcome"


def upgrade() -> str:
    """Move a member from one group to the other, card and all."""
    with manager.atomic():
        account = manager.application.find_account(request.form["email"])
        assert account is not None
        account.remove_group("silver")
        account.add_group("gold")
        db.session.execute(sa.update(Card).where(Card.account_id == account.id).values(color="gold"))
    return "Upgraded"
