"""The runnable site, which somebody used before the server's workers were forked off it."""

from flask import Flask

from stormpath_app.app import create_app as create_site

from ..conftest import token
from .people import PASSWORD


def create_app() -> Flask:
    site = create_site()
    browser = site.test_client()
    who = {"given_name": "Rey", "surname": "Nobody", "email": "rey@jakku.example", "username": "rey"}
    browser.post("/register", data={**who, "password": PASSWORD, "csrf_token": token(browser, "/register")})
    for _ in range(2):  # what is read for the first is kept for the second
        assert browser.get("/secret").status_code == 200
    return site
