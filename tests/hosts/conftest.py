"""Hosts that wire themselves: an app that nothing of ours is in yet."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from stormpath_app import Account
from stormpath_app.database import database

from ..conftest import PASSWORD, SECRET_KEY
from ..kept import CompiledTemplates

MEMORY = {"STORMPATH_DATABASE_URI": "sqlite://"}


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Return a function that makes a bare Flask app; without other settings its accounts are in memory."""
    made: list[Flask] = []

    def bare(name: str = "host", **settings: Any) -> Flask:
        app = Flask(name, instance_path=str(tmp_path / name), template_folder=str(tmp_path / "templates"))
        app.config.update(TESTING=True, LOGIN_DISABLED=False, SECRET_KEY=SECRET_KEY, STORMPATH_BCRYPT_COST=4)
        app.config.update(MEMORY)
        app.config.update(settings)
        app.jinja_env.bytecode_cache = CompiledTemplates()
        made.append(app)
        return app

    yield bare
    for app in made:
        with app.app_context(), contextlib.suppress(Exception):
            database.engine.dispose()


def han(app: Flask) -> None:
    """Give Han Solo an account, with PASSWORD."""
    with app.app_context():
        Account.create("han@falcon.example", PASSWORD, "Han", "Solo")
