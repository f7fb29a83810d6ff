"""The editor of a directory's mails: what each says and to whom, looked at before it is saved."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Response, abort, flash, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import BooleanField, SelectField, StringField, TextAreaField

from .. import macros
from ..errors import NotReady, StormpathError
from ..mail import preview
from ..mail.rendered import RenderedMail
from ..mail.rendering import template_of
from ..mail.review import diff, review
from ..models import DISABLED, ENABLED, Account, Directory, EmailTemplate
from ..models.administration import OWNER, VIEWER
from ..models.base import Resource
from ..models.email_template import BOTH, HTML, TEXT, TOKEN_LIVES, WORKFLOWS
from ..pages import was_sent
from ..translation import gettext as _, mark
from . import scope
from .base import ConsoleForm
from .directory_pages import DirectoryPages, Parts, is_current, mails, save, set_from, slug, tell_at, values
from .gate import needs
from .messages import kind_name
from .session import administrator

_SENT = {
    "verification": mark("Sent when somebody registers. They can log in once they opened its link."),
    "verification_success": mark("Sent when somebody confirmed their address."),
    "welcome": mark("Sent to a new account; where addresses are confirmed, after that."),
    "reset": mark("Sent when somebody asks for a new password."),
    "reset_success": mark("Sent when a password was changed."),
}
#: How a mail can be looked at.
_LOOKS = {
    "html": mark("HTML"),
    "html-narrow": mark("HTML, narrow"),
    "html-dark": mark("HTML, dark"),
    "html-narrow-dark": mark("HTML, narrow and dark"),
    "text": mark("Text"),
}
#: What a page may do that has a mail in it: have the mail's own styles, and our images. Nothing of it is ever run.
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'self'; sandbox"
)


class MailForm(ConsoleForm):
    """What an administrator may set of a mail. A text that is the default, or empty, follows the default."""

    is_on = BooleanField(mark("Send this mail"))
    from_name = StringField(mark("From"))
    from_email_address = StringField(mark("From address"))
    reply_to = StringField(mark("Answers go to"))
    subject = StringField(mark("Subject"))
    link_base_url = StringField(mark("Link opens"))
    token_life = StringField(mark("Link works for"))
    mime_type = SelectField(mark("Format"))
    text_body = TextAreaField(mark("Text"))
    html_body = TextAreaField(mark("HTML"))

    def __init__(self, template: EmailTemplate, known: Mapping[str, Any]) -> None:
        super().__init__(known)
        self.mime_type.choices = [(BOTH, _("Text and HTML")), (TEXT, _("Text")), (HTML, _("HTML"))]
        if template.kind not in TOKEN_LIVES:
            del self.link_base_url, self.token_life


class WorkflowPages(DirectoryPages):
    """The editor of the five mails."""

    @expose("/<id>/workflows/")
    @needs(VIEWER)
    def workflows(self, id: str) -> ResponseReturnValue:
        """Lead to the first mail that is sent."""
        found = mails(self.get_one(id))
        return redirect(next((mail for mail in found if mail["is_on"]), found[0])["url"])

    @expose("/<id>/workflows/<mail>", methods=("GET", "POST"))
    @needs(VIEWER)
    def workflow(self, id: str, mail: str) -> ResponseReturnValue:
        """Show a mail to be edited, or save it."""
        template = self._template(id, mail)
        directory = template.directory
        parts = _parts(template)
        saved = _shown(template, parts)
        form = MailForm(template, saved)
        if was_sent():
            if not administrator.may(OWNER):
                abort(403)
            if request.form.get("do") == "default":
                _fill(form, template)
                flash(_("The default is in the form below. Nothing is saved yet."), "info")
            elif form.validate() and is_current(form, saved) and (answer := self._save(template, form, parts)):
                return answer
        return self.render(
            "stormpath_admin/workflow.html",
            form=form,
            kind=template.kind,
            mails=mails(directory),
            current=slug(template.kind),
            title=kind_name(template.kind),
            when=_(_SENT[template.kind]),
            macros=_macros(template),
            looks={value: _(text) for value, text in _LOOKS.items()},
            is_on=saved["is_on"],
            **self.head(directory, "workflows"),
        )

    def _save(self, template: EmailTemplate, form: MailForm, parts: Parts) -> ResponseReturnValue | None:
        """Save the mail, and lead on; None: it is refused, which the form tells."""
        if not _set(template, form, parts):
            return None
        try:
            save(parts)
        except StormpathError as error:
            tell_at(form, error, parts)
            return None
        flash(_("%(name)s was saved.", name=kind_name(template.kind)), "success")
        return redirect(url_for(".workflow", id=template.directory_id, mail=slug(template.kind)), 303)

    # --- A look at it, in a frame of its own ---

    @expose("/<id>/workflows/<mail>/preview", methods=("GET", "POST"))
    @needs(VIEWER)
    def preview(self, id: str, mail: str) -> ResponseReturnValue:
        """Show the mail as its reader would see it, as it is saved or as it was typed. Nothing is kept."""
        return self._look_at(self._template(id, mail))

    @expose("/<id>/workflows/<mail>/send", methods=("POST",))
    @needs(OWNER)
    def send(self, id: str, mail: str) -> ResponseReturnValue:
        """Mail it to the administrator who asks, as it was typed; its link opens nothing."""
        return self._look_at(self._template(id, mail), sends=True)

    def _look_at(self, template: EmailTemplate, *, sends: bool = False) -> Response:
        reader, others = _reader(template.directory, request.values.get("reader", "").strip())
        parts = _parts(template)
        form = MailForm(template, _shown(template, parts))
        refused: list[str] = []
        if was_sent() and not (form.validate() and _set(template, form, parts)):
            refused = [f"{field.label.text}: {error}" for field in form for error in field.errors]
        found: RenderedMail | None = None
        sent_to = ""
        try:
            found = preview.show(template.kind, reader, application=_application(template.directory))
            if sends and not refused:
                preview.send(template, administrator.account, reader)
                sent_to = administrator.account.email
        except NotReady as error:
            refused += error.problems
        except StormpathError as error:
            refused.append(error.message)
        look = request.values.get("look", "html")
        page = self.render(
            "stormpath_admin/mail_preview.html",
            found=found,
            html=_lit(found.html, is_dark="dark" in look) if found and found.html and look != "text" else None,
            is_narrow="narrow" in look,
            reader=reader,
            others=others,
            refused=refused,
            sent_to=sent_to,
            findings=review(template),
            diffs=_diffs(template),
        )
        answer = make_response(page)
        answer.headers["Content-Security-Policy"] = _POLICY
        answer.headers["X-Frame-Options"] = "SAMEORIGIN"
        return answer

    def _template(self, directory_id: str, mail: str) -> EmailTemplate:
        kind = mail.replace("-", "_")
        found = template_of(self.get_one(directory_id), kind) if mail == slug(kind) else None
        return found or abort(404)


# --- What a form is about ---


def _parts(template: EmailTemplate) -> Parts:
    """Return the fields of a mail's form, and what each is for: the template, or a policy of its directory."""
    parts: dict[str, tuple[Resource, str]] = {
        name: (template, name)
        for name in ("from_name", "from_email_address", "reply_to", "subject", "mime_type", "text_body", "html_body")
    }
    policy, switch = WORKFLOWS[template.kind]
    parts["is_on"] = (template.directory[policy], switch)
    if life := TOKEN_LIVES.get(template.kind):
        policy, hours = life
        parts |= {"link_base_url": (template, "link_base_url"), "token_life": (template.directory[policy], hours)}
    return parts


