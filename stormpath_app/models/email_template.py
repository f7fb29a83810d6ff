"""EmailTemplate: what the mails of one kind say, in one directory."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .. import names
from ..errors import InvalidFormat, LinkMacroMissing, PropertyRequired, ReadOnly, TooLong, UnsupportedValue, WrongType
from . import event
from .base import Id, Resource, directory_name
from .collection import Collection
from .message import RESET, RESET_SUCCESS, VERIFICATION, VERIFICATION_SUCCESS, WELCOME

if TYPE_CHECKING:
    from .directory import Directory

TEXT, HTML, BOTH = "text/plain", "text/html", "multipart/alternative"
#: Longest text of a mail, in letters.
LONGEST_BODY = 60_000
#: Those that have a link, which the reader must find in them.
LINKED = frozenset({RESET, VERIFICATION})

#: The five workflows: which policy of a directory says whether its mail is sent, and the attribute there.
WORKFLOWS = {
    VERIFICATION: ("account_creation_policy", "verification_email_status"),
    VERIFICATION_SUCCESS: ("account_creation_policy", "verification_success_email_status"),
    WELCOME: ("account_creation_policy", "welcome_email_status"),
    RESET: ("password_policy", "reset_email_status"),
    RESET_SUCCESS: ("password_policy", "reset_success_email_status"),
}
#: And how long the link in it is good, in hours.
TOKEN_LIVES = {
    VERIFICATION: ("account_creation_policy", "verification_token_ttl"),
    RESET: ("password_policy", "reset_token_ttl"),
}

_NAMES = {
    VERIFICATION: "Default Verification Email Template",
    VERIFICATION_SUCCESS: "Default Verification Success Email Template",
    WELCOME: "Default Welcome Email Template",
    RESET: "Default Password Reset Email Template",
    RESET_SUCCESS: "Default Password Reset Success Email Template",
}


class _OrDefault:
    """An attribute that reads as what was set, or as the default. `own_...` is what was set, or None."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, template: Any, _owner: type | None = None) -> Any:
        if template is None:
            return self
        own = getattr(template, f"own_{self._name}")
        return template.default(self._name) if own is None else own

    def __set__(self, template: Any, value: object) -> None:
        setattr(template, f"own_{self._name}", value)


