"""Setting a site up, and telling what is missing: secret, schema, tenant and first application."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from . import database, migrations
from .database import atomic, begin_write, session
from .models import Application, Tenant
from .settings import Problem, settings

SECRET_FILE = "stormpath_secret_key"  # noqa: S105 - the name of a file

#: Keys that stand in a manual or tutorial: anybody can sign with them.
_PUBLISHED = frozenset(
    {
        *("someprivatestringhere", "secret", "secret_key", "secret-key", "changeme", "change-me", "change me", "dev"),
        *(
            "password",
            "mysecret",
            "my-secret-key",
            "mysecretkey",
            "your-secret-key",
            "your_secret_key",
            "yoursecretkey",
        ),
        *("supersecret", "super-secret", "super secret key", "super-secret-key", "development key", "top secret"),
        *("you-will-never-guess", "hard to guess string", "a_very_secret_key", "xxx", "key", "test"),
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        '_5#y2L"F4Q8z\\n\\xec]/',
    }
)


# --- Setting up ---


def set_up(app: Flask) -> None:
    """Make or upgrade the tables, the tenant and the first application. Again, or by two at once, is the same."""
    if database.is_our_own(app):
        make_folder(app)
        database.create_file(app)
    upgrade_schema()
    with atomic():
        _create_first_resources()


def upgrade_schema(revision: str = "head") -> None:
    """Bring the schema to a revision, all or nothing."""
    with database.database.engine.connect() as connection:
        begin_write(connection)
        migrations.upgrade(connection, revision)
        connection.commit()


def downgrade_schema(revision: str) -> None:
    """Take the schema back to a revision, all or nothing."""
    with database.database.engine.connect() as connection:
        begin_write(connection)
        migrations.downgrade(connection, revision)
        connection.commit()


def schema_revision() -> str | None:
    """Return the revision of the schema; None: there is none."""
    with database.database.engine.connect() as connection:
        return migrations.current(connection)


def is_set_up(app: Flask) -> bool:
    """Tell whether the database is there, with our tables in it. Makes nothing."""
    url = database.url(app)
    if url.get_backend_name() == "sqlite" and not database.is_in_memory(url) and not _file(app, url).exists():
        return False
    with app.app_context():
        return schema_revision() is not None


def where(app: Flask) -> str:
    """Return where the database is, for people: a path, or a URL without its password."""
    url = database.url(app)
    in_file = url.get_backend_name() == "sqlite" and not database.is_in_memory(url)
    return str(_file(app, url)) if in_file else url.render_as_string(hide_password=True)


def populate() -> None:
    """Set up the in-memory database that was just made. It is new each time, so this is always right."""
    upgrade_schema()
    with atomic():
        _create_first_resources()


def set_up_in_debug(app: Flask) -> None:
    """Set up what is ours alone, the default database and the secret beside it, so that a developer need not."""
    if not database.is_our_own(app):
        return
    try:
        if not app.secret_key:
            app.secret_key = read_secret(app) or make_secret(app)
        with app.app_context():
            set_up(app)
    except OSError as error:  # `check` tells what is missing; this, why
        app.logger.error("The instance folder %s cannot be written: %s", app.instance_path, error)


def _create_first_resources() -> None:
    tenant = Tenant.current()
    if tenant is None:
        tenant = Tenant(name="My Tenant", key="my-tenant")
        tenant.save()
    # A name that is not there may be a typing error: a second application is made by hand.
    if not session.query(Application.id).first():
        Application.create(tenant.id, name=settings.APPLICATION, create_directory=True)


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
        return (Path(app.instance_path) / SECRET_FILE).read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
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


def check(app: Flask) -> list[Problem]:
    """Return what is wrong with the secret, the switches, the schema and the application. Makes nothing."""
    return [*_check_secret(app), *_check_switches(app), *_check_database(app)]


def _check_secret(app: Flask) -> Iterator[Problem]:
    key = app.secret_key
    generate = "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
    if not key:
        yield Problem(f"SECRET_KEY is not set. Make one with `{generate}` and keep it out of version control.")
        return
    if app.debug or app.testing:
        return
    size = len(key.encode() if isinstance(key, str) else key)
    text = key if isinstance(key, str) else key.decode("utf-8", "replace")
    if text.casefold() in {published.casefold() for published in _PUBLISHED}:
        yield Problem(
            f"SECRET_KEY is one that stands in manuals: anybody can sign with it. Make one with `{generate}`."
        )
    elif size < 16:
        yield Problem(f"SECRET_KEY has {size} bytes; it needs 16, better 32. Make one with `{generate}`.")
    elif size < 32:
        yield Problem(f"SECRET_KEY has {size} bytes; 32 are better. Make one with `{generate}`.", "warning")


def _check_switches(app: Flask) -> Iterator[Problem]:
    if app.debug:
        yield Problem("Debug is on: an error page would run code for anybody.", "deploy")
    else:
        if app.testing:
            yield Problem("TESTING is on: it opens doors and lets weak settings pass.", "warning")
        if app.config.get("LOGIN_DISABLED"):
            yield Problem("LOGIN_DISABLED is on: no page asks who is there.", "warning")
    if settings.COOKIE_SECURE is False:
        yield Problem("STORMPATH_COOKIE_SECURE is False: login cookies travel over plain http.", "deploy")
    if not app.config.get("WTF_CSRF_ENABLED", True):
        yield Problem("WTF_CSRF_ENABLED is False: other sites can send our forms.", "deploy")


def _check_database(app: Flask) -> Iterator[Problem]:
    try:
        where = database.url(app)
        if where.get_backend_name() == "sqlite" and not database.is_in_memory(where) and not _file(app, where).exists():
            yield Problem(f"There is no database at {_file(app, where)} yet. Run `flask stormpath init`.")
            return
        found, needed = schema_revision(), migrations.newest()
    except (SQLAlchemyError, ImportError) as error:
        yield Problem(f"The database of STORMPATH_DATABASE_URI does not answer: {type(error).__name__}: {error}")
        return
    if found is None:
        yield Problem("The database has no tables of ours yet. Run `flask stormpath init`.")
    elif found != needed:
        yield Problem(
            f"The database is at revision {found}, this version needs {needed}. Run `flask stormpath db upgrade`."
        )
    else:
        yield from _check_application()


def _check_application() -> Iterator[Problem]:
    application = Application.named(settings.APPLICATION)
    if application is None:
        yield Problem(Application.missing())
    elif settings.ENABLE_REGISTRATION and application.default_account_store_mapping is None:
        yield Problem(
            f"The application {application.name!r} has no default account store: nobody can register.", "warning"
        )


def _file(app: Flask, where: object) -> Path:
    path = Path(str(getattr(where, "database", "")))
    return path if path.is_absolute() else Path(app.instance_path) / path
