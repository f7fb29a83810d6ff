"""Every setting, its default and what it is for. `docs/settings.md` shows this table, and a test keeps the two equal.

In `app.config` each name has the prefix `STORMPATH_`. URLs and ENABLE_<view> are read when the blueprint is
registered, all others when they are used.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from os import PathLike
from typing import Any, Literal
from urllib.parse import urlsplit

from . import current

PREFIX = "STORMPATH_"
_CENTURY = timedelta(days=36525).total_seconds()  # what is longer can run past the end of the calendar


#: What THROTTLE holds where it names nothing else; `throttle.Limits` says what each is.
THROTTLE = {
    "free_failures": 5,
    "longest_wait": timedelta(minutes=15),
    "hard_stop": 100,
    "network_failures": 100,
    "network_window": timedelta(minutes=15),
}


@dataclass(frozen=True)
class Setting:
    """One row of the table. `kind`: what a value may be, as told to whoever gets it wrong."""

    name: str
    default: Any
    kind: str
    help: str


SETTINGS = (
    Setting("APPLICATION", "My Application", "text", "The name of the application (in Stormpath's sense) this app is."),
    Setting(
        "DATABASE_URI", None, "text or None", "Where the accounts live; None: `stormpath.db` in the instance folder."
    ),
    Setting("BASE_URL", None, "URL or None", "The public address of the site, for links and hrefs."),
    Setting("REDIRECT_URL", "/", "text", "Where people go after they log in or register."),
    Setting(
        "REGISTRATION_REDIRECT_URL", None, "text or None", "Where they go after they register; None: REDIRECT_URL."
    ),
    Setting("VERIFY_EMAIL", False, "bool", "Whether people must confirm their address, in the directory of set-up."),
    Setting("ENABLE_FORGOT_PASSWORD", False, "bool", "Whether people can ask for a new password by mail."),
    Setting("FORGOT_PASSWORD_URL", "/forgot", "path", "Where they ask."),
    Setting("FORGOT_PASSWORD_CHANGE_URL", "/forgot/change", "path", "Where the mail's link leads."),
    Setting("VERIFY_URL", "/verify", "path", "Where the link leads that confirms an address."),
    Setting("RESET_AUTOLOGIN", True, "bool", "Whether who has set a new password by mail is logged in."),
    Setting("FORGOT_PASSWORD_TEMPLATE", "flask_stormpath/forgot.html", "text", "The page that asks for the address."),
    Setting(
        "FORGOT_PASSWORD_EMAIL_SENT_TEMPLATE",
        "flask_stormpath/forgot_email_sent.html",
        "text",
        "The page that says a mail was sent.",
    ),
    Setting(
        "FORGOT_PASSWORD_CHANGE_TEMPLATE",
        "flask_stormpath/forgot_change.html",
        "text",
        "The page for the new password.",
    ),
    Setting(
        "FORGOT_PASSWORD_COMPLETE_TEMPLATE",
        "flask_stormpath/forgot_complete.html",
        "text",
        "The page that says it was changed.",
    ),
    Setting("VERIFY_TEMPLATE", "flask_stormpath/verify.html", "text", "The page that confirms an address."),
    Setting(
        "VERIFY_EMAIL_SENT_TEMPLATE",
        "flask_stormpath/verify_email_sent.html",
        "text",
        "The page that says a mail was sent which confirms an address.",
    ),
    Setting(
        "MAIL_DELIVERY",
        "thread",
        "delivery",
        'Who sends mails: a thread of the app, `flask stormpath mail send` ("command"), or a function for ids.',
    ),
    Setting(
        "MAIL_QUOTA",
        {"hour": 3, "day": 10},
        "quota",
        "How many mails of one kind an address gets, where strangers can ask for them.",
    ),
    Setting(
        "MESSAGE_RETENTION", timedelta(days=30), "duration", "How long it is kept which mails were sent, and which not."
    ),
    Setting(
        "EVENT_RETENTION", timedelta(days=365), "duration", "How long the log is kept; `flask stormpath prune` forgets."
    ),
    Setting("ENABLE_SETTINGS", False, "bool", "Whether people have a page for their own account."),
    Setting("SETTINGS_URL", "/settings", "path", "Its path."),
    Setting("SETTINGS_TEMPLATE", "flask_stormpath/settings.html", "text", "The page for one's own account."),
    Setting("ENABLE_REGISTRATION", True, "bool", "Whether there is a registration page."),
    Setting("ENABLE_LOGIN", True, "bool", "Whether there is a login page."),
    Setting("ENABLE_LOGOUT", True, "bool", "Whether there is a logout page."),
    Setting("REGISTRATION_URL", "/register", "path", "Its path."),
    Setting("LOGIN_URL", "/login", "path", "Its path."),
    Setting("LOGOUT_URL", "/logout", "path", "Its path."),
    Setting("NEW_PASSWORD_URL", "/login/password", "path", "Where people choose another password who must, to log in."),
    Setting("ENABLE_GOOGLE", False, "bool", "Whether people can log in with Google."),
    Setting("ENABLE_FACEBOOK", False, "bool", "Whether people can log in with Facebook."),
    Setting("GOOGLE_LOGIN_URL", "/google", "path", "Where they go to Google, and come back."),
    Setting("FACEBOOK_LOGIN_URL", "/facebook", "path", "Where they go to Facebook, and come back."),
    Setting("SOCIAL_LOGIN_URL", "/social", "path", "The other providers are below it: `/social/github`."),
    Setting("LINK_ACCOUNT_URL", "/login/link", "path", "Where people link a provider to the account that they have."),
    Setting(
        "SOCIAL",
        {},
        "social",
        "The providers that people can log in with, and what each knows this site by: `{'GOOGLE': {'client_id': …}}`.",
    ),
    Setting("KEEP_PROVIDER_TOKENS", False, "bool", "Whether the tokens of providers are kept, encrypted."),
    Setting(
        "HTTP_PROXY",
        None,
        "proxy or None",
        "The proxy that providers are asked through; None: that of the environment (`HTTPS_PROXY`), if any.",
    ),
    Setting("HTTP_TIMEOUT", timedelta(seconds=5), "duration", "How long an answer of a provider may take, as a whole."),
    Setting(
        "BASE_TEMPLATE", "flask_stormpath/base.html", "text", "What our pages extend: blocks `title`, `head`, `body`."
    ),
    Setting("REGISTRATION_TEMPLATE", "flask_stormpath/register.html", "text", "The registration page."),
    Setting("LOGIN_TEMPLATE", "flask_stormpath/login.html", "text", "The login page."),
    Setting("NEW_PASSWORD_TEMPLATE", "flask_stormpath/new_password.html", "text", "The page for another password."),
    Setting(
        "LINK_ACCOUNT_TEMPLATE",
        "flask_stormpath/link_account.html",
        "text",
        "The page that links a provider to an account.",
    ),
    Setting("ENABLE_USERNAME", False, "bool", "Whether people may choose a username and log in with it."),
    Setting("ENABLE_GIVEN_NAME", True, "bool", "Whether the first name is asked for; if not, it is 'Anonymous'."),
    Setting("ENABLE_MIDDLE_NAME", True, "bool", "Whether the middle name is asked for."),
    Setting("ENABLE_SURNAME", True, "bool", "Whether the last name is asked for; if not, it is 'Anonymous'."),
    Setting("REQUIRE_USERNAME", True, "bool", "Whether a username must be chosen, where it may be."),
    Setting("REQUIRE_GIVEN_NAME", True, "bool", "Whether the first name must be given."),
    Setting("REQUIRE_MIDDLE_NAME", False, "bool", "Whether the middle name must be given."),
    Setting("REQUIRE_SURNAME", True, "bool", "Whether the last name must be given."),
    Setting(
        "LOGOUT_REQUIRES_POST", False, "bool", "Whether a GET of the logout page asks first instead of logging out."
    ),
    Setting("COOKIE_DURATION", timedelta(days=365), "duration", "How long a login lasts without activity."),
    Setting("SESSION_LIFETIME", timedelta(days=365), "duration", "How long a login lasts at most."),
    Setting(
        "FRESH_FOR",
        timedelta(minutes=15),
        "duration",
        "How long after giving the password a person may do what needs it fresh.",
    ),
    Setting("COOKIE_DOMAIN", None, "text or None", "The domain of the login cookies; None: this host alone."),
    Setting(
        "COOKIE_SECURE",
        None,
        "bool or None",
        "Whether login cookies travel over https alone; None: yes, but in debug or with a BASE_URL that is http on this"
        " machine.",
    ),
    Setting(
        "CONTENT_SECURITY_POLICY",
        None,
        "text or None",
        "The Content-Security-Policy of our pages; None: the strictest they work with.",
    ),
    Setting(
        "BCRYPT_COST", 12, "cost", "The cost of a password hash, 10 to 14; each step doubles it (4 to 9 in tests)."
    ),
    Setting(
        "HASH_CONCURRENCY",
        None,
        "number or None",
        "How many passwords a process hashes at once; None: as many as it may use cores.",
    ),
    Setting(
        "THROTTLE",
        THROTTLE,
        "throttle",
        "How many wrong passwords are too many; a dictionary changes what it names, False is no limit.",
    ),
    Setting(
        "CACHE",
        None,
        "cache",
        "Where what was read is kept; None: in memory on SQLite, False: nowhere. A dictionary has `store` and more.",
    ),
    Setting(
        "ENCRYPTION_KEYS",
        [],
        "keys",
        "The keys that custom data is stored encrypted with: the first writes, all read; []: it is stored as it is.",
    ),
    Setting(
        "API_KEY_FILE",
        None,
        "file or None",
        "A file with an API key pair, `apiKey.properties`; `flask stormpath init` makes it the tenant's key.",
    ),
    Setting("API_KEY_ID", None, "credential or None", "The id of that key, where no file is named."),
    Setting("API_KEY_SECRET", None, "credential or None", "Its secret."),
    Setting("ADMIN_URL", "/admin", "path or None", "Where the console is; None: there is none."),
    Setting("ADMIN_NAME", None, "text or None", "Its name, on every page of it; None: that of the application."),
    Setting("ADMIN_COLOR", None, "colour or None", "The colour of its buttons and links, such as '#10b981'."),
    Setting("ADMIN_IDLE", timedelta(minutes=15), "duration", "How long a login to the console lasts without activity."),
    Setting("ADMIN_LIFETIME", timedelta(hours=12), "duration", "How long it lasts at most."),
    Setting(
        "ADMIN_MAY_SET_PASSWORD",
        False,
        "bool",
        "Whether an administrator may choose another person's password, who must then change it.",
    ),
    Setting(
        "HEALTH_URL", None, "path or None", "Where a load balancer asks whether this server can serve; None: nowhere."
    ),
    Setting("METRICS_URL", None, "path or None", "Where Prometheus finds numbers; None: nowhere."),
    Setting("METRICS_TOKEN", None, "credential or None", "What it must show there, as a bearer token."),
    Setting("PROXY_COUNT", 0, "count", "How many proxies stand before the runnable site (`create_app`)."),
)

#: Settings of Flask-Stormpath that this version reads nothing from, and why.
NOT_YET = {
    **dict.fromkeys(
        ("ENABLE_EMAIL", "ENABLE_PASSWORD", "REQUIRE_EMAIL", "REQUIRE_PASSWORD"),
        "has no effect: an account always has an e-mail address and a password",
    ),
}

#: What must not change once the blueprint is registered.
AT_REGISTRATION = (
    "ENABLE_REGISTRATION",
    "ENABLE_LOGIN",
    "ENABLE_LOGOUT",
    "REGISTRATION_URL",
    "LOGIN_URL",
    "LOGOUT_URL",
    "ENABLE_FORGOT_PASSWORD",
    "FORGOT_PASSWORD_URL",
    "FORGOT_PASSWORD_CHANGE_URL",
    "VERIFY_URL",
    "NEW_PASSWORD_URL",
    "ENABLE_GOOGLE",
    "ENABLE_FACEBOOK",
    "GOOGLE_LOGIN_URL",
    "FACEBOOK_LOGIN_URL",
    "SOCIAL_LOGIN_URL",
    "LINK_ACCOUNT_URL",
    "ENABLE_SETTINGS",
    "SETTINGS_URL",
    "ADMIN_URL",
    "HEALTH_URL",
    "METRICS_URL",
)

#: Kinds of settings whose values nobody is shown.
SECRET_KINDS = frozenset({"credential or None", "keys", "social", "proxy or None", "cache"})

_DEFAULTS = {row.name: row.default for row in SETTINGS}
_DURATIONS = frozenset(row.name for row in SETTINGS if row.kind == "duration")


class _Settings:
    """The settings of the current app: `settings.LOGIN_URL` is `app.config["STORMPATH_LOGIN_URL"]` at this moment."""

    def __getattr__(self, name: str) -> Any:
        try:
            value = current.app().config[PREFIX + name]
        except KeyError:
            raise AttributeError(f"no setting {PREFIX}{name}") from None
        return duration(value) if name in _DURATIONS else value


settings = _Settings()


def duration(value: Any) -> Any:
    """Return a duration as a timedelta; it may be written as a number of seconds."""
    return timedelta(seconds=value) if isinstance(value, int | float) else value


Level = Literal["error", "outage", "warning", "deploy", "note"]


@dataclass(frozen=True)
class Problem:
    """What `check()` found.

    An "error" stops the app; so does an "outage", which may pass by itself. A "warning" is logged and fails
    `check --deploy`; "deploy" is one that only it tells; a "note" is told.
    """

    sentence: str
    level: Level = "error"


def set_defaults(config: dict[str, Any]) -> None:
    """Write the default of each setting that is not there into `config`, where templates read them too."""
    for row in SETTINGS:
        config.setdefault(PREFIX + row.name, copy(row.default))  # a dictionary is not for two apps


def registered(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a blueprint registered now is built from."""
    return {name: config[PREFIX + name] for name in AT_REGISTRATION}


