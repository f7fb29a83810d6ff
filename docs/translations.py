"""Bring the catalogues up to the code: `make translations`, or `python -m docs.translations`; `fr` begins French."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import stormpath_app.models  # noqa: F401 - so that every resource is known
from stormpath_app import errors
from stormpath_app.models.base import Resource
from stormpath_app.translation import CATALOGUES, DOMAIN

PACKAGE = CATALOGUES.parent
METHODS = [
    ("cli/**.py", "ignore"),
    ("**.py", "python"),
    ("templates/**.html", "jinja2"),
    ("templates/**.txt", "jinja2"),
]
HEADER = "# Keep this in step with the code: `make translations`."
KEYWORDS = {"_": None, "ngettext": (1, 2), "mark": None, "nmark": (1, 2)}


def sources() -> Catalog:
    """Return every sentence that people read, as the code has it."""
    catalog = Catalog(header_comment=HEADER)
    options = {"templates/**.html": {"silent": "false"}, "templates/**.txt": {"silent": "false"}}
    found = extract_from_dir(PACKAGE, METHODS, options, KEYWORDS, ["Translators:"], strip_comment_tags=True)
    for file, _line, message, comments, _context in found:
        catalog.add(message, locations=[(f"stormpath_app/{file}", 0)], auto_comments=comments)
    for message in _sentences_of_errors():
        catalog.add(message, locations=[("stormpath_app/errors.py", 0)])
    for message in sorted({*_things(), *_labels()}):
        catalog.add(message, locations=[("stormpath_app/models", 0)])
    return catalog


def _sentences_of_errors() -> Iterator[str]:
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.StormpathError) and error is not errors.NotReady:
            yield from (text for name in ("message", "template") if isinstance(text := vars(error).get(name), str))


def _things() -> Iterator[str]:
    """Yield what errors call the resources: an Account, a Group."""
    return (resource.thing for resource in _subclasses(Resource) if "thing" in vars(resource))


def _labels() -> Iterator[str]:
    """Yield what errors call the attributes: an email address, a given name."""
    for resource in _subclasses(Resource):
        yield from (name.replace("_", " ") for name in (*resource.readable, *resource.writable, *resource.links))
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "label" and isinstance(node.value, ast.Constant):
                yield node.value.value


def _subclasses(cls: type[Resource]) -> Iterator[type[Resource]]:
    for child in cls.__subclasses__():
        yield from (child, *_subclasses(child))


def catalogues() -> list[Path]:
    """Return our catalogues' files."""
    return sorted(CATALOGUES.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def read(file: Path) -> Catalog:
    """Return the catalogue in a file."""
    with file.open("rb") as text:
        return read_po(text)


def update(file: Path) -> list[str]:
    """Give a catalogue the sentences that it lacks and take away those that are gone; return what is not translated."""
    catalog, found = read(file), sources()
    found.creation_date = catalog.creation_date  # else the file would change with each look
    catalog.update(found, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    _write(catalog, file)
    return [str(message.id) for message in catalog if message.id and (message.fuzzy or not all(texts(message.string)))]


def texts(one_or_more: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the forms of a sentence: two or more where there is a plural."""
    return one_or_more if isinstance(one_or_more, tuple) else (one_or_more or "",)


def _write(catalog: Catalog, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as text:
        write_po(text, catalog, width=120, include_lineno=False, sort_by_file=True, ignore_obsolete=True)


if __name__ == "__main__":
    for language in sys.argv[1:]:
        catalog = Catalog(locale=language, header_comment=HEADER, project="stormpath_app", version="0.1", fuzzy=False)
        _write(catalog, CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po")
    for file in catalogues():
        missing = update(file)
        print(f"{file.relative_to(PACKAGE.parent)}: {len(missing)} sentences to translate", *missing, sep="\n    ")
