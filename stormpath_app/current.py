"""Current: the app, Flask's `g` and the request; the objects themselves.

A look through one of Flask's proxies costs as much as ten into a dictionary. What every page runs goes past them; so
does whoever hands the app itself on.
"""

from collections.abc import Callable
from typing import Any

import flask

# Each raises RuntimeError outside the context that it needs.
app: Callable[[], flask.Flask] = flask.current_app._get_current_object  # type: ignore[attr-defined]
g: Callable[[], Any] = flask.g._get_current_object
request: Callable[[], flask.Request] = flask.request._get_current_object  # type: ignore[attr-defined]
