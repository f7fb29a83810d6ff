"""Setting a site up, and telling what is missing."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from stormpath_app import Account, Application, Directory, installation, migrations
from stormpath_app.database import database, session
from stormpath_app.installation import SECRET_FILE, set_up
from stormpath_app.models import AccountSession, Base, Client, Tenant

from .conftest import PASSWORD, SECRET_KEY, make_app
from .servers import ROOT

#: As a site for the public has it.
PUBLIC = {
    "TESTING": False,
    "STORMPATH_BCRYPT_COST": 12,
    "STORMPATH_BASE_URL": "https://www.example.com",
    "SESSION_COOKIE_SECURE": True,
}


@pytest.fixture
def make(tmp_path):
    """Return a function that makes an app on an instance folder that is not there yet."""
    made = []

    def make(**settings):
        made.append(make_app(tmp_path / "new", **settings))
        return made[-1]

    yield make
    for app in made:
        with app.app_context():
            if app in database._app_engines:
                database.engine.dispose()


def problems(app):
    """Return what check() tells, as (level, sentence)."""
    with app.app_context():
        return [(problem.level, problem.sentence) for problem in app.extensions["stormpath"].check()]


def levels(app, word):
    """Return the levels of the problems that have a word in them."""
    return [level for level, sentence in problems(app) if word in sentence]


# --- The secret ---


KEYS = [
    *((key, "error") for key in (None, "", b"", "x", "0123456789abcde", b"0123456789abcde", "éàèùöäü", "ab" * 40, 5)),
    (b"abcdefgh\xff\xfe\xfd\xfc\xfb", "error"),  # thirteen bytes that are no text
    *((key, "error") for key in ("dev", b"secret", "Super-Secret-Key", " you-will-never-guess\n")),
    ("192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "error"),
    # What Flask's own manual shows and showed, as bytes, as text, and as an environment variable holds it.
    *((key, "error") for key in (b'_5#y2L"F4Q8z\n\xec]/', '_5#y2L"F4Q8z\n\xec]/', r'_5#y2L"F4Q8z\n\xec]/')),
    ("A0Zr98j/3yX R~XHH!jmN]LWX/,?RT", "error"),
    ("someprivatestringhere", "warning"),  # the old manual's: apps that have it must start
    *((key, "warning") for key in ("0123456789abcdef", b"0123456789abcdefghijklmnopqrstu", "éàèùöäüß")),
    *((key, None) for key in (SECRET_KEY, SECRET_KEY.encode(), bytes(range(150, 182)) + b"abcd")),
]


def test_a_secret_that_somebody_could_guess_is_refused(app, subtests):
    for key, level in KEYS:
        with subtests.test(key=ascii(key)[:40]):
            app.config.update({**PUBLIC, "SECRET_KEY": key})
            assert levels(app, "SECRET_KEY") == ([level] if level else [])


def test_a_secret_is_not_told_with_what_is_wrong_with_it(app):
    app.config.update({**PUBLIC, "SECRET_KEY": "Canary!"})
    assert "Canary" not in str(problems(app))


@pytest.mark.parametrize(
    ("fallbacks", "told"),
    [
        *((right, []) for right in (None, [], [SECRET_KEY], (SECRET_KEY.encode(), SECRET_KEY))),
        *((wrong, ["error"]) for wrong in (SECRET_KEY, SECRET_KEY.encode(), 5, [5], [None], {SECRET_KEY: 1})),
        (["dev", ""], ["warning"] * 2),
    ],
    ids=ascii,
)
def test_old_secrets_are_a_list_as_each_letter_of_a_text_would_be_one(app, fallbacks, told):
    app.config.update({**PUBLIC, "SECRET_KEY_FALLBACKS": fallbacks})
    assert levels(app, "SECRET_KEY_FALLBACKS") == told


@pytest.mark.parametrize(("switch", "told"), [("DEBUG", []), ("TESTING", ["warning"])])
def test_any_secret_is_good_enough_for_a_developer(app, switch, told):
    app.config.update({**PUBLIC, "SECRET_KEY": "dev", switch: True})
    assert levels(app, "SECRET_KEY") == told


# --- Switches ---


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, []),
        ({"TESTING": True}, [("warning", "TESTING")]),
        ({"LOGIN_DISABLED": True}, [("warning", "LOGIN_DISABLED")]),
        ({"TESTING": True, "LOGIN_DISABLED": True}, [("warning", "TESTING"), ("warning", "LOGIN_DISABLED")]),
        ({"DEBUG": True}, [("deploy", "Debug")]),
        ({"DEBUG": True, "TESTING": True, "LOGIN_DISABLED": True}, [("deploy", "Debug")]),
        ({"STORMPATH_COOKIE_SECURE": False}, [("deploy", "STORMPATH_COOKIE_SECURE")]),
        ({"SESSION_COOKIE_SECURE": False}, [("deploy", "SESSION_COOKIE_SECURE")]),
        ({"STORMPATH_BASE_URL": None}, [("deploy", "STORMPATH_BASE_URL")]),
        ({"WTF_CSRF_ENABLED": False}, [("deploy", "WTF_CSRF_ENABLED")]),
        ({"STORMPATH_THROTTLE": False}, [("deploy", "STORMPATH_THROTTLE")]),
    ],
    ids=str,
)
def test_a_switch_that_opens_doors_is_told(app, config, told):
    app.config.update({**PUBLIC, "LOGIN_DISABLED": None, **config})
    assert [(level, sentence.split()[0]) for level, sentence in problems(app)] == told


def test_providers_that_could_send_nobody_back_are_told_before_anybody_leaves(app):
    app.config.update({**PUBLIC, "STORMPATH_SOCIAL": {"GITHUB": {"client_id": "shop", "client_secret": "hush"}}})
    assert levels(app, "STORMPATH_BASE_URL") == []
    app.config["STORMPATH_BASE_URL"] = None
    assert levels(app, "STORMPATH_BASE_URL") == ["error"]
    app.config["DEBUG"] = True  # where the address is this machine's own
    assert levels(app, "STORMPATH_BASE_URL") == ["deploy"]


# --- The database ---


def test_a_database_that_is_not_there_is_told_and_not_made(make, tmp_path):
    app = make(**PUBLIC)
    told = f"There is no database at {tmp_path}/new/stormpath.db yet. Run `flask stormpath init`."
    assert problems(app) == [("error", told)]
    assert app.test_client().get("/login").status_code == 503
    assert not (tmp_path / "new").exists()


def test_a_page_that_needs_nobody_is_answered_before_the_set_up(make):
    assert make(**PUBLIC).test_client().get("/").text == "Hello"


def test_an_empty_database_and_one_of_an_older_version_are_told(app):
    with app.app_context():
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE stormpath_alembic_version SET version_num = '0000'")
        needed = f"this version needs {migrations.newest()}"
        older = f"The database is at revision 0000, {needed}. Run `flask stormpath db upgrade`."
        assert problems(app)[-1] == ("error", older)
        Base.metadata.drop_all(database.engine)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE stormpath_alembic_version")
        assert problems(app)[-1] == ("error", "The database has no tables of ours yet. Run `flask stormpath init`.")


@pytest.mark.parametrize("uri", ["nonsense", "nosuch://db", "postgresql+nosuch://db", "sqlite:////proc/no/such.db"])
def test_a_database_that_does_not_answer_is_told(make, uri):
    (problem,) = [problem for problem in problems(make(STORMPATH_DATABASE_URI=uri)) if problem[0] == "error"]
    assert re.search("does not answer|There is no database at", problem[1])


def test_a_site_is_mended_without_a_restart(make):
    app = make()
    client = app.test_client()
    assert client.get("/login").status_code == 503
    with app.app_context():
        set_up(app)
    assert client.get("/login").status_code == 200


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (None, "{instance}/stormpath.db"),
        ("sqlite:///accounts.db", "{instance}/accounts.db"),
        ("sqlite:////srv/accounts.db", "/srv/accounts.db"),
        ("sqlite://", "sqlite://"),
        ("postgresql+psycopg://han:canary@db/accounts", "postgresql+psycopg://han:***@db/accounts"),
    ],
)
def test_where_the_database_is_is_shown_without_its_password(make, uri, shown):
    app = make(STORMPATH_DATABASE_URI=uri)
    assert installation.where(app) == shown.format(instance=app.instance_path)


# --- The application ---


def test_an_application_that_is_not_there_is_told_with_those_there_are_and_not_made(app):
    app.config["STORMPATH_APPLICATION"] = "My Aplication"
    with app.app_context():
        Client().applications.create(name="Shop")
        set_up(app)
        assert len(Client().applications) == 3
    told = "There is no application 'My Aplication'; the database has: 'My Application', 'Shop'."
    assert [told in sentence for level, sentence in problems(app) if level == "error"] == [True]


def test_an_application_where_nobody_can_register_is_told(app):
    with app.app_context():
        Application.current().account_store_mappings[0].delete()
    assert levels(app, "no default account store: nobody can register") == ["warning"]


def test_an_application_whose_new_accounts_go_to_a_group_is_right_while_that_is_open(app):
    with app.app_context():
        application = Application.current()
        pilots = application.groups.create(name="pilots")
        application.account_store_mappings[0].delete()
        application.add_account_store(pilots, is_default=True)
    assert levels(app, "nobody can register") == []
    with app.app_context():
        pilots = Application.current().default_account_store()
        pilots.status = "DISABLED"
        pilots.save()
    assert levels(app, "is disabled, the Group 'pilots': nobody can register") == ["warning"]


@pytest.mark.settings(STORMPATH_VERIFY_EMAIL=True)
def test_a_directory_from_before_addresses_were_to_be_confirmed_is_told(app):
    assert levels(app, "Run `flask stormpath workflow enable verification`.") == ["warning"]
    app.test_cli_runner().invoke(args=["stormpath", "workflow", "enable", "verification"])
    assert levels(app, "workflow enable verification") == []


# --- Setting up ---


@pytest.mark.parametrize("verifies", [True, False])
def test_the_first_directory_confirms_addresses_where_the_setting_says_so(tmp_path, verifies):
    app = make_app(tmp_path, STORMPATH_VERIFY_EMAIL=verifies)
    for _ in range(2):
        set_up(app)
        with app.app_context():
            policy = Application.current().default_account_store().account_creation_policy
            assert policy.verifies is verifies
            database.engine.dispose()


def test_a_set_up_makes_one_of_each_and_again_the_same(make):
    app = make(STORMPATH_APPLICATION="Shop")
    with app.app_context():
        for _ in range(2):
            set_up(app)
        assert [one.name for one in Client().applications] == ["Shop", "Stormpath"]
        assert [one.name for one in Client().directories] == ["Shop Directory", "Stormpath Administrators"]
        assert [one.name for one in Client().groups] == ["viewer", "support", "manager", "owner"]
        assert len(session.scalars(sa.select(Tenant)).all()) == 1
        assert Account.create("han@falcon.example", PASSWORD)
        set_up(app)
        assert len(Client().accounts) == 1
    assert not levels(app, "database")


SCRIPT = """
import sys
from pathlib import Path
from flask import Flask
from stormpath_app import StormpathManager, installation
app = Flask("host", instance_path=sys.argv[1])
StormpathManager(app)
print("ready", flush=True)
sys.stdin.readline()
installation.make_secret(app)
with app.app_context():
    installation.set_up(app)
