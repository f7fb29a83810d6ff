"""An app with a database and a model `User` of its own: nothing of it is touched, nothing collides."""

import pytest
import sqlalchemy as sa
from flask import render_template_string
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from stormpath_app import Account, StormpathManager, User

from ..conftest import PASSWORD
from .conftest import han


@pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])
@pytest.mark.parametrize("shares", [False, True], ids=["beside", "shared"])
def test_a_model_and_a_table_of_the_same_name_stand_beside_ours(bare, order, shares, log_in):
    app = bare(SQLALCHEMY_DATABASE_URI="sqlite://", **({"STORMPATH_DATABASE_URI": None} if shares else {}))
    db = SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {}))
    for wire in [db.init_app, StormpathManager(db=db if shares else None).init_app][::order]:
        wire(app)

    class User(db.Model):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        friends: Mapped[list["Friend"]] = relationship(back_populates="user")

    class Account(db.Model):
        __tablename__ = "accounts"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Friend(db.Model):
        __tablename__ = "friends"
        id: Mapped[int] = mapped_column(primary_key=True)
        user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
        user: Mapped[User] = relationship(back_populates="friends")

    with app.app_context():
        db.create_all()
        db.session.add(User(name="Lando", friends=[Friend()]))
        db.session.commit()
    han(app)
    client = app.test_client()
    assert log_in(client).status_code == 302
    with app.app_context():
        assert db.session.scalar(sa.select(User)).name == "Lando"
        assert app.extensions["sqlalchemy"] is db
        tables = set(sa.inspect(db.engine).get_table_names())
    assert {"users", "accounts", "friends"} <= tables
    assert ("stormpath_accounts" in tables) is shares


def test_user_and_account_are_one_class():
    assert User is Account


def test_a_table_of_the_host_with_the_same_index_and_constraint_names_does_not_collide(bare):
    app = bare(SQLALCHEMY_DATABASE_URI="sqlite://", STORMPATH_DATABASE_URI=None)
    db = SQLAlchemy(app, model_class=type("Base", (DeclarativeBase,), {}))

    class Directory(db.Model):
        __tablename__ = "directories"
        __table_args__ = (sa.UniqueConstraint("name_key", name="uq_directories_name_key"),)
        id: Mapped[int] = mapped_column(primary_key=True)
        name_key: Mapped[str] = mapped_column(sa.String(20), index=True)

    StormpathManager(app, db=db)
    with app.app_context():
        db.create_all()
        assert User.create("han@falcon.example", PASSWORD, "Han", "Solo").directory.name


@pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])
def test_what_its_templates_call_user_stays_what_it_is(bare, order):
    app = bare()
    for wire in [StormpathManager, lambda app: app.context_processor(lambda: {"user": "Lando"})][::order]:
        wire(app)
    app.add_url_rule("/", "home", lambda: render_template_string("{{ user }}, {{ current_user.is_anonymous }}"))
    assert app.test_client().get("/").text == "Lando, True"
