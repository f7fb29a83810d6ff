"""The runnable site, where people may log in with accounts that they have elsewhere: at other sites of this machine."""

import json
import os

from flask import Flask, render_template_string

from stormpath_app.app import create_app as create_site
from stormpath_app.providers import KINDS
from stormpath_app.views.forms import LoginForm

from ..views.test_basic_templates import LOGIN


def create_app() -> Flask:
    """Return the site. Where Google, Facebook and GitHub are, $PROVIDERS says: by kind, attributes of its class."""
    for kind, addresses in json.loads(os.environ["PROVIDERS"]).items():
        for name, address in addresses.items():
            setattr(KINDS[kind], name, address)
    app = create_site()
    app.add_url_rule("/login-of-old", view_func=login_of_old)
    return app


def login_of_old() -> str:
    """Show the login page that Flask-Stormpath's manual has for a start."""
    return render_template_string(LOGIN, form=LoginForm())
