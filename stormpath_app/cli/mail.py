"""Mails."""

from .command import stormpath_commands


@stormpath_commands.group("mail")
def mail() -> None:
    """Mails to people: see what they say."""
