"""The runnable site, on a machine so busy that its database may take long to answer a load balancer."""

from flask import Flask

from stormpath_app.app import create_app as create_site
from stormpath_app.views import health

from ..servers import PATIENCE


def create_app() -> Flask:
    health.ANSWERS = PATIENCE
    return create_site()
