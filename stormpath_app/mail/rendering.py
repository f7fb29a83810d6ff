"""What a mail says: the text of the directory's template, else the host's own file, else ours.

The files are `templates/flask_stormpath/mail/<kind>.txt`, which begins with a line "Subject: ...", and `<kind>.html`.
They get the objects themselves; the template's texts, which an administrator writes, get macros, and run nothing.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from typing import Any, Self
from urllib.parse import urlsplit

from flask import current_app
from markupsafe import escape
from werkzeug.routing import BuildError

from .. import macros
from ..errors import NotReady, TokenRefused
from ..models import (
    Account,
    Application,
    Directory,
    EmailTemplate,
    OutboxMessage,
    email_holder,
    message,
    one_time_token,
)
from ..models.administration import is_administrators, is_console
from ..models.administrator import INVITATION_LIFE
from ..models.email_template import BOTH, HTML, TEXT
from ..settings import settings
from ..translation import gettext as _, in_language, ngettext, spoken, template_gettext
from .rendered import RenderedMail

#: The page that the link of each kind leads to, and the setting that says where it is.
_PAGES = {
    message.RESET: ("stormpath.forgot_change", "FORGOT_PASSWORD_CHANGE_URL", ""),
    message.VERIFICATION: ("stormpath.verify", "VERIFY_URL", ""),
    message.EMAIL_CHANGE: ("stormpath.verify_change", "VERIFY_URL", "/change"),
    message.INVITATION: ("stormpath_admin.arrival.invitation", "ADMIN_URL", "/invitation"),
}
#: The same, of administrators: they may know no other page of the site.
_CONSOLE_PAGES = {
    **_PAGES,
    message.RESET: ("stormpath_admin.passwords.change", "ADMIN_URL", "/forgot/change"),
}
KINDS = (
    *(message.RESET, message.RESET_SUCCESS),
    *(message.VERIFICATION, message.VERIFICATION_SUCCESS, message.WELCOME),
    *(message.EMAIL_CHANGE, message.EMAIL_CHANGED, message.ACCOUNT_EXISTS, message.TEST),
    *(message.PASSWORD_CHANGED, message.INVITATION),
)


def has_link(kind: str) -> bool:
    """Tell whether a mail of this kind has a link that does something."""
    return kind in _PAGES


@dataclass(frozen=True)
class Occasion:
    """What a mail is about. `token`: what its link has; None where it has none. `language`: None is the site's own.

    `template`: followed in the place of the directory's, as one is that is not saved.
    """

    kind: str
    address: str
    account: Account | None = None
    application: Application | None = None
    token: str | None = field(default=None, repr=False)
    data: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    template: EmailTemplate | None = None

    @classmethod
    def of(cls, waiting: OutboxMessage) -> Self:
        """Return what a mail that waits is about.

        :raises TokenRefused: its link is dead.
        """
        token = one_time_token.raw(waiting.nonce) if waiting.nonce else None
        if has_link(waiting.kind) and token is None:
            raise TokenRefused
        known = (waiting.account, waiting.application, token, waiting.data, waiting.language)
        return cls(waiting.kind, waiting.address, *known)

    @property
    def directory(self) -> Directory | None:
        """The directory of the account; None where it is about nobody's."""
        return self.account.directory if self.account else None

    @property
    def is_of_console(self) -> bool:
        """Whether it is about logging in to the console, and not to a site."""
        if self.kind == message.INVITATION:
            return True
        if self.application:
            return is_console(self.application)
        return self.directory is not None and is_administrators(self.directory)


def render(waiting: OutboxMessage) -> RenderedMail:
    """Return a mail that waits as it is sent now.

    :raises TokenRefused: its link is dead.
    :raises NotReady: there is nothing that its link could begin with.
    """
    return render_occasion(Occasion.of(waiting))


def render_occasion(occasion: Occasion) -> RenderedMail:
    """Return the mail of an occasion, in its reader's language.

    :raises NotReady: there is nothing that its link could begin with.
    """
    with in_language(occasion.language):
        return _render(occasion)


