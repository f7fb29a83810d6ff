"""The buttons of providers: where each leads, from which page."""

from typing import NamedTuple

from flask import url_for

from ..models import Application
from ..pages import provider_page
from ..providers import Config


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
    endpoint, values = provider_page(config.provider_id)
    where = url_for(endpoint, **values, next=target, **more)
    return Button(config.provider_id, config.kind, config.name, where)
