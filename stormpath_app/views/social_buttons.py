"""The buttons of providers: where each leads, from which page."""

from typing import Any, NamedTuple

from flask import url_for

from ..models import Application
from ..pages import provider_page
from ..providers import Config

#: The argument of a login page that asks somebody who is logged in for the password again.
AGAIN = "again"


class Button(NamedTuple):
    """A way to log in, on a page: `url` takes a POST."""

    provider_id: str
    kind: str
    name: str
    url: str


def buttons(target: str | None = None) -> list[Button]:
    """Return a button for each provider of the current application. `target`: the page they lead to."""
    return [button(config, target) for config in Application.current().login_providers()]


def button(config: Config, target: str | None = None, *, again: bool = False) -> Button:
    """Return the button of one provider. `again`: it is to ask who somebody is whom it has told of."""
    endpoint, values = provider_page(config.provider_id)
    asked: dict[str, Any] = {**values, "next": target, AGAIN: "1" if again else None}
    where = url_for(endpoint, **asked)
    return Button(config.provider_id, config.kind, config.name, where)