def _render(occasion: Occasion) -> RenderedMail:
    template = occasion.template or _template(occasion)
    application = occasion.application or Application.named(settings.APPLICATION)
    url = occasion.token and macros.link(_base(occasion, template), occasion.token)
    site_name = _site_name(occasion, application)
    name, sender = _sender(site_name)
    if template:
        name, sender = template.own_from_name or name, template.own_from_email_address or sender
    reply_to = template.own_reply_to if template else None
    files = _Files(
        occasion.kind,
        is_of_console=occasion.is_of_console,
        account=occasion.account,
        directory=occasion.directory,
        application=application,
        site_name=site_name,
        url=url,
        sptoken=occasion.token,
        hours=_hours(occasion.kind, occasion.directory),
        reply_to=reply_to,
        **occasion.data,
    )
    subject, text, html = files.subject, files.text, files.html
    if template:
        values = _values(occasion, application, url)
        subject = _filled(template.own_subject, values) or subject
        text = _filled(template.own_text_body, values) or text
        html = _filled(template.own_html_body, values, escape) or html
    mime_type = template.mime_type if template else BOTH
    return RenderedMail(
        to=occasion.address,
        sender=(name, sender),
        reply_to=reply_to,
        subject=_one_line(subject),
        text=None if mime_type == HTML else text,
        html=None if mime_type == TEXT else html,
    )


def _site_name(occasion: Occasion, application: Application | None) -> str:
    if occasion.is_of_console:
        return _("%(site)s console", site=settings.ADMIN_NAME or settings.APPLICATION)
    return application.name if application else str(settings.APPLICATION)


def _template(occasion: Occasion) -> EmailTemplate | None:
    if occasion.directory is None:
        return None
    return template_of(occasion.directory, occasion.kind)


def template_of(directory: Directory, kind: str) -> EmailTemplate | None:
    """Return what an administrator may have set of the mails of a kind; None of a kind that has no template."""
    return next((template for template in directory.email_templates if template.kind == kind), None)


def _one_line(subject: str) -> str:
    """Return a subject without what would begin another header: a value may have anything in it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in subject).split())[:255]


# --- The files ---


class _Files:
    """The two files of a kind, rendered with `context` and what every mail knows."""

    def __init__(self, kind: str, *, is_of_console: bool = False, **context: Any) -> None:
        self._kind = kind
        pages = ("stormpath_admin.entry.login", "stormpath_admin.passwords.forgot")
        login, forgot = pages if is_of_console else ("stormpath.login", "stormpath.forgot")
        self._context = {
            **context,
            "_": template_gettext,
            "language": spoken(),
            "life": _life(context["hours"]),
            "home_url": site_address(),
            "login_url": page_address(login),
            "forgot_url": page_address(forgot),
        }
        head, _line, body = self._render("txt").strip().partition("\n")
        if not head.startswith(_SUBJECT):
            raise ValueError(f"flask_stormpath/mail/{kind}.txt must begin with a line {_SUBJECT!r} and the subject.")
        self.subject = head.removeprefix(_SUBJECT).strip()
        self.text = re.sub(r"\n{3,}", "\n\n", body.strip()) + "\n"

    @property
    def html(self) -> str:
        """What the file for HTML says."""
        return self._render("html", subject=self.subject)

    def _render(self, kind_of_file: str, **more: Any) -> str:
        file = current_app.jinja_env.get_template(f"flask_stormpath/mail/{self._kind}.{kind_of_file}")
        return file.render(**self._context, **more)


_SUBJECT = "Subject:"


def _life(hours: int | None) -> str:
    if hours is None:
        return ""
    days, more = divmod(hours, 24)
    if days > 2 and not more:
        return ngettext("one day", "%(count)s days", days)
    return ngettext("one hour", "%(count)s hours", hours)


def _hours(kind: str, directory: Directory | None) -> int | None:
    """Return how long the link in a mail of this kind is good; None where there is none."""
    if directory is None or not has_link(kind):
        return None
    if kind == message.RESET:
        return directory.password_policy.reset_token_ttl
    if kind == message.VERIFICATION:
        return directory.account_creation_policy.verification_token_ttl
    life = INVITATION_LIFE if kind == message.INVITATION else email_holder.EMAIL_CHANGE_LIFE
    return life // timedelta(hours=1)


# --- The texts of an administrator ---


def _filled(text: str | None, values: Mapping[str, Any], escape: Any = str) -> str | None:
    return None if text is None else macros.substitute(text, values, escape)


def _values(occasion: Occasion, application: Application | None, url: str | None) -> dict[str, Any]:
    """Return what macros stand for; custom data is read when one asks for it."""
    account, token = occasion.account, occasion.token
    return {
        "account": account
        and {
            "givenName": account.given_name,
            "surname": account.surname,
            "fullName": account.full_name,
            "username": account.username,
            "email": account.email,
            "customData": account.custom_data,
            "directory": {"name": account.directory.name, "customData": account.directory.custom_data},
        },
        "application": application and {"name": application.name, "customData": application.custom_data},
        "url": url,
        "sptoken": token,
        "sptokenNameValuePair": token and macros.pair(token),
    }


class _Macro:
    """Stands for a resource in a file whose macros are wanted: its `given_name` is `$!{account.givenName}`."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __getattr__(self, name: str) -> "_Macro":
        if name.startswith("__"):
            raise AttributeError(name)
        in_custom_data = "customData" in self._path
        return _Macro(f"{self._path}.{name if in_custom_data else _camel(name)}")

    def __getitem__(self, name: str) -> "_Macro":
        return _Macro(f"{self._path}.{name}")

    def __str__(self) -> str:
        return f"$!{{{self._path}}}"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def default_of(template: EmailTemplate, name: str) -> str | None:
    """Return what an attribute of a template reads as that was never set: what the file says, with macros in it."""
    if name == "reply_to":
        return None
    if name in {"from_name", "from_email_address"}:
        return _sender(str(settings.APPLICATION))[name == "from_email_address"]
    is_linked = has_link(template.kind)
    files = _Files(
        template.kind,
        account=_Macro("account"),
        directory=_Macro("account.directory"),
        application=_Macro("application"),
        site_name="$!{application.name}",
        url="${url}" if is_linked else None,
        sptoken="${sptoken}" if is_linked else None,
        hours=_hours(template.kind, template.directory),
        reply_to=template.own_reply_to,
    )
    found: str = getattr(files, {"text_body": "text", "html_body": "html"}.get(name, name))
    return found


