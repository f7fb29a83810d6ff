"""The door every sentence for people goes through on its way out.

Where the app has Flask-Babel, its locale chooses among our catalogues and the host's own of our domain, which come
first. Without it everything is English, and nothing is looked up.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import current_app, has_app_context, has_request_context
from jinja2 import pass_context
from jinja2.runtime import Context

#: The name of our catalogues' files, and of those by which a host says our sentences otherwise.
DOMAIN = "stormpath_app"
#: Ours: `<language>/LC_MESSAGES/stormpath_app.po`.
CATALOGUES = Path(__file__).parent / "translations"
#: The language that the sentences in the code are written in.
SOURCE = "en"

_entered: ContextVar[str | None] = ContextVar("stormpath_language", default=None)


class Sentence(str):
    """A sentence in the reader's language. `english`: the same for the log, and for developers."""

    __slots__ = ("english",)
    english: str


def gettext(message: str, **variables: object) -> str:
    """Return `message` with its `%(name)s` variables filled in, in the reader's language."""
    catalogue = _catalogue()
    if catalogue is None or not message:  # no message is what catalogues keep their own headers under
        return message % variables if variables else message
    return _said(catalogue.gettext(message), message, variables)


def ngettext(one: str, many: str, count: int, **variables: object) -> str:
    """Return the sentence for `count` things, in the reader's language; it may say `%(count)s`."""
    catalogue, english = _catalogue(), one if count == 1 else many
    variables["count"] = count
    return english % variables if catalogue is None else _said(catalogue.ngettext(one, many, count), english, variables)


def mark(message: str) -> str:
    """Return the message as it is: whoever reads it later gives it to `gettext`. Catalogues have it from here."""
    return message


def nmark(one: str, many: str) -> tuple[str, str]:
    """Return both as they are, to be given to `ngettext` later."""
    return one, many


def english(sentence: str) -> str:
    """Return a sentence that was translated as it reads in English."""
    return sentence.english if isinstance(sentence, Sentence) else sentence


def _said(translated: str, message: str, variables: dict[str, Any]) -> Sentence:
    said = Sentence(translated % variables if variables else translated)
    said.english = message % {name: english(value) for name, value in variables.items()} if variables else message
    return said


def day(at: datetime) -> str:
    """Return a day in words, as the reader writes it: "3 August 2026"."""
    language = spoken()
    if language == SOURCE:
        return f"{at.day} {at:%B %Y}"
    from babel.dates import format_date

    return format_date(at, "long", locale=language.replace("-", "_"))


@pass_context
def template_gettext(context: Context, message: str, **variables: object) -> Any:
    """Return what `_` says in templates: our sentences as `gettext` does, all others as the host's own `_` does.

    A host's base template around our page asks for the host's words, in the host's catalogue.
    """
    theirs: Any = context.environment.globals.get("_")
    if theirs is None or (_babel() is not None and message in _messages()):
        return gettext(message, **variables)
    return context.call(theirs, message, **variables)


# --- Which language ---


def locale() -> str | None:
    """Return the reader's language, as "de" or "pt_BR", for a mail to keep; None where there is no reader to ask."""
    if _babel() is None:
        return None
    if (language := _entered.get()) is not None or not has_request_context():
        return language
    from flask_babel import get_locale

    # The app's locale selector may ask for `user`, and what goes wrong there has something to say too.
    token = _entered.set(SOURCE)
    try:
        return str(get_locale())
    finally:
        _entered.reset(token)


def spoken() -> str:
    """Return the language that sentences come out in, as an attribute `lang` has it: the reader's, if we speak it."""
    catalogue = _catalogue()
    return SOURCE if catalogue is None else catalogue.language.replace("_", "-")


@contextmanager
def in_language(language: str | None) -> Iterator[None]:
    """Speak another language than the reader's inside the block, as a mail does; None: the app's default.

    Flask-Babel's own functions speak it too. An app without it speaks English.
    """
    babel = _babel()
    if babel is None:
        yield
        return
    from flask_babel import force_locale

    chosen = language or str(babel.default_locale)
    token = _entered.set(chosen)
    try:
        with force_locale(chosen):
            yield
    finally:
        _entered.reset(token)


def _babel() -> Any:
    """Return what Flask-Babel keeps with the current app; None where there is none."""
    if "flask_babel" not in sys.modules or not has_app_context():
        return None
    return current_app.extensions.get("babel")


# --- What is said in it ---


class _Catalogue(NullTranslations):
    """All catalogues of one language, each asked for what those before it lack; after the last comes English."""

    def __init__(self, found: list[tuple[str, GNUTranslations]]) -> None:
        super().__init__()
        self.language = found[0][0] if found else SOURCE
        for _name, catalogue in found:
            self.add_fallback(catalogue)


def _catalogue() -> _Catalogue | None:
    language = locale()
    return None if language is None else _load(language, tuple(_babel().translation_directories))


@cache
def _load(language: str, directories: tuple[str, ...]) -> _Catalogue:
    """Return what is said in a language, such as "de_AT", and where nothing is in "de"."""
    parts = language.split("_")
    names = ["_".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return _Catalogue([(name, catalogue) for name in names for catalogue in _files(name, directories)])


def _files(name: str, directories: tuple[str, ...]) -> Iterator[GNUTranslations]:
    for directory in directories:
        theirs = Path(directory, name, "LC_MESSAGES", f"{DOMAIN}.mo")
        if theirs.is_file():
            yield GNUTranslations(BytesIO(theirs.read_bytes()))
    ours = CATALOGUES / name / "LC_MESSAGES" / f"{DOMAIN}.po"
    if ours.is_file():
        yield _compiled(ours)


def _compiled(file: Path) -> GNUTranslations:
    """Return a catalogue of ours, compiled here in some milliseconds: no second file can fall behind the first."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with file.open("rb") as text:
        write_mo(compiled, read_po(text))
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _messages() -> frozenset[str]:
    """Return every sentence of ours: a catalogue of ours has them all."""
    from babel.messages.pofile import read_po

    with (CATALOGUES / "de" / "LC_MESSAGES" / f"{DOMAIN}.po").open("rb") as text:
        return frozenset(message.id if isinstance(message.id, str) else message.id[0] for message in read_po(text))