"""


def test_two_processes_may_set_up_at_once(make, tmp_path):
    command = [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "new")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) for _ in "12"]
    for one in both:
        assert one.stdout.readline() == b"ready\n"
    for one in both:
        one.stdin.write(b"\n")
        one.stdin.flush()
    for one in both:
        one.communicate(timeout=120)
    assert [one.returncode for one in both] == [0, 0]
    app = make(SECRET_KEY=None)
    assert [sentence for level, sentence in problems(app) if level == "error"] == []
    assert len(app.secret_key) >= 43
    with app.app_context():
        assert (len(Client().applications), len(Client().directories)) == (2, 2)
    assert sorted(file.name for file in (tmp_path / "new").iterdir() if "-" not in file.name) == [
        *(".gitignore", "stormpath.db", SECRET_FILE),
    ]


# --- In debug ---


def test_in_debug_an_app_sets_itself_up_at_its_first_request(make, tmp_path):
    app = make(SECRET_KEY=None, DEBUG=True, **PUBLIC)
    assert app.test_client().get("/login").status_code == 200
    secret = tmp_path / "new" / SECRET_FILE
    assert app.secret_key == secret.read_text().strip()
    assert {stat.S_IMODE(file.stat().st_mode) for file in (secret, tmp_path / "new" / "stormpath.db")} == {0o600}


def test_in_debug_too_a_database_that_the_host_named_is_left_alone(make, tmp_path):
    app = make(STORMPATH_DATABASE_URI=f"sqlite:///{tmp_path}/theirs.db", DEBUG=True)
    answer = app.test_client().get("/login")
    assert answer.status_code == 503
    assert "flask stormpath init" in answer.text
    assert list(tmp_path.iterdir()) == []


# --- Migrations ---


@pytest.fixture
def context(app):
    with app.app_context():
        yield app


def differences():
    """Return what the tables have and the models do not say, and the other way round."""
    options = {"version_table": migrations.VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    options["include_name"] = migrations.is_of_the_models
    with database.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def test_the_tables_are_what_the_models_say(context):
    assert differences() == []


def test_logins_survive_the_way_back_to_the_first_tables_and_up_again(app, client, account, log_in):
    log_in(client)
    with app.app_context():
        installation.downgrade_schema("0001")
        installation.upgrade_schema()
        assert differences() == []
        assert [(row.rotations, row.authenticated_at) for row in session.scalars(sa.select(AccountSession))] == [
            (0, None)
        ]
    assert client.get("/secret").status_code == 200


def test_directories_and_accounts_that_are_there_get_what_the_new_tables_ask_for(app, client, account, log_in):
    with app.app_context():
        directory = Directory.create(name="Rebels")
        installation.downgrade_schema("0004")
        session.rollback()
        installation.upgrade_schema()
        session.expire_all()
        for one in (directory, Application.current().default_account_store()):
            assert (one.account_creation_policy.email_domain_blacklist, len(one.account_schema.fields)) == ((), 2)
            assert one.account_creation_policy.created_at == one.created_at
            assert [field.required for field in one.account_schema.fields] == [False, False]
        field = directory.account_schema.fields["surname"]
        field.required = True
        field.save()
        han = Application.current().find_account("solo")  # by the login names, which are still there
        assert han.email_verification_status == "UNKNOWN"
    assert log_in(client).status_code == 302


def test_the_way_back_leaves_no_table_of_ours_and_all_of_others(context):
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE ships (name TEXT)")
    installation.downgrade_schema("base")
    assert set(sa.inspect(database.engine).get_table_names()) - {migrations.VERSION_TABLE} == {"ships"}
    installation.upgrade_schema()
    assert installation.schema_revision() == migrations.newest()


@pytest.mark.parametrize(
    ("name", "kind", "is_included"),
    [
        ("stormpath_accounts", "table", False),
        ("ships", "table", True),
        (None, "schema", True),
        ("stormpath_x", "column", True),
    ],
)
def test_a_hosts_own_migrations_can_be_told_to_leave_ours_alone(name, kind, is_included):
    assert migrations.include_name(name, kind, {}) is is_included


@pytest.mark.sqlite
def test_to_set_up_again_leaves_a_database_that_is_in_use_its_locks(app, instance):
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT id FROM stormpath_accounts').close()"
    with app.app_context():
        assert len(Application.current().accounts) == 0  # a connection stays in the pool
        set_up(app)
        Account.create("han@falcon.example", PASSWORD)
        file = database.engine.url.database
        subprocess.run([sys.executable, "-c", look, file], check=True)  # who is last takes the log away
        assert Path(f"{file}-wal").exists()
