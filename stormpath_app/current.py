"""Current: the app, what is kept for one request, and the request; the objects themselves.

A look through one of Flask's proxies costs as much as ten into a dictionary, and a page has dozens of them to make.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, current_app, g, request

# Each raises RuntimeError outside the context that it needs.
app: Callable[[], Flask] = current_app._get_current_object  # type: ignore[attr-defined]
kept: Callable[[], Any] = g._get_current_object
asking: Callable[[], Request] = request._get_current_object  # type: ignore[attr-defined]