# --- Addresses ---


def _base(occasion: Occasion, template: EmailTemplate | None) -> str:
    """Return what the link of a mail begins with.

    :raises NotReady: the template has no address, and the site has none either.
    """
    if template and template.link_base_url:
        return template.link_base_url
    endpoint, setting, below = (_CONSOLE_PAGES if occasion.is_of_console else _PAGES)[occasion.kind]
    site = site_address()
    if site is None:
        raise NotReady(["STORMPATH_BASE_URL is not set: the links in mails begin with it."])
    path = getattr(settings, setting)
    if path is None:
        raise NotReady(["STORMPATH_ADMIN_URL is None: there is no console that a link could lead to."])
    return page_address(endpoint) or f"{site}{path.rstrip('/')}{below}"


def create_reset_link(application: Application, account: Account) -> str:
    """Make a link that leads to a new password, for whoever asks to hand over, and commit. Nothing is mailed.

    :raises NotReady: no page would take it, or it has nothing to begin with.
    :raises NoSuchAccount, AccountDisabled: it could not be used.
    """
    template = template_of(account.directory, message.RESET)
    if not settings.ENABLE_FORGOT_PASSWORD and not (template and template.link_base_url):
        raise NotReady(["STORMPATH_ENABLE_FORGOT_PASSWORD is off: the site has no page that such a link could open."])
    base = _base(Occasion(message.RESET, account.email, account=account, application=application), template)
    return macros.link(base, application.create_password_reset_token(account).token)


def page_address(endpoint: str, **values: Any) -> str | None:
    """Return the public address of a page; None where there is no such page, or the site has no public address."""
    site = site_address()
    try:
        return site and site + current_app.url_map.bind("").build(endpoint, values)
    except BuildError:
        return None


def site_address() -> str | None:
    """Return the public address of the site: BASE_URL. In tests and in debug there is one without; elsewhere None.

    No request is asked, least of all for its Host.
    """
    if settings.BASE_URL:
        return str(settings.BASE_URL)
    if current_app.testing:
        return f"http://{current_app.config['SERVER_NAME'] or 'localhost'}"
    if not current_app.debug:
        return None
    served_at: str | None = current_app.extensions["stormpath"].served_at
    return served_at or f"http://127.0.0.1:{os.environ.get('FLASK_RUN_PORT') or 5000}"


def _sender(site_name: str) -> tuple[str, str]:
    """Return who a mail is from where its template does not say: MAIL_DEFAULT_SENDER, which is Flask-Mail's."""
    given = current_app.config.get("MAIL_DEFAULT_SENDER")
    name, address = given if isinstance(given, tuple | list) else parseaddr(given or "")
    host = urlsplit(settings.BASE_URL or "").hostname or "localhost"
    return name or site_name, address or f"no-reply@{host}"
