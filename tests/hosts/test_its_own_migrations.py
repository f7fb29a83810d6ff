"""An app with Flask-Migrate: each of the two histories leaves the other's tables alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

APP = """
import sqlalchemy as sa
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from stormpath_app import Account, StormpathManager

app = Flask(__name__, instance_path=INSTANCE)
app.config.update(SECRET_KEY="long enough for this test of a host", SQLALCHEMY_DATABASE_URI="sqlite:///shop.db")
db = SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {}))
db.init_app(app)
Migrate(app, db)
StormpathManager(app, db=db)


class Order(db.Model):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(sa.ForeignKey(Account.id))
"""


@pytest.fixture
def flask(tmp_path):
    """Return a function that runs `flask ...` in the folder of a host app, and returns what it said."""
    (tmp_path / "app.py").write_text(APP.replace("INSTANCE", repr(str(tmp_path / "instance"))))
    (tmp_path / "instance").mkdir()

    def flask(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}"
        return done.stdout

    return flask


def let_alone(env: Path) -> None:
    """Do with Flask-Migrate's env.py what `db upgrade` and the manual say."""
    text = env.read_text()
    text = text.replace("import logging\n", "import logging\n\nfrom stormpath_app.migrations import include_name\n", 1)
    text = text.replace(
        "            target_metadata=get_metadata(),\n",
        "            target_metadata=get_metadata(),\n            include_name=include_name,\n",
    )
    assert text.count("include_name=include_name") == 1
    env.write_text(text)


def tables(folder):
    engine = sa.create_engine(f"sqlite:///{folder / 'instance' / 'shop.db'}")
    with engine.connect() as connection:
        found = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_a_hosts_migrations_drop_nothing_of_ours_and_ours_nothing_of_theirs(flask, tmp_path):
    said = flask("stormpath", "db", "upgrade")
    assert "from stormpath_app.migrations import include_name" in said
    flask("db", "init")
    let_alone(tmp_path / "migrations" / "env.py")
    flask("db", "migrate", "-m", "orders")
    (script,) = (tmp_path / "migrations" / "versions").glob("*.py")
    written = script.read_text()
    assert "create_table('orders'" in written
    assert "drop_table('stormpath" not in written
    assert "create_table('stormpath" not in written
    flask("db", "upgrade")
    flask("db", "check")
    assert {"orders", "alembic_version", "stormpath_alembic_version", "stormpath_accounts"} <= tables(tmp_path)
    flask("db", "downgrade")
    assert "orders" not in tables(tmp_path)
    assert "stormpath_accounts" in tables(tmp_path)
    flask("db", "upgrade")
    flask("stormpath", "db", "downgrade", "base", "--yes")
    assert tables(tmp_path) == {"orders", "alembic_version", "stormpath_alembic_version"}
