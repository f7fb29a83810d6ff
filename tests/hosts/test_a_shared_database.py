"""An app that keeps its users in its own database: `StormpathManager(app, db=db)`."""

import contextlib
import shutil
import sqlite3

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from stormpath_app import Account, StormpathManager, login_required, user
from stormpath_app.errors import (
    AccountAlreadyExists,
    LoginFailed,
    PasswordChangeRequired,
    PasswordRefused,
    PasswordReused,
    PointedAt,
    WrongPassword,
)
from stormpath_app.installation import set_up
from stormpath_app.models import AccountSession, AuditEvent, DeletedAccount, LoginName
from stormpath_app.models.custom_data_search import leaves
from stormpath_app.signals import user_created, user_deleted, user_updated

from ..conftest import PASSWORD, SECRET_KEY

LEIA = {"email": "leia@alderaan.example", "password": PASSWORD, "given_name": "Leia"}


class Host:
    """A shop: its orders belong to accounts. `order`: 0, 1 or 2: where StormpathManager comes among the lines."""

    def __init__(self, instance, uri="sqlite:///shop.db", *, order=2, session_options=None, **settings):
        self.app = Flask("shop", instance_path=str(instance))
        self.app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
        self.app.config.update(SQLALCHEMY_DATABASE_URI=uri, **settings)
        self.db = db = SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {}), session_options=session_options)
        self.manager = StormpathManager(db=db)
        for wire in [db.init_app, self.manager.init_app][:: 1 if order else -1]:
            wire(self.app)

        class Order(db.Model):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)
            what: Mapped[str] = mapped_column(sa.String(40))
            account_id: Mapped[str] = mapped_column(sa.ForeignKey(Account.id))
            account: Mapped[Account] = relationship(Account)

        self.Order = Order

        @self.app.get("/orders")
        @login_required
        def orders():
            mine = db.session.scalars(sa.select(Order).where(Order.account_id == user.id)).all()
            return f"{user.given_name}: {', '.join(order.what for order in mine)}"

        self.app.add_url_rule("/name", "name", login_required(lambda: user.given_name))

    def set_up(self):
        set_up(self.app)
        with self.app.app_context():
            self.db.create_all()
        return self

    def count(self, what):
        with self.app.app_context():
            return self.db.session.scalar(sa.select(sa.func.count()).select_from(what))


def enforce_foreign_keys(host):
    with host.app.app_context():
        sa.event.listen(
            host.db.engine, "connect", lambda connection, _r: connection.execute("PRAGMA foreign_keys = ON")
        )
    return host


def begin_by_event(host):
    """Do what SQLAlchemy's manual tells those who need savepoints on SQLite."""
    with host.app.app_context():
        engine = host.db.engine
    sa.event.listen(engine, "connect", lambda connection, _r: setattr(connection, "isolation_level", None))
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return host


def new_database(request, server):
    return request.getfixturevalue(f"{server}_server").new_database()


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory):
    """Return the file of a shop that is set up: those that have one begin with a copy."""
    folder = tmp_path_factory.mktemp("shop")
    made = Host(folder).set_up()
    with made.app.app_context():
        made.db.engine.dispose()
    return folder / "shop.db"


@pytest.fixture(
    params=["file", "foreign keys", "begin", "memory", "nothing expires", "manager first", "postgresql", "mariadb"],
)
def host(request, tmp_path):
    """Return a shop, in each way that people write one."""
    if request.param not in {"memory", "postgresql", "mariadb"}:
        shutil.copy(request.getfixturevalue("shop_file"), tmp_path)
    made = {
        "postgresql": lambda: Host(tmp_path, new_database(request, "postgresql")),
        "mariadb": lambda: Host(tmp_path, new_database(request, "mariadb")),
        "file": lambda: Host(tmp_path),
        "foreign keys": lambda: enforce_foreign_keys(Host(tmp_path)),
        "begin": lambda: begin_by_event(Host(tmp_path)),
        "memory": lambda: Host(tmp_path, "sqlite://"),
        "nothing expires": lambda: Host(tmp_path, session_options={"expire_on_commit": False, "autoflush": False}),
        "manager first": lambda: Host(tmp_path, order=0),
    }[request.param]()
    yield made.set_up()
    with made.app.app_context():
        made.db.engine.dispose()


@pytest.fixture
def context(host):
    with host.app.app_context():
        yield host


