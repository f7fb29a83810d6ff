"""The buttons of providers: where each leads, from which page."""

from typing import Any, NamedTuple

from flask import current_app, url_for

from ..models import Application
from ..providers import Config

#: Providers with an address of their own, as in Flask-Stormpath.
_OWN_PAGES = {"google": "stormpath.google_login", "facebook": "stormpath.facebook_login"}


class Button(NamedTuple):
    """A way to log in, on a page: `url` takes a POST."""

    provider_id: str
    kind: str
    name: str
    url: str


def buttons(target: str | None = None) -> list[Button]:
    """Return a button for each provider of the current application. `target`: the page they lead to."""
    return [button(config, target) for config in Application.current().login_providers()]


def button(config: Config, target: str | None = None, **more: str) -> Button:
    """Return the button of one provider."""
    where = page_url(config.provider_id, next=target, **more)
    return Button(config.provider_id, config.kind, config.name, where)


def page_url(provider_id: str, **values: Any) -> str:
    """Return the path of a provider's page, where its answers come, too."""
    own = _OWN_PAGES.get(provider_id)
    if own in current_app.view_functions:
        return url_for(own, **values)
    return url_for("stormpath.social_login", provider=provider_id, **values)