def check(config: Mapping[str, Any], at_registration: Mapping[str, Any]) -> list[Problem]:
    """Return a problem for each setting that is misspelt, of the wrong kind, or changed too late."""
    return [*_unknown(config), *_wrong(config), *_too_late(config, at_registration)]


def _unknown(config: Mapping[str, Any]) -> Iterator[Problem]:
    for name in (name.removeprefix(PREFIX) for name in config if name.startswith(PREFIX)):
        if name in NOT_YET:
            if not config[PREFIX + name]:
                continue
            yield Problem(f"{PREFIX}{name} {NOT_YET[name]}.", "note")
        elif name not in _DEFAULTS:
            yield Problem(f"There is no setting {PREFIX}{name}.{closest(name, _DEFAULTS, PREFIX)}")


def closest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return a sentence with the known name that a misspelt one may mean."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {prefix}{close[0]}?" if close else " docs/settings.md lists those there are."


def _wrong(config: Mapping[str, Any]) -> Iterator[Problem]:
    for row in SETTINGS:
        value = config[PREFIX + row.name]
        if not _is(row.kind, value, config):
            told = "10 to 14 (4 to 9 only with TESTING)" if row.kind == "cost" else _TOLD[row.kind]
            shown = type(value).__name__ if row.kind in SECRET_KINDS else repr(value)
            yield Problem(f"{PREFIX}{row.name} is {shown}; it must be {told}.")
        elif row.kind == "throttle" and value:
            yield from _wrong_inside(row.name, value, config)