@pytest.fixture
def heard(host):
    """Return what was told, and whether the change was there to stay by then."""
    found = []

    def hear(signal):
        def note(_sender, account, **_more):
            found.append((signal.name, host.count(sa.select(Account).where(Account.id == account.id).subquery())))

        return note

    receivers = [(signal, hear(signal)) for signal in (user_created, user_updated, user_deleted)]
    for signal, receiver in receivers:
        signal.connect(receiver, host.app)
    yield found
    for signal, receiver in receivers:
        signal.disconnect(receiver, host.app)


def create(host, **more):
    return host.manager.application.accounts.create(LEIA, **more)


# --- One database, one session ---


def test_accounts_are_in_the_hosts_database_beside_its_own_tables(tmp_path):
    host = Host(tmp_path).set_up()
    with host.app.app_context():
        create(host)
        host.db.engine.dispose()
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        assert connection.execute("SELECT email FROM stormpath_accounts").fetchall() == [(LEIA["email"],)]
    connection.close()
    assert not (tmp_path / "stormpath.db").exists()


def test_a_person_registers_logs_in_and_sees_their_own_rows(host, register, log_in):
    client = host.app.test_client()
    assert register(client).status_code == 302
    with host.app.app_context():
        leia = host.manager.application.find_account(LEIA["email"])
        host.db.session.add(host.Order(what="a droid", account=leia))
        host.db.session.commit()
    assert client.get("/orders").text == "Leia: a droid"
    assert client.get("/logout").status_code == 302
    assert client.get("/orders").status_code == 302
    assert log_in(client, LEIA["email"]).status_code == 302
    assert client.get("/orders").text == "Leia: a droid"


def test_a_signed_in_page_costs_one_statement_there_too(host, register):
    client = host.app.test_client()
    register(client)
    seen = []
    with host.app.app_context():
        engine = host.db.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *sent: seen.append(sent[2]))
    assert client.get("/name").text == "Leia"
    assert len([statement for statement in seen if statement != "BEGIN"]) == 1


def test_wrong_passwords_and_taken_addresses_are_refused_and_logged_there_too(context):
    create(context)
    with pytest.raises(LoginFailed):
        context.manager.application.authenticate_account(LEIA["email"], "wrong")
    with pytest.raises(AccountAlreadyExists):
        create(context)
    assert context.count(AuditEvent.__table__) >= 2


# --- One transaction ---


def test_a_block_is_one_transaction_with_the_hosts_rows(context, heard):
    with context.manager.atomic():
        leia = create(context)
        context.db.session.add(context.Order(what="a droid", account_id=leia.id))
        assert heard == []
    assert heard == [("user-created", 1)]
    assert (context.count(Account.__table__), context.count(context.Order.__table__)) == (1, 1)


def test_a_block_that_raises_leaves_nothing_and_tells_nobody(context, heard):
    with contextlib.suppress(ZeroDivisionError), context.manager.atomic():
        leia = create(context)
        context.db.session.add(context.Order(what="a droid", account_id=leia.id))
        context.db.session.flush()
        raise ZeroDivisionError
    assert heard == []
    assert (context.count(Account.__table__), context.count(context.Order.__table__)) == (0, 0)
    assert create(context).email == LEIA["email"]  # nor does its login name keep the address


def test_a_verb_that_fails_inside_a_block_undoes_itself_alone(context, heard):
    with context.manager.atomic():
        leia = create(context)
        context.db.session.add(context.Order(what="a droid", account_id=leia.id))
        with pytest.raises(AccountAlreadyExists):
            create(context)
        with pytest.raises(PasswordRefused):
            create(context, email="other@alderaan.example", password="short")
    assert heard == [("user-created", 1)]
    assert (context.count(Account.__table__), context.count(context.Order.__table__)) == (1, 1)


def test_blocks_inside_blocks_commit_once_at_the_outermost_end(context, heard):
    with context.manager.atomic():
        leia = create(context)
        with context.manager.atomic():
            leia.given_name = "General"
            leia.save()
        with contextlib.suppress(ZeroDivisionError), context.manager.atomic():
            leia.given_name = "Nobody"
            leia.save()
            raise ZeroDivisionError
        assert heard == []
    assert [name for name, _there in heard] == ["user-created", "user-updated"]
    context.db.session.expire_all()
    assert context.manager.application.find_account(LEIA["email"]).given_name == "General"


def test_a_verb_joins_the_transaction_that_the_host_began(context, heard):
    with context.db.session.begin():
        create(context)
        assert heard == []
    assert context.count(Account.__table__) == 1


def test_what_was_done_in_the_hosts_begin_is_told_at_the_end_of_the_request(host, heard):
    @host.app.post("/join")
    def join():
        with host.db.session.begin():
            create(host)
        return str(heard)

    assert host.app.test_client().post("/join").text == "[]"
    assert heard == [("user-created", 1)]


