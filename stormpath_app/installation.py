"""Setting a site up, and telling what is missing: secret, schema, tenant and first application."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from flask import Flask
from jinja2 import TemplateError, TemplateNotFound
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from . import adoption, cache, credentials, current, database, encryption, migrations, names, providers
from .database import session
from .errors import NotReady
from .mail import rendering
from .models import ENABLED, Application, Tenant, administration, administrator
from .settings import SETTINGS, Level, Problem, settings
from .transactions import atomic, begin_write

SECRET_FILE = "stormpath_secret_key"  # noqa: S105 - the name of a file

#: Keys that stand in a manual or tutorial: anybody can sign with them.
_PUBLISHED = frozenset(
    {
        *"""\
secret
secret_key
secret-key
changeme
change-me
change me
dev
development key
test
password
mysecret
mysecretkey
my-secret-key
yoursecretkey
your-secret-key
your_secret_key
supersecret
super-secret
super-secret-key
super secret key
top secret
a_very_secret_key
you-will-never-guess
hard to guess string
192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf
a0zr98j/3yx r~xhh!jmn]lwx/,?rt""".splitlines(),
        '_5#y2l"f4q8z\n\xec]/',
        r'_5#y2l"f4q8z\n\xec]/',
    }
)


# --- Setting up ---


def set_up(app: Flask) -> None:
    """Make or upgrade the tables, the tenant, the first application and what the console needs.

    Again, or by two at once, is the same.

    :raises NotReady: the application is to have the console's name.
    """
    with app.app_context():
        if problem := _reserved_name():
            raise NotReady([problem])
        upgrade_schema()
        with atomic():
            _create_first_resources()
            adoption.adopt_api_key()


def upgrade_schema(revision: str = "head") -> None:
    """Bring the schema to a revision, all or nothing; an SQLite file that is not there is made."""
    app = current.app()
    if file := database.sqlite_file(app):
        if database.is_our_own(app):
            make_folder(app)
        database.create_file(file)
    _migrate(migrations.upgrade, revision)


def downgrade_schema(revision: str) -> None:
    """Take the schema back to a revision, all or nothing."""
    _migrate(migrations.downgrade, revision)


def _migrate(move: Callable[[Connection, str], None], revision: str) -> None:
    with database.database.engine.connect() as connection:
        begin_write(connection)
        move(connection, revision)
        connection.commit()


def schema_revision() -> str | None:
    """Return the revision of the schema; None: there is none."""
    with database.database.engine.connect() as connection:
        return migrations.current(connection)


def is_shared() -> bool:
    """Tell whether the current app's tables are in the host's database."""
    return database.database.is_shared(current.app())


def is_set_up(app: Flask) -> bool:
    """Tell whether the database is there, with our tables in it. Makes nothing."""
    file = database.sqlite_file(app)
    if file and not file.exists():
        return False
    with app.app_context():
        return schema_revision() is not None


def where(app: Flask) -> str:
    """Return where the database is, for people: a path, or a URL without its password."""
    return str(database.sqlite_file(app) or database.url(app).set(query={}).render_as_string(hide_password=True))


def make_missing(app: Flask) -> None:
    """Make the database that is not there, in debug and where it is ours; else say how.

    :raises NotReady: it is for the host to make.
    """
    if not (app.debug and database.is_our_own(app)):
        raise NotReady([_no_database(app)])
    set_up(app)


def set_up_in_debug(app: Flask) -> None:
    """Set up what is ours alone, the default database and the secret beside it, so that a developer need not."""
    if not database.is_our_own(app):
        return
    try:
        if not app.secret_key:
            app.secret_key = read_secret(app) or make_secret(app)
        set_up(app)
    except OSError as error:  # `check` tells what is missing; this, why
        app.logger.error("The instance folder %s cannot be written: %s", app.instance_path, error)


def _create_first_resources() -> None:
    if Tenant.first() is None:
        Tenant(name="My Tenant", key="my-tenant").save()
    # A name that is not there may be a typing error: a second application is made by hand.
    ours = Application.name_key != administration.APPLICATION_KEY
    if session.scalar(select(Application.id).where(ours).limit(1)) is None:
        created = Application.create(name=settings.APPLICATION, create_directory=True)
        if settings.VERIFY_EMAIL:
            policy = created.default_account_store().home.account_creation_policy
            policy.verification_email_status = ENABLED
            policy.save()
    administrator.install()


# --- The instance folder and the secret in it ---


def make_folder(app: Flask) -> Path:
    """Make the instance folder, hidden from git, if there is none."""
    folder = Path(app.instance_path)
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


def read_secret(app: Flask) -> str | None:
    """Return the secret that was generated for this instance; None where none was."""
    try:
        return (Path(app.instance_path) / SECRET_FILE).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def make_secret(app: Flask) -> str:
    """Generate the secret of this instance, readable by its owner alone. Two at once get the same one."""
    folder = make_folder(app)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=SECRET_FILE)  # mode 600
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    try:
        os.link(temporary, folder / SECRET_FILE)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()
    return read_secret(app) or ""


# --- Checking ---

_MAKE_KEY = "`python -c 'import secrets; print(secrets.token_urlsafe(48))'`"


def check(app: Flask) -> list[Problem]:
    """Return what is wrong with the secret, the switches, the schema and the application. Makes nothing."""
    parts = (
        *(_check_secret(app), encryption.check(), credentials.check(), providers.check(), cache.check()),
        *(_check_switches(app), _check_metrics(), _check_templates(app), _check_database(app)),
    )
    return [problem for part in parts for problem in part]


def _check_secret(app: Flask) -> Iterator[Problem]:
    key: object = app.secret_key  # as it was set: a number, where a variable of the environment looks like one
    old: object = app.config.get("SECRET_KEY_FALLBACKS") or ()
    if not key:
        yield Problem(f"SECRET_KEY is not set. Make one with {_MAKE_KEY} and keep it out of version control.")
    elif not isinstance(key, str | bytes):
        yield Problem(f"SECRET_KEY is of type {type(key).__name__}; it must be text or bytes.")
    elif not isinstance(old, list | tuple) or not all(isinstance(one, str | bytes) for one in old):
        yield Problem("SECRET_KEY_FALLBACKS must be a list, of text or bytes: of a text, each letter would be a key.")
    elif not app.debug:
        # A test's key may be anything; whoever left TESTING on is told.
        yield from _judge_key("SECRET_KEY", key, "warning" if app.testing else "error")
        for one in old:
            yield from _judge_key("One of SECRET_KEY_FALLBACKS", one, "warning")


def _judge_key(name: str, key: str | bytes, level: Level) -> Iterator[Problem]:
    text = (key if isinstance(key, str) else key.decode("latin-1")).strip()
    size = len(text.encode("utf-8" if isinstance(key, str) else "latin-1", "replace"))
    if text.casefold() in _PUBLISHED or len(set(text)) < 5:
        yield Problem(f"{name} is one that anybody would try. Make one with {_MAKE_KEY}.", level)
    elif size < 16:
        yield Problem(f"{name} has {size} bytes; it needs 16, better 32. Make one with {_MAKE_KEY}.", level)
    elif size < 32:
        yield Problem(f"{name} has {size} bytes; 32 are better. Make one with {_MAKE_KEY}.", "warning")


def _check_switches(app: Flask) -> Iterator[Problem]:
    if problem := _reserved_name():
        yield Problem(problem)
    if app.debug:
        yield Problem("Debug is on: an error page would run code for anybody.", "deploy")
    else:
        if app.testing:
            yield Problem("TESTING is on: it opens doors and lets weak settings pass.", "warning")
        if app.config.get("LOGIN_DISABLED"):
            yield Problem("LOGIN_DISABLED is on: no page asks who is there.", "warning")
    if providers.configured() and not rendering.site_address():
        yield Problem(
            "STORMPATH_BASE_URL is not set, and providers send people back to it: set it to the public address."
        )
    elif settings.BASE_URL is None:
        yield Problem("STORMPATH_BASE_URL is not set: set it to the public address of the site.", "deploy")
    if not app.config.get("SESSION_COOKIE_SECURE"):
        yield Problem("SESSION_COOKIE_SECURE is False: Flask's own session travels over plain http.", "deploy")
    if settings.COOKIE_SECURE is False:
        yield Problem("STORMPATH_COOKIE_SECURE is False: login cookies travel over plain http.", "deploy")
    if settings.THROTTLE is False:
        yield Problem("STORMPATH_THROTTLE is False: passwords can be guessed without end.", "deploy")
    if not app.config.get("WTF_CSRF_ENABLED", True):
        yield Problem("WTF_CSRF_ENABLED is False: other sites can send our forms.", "deploy")


def _check_metrics() -> Iterator[Problem]:
    if settings.METRICS_URL is None:
        return
    if find_spec("prometheus_client") is None:
        yield Problem(
            "STORMPATH_METRICS_URL needs the library prometheus-client. Run `pip install 'stormpath-app[metrics]'`."
        )
    if not settings.METRICS_TOKEN:
        yield Problem(f"STORMPATH_METRICS_URL needs a STORMPATH_METRICS_TOKEN. Make one with {_MAKE_KEY}.")
    else:
        yield from _judge_key("STORMPATH_METRICS_TOKEN", settings.METRICS_TOKEN, "error")


def _check_templates(app: Flask) -> Iterator[Problem]:
    for name in (row.name for row in SETTINGS if row.name.endswith("_TEMPLATE")):
        try:
            app.jinja_env.get_template(getattr(settings, name))
        except TemplateError as error:
            reason = "is not there" if isinstance(error, TemplateNotFound) else f"cannot be read: {error}"
            yield Problem(f"STORMPATH_{name}: the template {getattr(settings, name)!r} {reason}.")


def _check_database(app: Flask) -> Iterator[Problem]:
    name = "STORMPATH_DATABASE_URI"
    try:
        if database.database.is_shared(app):
            name = "the app (db=)"
            yield from _check_place(app)
        else:
            yield from _check_twins(app)
        if not database.database.is_made_from(app):
            yield Problem("STORMPATH_DATABASE_URI was changed after the first use of the database: set it before.")
            return
        if (file := database.sqlite_file(app)) and not file.exists():
            yield Problem(_no_database(app))
            return
        yield from _check_foreign_keys()
        yield from _check_schema()
    except RuntimeError:  # Flask-SQLAlchemy knows no such app
        yield Problem("The database that was given with db= is not this app's yet: call db.init_app(app).")
        return
    except KeyError:  # binds alone
        yield Problem(
            "The database that was given with db= has no place for the accounts: set SQLALCHEMY_DATABASE_URI."
        )
        return
    except (SQLAlchemyError, ImportError, ValueError) as error:
        level: Level = "outage" if isinstance(error, database.OUTAGES) else "error"
        yield Problem(f"The database of {name} does not answer: {type(error).__name__}: {error}", level)


def _check_schema() -> Iterator[Problem]:
    found, needed = schema_revision(), migrations.newest()
    if found is None:
        yield Problem("The database has no tables of ours yet. Run `flask stormpath init`.")
    elif found != needed:
        yield Problem(
            f"The database is at revision {found}, this version needs {needed}. Run `flask stormpath db upgrade`."
        )
    else:
        yield from _check_application()
        yield from _check_console()
        yield from adoption.check()


def _check_place(app: Flask) -> Iterator[Problem]:
    if app.config["STORMPATH_DATABASE_URI"] is not None:
        yield Problem("STORMPATH_DATABASE_URI is set beside db=, which has a database already: take one of them away.")


def _check_foreign_keys() -> Iterator[Problem]:
    with database.database.engine.connect() as connection:
        if connection.dialect.name == "sqlite" and not connection.exec_driver_sql("PRAGMA foreign_keys").scalar():
            yield Problem(
                "The app's SQLite does not enforce foreign keys; docs/database.md has the lines that make it.", "note"
            )


def _check_twins(app: Flask) -> Iterator[Problem]:
    """Tell of a host that has the same SQLite file open by itself: two writers of one request wait for each other."""
    theirs, file = app.extensions.get("sqlalchemy"), database.sqlite_file(app)
    if theirs and file and str(file) in {engine.url.database for engine in theirs.engines.values()}:
        yield Problem(
            f"The app's own SQLAlchemy uses {file} too. Share it, StormpathManager(app, db=db), or the two wait for"
            " each other's locks.",
            "warning",
        )


def _no_database(app: Flask) -> str:
    return f"There is no database at {database.sqlite_file(app)} yet. Run `flask stormpath init`."


def _reserved_name() -> str | None:
    """Return the sentence for an application that has the console's name."""
    if names.key(settings.APPLICATION) != administration.APPLICATION_KEY:
        return None
    return "STORMPATH_APPLICATION is the name of the console's own application: give yours another one."


