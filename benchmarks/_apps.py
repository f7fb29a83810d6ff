"""The apps that are measured, and the people in their tables: ours, one by hand, and one with Flask-Security."""

from importlib.util import find_spec
from typing import Any, NamedTuple

import bcrypt
import flask_login
import sqlalchemy as sa
from _people import EMAIL, PASSWORD, chunks, fill, filling, insert, tell, tidy
from flask import Flask, abort, redirect, request
from flask_sqlalchemy import SQLAlchemy

from stormpath_app import Account, Application, StormpathManager, groups_required, login_required, user
from stormpath_app.database import database
from stormpath_app.installation import set_up
from stormpath_app.models import Group as OurGroup, GroupMembership
from stormpath_app.models.base import new_id

COST = 12
SECRET_KEY = "of this benchmark alone, and long enough for all of its apps"
HAS_FLASK_SECURITY = find_spec("flask_security") is not None


class Measured(NamedTuple):
    """An app; its database's engine; how its numbers are called; the form field of its login."""

    app: Flask
    engine: sa.Engine
    name: str
    who: dict[str, str]


def make_apps(
    folder: str, uris: list[str], accounts: int, known: bytes, caches: dict[str, dict[str, Any] | bool]
) -> list[Measured]:
    """Make the apps, each with so many people: first ours, one for each cache, over the same database.

    :param uris: of two empty databases; the second is for Flask-Security.
    :param known: the bcrypt hash of the one who logs in, for the others.
    :param caches: what STORMPATH_CACHE says, by the name of the cache.
    """
    apps = [make_ours(folder, uris[0], name, cache) for name, cache in caches.items()]
    with apps[0].app.app_context():
        _add_people(accounts)
    apps.append(make_by_hand(uris[0], known))
    if HAS_FLASK_SECURITY:
        apps.append(make_flask_security(uris[1], accounts, known))
    for one in {app.engine.url: app.engine for app in apps}.values():  # ours have one with the app by hand
        tidy(one)
    return apps


def add_pages(app: Flask, private: Any, group: Any) -> None:
    app.add_url_rule("/public", "public", lambda: "Hello")
    app.add_url_rule("/private", "private", private)
    app.add_url_rule("/group", "group", group)


# --- Ours ---


def make_ours(folder: str, uri: str, name: str, cache: dict[str, Any] | bool) -> Measured:
    app = Flask("ours", instance_path=folder)
    app.config.update(SECRET_KEY=SECRET_KEY, WTF_CSRF_ENABLED=False, STORMPATH_BCRYPT_COST=COST)
    app.config.update(STORMPATH_DATABASE_URI=uri, STORMPATH_CACHE=cache)
    app.config.update(STORMPATH_MAIL_DELIVERY="command")  # no thread of each beside what is measured
    StormpathManager(app)

    def greet() -> str:
        return f"Hello {user.given_name}"

    add_pages(app, login_required(greet), groups_required(["admins"])(greet))
    set_up(app)
    with app.app_context():
        return Measured(app, database.engine, f"our {{}}, {name}", {"login": EMAIL})


def _add_people(accounts: int) -> None:
    person = Account.create(EMAIL, PASSWORD, "Han", "Solo")
    for name in ("admins", "pilots"):
        person.add_group(Application.current().groups.create(name=name))
    fill(person, accounts - 1)


# --- By hand: in the same database, with the same people ---