def test_a_hosts_begin_that_is_rolled_back_takes_the_verb_with_it(context, heard):
    with contextlib.suppress(ZeroDivisionError), context.db.session.begin():
        create(context)
        raise ZeroDivisionError
    context.db.session.commit()
    assert heard == []
    assert context.count(Account.__table__) == 0


def test_a_hosts_savepoint_that_is_rolled_back_takes_the_verb_and_its_signal_with_it(context, heard):
    with context.manager.atomic():
        with contextlib.suppress(ZeroDivisionError), context.db.session.begin_nested():
            create(context)
            raise ZeroDivisionError
        create(context, email="other@alderaan.example")
    assert heard == [("user-created", 1)]
    assert context.count(Account.__table__) == 1


def test_logging_in_inside_a_block_is_refused_as_its_log_could_be_undone(context):
    create(context)
    with context.manager.atomic(), pytest.raises(RuntimeError, match="atomic"):
        context.manager.application.authenticate_account(LEIA["email"], PASSWORD)
    with context.db.session.begin(), pytest.raises(RuntimeError, match="atomic"):
        context.manager.application.authenticate_account(LEIA["email"], PASSWORD)


def test_the_first_password_of_a_block_is_hashed_before_the_write_lock_is_taken(tmp_path, monkeypatch):
    from stormpath_app import hashers

    host = Host(tmp_path).set_up()
    locked, hashed = [], hashers.hash

    def look(password, cost):
        locked.append(host.db.session.connection().connection.dbapi_connection.in_transaction)
        return hashed(password, cost)

    monkeypatch.setattr(hashers, "hash", look)
    with host.app.app_context(), host.manager.atomic():
        create(host)
    assert locked == [False]


@pytest.mark.parametrize("ends_by", ["verb", "host's commit"])
def test_a_receiver_that_fails_in_the_middle_of_a_change_leaves_a_session_that_works(context, ends_by):
    def write_half(_sender, account, **_more):
        context.db.session.add(context.Order(account_id=account.id))
        context.db.session.flush()  # it lacks what was ordered

    with user_created.connected_to(write_half, context.app):
        if ends_by == "verb":
            leia = create(context)
        else:
            with context.db.session.begin_nested():
                leia = create(context)
            context.db.session.commit()
    leia.given_name = "General"
    leia.save()
    assert (context.count(Account.__table__), context.count(context.Order.__table__)) == (1, 0)


# --- What waits in the host's session ---


def test_a_row_of_the_host_that_cannot_be_written_is_not_the_verbs_mistake(context):
    leia = create(context)
    pilots = context.manager.application.groups.create(name="pilots")
    for verb in (leia.save, leia.delete, lambda: leia.add_group(pilots)):
        context.db.session.add(context.Order())
        leia.given_name = "General"
        with pytest.raises(sa.exc.IntegrityError):
            verb()
        context.db.session.rollback()


def test_an_account_that_is_refused_commits_nothing_of_the_hosts(host):
    with host.app.test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.1"}):
        create(host)
        host.db.session.add(host.Order(what="a droid", account_id=create(host, email="han@falcon.example").id))
        with pytest.raises(AccountAlreadyExists):
            create(host)
        host.db.session.commit()
    assert host.count(host.Order.__table__) == 0


# --- What is set and not saved ---


def test_what_was_set_is_not_written_by_the_hosts_commit_and_is_not_lost(context):
    leia = create(context)
    leia.given_name, leia.email = "Unsaved", "new@alderaan.example"
    context.db.session.scalars(sa.select(context.Order)).all()  # a host's query flushes
    assert (leia.given_name, leia.email) == ("Unsaved", "new@alderaan.example")
    context.db.session.add(context.Order(what="a droid", account_id=leia.id))
    context.db.session.commit()
    assert (leia.given_name, leia.email) == ("Unsaved", "new@alderaan.example")
    stored = sa.select(Account.given_name, Account.email)
    assert tuple(context.db.session.execute(stored).one()) == ("Leia", LEIA["email"])
    leia.save()
    assert tuple(context.db.session.execute(stored).one()) == ("Unsaved", "new@alderaan.example")


def test_a_verb_of_another_account_does_not_write_it_either(context):
    leia, han = create(context), create(context, email="han@falcon.example")
    leia.given_name = "Unsaved"
    han.given_name = "Han"
    han.save()
    assert leia.given_name == "Unsaved"
    stored = sa.select(Account.given_name).order_by(Account.email)
    assert context.db.session.scalars(stored).all() == ["Han", "Leia"]


# --- Deleting ---


