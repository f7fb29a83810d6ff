"""The door every sentence for people goes through on its way out."""


def gettext(message: str, **variables: object) -> str:
    """Return `message` with its `%(name)s` variables filled in, in the reader's language.

    English is the only catalogue so far; whoever adds one adds the look-up here, and no caller changes.
    """
    return message % variables if variables else message


def locale() -> str | None:
    """Return the language that is spoken now, as "de" or "pt_BR"; None: the site's own."""
    return None
