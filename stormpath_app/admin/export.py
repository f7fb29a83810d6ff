"""What a list shows, as a file: sent while it is read, however long it is."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Response, stream_with_context

from .. import clock
from ..models import event
from ..transactions import atomic

#: Longest text of a filter that the log keeps.
_LOGGED = 200


class Line:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


#: What a spreadsheet takes a cell for a formula by. Some read the wide forms of these letters as well.
_BEGINS_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - they are meant


def answer(
    kind: str, name: str, attributes: Sequence[str], resources: Iterable[Any], asked: Mapping[str, str]
) -> Response:
    """Return resources as a file, `kind` "csv" or "json": their hrefs, these attributes and their two times.

    :param asked: what the log tells of which they are.
    """
    return send(kind, name, _csv(attributes, resources) if kind == "csv" else _json(attributes, resources), asked)


def send(kind: str, name: str, lines: Iterator[str], asked: Mapping[str, str]) -> Response:
    """Send the lines of a file while they are made, once the log has who asked for it, and for what."""
    with atomic():
        event.record(f"{name}.exported", format=kind, filters={key: text[:_LOGGED] for key, text in asked.items()})
    answer = Response(stream_with_context(lines), mimetype="text/csv" if kind == "csv" else "application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}-{clock.now():%Y-%m-%d}.{kind}"'
    return answer


def _row(attributes: Sequence[str], resource: Any) -> dict[str, Any]:
    return {name: getattr(resource, name) for name in ("href", *attributes, "created_at", "modified_at")}


def _csv(attributes: Sequence[str], resources: Iterable[Any]) -> Iterator[str]:
    writer = csv.writer(Line())
    yield writer.writerow(["href", *attributes, "created_at", "modified_at"])
    for resource in resources:
        yield writer.writerow([cell(value) for value in _row(attributes, resource).values()])


def _json(attributes: Sequence[str], resources: Iterable[Any]) -> Iterator[str]:
    before = "[\n"
    for resource in resources:
        yield before + json.dumps(_row(attributes, resource), ensure_ascii=False, default=datetime.isoformat)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet runs: what begins like a formula gets an apostrophe before it."""
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_BEGINS_FORMULA) else text