class EmailTemplate(Resource):
    """What the mails of one kind say, who they are from, and where their link leads.

    What was never set, or set to None, reads as the default, and follows it: the app's own text for such a mail. The
    texts may have macros: `$!{account.givenName}`, `${url}`. `mime_type` says which of the two bodies is sent, or both.
    """

    __tablename__ = "stormpath_email_templates"
    __table_args__ = (sa.UniqueConstraint("directory_id", "kind"),)
    thing, collection = "Email template", "emailTemplates"
    readable = (
        *("name", "description", "from_name", "from_email_address", "reply_to", "subject"),
        *("text_body", "html_body", "mime_type", "default_model"),
    )
    writable = frozenset({*readable, "link_base_url"})
    links = frozenset({"directory", "link_base_url"})

    directory_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(sa.String(32))
    name: Mapped[str] = mapped_column(sa.String(names.LONGEST))
    description: Mapped[str | None] = mapped_column(sa.String(1000))
    mime_type: Mapped[str] = mapped_column(sa.String(32), default=BOTH)
    #: The address that the link leads to, without its token; None: the page of the site.
    link_base_url: Mapped[str | None] = mapped_column(sa.String(1000))

    from_name = _OrDefault()
    from_email_address = _OrDefault()
    reply_to = _OrDefault()
    subject = _OrDefault()
    text_body = _OrDefault()
    html_body = _OrDefault()
    own_from_name: Mapped[str | None] = mapped_column("from_name", sa.String(names.LONGEST))
    own_from_email_address: Mapped[str | None] = mapped_column("from_email_address", sa.String(names.LONGEST))
    own_reply_to: Mapped[str | None] = mapped_column("reply_to", sa.String(names.LONGEST))
    own_subject: Mapped[str | None] = mapped_column("subject", sa.String(names.LONGEST))
    own_text_body: Mapped[str | None] = mapped_column("text_body", sa.Text)
    own_html_body: Mapped[str | None] = mapped_column("html_body", sa.Text)

    directory: Mapped["Directory"] = relationship(back_populates="email_templates")

    #: Returns the default of an attribute of a template. `mail`, which stands above, sets it.
    default_of: ClassVar[Callable[["EmailTemplate", str], str | None]]

    @classmethod
    def standard(cls, directory_id: str) -> "list[EmailTemplate]":
        """Return the new templates of a directory, one of each kind, with nothing set."""
        return [cls(directory_id=directory_id, kind=kind, name=name, mime_type=BOTH) for kind, name in _NAMES.items()]

    # --- What it says ---

    @property
    def title(self) -> str:
        """The name of the directory."""
        return directory_name(self.directory_id)

    @property
    def default_model(self) -> dict[str, str | None] | None:
        """`{"linkBaseUrl": ...}`, as Stormpath had it; None for a mail without a link."""
        return {"linkBaseUrl": self.link_base_url} if self.kind in LINKED else None

    @default_model.setter
    def default_model(self, value: object) -> None:
        if value is None and self.kind not in LINKED:
            return
        if not isinstance(value, Mapping):
            raise WrongType(self.thing, "default_model")
        if value.keys() not in ({"linkBaseUrl"}, {"link_base_url"}):
            raise PropertyRequired(self.thing, "link_base_url")
        (self.link_base_url,) = value.values()

    def default(self, name: str) -> str | None:
        """Return what an attribute reads as where it is not set."""
        return type(self).default_of(self, name)

    @validates("kind")
    def _check_kind(self, key: str, value: str) -> str:
        if value not in _NAMES:
            raise UnsupportedValue(self.thing, key, allowed=", ".join(_NAMES))
        return value

    @validates("name", "own_from_name", "own_subject")
    def _check_line(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key.removeprefix("own_"), value, required=key == "name")

    @validates("description")
    def _check_description(self, key: str, value: object) -> str | None:
        return names.text(self.thing, key, value, longest=1000, lines=True)

    @validates("own_from_email_address", "own_reply_to")
    def _check_address(self, key: str, value: object) -> str | None:
        if value is None or value == "":
            return None
        try:
            return names.email(value)
        except (InvalidFormat, WrongType) as error:
            raise type(error)(self.thing, key.removeprefix("own_")) from error

    @validates("own_text_body", "own_html_body")
    def _check_body(self, key: str, value: object) -> str | None:
        name = key.removeprefix("own_")
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise WrongType(self.thing, name)
        if len(value) > LONGEST_BODY:
            raise TooLong(self.thing, name, longest=LONGEST_BODY)
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise InvalidFormat(self.thing, name)
        return value

    @validates("mime_type")
    def _check_mime_type(self, key: str, value: object) -> str:
        if value not in (TEXT, HTML, BOTH):  # it may be a list
            raise UnsupportedValue(self.thing, key, allowed=f"{TEXT}, {HTML}, {BOTH}")
        return str(value)

    @validates("link_base_url")
    def _check_link(self, key: str, value: object) -> str | None:
        if value is not None and self.kind not in LINKED:
            raise ReadOnly(self.thing, key)
        url = names.text(self.thing, key, value, longest=1000)
        if url is not None and not _is_web_address(url):
            raise InvalidFormat(self.thing, key)
        return url

    # --- Saving ---

    def _prepare(self) -> None:
        if self.kind in LINKED:
            for name, is_sent in (("text_body", self.mime_type != HTML), ("html_body", self.mime_type != TEXT)):
                body = getattr(self, f"own_{name}")
                if is_sent and body is not None and not any(macro in body for macro in _LINK_MACROS):
                    raise LinkMacroMissing(self.thing, name)

    def _before_save(self) -> None:
        if not self.is_new and (told := event.changes(self)):
            places = {"directory_id": self.directory_id, "template": self.kind}
            event.record("email_template.updated", target=self, **places, changed=told)


def templates(directory_id: str, kind: str) -> Collection[EmailTemplate]:
    """Return the templates of a directory for mails of one kind: one. None can be added."""
    return Collection(EmailTemplate, EmailTemplate.directory_id == directory_id, EmailTemplate.kind == kind)


def workflow(default: str) -> Any:
    """Return a policy's column that says whether a mail is sent. The value before is always known: the log tells it."""
    return mapped_column(sa.String(16), default=default, server_default=default, nullable=False, active_history=True)


_LINK_MACROS = tuple(
    before + name + "}" for before in ("${", "$!{") for name in ("url", "sptoken", "sptokenNameValuePair")
)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and " " not in url
    except ValueError:
        return False