def _check_console() -> Iterator[Problem]:
    if settings.ADMIN_URL is not None and (sentence := administrator.missing()):
        yield Problem(sentence, "warning")


def _check_application() -> Iterator[Problem]:
    application = Application.named(settings.APPLICATION)
    if application is None:
        yield Problem(Application.missing())
        return
    if settings.ENABLE_REGISTRATION:
        yield from _check_place_for_new_accounts(application)
    if settings.VERIFY_EMAIL and (mapping := application.default_account_store_mapping):
        directory = mapping.account_store.home
        if not directory.account_creation_policy.verifies:
            yield Problem(
                f"STORMPATH_VERIFY_EMAIL is on, but the directory {directory.name!r} is older than that, and lets"
                " people in who have not confirmed their address. Run `flask stormpath workflow enable verification`.",
                "warning",
            )


def _check_place_for_new_accounts(application: Application) -> Iterator[Problem]:
    mapping, what = application.default_account_store_mapping, f"The application {application.name!r}"
    if mapping is None:
        yield Problem(f"{what} has no default account store: nobody can register.", "warning")
    elif not mapping.account_store.is_open:
        store = mapping.account_store
        yield Problem(
            f"{what} has a default account store that is disabled, the {store.thing} {store.name!r}:"
            " nobody can register.",
            "warning",
        )