def make_by_hand(uri: str, known: bytes) -> Measured:
    app = Flask("by hand")
    app.config.update(SECRET_KEY=SECRET_KEY, SQLALCHEMY_DATABASE_URI=uri)
    db, manager = SQLAlchemy(app), flask_login.LoginManager(app)
    membership = db.Table(
        "by_hand_memberships",
        sa.Column("user_id", sa.ForeignKey("by_hand_users.id"), primary_key=True),
        sa.Column("group_id", sa.ForeignKey("by_hand_groups.id"), primary_key=True),
    )

    class Group(db.Model):
        __tablename__ = "by_hand_groups"
        id = sa.Column(sa.String(22), primary_key=True)
        name = sa.Column(sa.String(255), unique=True)

    class User(flask_login.UserMixin, db.Model):
        __tablename__ = "by_hand_users"
        id = sa.Column(sa.String(22), primary_key=True)
        email = sa.Column(sa.String(255), unique=True)
        directory_id, username, given_name, middle_name, surname = (sa.Column(sa.String(255)) for _ in range(5))
        status, password_hash, version = sa.Column(sa.String(16)), sa.Column(sa.String(128)), sa.Column(sa.Integer)
        password_modified_at, created_at, modified_at = (sa.Column(sa.DateTime) for _ in range(3))
        groups = sa.orm.relationship(Group, secondary=membership)

    @manager.user_loader
    def load(user_id: str) -> User | None:
        return db.session.get(User, user_id)

    @app.post("/login")
    def login() -> Any:
        found = db.session.scalar(sa.select(User).where(User.email == request.form["login"].casefold()))
        if found is None or not bcrypt.checkpw(request.form["password"].encode(), found.password_hash.encode()):
            abort(403)
        flask_login.login_user(found)
        return redirect("/")

    def greet() -> str:
        return f"Hello {flask_login.current_user.given_name}"

    def greet_admins() -> str:
        if "admins" not in {group.name for group in flask_login.current_user.groups}:
            abort(403)
        return greet()

    add_pages(app, flask_login.login_required(greet), flask_login.login_required(greet_admins))
    with app.app_context():
        db.create_all()
        tell("Accounts by hand")
        with filling(db.engine) as connection:
            for theirs, ours in (
                (User.__table__, Account.__table__),
                (Group.__table__, OurGroup.__table__),
                (membership, GroupMembership.__table__),
            ):
                _copy(connection, theirs, ours)
            connection.execute(sa.update(User).where(User.email == EMAIL).values(password_hash=known.decode()))
        return Measured(app, db.engine, "{} by hand", {"login": EMAIL})


def _copy(connection: sa.Connection, theirs: sa.Table, ours: sa.Table) -> None:
    """Fill a table with the columns of the same name of one of ours; a user is what we call an account."""
    names = theirs.columns.keys()
    values = [ours.c["account_id" if name == "user_id" else name] for name in names]
    connection.execute(sa.insert(theirs).from_select(names, sa.select(*values)))


# --- Flask-Security, as its quick start has it ---


def make_flask_security(uri: str, accounts: int, known: bytes) -> Measured:
    from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, roles_required
    from flask_security.models import fsqla_v3

    app = Flask("Flask-Security")
    app.config.update(SECRET_KEY=SECRET_KEY, SQLALCHEMY_DATABASE_URI=uri)
    app.config.update(SECURITY_PASSWORD_SALT="of-this-benchmark-alone", SECURITY_PASSWORD_HASH="bcrypt")
    app.config.update(SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False}, WTF_CSRF_ENABLED=False)
    db = SQLAlchemy(app)
    fsqla_v3.FsModels.set_db_info(db)

    class Role(db.Model, fsqla_v3.FsRoleMixin):
        pass

    class User(db.Model, fsqla_v3.FsUserMixin):
        given_name = sa.Column(sa.String(255))

    datastore = SQLAlchemyUserDatastore(db, User, Role)
    # It first hashes with HMAC-SHA512 and its salt; a plain bcrypt hash costs the same to check.
    app.config.update(SECURITY_PASSWORD_SINGLE_HASH=["bcrypt"])
    Security(app, datastore)

    def greet() -> str:
        return f"Hello {current_user.given_name}"

    add_pages(app, auth_required("session")(greet), roles_required("admins")(greet))
    with app.app_context():
        db.create_all()
        if db.engine.dialect.name == "sqlite":
            sa.event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode = WAL"))
        roles = [datastore.create_role(name=name) for name in ("admins", "pilots")]
        datastore.create_user(email=EMAIL, password=known.decode(), given_name="Han", roles=roles)
        db.session.commit()
        alike = {"given_name": "Han", "password": known.decode(), "active": True}
        with filling(db.engine) as connection:
            for some in chunks("Accounts of Flask-Security", accounts - 1):
                rows = [{"email": f"{number + 1}@b.example", "fs_uniquifier": new_id()} for number in some]
                insert(connection, User.__table__, rows, alike)
        return Measured(app, db.engine, "{} of Flask-Security", {"email": EMAIL})
