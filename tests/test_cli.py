"""The commands: `flask stormpath ...` in a host app, and `manage.py` beside the runnable site."""

import os
import socket
import stat
import subprocess
import sys

import click
import pytest

from stormpath_app import Account, Application
from stormpath_app.cli import stormpath_commands
from stormpath_app.database import database, session
from stormpath_app.errors import LoginFailed
from stormpath_app.installation import SECRET_FILE
from stormpath_app.migrations import newest
from stormpath_app.models import Client

from .conftest import PASSWORD, make_app
from .models.test_event import events
from .servers import MANAGE, ROOT
from .test_installation import PUBLIC
from .together import together

OTHER = "Kessel12.Parsecs"
HAN = "han@falcon.example"


@pytest.fixture
def new_app(tmp_path):
    """Return an app that nobody has set up."""
    app = make_app(tmp_path / "new", SECRET_KEY=None)
    yield app
    with app.app_context():
        if app in database._app_engines:
            database.engine.dispose()


def run(app, *arguments, typed=None):
    """Run `flask stormpath` with these arguments; return its exit code, what it said, and what it complained of."""
    result = app.test_cli_runner().invoke(args=["stormpath", *arguments], input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, result.stdout, result.stderr


def commands(group=stormpath_commands, path=()):
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def mode(file):
    return stat.S_IMODE(file.stat().st_mode)


# --- All of them ---


@together(("path", "command"), list(commands()))
@pytest.mark.sqlite
def test_each_command_says_what_it_is_for(app, path, command):
    code, said, _ = run(app, *path, "--help")
    assert (code, command.help.split(".")[0] in " ".join(said.split())) == (0, True)
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


def test_no_command_takes_a_password_as_an_argument():
    for path, command in commands():
        for parameter in command.params:
            is_switch = isinstance(parameter, click.Option) and parameter.is_flag
            assert is_switch or "password" not in parameter.name, path


# --- Set-up ---


def test_init_makes_what_is_missing_and_again_changes_nothing(new_app, tmp_path):
    code, said, complained = run(new_app, "init")
    assert (code, complained) == (0, "")
    assert said.splitlines() == [
        f"Secret key: {tmp_path}/new/{SECRET_FILE}",
        f"Database: {tmp_path}/new/stormpath.db, at revision {newest()}",
        "Application: My Application",
    ]
    secret = new_app.secret_key
    run(new_app, "create-account", HAN, "--password-stdin", typed=PASSWORD)
    assert run(new_app, "init")[0] == 0
    assert new_app.secret_key == secret == (tmp_path / "new" / SECRET_FILE).read_text().strip()
    with new_app.app_context():
        assert [account.email for account in Application.current().accounts] == [HAN]


@pytest.mark.parametrize("first", [("init",), ("db", "upgrade")], ids=" ".join)
def test_what_is_made_is_for_its_owner_alone(new_app, tmp_path, first):
    assert run(new_app, *first)[0] == 0
    assert run(new_app, "init")[0] == 0
    assert {file.name: mode(file) for file in (tmp_path / "new").iterdir() if not file.name.startswith(".")} == {
        **dict.fromkeys(("stormpath.db", "stormpath.db-shm", "stormpath.db-wal", SECRET_FILE), 0o600)
    }
    assert (tmp_path / "new" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    "command",
    [
        ("db", "current"),
        ("db", "downgrade", "--yes"),
        ("create-account", HAN, "--password-stdin"),
        ("set-password", HAN, "--password-stdin"),
        ("create-group", "admins"),
        ("create-group", "admins", "--directory", "Rebels"),
        ("add-to-group", HAN, "admins"),
        ("remove-from-group", HAN, "admins"),
        ("create-application", "Shop"),
        ("create-directory", "Rebels"),
        ("list-accounts",),
        ("delete-account", HAN, "--yes"),
        ("sign-out", HAN, "--directory", "Rebels"),
        ("create-api-key",),
    ],
    ids=lambda command: command[0],
)
def test_before_the_set_up_each_command_says_how_to_set_up_and_makes_nothing(new_app, tmp_path, command):
    code, _, complained = run(new_app, *command, typed=PASSWORD)
    assert (code, complained.count("\n")) == (1, 1)
    assert complained.startswith("Error: ")
    assert "flask stormpath init" in complained
    assert not (tmp_path / "new").exists()


def test_the_tables_can_be_taken_back_and_brought_again(app):
    assert run(app, "db", "current") == (0, f"{newest()} (this version needs {newest()})\n", "")
    assert run(app, "db", "downgrade", "base", "--yes") == (0, "The tables are at revision none.\n", "")
    assert run(app, "db", "current") == (0, f"none (this version needs {newest()})\n", "")
    assert run(app, "db", "upgrade") == (0, f"The tables are at revision {newest()}.\n", "")


def test_tables_are_only_dropped_by_somebody_who_says_so(app, account):
    assert run(app, "db", "downgrade", typed="n\n")[0] == 1
    with app.app_context():
        assert len(Application.current().accounts) == 1


@pytest.mark.parametrize("command", ["upgrade", "downgrade"])
def test_a_revision_that_there_is_not_is_refused_in_one_line(app, command):
    code, _, complained = run(app, "db", command, "nonsense", *(["--yes"] if command == "downgrade" else []))
    assert (code, complained.count("\n"), "nonsense" in complained) == (1, 1, True)


@pytest.mark.settings(STORMPATH_ENABLE_USERNAMES=True)
@pytest.mark.parametrize(
    "command", [("init",), ("db", "upgrade"), ("db", "current"), ("set-password", HAN, "--password-stdin")]
)
def test_commands_that_mend_work_on_an_app_with_wrong_settings(app, account, command):
    assert run(app, "check")[0] == 1
    assert run(app, *command, typed=OTHER)[0] == 0


# --- Check ---


@pytest.mark.settings(STORMPATH_REQUIRE_EMAIL=True, **PUBLIC)
def test_check_says_that_all_is_well_and_what_has_no_effect(app):
    code, said, complained = run(app, "check", "--deploy")
    assert (code, complained) == (0, "")
    assert said.startswith("note: STORMPATH_REQUIRE_EMAIL has no effect")
    assert said.endswith("\nReady to deploy.\n")


@pytest.mark.parametrize(
    ("config", "check", "deploy"),
    [
        ({"STORMPATH_ENABLE_USERNAMES": True}, 1, 1),
        ({"SECRET_KEY": "secret"}, 1, 1),
        ({"SECRET_KEY": "0123456789abcdefghijklmnopqrstu"}, 0, 1),
        ({"TESTING": True}, 0, 1),
        ({"LOGIN_DISABLED": True}, 0, 1),
        ({"STORMPATH_COOKIE_SECURE": False}, 0, 1),
        ({"WTF_CSRF_ENABLED": False}, 0, 1),
        ({"STORMPATH_CACHE": {"store": "redis"}}, 0, 0),
    ],
    ids=str,
)
def test_the_exit_code_of_check_tells_mistakes_and_for_a_public_site_warnings_too(app, config, check, deploy):
    app.config.update({**PUBLIC, **config})
    for arguments, code in ((("check",), check), (("check", "--deploy"), deploy)):
        found, said, complained = run(app, *arguments)
        assert found == code
        assert complained.startswith("error: " if check else "warning: ") or not code
        verdict = "Ready to deploy." if "--deploy" in arguments else "No errors." if complained else "All is well."
        assert said.endswith(f"{verdict}\n") is not bool(code)


# --- Accounts ---


def test_an_account_is_created_with_a_password_that_is_asked_for_and_not_shown(app):
    names = ("--given-name", "Han", "--surname", "Solo", "--username", "solo", "--middle-name", "J.")
    code, said, complained = run(app, "create-account", HAN, *names, typed=f"{PASSWORD}\n{PASSWORD}\n")
    with app.app_context():
        account = Account.from_login("solo", PASSWORD)
        assert account.full_name == "Han J. Solo"
        assert f"Created {HAN} in My Application Directory: {account.href}\n" in said
        (created,) = events("account.created")
        assert (created.interface, created.application_id) == ("cli", Application.current().id)
    assert (code, PASSWORD in said + complained) == (0, False)


@pytest.mark.parametrize("typed", [PASSWORD, f"{PASSWORD}\n", f"{PASSWORD}\r\n", f"{PASSWORD}\nmore\n"], ids=ascii)
def test_a_password_can_come_from_standard_input(app, typed):
    assert run(app, "create-account", HAN, "--password-stdin", typed=typed)[0] == 0
    with app.app_context():
        assert Account.from_login(HAN, PASSWORD)


@pytest.mark.parametrize(
    ("email", "typed", "told"),
    [
        (HAN, "weak", ["minimum length", "1 numeric", "1 uppercase"]),
        (HAN, "", ["password is required"]),
        ("leia@alderaan.example", OTHER, ["email already exists"]),
        ("nobody", OTHER, ["invalid format"]),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_all_that_is_wrong(app, email, typed, told):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD)
    code, said, complained = run(app, "create-account", email, "--password-stdin", typed=typed)
    assert (code, said, complained.count("\n")) == (1, "", len(told))
    for sentence, line in zip(told, complained.splitlines(), strict=True):
        assert sentence in line
    assert complained.startswith("Error: ")


def test_a_new_password_logs_the_account_out_everywhere(app, client, account, log_in):
    log_in(client)
    code, said, _ = run(app, "set-password", "SOLO", "--password-stdin", typed=OTHER)
    assert (code, said) == (0, f"The password of {HAN} is changed, and it is logged out everywhere.\n")
    assert client.get("/secret").status_code == 302
    with app.app_context():
        assert Account.from_login("solo", OTHER)
        with pytest.raises(LoginFailed):
            Account.from_login("solo", PASSWORD)


@pytest.mark.parametrize(
    ("login", "typed", "told"), [("nobody", OTHER, "'nobody'"), ("solo", "weak", "minimum length")]
)
def test_a_password_that_cannot_be_set_changes_nothing(app, account, login, typed, told):
    code, said, complained = run(app, "set-password", login, "--password-stdin", typed=typed)
    assert (code, said, told in complained) == (1, "", True)
    with app.app_context():
        assert Account.from_login("solo", PASSWORD)
        session.rollback()


def test_an_account_that_is_unlocked_can_be_logged_in_to_at_once(app, held_clock, client, account, log_in):
    for _ in range(6):
        answer = log_in(client, password="wrong")
    assert answer.status_code == 429
    assert run(app, "unlock", "SOLO") == (0, f"{HAN} is unlocked.\n", "")
    assert log_in(client).status_code == 302
    with app.app_context():
        assert [event.interface for event in events("account.unlocked")] == ["cli"]
    assert run(app, "unlock", "nobody")[0] == 1


# --- Groups ---

PLACE = "My Application Directory"


def test_a_group_is_created_joined_and_left(app, account):
    code, said, complained = run(app, "create-group", "free users", "--description", "Who pays nothing")
    with app.app_context():
        (group,) = Application.current().groups
        href = group.href
        assert said == f"Created free users in {PLACE}: {href}\n"
        assert (code, complained, group.description) == (0, "", "Who pays nothing")
        assert events("group.created")[0].interface == "cli"
    assert run(app, "add-to-group", "SOLO", "Free Users") == (0, f"{HAN} is in free users now.\n", "")
    assert run(app, "add-to-group", HAN, "free users") == (0, f"{HAN} is in free users already.\n", "")
    with app.app_context():
        assert Application.current().find_account("solo").has_group("free users")
        assert [event.interface for event in events("account.group_added")] == ["cli"]
    assert run(app, "remove-from-group", HAN, href) == (0, f"{HAN} is not in free users any more.\n", "")
    with app.app_context():
        assert not Application.current().find_account("solo").has_group("free users")


def test_a_group_can_be_created_in_another_directory(app):
    with app.app_context():
        Client().directories.create(name="Rebels")
    code, said, _ = run(app, "create-group", "pilots", "--directory", "REBELS")
    assert (code, said.startswith("Created pilots in Rebels: /v1/groups/")) == (0, True)


def test_who_joins_a_disabled_group_is_told_that_it_opens_no_door(app, account):
    with app.app_context():
        Application.current().groups.create(name="admins", status="disabled")
    code, said, _ = run(app, "add-to-group", HAN, "admins")
    assert (code, said) == (0, f"{HAN} is in admins now. The group is DISABLED: it opens no door.\n")


#: The directories that there are.
ALL = f"{PLACE!r}, 'Stormpath Administrators'"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("create-group", "ADMINS"), "Group with that name already exists.  Please choose another name."),
        (("create-group", " "), "Group name is required; it cannot be null, empty, or blank."),
        (("create-group", "x", "--directory", "Rebel"), f"There is no directory 'Rebel'; there are: {ALL}."),
        (
            ("add-to-group", HAN, "admin"),
            f"The Directory {PLACE!r} has no Group 'admin'. Did you mean 'admins'? It has: 'admins', 'crew'.",
        ),
        (("add-to-group", HAN, "x"), f"The Directory {PLACE!r} has no Group 'x'. It has: 'admins', 'crew'."),
        (("remove-from-group", HAN, "x"), f"The Directory {PLACE!r} has no Group 'x'. It has: 'admins', 'crew'."),
        (("remove-from-group", HAN, "admins"), f"{HAN} is not in admins. It is in: crew."),
        (
            ("add-to-group", "nobody", "admins"),
            "No account of 'My Application' has the e-mail address or username 'nobody'.",
        ),
        (
            ("remove-from-group", "nobody", "admins"),
            "No account of 'My Application' has the e-mail address or username 'nobody'.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_with_a_group_is_told_in_one_line_with_what_can(app, account, command, told):
    with app.app_context():
        for name in ("admins", "crew"):
            group = Application.current().groups.create(name=name)
        group.add_account("solo")
    assert run(app, *command) == (1, "", f"Error: {told}\n")
    with app.app_context():
        groups = [group for group in Client().groups if not group.is_role]
        assert len(groups) == len(events("account.group_added")) + 1 == 2


def test_where_there_is_no_group_yet_the_command_to_make_one_is_told(app, account):
    code, _, complained = run(app, "add-to-group", HAN, "admins")
    assert (code, "`flask stormpath create-group` makes one" in complained) == (1, True)


def test_without_a_group_store_the_error_says_so(app):
    with app.app_context():
        Application.current().default_group_store_mapping.delete()
    code, _, complained = run(app, "create-group", "admins")
    assert (code, "default storage location for newly created groups" in complained) == (1, True)


# --- manage.py ---


def manage(instance, *arguments, typed="", **settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "STORMPATH_"))}
    done = subprocess.run(
        [sys.executable, MANAGE, *arguments],
        env={
            **kept,
            "STORMPATH_INSTANCE_PATH": str(instance),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            **settings,
        },
        cwd=instance.parent,
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_site_is_set_up_and_looked_after_from_the_command_line(tmp_path):
    site = tmp_path / "site"
    code, _, complained = manage(site, "check")
    assert (code, "manage.py init" in complained or "stormpath init" in complained) == (1, True)
    assert not site.exists()
    assert manage(site, "init")[0::2] == (0, "")
    assert {mode(file) for file in site.iterdir() if file.name.startswith("stormpath")} == {0o600}
    assert manage(site, "create-account", HAN, "--password-stdin", typed=PASSWORD)[0::2] == (0, "")
    code, said, complained = manage(site, "create-account", "leia@alderaan.example", "--password-stdin", typed="weak")
    assert (code, said, complained.count("Password requires")) == (1, "", 2)
    public = {"FLASK_STORMPATH_BASE_URL": "https://www.example.com", "FLASK_MAIL_SERVER": "mail.example.com"}
    public["FLASK_MAIL_DEFAULT_SENDER"] = "site@example.com"
    assert manage(site, "check", "--deploy", **public) == (0, "Ready to deploy.\n", "")


def test_the_menu_shows_each_command():
    code, said, _ = manage(ROOT / "instance", "--help")
    menu = {line.split()[0] for line in said.partition("Commands:")[2].splitlines() if line.strip()}
    assert code == 0
    assert menu >= {"init", "check", "db", "create-account", "set-password", "run", "shell"}
    assert menu >= {"create-group", "add-to-group", "remove-from-group"}


def test_a_port_that_is_taken_is_told_with_one_that_is_free(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said, complained = manage(tmp_path / "site", "run", "--port", port)
        other = complained.rpartition("--port ")[2].rstrip(")\n")
        assert (code, said) == (1, "")
        assert complained.startswith(f"Error: Port {port} is in use. Pick another: make run PORT={other}  (or: ")
        socket.create_server(("127.0.0.1", int(other))).close()
    assert not (tmp_path / "site").exists()
