"""The mails of an app in debug that has no server: kept in a folder, for the developer to read at /stormpath/inbox."""

import mailbox
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from flask import Flask

from .. import installation
from . import rendering

FOLDER = "stormpath_inbox"
#: How many mails are kept.
MOST = 200


@dataclass(frozen=True)
class KeptMail:
    """One of them. `key`: the name it is kept under."""

    key: str
    kept_at: datetime
    mail: EmailMessage

    @property
    def text(self) -> str | None:
        """What it says as text; None: nothing."""
        return self._body("plain")

    @property
    def html(self) -> str | None:
        """What it says as HTML; None: nothing."""
        return self._body("html")

    def _body(self, kind: str) -> str | None:
        part = self.mail.get_body((kind,))
        return str(part.get_content()) if part else None


def is_open(app: Flask) -> bool:
    """Tell whether mails go here: for a developer, where no MAIL_SERVER is set, and not in tests."""
    if app.testing or app.config.get("MAIL_SERVER"):
        return False
    return app.debug or bool(app.extensions["stormpath"].is_local)


def keep(app: Flask, address: str, mail: bytes) -> str:
    """Keep a mail, and return where; the oldest make room."""
    folder = _folder(app)
    folder.add(mail)
    for old in _newest_first(folder)[MOST:]:
        folder.discard(old)
    app.logger.info("A mail for %s is at %s", address, where())
    return f"kept, to be read at {where()}"


def where() -> str:
    """Return the address of the page that shows the mails."""
    return rendering.page_address("stormpath.inbox") or "the page stormpath.inbox, which is not registered"


def mails(app: Flask) -> list[KeptMail]:
    """Return the mails that are kept, newest first."""
    folder = _folder(app)
    return [found for key in _newest_first(folder) if (found := find(app, key))]


def find(app: Flask, key: str) -> KeptMail | None:
    """Return the mail that is kept under this key; None: there is none."""
    folder = _folder(app)
    if (found := folder.get(key)) is None:
        return None
    kept_at = datetime.fromtimestamp(found.get_date(), UTC)
    return KeptMail(key, kept_at, message_from_bytes(found.as_bytes(), EmailMessage, policy=policy.default))


def _folder(app: Flask) -> mailbox.Maildir:
    return mailbox.Maildir(installation.make_folder(app) / FOLDER)


def _newest_first(folder: mailbox.Maildir) -> list[str]:
    return sorted(folder.keys(), key=lambda key: (folder[key].get_date(), key), reverse=True)