def _wrong_inside(name: str, given: Mapping[Any, Any], config: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the entries of a dictionary like THROTTLE."""
    for key, value in given.items():
        if key not in THROTTLE:
            yield Problem(f"{PREFIX}{name} has no {key!r}.{closest(str(key), THROTTLE)}")
            continue
        kind = "duration" if isinstance(THROTTLE[key], timedelta) else "number"
        if not _is(kind, value, config):
            yield Problem(f"{PREFIX}{name}[{key!r}] is {value!r}; it must be {_TOLD[kind]}.")


def _too_late(config: Mapping[str, Any], at_registration: Mapping[str, Any]) -> Iterator[Problem]:
    for name, before in at_registration.items():
        if config[PREFIX + name] != before:
            yield Problem(
                f"{PREFIX}{name} was changed to {config[PREFIX + name]!r} after the pages were registered;"
                " set it before StormpathManager(app) or init_app(app)."
            )


_TOLD = {
    "text": "text",
    "text or None": "text, or None",
    "path": "a path that begins with a slash, such as '/login'",
    "path or None": "a path that begins with a slash, such as '/admin', or None",
    "colour or None": "a colour such as '#10b981', or None",
    "URL or None": "an http or https address without a slash at its end, such as 'https://www.example.com', or None",
    "bool": "True or False",
    "bool or None": "True, False or None",
    "duration": "a positive datetime.timedelta, such as timedelta(days=30), or a number of seconds; a century at most",
    "count": "a whole number, 0 or more",
    "number": "a whole number, 1 or more",
    "number or None": "a whole number, 1 or more, or None",
    "file or None": "the path of a file, or None",
    "credential or None": "text, or None",
    "throttle": "a dictionary of what it changes, or False",
    "cache": "a dictionary such as {'store': RedisStore, 'store_opts': {'host': 'localhost'}}, None or False",
    "social": "a dictionary with one for each provider, such as {'GOOGLE': {'client_id': '…', 'client_secret': '…'}}",
    "proxy or None": "an http or https address, such as 'http://proxy.example.com:3128', or None",
    "delivery": "'thread', 'command', or a function that takes the id of a mail",
    "quota": "a dictionary with whole numbers for 'hour' and 'day', or one of them",
}


#: Any value of these will do. Of a credential an empty text too, as of an environment variable that holds nothing.
#: The keys of encryption are looked at by `encryption`, which shows none.
#: What is in a dictionary of providers, `providers` looks at.
_TYPES: dict[str, Any] = {"bool": bool, "file": str | PathLike, "credential": str, "keys": object, "social": dict}


def _is(kind: str, value: Any, config: Mapping[str, Any]) -> bool:
    if kind.endswith(" or None"):
        return value is None or _is(kind.removesuffix(" or None"), value, config)
    if kind in _TYPES:
        return isinstance(value, _TYPES[kind])
    if kind in _TEXTS:
        return isinstance(value, str) and _TEXTS[kind](value)
    match kind:
        case "duration":
            seconds = value.total_seconds() if isinstance(value, timedelta) else value
            return not isinstance(value, bool) and isinstance(seconds, int | float) and 0 < seconds <= _CENTURY
        case "count" | "number":
            return isinstance(value, int) and not isinstance(value, bool) and value >= (kind == "number")
        case "cache":
            return value is None or value is False or isinstance(value, dict)
        case "throttle":
            return value is False or isinstance(value, dict)
        case "delivery":
            return value in ("thread", "command") or callable(value)
        case "quota":
            return isinstance(value, dict) and _is_quota(value, config)
        case "cost":
            return isinstance(value, int) and (4 if config.get("TESTING") else 10) <= value <= 14
        case _:
            raise AssertionError(kind)


def _is_path(value: str) -> bool:
    return value.startswith("/") and not value.startswith("//")


def _is_colour(value: str) -> bool:
    return re.fullmatch("#(?:[0-9a-fA-F]{3}){1,2}", value) is not None


def _is_quota(value: Mapping[Any, Any], config: Mapping[str, Any]) -> bool:
    return all(unit in {"hour", "day"} and _is("count", most, config) for unit, most in value.items())


def _is_base_url(value: str) -> bool:
    return _is_web_address(value) and value[-1] != "/"


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that are none
        return False


#: What a text of a kind must look like.
_TEXTS: dict[str, Callable[[str], bool]] = {
    "text": bool,
    "path": _is_path,
    "URL": _is_base_url,
    "proxy": _is_web_address,
    "colour": _is_colour,
}