def _shown(template: EmailTemplate, parts: Parts) -> dict[str, Any]:
    """Return what the form has before anything was sent."""
    found = values(parts)
    return {**found, "is_on": found["is_on"] == ENABLED}


def _set(template: EmailTemplate, form: MailForm, parts: Parts) -> bool:
    """Set what was typed; what is empty, or just what the default says, goes on following the default."""
    typed = {name: form[name].data for name in parts}
    for name in _FOLLOWING:
        text = (typed[name] or "").replace("\r\n", "\n")
        form[name].data = None if text.strip() in {"", (template.default(name) or "").strip()} else text
    if "link_base_url" in typed:
        form.link_base_url.data = typed["link_base_url"] or None
    form.is_on.data = ENABLED if typed["is_on"] else DISABLED
    is_good = set_from(form, parts)
    for name, value in typed.items():  # nothing that was typed is lost
        form[name].data = value
    return is_good


_FOLLOWING = ("from_name", "from_email_address", "reply_to", "subject", "text_body", "html_body")


def _fill(form: MailForm, template: EmailTemplate) -> None:
    for name in _FOLLOWING:
        form[name].data = template.default(name)
    form.mime_type.data = BOTH
    if "link_base_url" in form:
        form.link_base_url.data = None


def _macros(template: EmailTemplate) -> list[str]:
    """Return the macros that this mail can have, the link first, as they are written."""
    links = ("url", "sptoken", "sptokenNameValuePair")
    others = [*sorted(macros.NAMES.difference(links)), *(f"{path}KEY" for path in macros.CUSTOM_DATA)]
    written = [f"${{{name}}}" for name in links] if template.kind in TOKEN_LIVES else []
    return [*written, *(f"$!{{{name}}}" for name in others)]


# --- What is shown ---


def _reader(directory: Directory, text: str) -> tuple[Account, list[Account]]:
    """Return the account that a text names or finds, and the next few; somebody made up where there is none."""
    if not text:
        return preview.somebody(directory), []
    if exact := directory.find_account(text) or scope.find(directory.accounts, Account, text):
        return exact, []
    found = directory.accounts.search(text).limit(6)[:]
    return (found[0], found[1:]) if found else (preview.somebody(directory), [])


def _application(directory: Directory) -> Any:
    """Return the application that mails of a directory come through, of those in scope; None: the settings' own."""
    return next((each for each in directory.applications if each in scope.applications()), None)


def _diffs(template: EmailTemplate) -> dict[str, list[tuple[str, str]]]:
    labels = {"subject": _("Subject"), "text_body": _("Text"), "html_body": _("HTML")}
    return {
        label: lines
        for name, label in labels.items()
        if (lines := diff(template.default(name) or "", getattr(template, name) or ""))
    }


def _lit(html: str, *, is_dark: bool) -> str:
    """Return a mail as it looks by day or by night, whatever the browser would choose."""
    return _BY_NIGHT.sub("(min-width: 0)" if is_dark else "(max-width: 0)", html)


_BY_NIGHT = re.compile(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", re.IGNORECASE)
