"""The site that `load.py` asks: two pages that say whose they are, beside our own. gunicorn serves `make_site()`."""

import os
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from stormpath_app import StormpathManager, groups_required, login_required, user

GROUP = "pilots"


def make_site(instance: str | None = None, **settings: Any) -> Flask:
    """Make the site. Its settings: FLASK_* variables, then these.

    :param instance: the folder of its database, if no setting names another; None: STORMPATH_INSTANCE_PATH.
    """
    app = Flask("load", instance_path=instance or os.environ["STORMPATH_INSTANCE_PATH"])
    app.config.update(SECRET_KEY="of this benchmark alone, and long enough for it", STORMPATH_COOKIE_SECURE=False)
    app.config.update(MAIL_SUPPRESS_SEND=True, MAIL_DEFAULT_SENDER="load@falcon.example")  # rendered, and sent nowhere
    app.config.update(STORMPATH_ENABLE_FORGOT_PASSWORD=True, STORMPATH_HASH_CONCURRENCY=1)
    app.config.from_prefixed_env()
    app.config.from_mapping(settings)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    StormpathManager(app)

    def greet() -> str:
        return f"Hello {user.email}."

    app.add_url_rule("/private", "private", login_required(greet))
    app.add_url_rule("/group", "group", groups_required([GROUP])(greet))
    return app
