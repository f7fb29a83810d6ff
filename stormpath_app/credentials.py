"""The API key pair that the settings name: in a file, as Stormpath's dashboard gave it out, or by itself."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .settings import Problem, settings

#: What an id of another's making may be, and how long a secret must be: a short one could be guessed from its hash.
_ID, _SHORTEST = re.compile("[A-Za-z0-9]{1,25}"), 32

_LINE = re.compile(r"\s*apiKey\.(?P<part>id|secret)\s*[=:\s]\s*(?P<value>.*?)\s*")


class Pair(NamedTuple):
    """The id and secret of an API key."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Pair(id={self.id!r})"


class Unusable(Exception):
    """The settings name a pair that cannot be used. The text says why, and how to mend it; no secret is in it."""


def find() -> Pair | None:
    """Return the pair that the settings name; None where they name none.

    :raises Unusable: it is not there, or not whole.
    """
    if settings.API_KEY_FILE:
        return _judge(_read(_file()), f"STORMPATH_API_KEY_FILE: {_file()}", "apiKey.id", "apiKey.secret")
    values = {"id": settings.API_KEY_ID or "", "secret": settings.API_KEY_SECRET or ""}
    if not any(values.values()):
        return None
    return _judge(values, "The settings", "STORMPATH_API_KEY_ID", "STORMPATH_API_KEY_SECRET")


def check() -> Iterator[Problem]:
    """Yield what is wrong with the pair. Warnings, as accounts work without it."""
    try:
        find()
    except Unusable as error:
        yield Problem(str(error), "warning")
    if settings.API_KEY_FILE and os.name == "posix" and _is_open(_file()):
        yield Problem(f"STORMPATH_API_KEY_FILE: others can read it. Run `chmod go-rwx {_file()}`.", "warning")


def text(pair: Pair) -> str:
    """Return what stands in the file of a pair."""
    return f"apiKey.id = {pair.id}\napiKey.secret = {pair.secret}\n"


def _file() -> Path:
    return Path(settings.API_KEY_FILE).expanduser()


def _read(file: Path) -> dict[str, str]:
    """Return `id` and `secret`, those that are there, of a file of Java properties."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise Unusable(
            f"STORMPATH_API_KEY_FILE: there is no file {file}. Take the setting away, or make a key:"
            f" `flask stormpath create-api-key --file {file}`."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise Unusable(f"STORMPATH_API_KEY_FILE: {file} cannot be read: {why}.") from None
    found = (_LINE.fullmatch(line) for line in lines)
    return {line["part"]: _unquoted(line["value"]) for line in found if line}


def _unquoted(value: str) -> str:
    return value[1:-1].strip() if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def _judge(values: dict[str, str], where: str, id_name: str, secret_name: str) -> Pair:
    """Return the pair, if it is whole.

    :raises Unusable: it is not.
    """
    for part, name in (("id", id_name), ("secret", secret_name)):
        if not values.get(part):
            raise Unusable(f"{where} should have {id_name} and {secret_name}, and {name} is missing.")
    pair = Pair(values["id"], values["secret"])
    if not _ID.fullmatch(pair.id):
        raise Unusable(f"{where}: {id_name} is no id of an API key; those are 25 capital letters and digits.")
    if len(pair.secret) < _SHORTEST:
        raise Unusable(f"{where}: {secret_name} is shorter than {_SHORTEST} characters: no API key's secret is.")
    return pair


def _is_open(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False