def test_an_account_that_a_row_of_the_host_points_at_stays_and_the_table_is_named(context):
    leia = create(context)
    context.db.session.add(context.Order(what="a droid", account_id=leia.id))
    context.db.session.commit()
    with pytest.raises(PointedAt, match="orders") as caught:
        leia.delete()
    assert (caught.value.status, caught.value.tables) == (409, ["orders"])
    with pytest.raises(PointedAt, match="orders"):
        leia.directory.delete()
    assert context.count(Account.__table__) == 1
    assert context.manager.application.authenticate_account(LEIA["email"], PASSWORD).account == leia


def test_an_account_that_is_kept_from_being_deleted_leaves_no_copy(context):
    leia = create(context)
    context.db.session.add(context.Order(what="a droid", account_id=leia.id))
    context.db.session.commit()
    assert DeletedAccount.tables_of_host(leia) == (["orders"], [])
    with pytest.raises(PointedAt, match="orders"):
        DeletedAccount.take(leia)
    assert context.count(DeletedAccount.__table__) == 0
    assert context.manager.application.authenticate_account(LEIA["email"], PASSWORD).account == leia


def test_an_account_that_is_restored_is_one_that_the_hosts_rows_can_point_at(context):
    leia = create(context)
    assert DeletedAccount.tables_of_host(leia) == ([], [])
    back = DeletedAccount.take(leia).restore().account
    context.db.session.add(context.Order(what="a droid", account_id=back.id))
    context.db.session.commit()
    assert context.manager.application.authenticate_account(LEIA["email"], PASSWORD).account == back


def test_an_account_that_is_deleted_takes_all_of_ours_with_it(context, heard):
    leia = create(context)
    leia.delete()
    assert context.count(LoginName.__table__) == 0
    assert heard == [("user-created", 1), ("user-deleted", 0)]
    create(context).directory.delete()
    assert [context.count(table) for table in (Account.__table__, LoginName.__table__)] == [0, 0]


def test_a_row_that_the_host_deletes_before_the_commit_keeps_no_account(context):
    leia = create(context)
    order = context.Order(what="a droid", account_id=leia.id)
    context.db.session.add(order)
    context.db.session.commit()
    context.db.session.delete(order)
    leia.delete()
    assert (context.count(Account.__table__), context.count(context.Order.__table__)) == (0, 0)


def test_an_account_that_the_hosts_session_deletes_frees_its_names_too(context):
    context.db.session.delete(create(context))
    context.db.session.commit()
    assert [context.count(table) for table in (Account.__table__, LoginName.__table__)] == [0, 0]
    assert create(context).email == LEIA["email"]


def test_custom_data_is_part_of_the_hosts_transaction(context, heard):
    leia = create(context, custom_data={"plan": "free"})
    for ends_badly in (True, False):
        with contextlib.suppress(ZeroDivisionError), context.manager.atomic():
            leia.custom_data["plan"] = "paid"
            leia.custom_data.save()
            context.db.session.add(context.Order(what="a plan", account_id=leia.id))
            1 / (not ends_badly)
        assert leia.custom_data["plan"] == ("free" if ends_badly else "paid")
    assert context.count(context.Order.__table__) == 1
    assert [name for name, _there in heard] == ["user-created", "user-updated"]
    with context.app.app_context():
        assert context.manager.application.find_account(LEIA["email"]).custom_data == {"plan": "paid"}


def test_custom_data_that_a_hosts_savepoint_takes_back_is_read_anew(context):
    leia = create(context, custom_data={"plan": "free"})
    with context.manager.atomic():
        with contextlib.suppress(ZeroDivisionError), context.db.session.begin_nested():
            leia.custom_data["plan"] = "paid"
            leia.save()
            raise ZeroDivisionError
        assert leia.custom_data == {"plan": "free"}
        leia.custom_data["ship"] = "Falcon"
        leia.save()
    assert leia.custom_data == {"plan": "free", "ship": "Falcon"}


def test_no_commit_of_the_host_writes_custom_data(context):
    leia = create(context, custom_data={"plan": "free"})
    leia.custom_data["plan"] = "paid"
    context.db.session.add(context.Order(what="a plan", account_id=leia.id))
    context.db.session.commit()
    with context.app.app_context():
        assert context.manager.application.find_account(LEIA["email"]).custom_data == {"plan": "free"}
    leia.save()
    with context.app.app_context():
        assert context.manager.application.find_account(LEIA["email"]).custom_data == {"plan": "paid"}


