"""What is wrong with how an app sends its mails, where it sends any."""

from collections.abc import Iterator

from flask import current_app

from .. import current
from ..models import ENABLED, Application, Directory, message
from ..settings import Level, Problem, settings
from . import inbox, rendering, transport

#: Who has no TLS need: the machine itself.
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def can_mail_links() -> bool:
    """Tell whether mails with links can leave: somebody sends them, and there is an address to begin with."""
    app = current.app()
    is_sent = current_app.config.get("MAIL_SERVER") or inbox.is_open(app) or transport.is_suppressed(app)
    return bool(is_sent or callable(settings.MAIL_DELIVERY)) and rendering.site_address() is not None


def check() -> list[Problem]:
    """Return what is wrong. The database is there."""
    return [*_check_server(), *_check_links()]


def _check_server() -> Iterator[Problem]:
    config = current_app.config
    if config.get("MAIL_USE_TLS") and config.get("MAIL_USE_SSL"):
        yield Problem(
            "MAIL_USE_TLS and MAIL_USE_SSL are both on: MAIL_USE_TLS is for port 587, MAIL_USE_SSL for port 465."
        )
    app = current.app()
    if not _kinds() or inbox.is_open(app) or transport.is_suppressed(app):
        return
    server = config.get("MAIL_SERVER")
    if not server:
        yield Problem("There are mails to send, but MAIL_SERVER is not set: this machine itself is tried.", "warning")
    if not config.get("MAIL_DEFAULT_SENDER"):
        yield Problem(
            "MAIL_DEFAULT_SENDER is not set: mails come from an address of the site's host, which may not be one.",
            "warning",
        )
    is_encrypted = config.get("MAIL_USE_TLS") or config.get("MAIL_USE_SSL")
    if server and server not in _LOCAL and config.get("MAIL_PASSWORD") and not is_encrypted:
        yield Problem(
            "MAIL_PASSWORD, and the links in mails, travel unencrypted: set MAIL_USE_TLS or MAIL_USE_SSL.", "warning"
        )


def _check_links() -> Iterator[Problem]:
    """Tell of links that could begin with nothing: where the settings ask for them, the app does not begin.

    A directory's own switch, which changes while the app runs, does not close the site.
    """
    level: Level = "error" if settings.ENABLE_FORGOT_PASSWORD or settings.VERIFY_EMAIL else "warning"
    if rendering.site_address():
        return
    for kind, directory in _kinds():
        template = rendering.template_of(directory, kind)
        if kind in {message.RESET, message.VERIFICATION} and not (template and template.link_base_url):
            yield Problem(
                "STORMPATH_BASE_URL is not set, and the links in mails begin with it: set it to the public address.",
                level,
            )
            return


def _kinds() -> list[tuple[str, Directory]]:
    """Return the kinds of mails that people of the application get, each with a directory that sends it."""
    application = Application.named(settings.APPLICATION)
    found = []
    for mapping in application.account_store_mappings if application else ():
        directory = mapping.account_store.home
        policy = directory.account_creation_policy
        switches = {
            message.RESET: settings.ENABLE_FORGOT_PASSWORD and directory.password_policy.reset_email_status == ENABLED,
            message.VERIFICATION: policy.verification_email_status == ENABLED,
            message.VERIFICATION_SUCCESS: policy.verification_success_email_status == ENABLED,
            message.WELCOME: policy.welcome_email_status == ENABLED,
        }
        found += [(kind, directory) for kind, is_on in switches.items() if is_on]
    return found
