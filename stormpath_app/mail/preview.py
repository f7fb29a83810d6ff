"""What a mail would say, before anybody gets it: shown, or mailed to whoever writes it. Its link opens nothing."""

import json
from dataclasses import replace
from typing import Any

from ..errors import TokenRefused, TooLong
from ..models import Account, Application, Directory, EmailTemplate, OutboxMessage, message
from ..models.unsaved import changed
from ..transactions import atomic
from ..translation import gettext as _, in_language
from .rendered import RenderedMail
from .rendering import Occasion, has_link, render_occasion, template_of

#: What the link of a preview has: no token.
NO_TOKEN = "this-is-a-preview-and-opens-nothing"  # noqa: S105
_NEW_ADDRESS = "new.address@example.com"
_LEIA = {"email": "leia@alderaan.example", "given_name": "Leia", "surname": "Organa"}

#: What of a template a mail depends on.
_PARTS = (
    *("own_from_name", "own_from_email_address", "own_reply_to", "own_subject", "own_text_body", "own_html_body"),
    *("mime_type", "link_base_url"),
)
#: Most letters of what is not saved yet that can be mailed.
LONGEST = 50_000


def somebody(directory: Directory) -> Account:
    """Return a reader who is in no database."""
    return Account(directory_id=directory.id, directory=directory, **_LEIA)


def show(
    kind: str,
    reader: Account,
    *,
    application: Application | None = None,
    language: str | None = None,
    template: EmailTemplate | None = None,
) -> RenderedMail:
    """Return the mail of a kind as its reader would see it now; what was set on the template and not saved counts.

    :param application: through which it comes; None: the one that the settings name.
    :param template: followed in the place of the directory's.
    :raises NotReady: there is nothing that its link could begin with.
    """
    return render_occasion(
        Occasion(
            kind,
            _NEW_ADDRESS if kind == message.EMAIL_CHANGE else reader.email,
            account=None if kind == message.TEST else reader,
            application=application,
            token=NO_TOKEN if has_link(kind) else None,
            data={"new_address": _NEW_ADDRESS},
            language=language,
            template=template,
        )
    )


def send(template: EmailTemplate, to: Account, reader: Account) -> None:
    """Mail to an account what `reader` would be sent, as the template is set now, saved or not; commit.

    :raises TooLong: more was changed than can wait with the mail: save it first.
    """
    parts = {name: value for name, (_before, value) in changed(template).items() if name in _PARTS}
    if len(json.dumps(parts)) > LONGEST:
        raise TooLong(EmailTemplate.thing, "text_body", longest=LONGEST)
    with atomic():
        message.queue(
            message.PREVIEW,
            to,
            of=template.kind,
            directory=template.directory_id,
            reader=None if reader.is_new else reader.id,
            parts=parts,
        )


def render(waiting: OutboxMessage) -> RenderedMail:
    """Return a preview that waits, as it is sent now, and marked as one.

    :raises TokenRefused: its directory is gone.
    """
    asked = waiting.data
    directory = Directory.find(asked["directory"])
    if directory is None:
        raise TokenRefused
    reader = (Account.find(asked["reader"]) if asked["reader"] else None) or somebody(directory)
    template = _with(template_of(directory, asked["of"]), asked["parts"])
    found = show(asked["of"], reader, application=waiting.application, language=waiting.language, template=template)
    with in_language(waiting.language):
        subject = _("Preview: %(subject)s", subject=found.subject)
    return replace(found, to=waiting.address, subject=subject)


def _with(template: EmailTemplate | None, parts: dict[str, Any]) -> EmailTemplate:
    """Return a copy of a template, with other parts; it is in no session."""
    if template is None:
        raise TokenRefused
    kept = {name: getattr(template, name) for name in _PARTS}
    return EmailTemplate(kind=template.kind, name=template.name, **{**kept, **parts})
