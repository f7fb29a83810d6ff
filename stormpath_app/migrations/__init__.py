"""The history of our tables. Alembic runs it, with a version table of our own beside a host's."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

VERSION_TABLE = "stormpath_alembic_version"
#: The index of texts, and the log of changes.
_OF_SQLITE = ("stormpath_search_", "stormpath_cache_changes")


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision, in the transaction of this connection."""
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take the tables back to a revision ("-1", "base"), in the transaction of this connection."""
    command.downgrade(_config(connection), revision)


def current(connection: Connection) -> str | None:
    """Return the revision the tables are at; None: there are none."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


@cache
def newest() -> str:
    """Return the revision this code needs; read once, as all scripts are read for it."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def include_name(name: str | None, kind: str, _parents: object = None) -> bool:
    """Tell a host's Alembic to leave our tables alone: `context.configure(include_name=include_name)`."""
    return not (kind == "table" and (name or "").startswith("stormpath_"))


def is_of_the_models(name: str | None, kind: str, _parents: object = None) -> bool:
    """Tell what to compare with our models: our tables, but what SQLite alone has, which no model knows."""
    ours = kind != "table" or (name or "").startswith("stormpath_")
    return ours and not (kind in {"table", "index"} and (name or "").startswith(_OF_SQLITE))


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