@pytest.mark.parametrize("whom", ["account", "directory"])
def test_custom_data_goes_with_what_it_belongs_to(context, whom):
    leia = create(context, custom_data={"plan": ["free"]})
    if whom == "account":
        context.db.session.delete(leia)  # by the host's own session
        context.db.session.commit()
    else:
        leia.directory.delete()
    assert [context.count(table) for table in (Account.custom_data_table, leaves)] == [0, 0]


def test_an_account_that_is_deleted_is_logged_out(host, register):
    client = host.app.test_client()
    register(client)
    with host.app.app_context():
        host.manager.application.find_account(LEIA["email"]).delete()
    assert client.get("/orders").status_code == 302
    assert host.count(AccountSession.__table__) == 0


# --- Setting it up ---


def test_a_shared_database_is_never_made_by_itself(tmp_path):
    host = Host(tmp_path, STORMPATH_BASE_URL=None)
    host.app.debug = True
    assert host.app.test_client().get("/login").status_code == 503
    with host.app.app_context():
        assert "flask stormpath init" in " ".join(problem.sentence for problem in host.manager.check())


def test_a_look_for_what_is_missing_makes_no_file(tmp_path):
    host = Host(tmp_path)
    with host.app.app_context():
        assert "There is no database at" in " ".join(problem.sentence for problem in host.manager.check())
    assert not (tmp_path / "shop.db").exists()


def test_the_command_makes_it_and_upgrading_says_how_to_keep_alembic_off(tmp_path):
    host = Host(tmp_path)
    run = host.app.test_cli_runner().invoke
    assert "shop.db" in run(args=["stormpath", "init"]).output
    assert "include_name=include_name" in run(args=["stormpath", "db", "upgrade"]).output
    assert host.app.test_client().get("/login").status_code == 200


def test_a_database_that_knows_nothing_of_the_app_is_named(tmp_path):
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
    manager = StormpathManager(app, db=SQLAlchemy())
    with app.app_context():
        assert [problem.sentence for problem in manager.check() if problem.level == "error"] == [
            "The database that was given with db= is not this app's yet: call db.init_app(app)."
        ]


def test_a_database_of_binds_alone_is_named(tmp_path):
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, SQLALCHEMY_BINDS={"orders": "sqlite://"})
    manager = StormpathManager(app, db=SQLAlchemy(app))
    with app.app_context():
        assert "set SQLALCHEMY_DATABASE_URI" in " ".join(problem.sentence for problem in manager.check())
    assert app.test_client().get("/login").status_code == 503


def test_two_places_for_the_accounts_are_one_too_many(tmp_path):
    host = Host(tmp_path, STORMPATH_DATABASE_URI="sqlite://").set_up()
    with host.app.app_context():
        assert "take one of them away" in " ".join(problem.sentence for problem in host.manager.check())


def test_the_same_file_opened_twice_is_told_with_the_mend(tmp_path):
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///one.db", STORMPATH_DATABASE_URI="sqlite:///one.db")
    SQLAlchemy(app)
    manager = StormpathManager(app)
    set_up(app)
    with app.app_context():
        assert "StormpathManager(app, db=db)" in " ".join(problem.sentence for problem in manager.check())


# --- Passwords and logins ---


def test_an_owner_changes_their_password_and_ends_logins_in_the_hosts_session(context):
    leia = Account.create(**LEIA)
    strength = leia.directory.password_policy.strength
    strength.prevent_reuse = 3
    strength.save()
    for _ in range(2):
        AccountSession.start(leia.id, context.manager.application.id, remembered=True)
    context.db.session.commit()
    first = leia.sessions[0]
    for _twice in range(2):
        first.end()
    with pytest.raises(WrongPassword):
        leia.change_password("wrong", "Kessel12.Parsecs")
    assert leia.change_password(PASSWORD, "Kessel12.Parsecs") == 1
    with pytest.raises(PasswordReused):
        leia.change_password("Kessel12.Parsecs", PASSWORD)
    context.db.session.add(context.Order(what="a cape", account=leia))
    context.db.session.commit()  # nothing was left to be written with it
    leia.check_password("Kessel12.Parsecs")


def test_who_must_choose_another_password_does_so_in_the_hosts_session(context):
    leia = Account.create(**LEIA, must_change_password=True)
    application = context.manager.application
    with pytest.raises(PasswordChangeRequired) as caught:
        application.authenticate_account(LEIA["email"], PASSWORD)
    with pytest.raises(PasswordReused):
        application.choose_password(caught.value.proof, PASSWORD)
    assert application.choose_password(caught.value.proof, "Kessel12.Parsecs").must_change_password is False
    assert application.authenticate_account(LEIA["email"], "Kessel12.Parsecs").account.id == leia.id
