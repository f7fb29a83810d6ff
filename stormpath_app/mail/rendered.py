"""RenderedMail: a mail as it leaves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RenderedMail:
    """What one person is sent. `sender`: a name, which may be empty, and an address; one of the two bodies is there."""

    to: str
    sender: tuple[str, str]
    reply_to: str | None
    subject: str
    text: str | None
    html: str | None
