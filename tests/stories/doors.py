"""The runnable site with two more doors: a page for admins, and one that asks for the password again."""

from flask import Flask

from stormpath_app import fresh_login_required, groups_required
from stormpath_app.app import create_app as create_site


def create_app() -> Flask:
    app = create_site()
    for path, door in (("/admins", groups_required(["admins"])), ("/close", fresh_login_required)):
        app.add_url_rule(path, path[1:], door(inside), methods=["GET", "POST"])
    return app


def inside() -> str:
    return "inside"
