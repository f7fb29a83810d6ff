"""A template looked at before it is saved: its macros, and what is other than the default."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .. import macros
from ..models import Account, EmailTemplate
from ..models.email_template import HTML, LINKED, TEXT
from ..models.policy_effects import count_accounts
from ..translation import gettext as _

OK, WARN, BAD = "ok", "warn", "bad"
_LINK = frozenset({"url", "sptoken", "sptokenNameValuePair"})
#: Lines around a change that are shown with it.
_AROUND = 2


@dataclass(frozen=True)
class Finding:
    """Something that is well or wrong with a part of a template. `tone`: OK, WARN, or BAD, which cannot be saved.

    `macro`: what it is about, as it stands there, or None; `meant`: the macro to write instead, or None.
    """

    part: str
    tone: str
    sentence: str
    macro: str | None = None
    meant: str | None = None


def review(template: EmailTemplate) -> list[Finding]:
    """Return what is well or wrong with a template, as it is set now."""
    return [finding for part in _sent(template) for finding in _of_part(template, part)]


def _sent(template: EmailTemplate) -> tuple[str, ...]:
    bodies = (("text_body", HTML), ("html_body", TEXT))
    return ("subject", *(part for part, without in bodies if template.mime_type != without))


def _of_part(template: EmailTemplate, part: str) -> Iterator[Finding]:
    found = macros.written(getattr(template, part) or "")
    is_linked = template.kind in LINKED
    if is_linked and part != "subject":
        if links := [macro.text for macro in found if macro.name in _LINK]:
            yield Finding(part, OK, _("It is there: the link will work."), links[0])
        else:
            yield Finding(part, BAD, _("The link is missing: this mail needs it."), meant="${url}")
    for macro in found:
        if macro.name is None:
            meant = macro.meant and f"$!{{{macro.meant}}}"
            yield Finding(part, WARN, _("It is no macro, and is mailed as it stands."), macro.text, meant)
        elif macro.name in _LINK and not is_linked:
            yield Finding(part, WARN, _("This mail has no link: it stays without a value."), macro.text)
        elif column := _NAMED.get(macro.name):
            yield from _of_name(template, part, macro, column)


_NAMED: dict[str, Any] = {"account.givenName": Account.given_name_key, "account.surname": Account.surname_key}


def _of_name(template: EmailTemplate, part: str, macro: macros.Written, column: Any) -> Iterator[Finding]:
    """Tell how many accounts have no such name."""
    lack = count_accounts(template.directory, column == "")
    if not lack.number:
        return
    if macro.is_quiet:
        told = _("Accounts without such a name: %(count)s. For them it is left out.", count=lack)
    else:
        told = _("Accounts without such a name: %(count)s. They read it as it stands here.", count=lack)
    yield Finding(part, WARN, told, macro.text)


# --- What is other ---


def diff(before: str, after: str) -> list[tuple[str, str]]:
    """Return the lines two texts differ in, and some around them, each behind its sign: "-", "+", " "; "…" is a gap."""
    old, new = before.splitlines(), after.splitlines()
    told: list[tuple[str, str]] = []
    for group in difflib.SequenceMatcher(None, old, new).get_grouped_opcodes(_AROUND):
        if told:
            told.append(("…", ""))
        for tag, first, last, start, end in group:
            if tag == "equal":
                told += [(" ", line) for line in old[first:last]]
            else:
                told += [("-", line) for line in old[first:last]]
                told += [("+", line) for line in new[start:end]]
    return told


def own_parts(template: EmailTemplate) -> list[str]:
    """Return the attributes of a template that an administrator set, saved or not."""
    return [name for name in _OWN if getattr(template, f"own_{name}") is not None]


_OWN = ("from_name", "from_email_address", "reply_to", "subject", "text_body", "html_body")
