"""What one app of a server makes once, and the apps of the tests would each make again: kept for the next."""

from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule


class CompiledTemplates(BytecodeCache):
    """What Jinja compiled for one app."""

    kept: ClassVar[dict[tuple[str, str], CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self.kept[bucket.key, bucket.checksum] = bucket.code


def keep_compiled_statements() -> None:
    """Let engines that are made alike share what SQLAlchemy compiled: most of what a test would wait for.

    Statements are compiled for a dialect: so that is shared as well. It knows its server, and MariaDB's also its
    database; SQLite's knows no file.
    """
    make_engine = SQLAlchemy._make_engine
    known: dict[tuple[str, str], tuple[sa.Dialect, dict[Any, Any]]] = {}

    def _make_engine(self: SQLAlchemy, key: str | None, options: dict[str, Any], app: Flask) -> sa.Engine:
        engine = make_engine(self, key, options, app)
        where = "sqlite" if engine.dialect.name == "sqlite" else str(engine.url)
        others = repr({name: value for name, value in options.items() if name != "url"})
        dialect, compiled = known.setdefault((where, others), (engine.dialect, {}))
        # What the first connection is asked about its server is for the one that is shared.
        engine.dialect.initialize = dialect.initialize  # type: ignore[method-assign]
        engine.dialect = dialect
        engine.update_execution_options(compiled_cache=compiled)
        return engine

    SQLAlchemy._make_engine = _make_engine  # type: ignore[method-assign]


def build_addresses_when_asked() -> None:
    """Let each rule of an app compile what `url_for` calls when it is called, and not when the rule is added.

    The console has a hundred rules, and a test needs few of them.
    """
    compile_builder = Rule._compile_builder

    def _compile_builder(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        made: list[Callable[..., tuple[str, str]]] = []

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not made:
                made.append(compile_builder(self, append_unknown))
            return made[0](rule, **values)

        return build

    Rule._compile_builder = _compile_builder  # type: ignore[method-assign]
