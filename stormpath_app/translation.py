"""The door every sentence for people goes through on its way out."""

from collections.abc import Iterator
from contextlib import contextmanager


def gettext(message: str, **variables: object) -> str:
    """Return `message` with its `%(name)s` variables filled in, in the reader's language.

    English is the only catalogue so far; whoever adds one adds the look-up here, and no caller changes.
    """
    return message % variables if variables else message


def locale() -> str | None:
    """Return the language that is spoken now, as "de" or "pt_BR"; None: the site's own."""
    return None


@contextmanager
def in_language(_language: str | None) -> Iterator[None]:
    """Speak another language than the reader's inside the block, as a mail does; None: the site's own."""
    yield
