"""The link that lets a person with a shell into the console: it makes one owner, once, in the next quarter of an hour.

It is signed and stored nowhere. Its use raises the version of the console's application, and with it dies every link
that was made before.
"""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Self, cast

import sqlalchemy as sa
from flask import current_app

from . import macros, origin, tokens
from .database import session
from .errors import TokenRefused
from .mail.rendering import site_address
from .models import ENABLED, Account, Administrator, Application, administrator
from .models.administration import OWNER
from .settings import settings
from .transactions import atomic

LIFE = timedelta(minutes=15)
_PURPOSE = "console: entry"


class EntryLink:
    """A link that works. `is_first`: only from this machine, and only while the console has no owner."""

    def __init__(self, application_id: str, version: int, is_first: bool) -> None:
        self._application_id = application_id
        self._version = version
        self.is_first = is_first

    @classmethod
    def read(cls, token: object) -> Self:
        """Return the link with this token.

        :raises TokenRefused: it is none, is too old, was used, or does not work from here.
        """
        match tokens.read(_PURPOSE, token, LIFE) if isinstance(token, str) and len(token) < 1000 else None:
            case [str(application_id), int(version), bool(is_first)]:
                found = cls(application_id, version, is_first)
                if found._is_unused() and (not is_first or (_is_here() and not administrator.exist())):
                    return found
        raise TokenRefused

    def _is_unused(self) -> bool:
        unused = sa.select(Application.id).where(*self._as_it_was())
        return session.scalar(unused) is not None

    def _as_it_was(self) -> tuple[sa.ColumnElement[bool], ...]:
        return Application.id == self._application_id, Application.version == self._version

    def make_owner(
        self, email: str, password: str, *, given_name: str | None = None, surname: str | None = None
    ) -> Administrator:
        """Make an owner, using the link up, and commit: a new one, or whoever has this address already.

        That one gets the password, is ENABLED and unlocked.

        :raises TokenRefused: somebody else used it meanwhile.
        :raises StormpathError: the account cannot be so; the link stays good.
        """
        with atomic(lock=False):  # the password is hashed before the first change
            known = administrator.directory().find_account(email)
            if known:
                found = self._restore(known, password)
            else:
                found = Administrator.create(email, password, OWNER, given_name=given_name, surname=surname)
            use = sa.update(Application).where(*self._as_it_was()).values(version=Application.version + 1)
            used: Any = session.execute(use.execution_options(synchronize_session=False))
            if used.rowcount != 1:
                raise TokenRefused
        return found

    @staticmethod
    def _restore(account: Account, password: str) -> Administrator:
        account.choose_password(password)
        account.status = ENABLED
        account.save()
        account.unlock()
        return Administrator.grant(account, OWNER)


def make(*, is_first: bool = False) -> str:
    """Return the token of a new link.

    :param is_first: it works only from this machine, while it serves itself alone and the console has no owner.
    """
    console = administrator.console()
    console.refresh()
    return tokens.sign(_PURPOSE, [console.id, console.version, is_first])


def address(token: str, site: str | None = None) -> str:
    """Return the address of a link. `site`: what it begins with; None: the public address, where there is one."""
    console = cast(str, settings.ADMIN_URL).rstrip("/")
    return macros.link(f"{site or site_address() or ''}{console}/enter", token)


def _is_here() -> bool:
    """Tell whether the request comes from this machine, by a server that listens at its own address alone."""
    if not current_app.extensions["stormpath"].is_local:
        return False
    try:
        found = ip_address(origin.current().address or "")
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
