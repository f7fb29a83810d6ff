"""The providers of the settings: STORMPATH_SOCIAL, read and checked. No sentence shows a value: it may be a secret."""

import difflib
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from ..errors import NotReady
from ..settings import Problem, settings
from .base import KINDS, PROVIDER_ID, STORMPATH, Config, Provider
from .openid_connect import is_safe

#: What the settings of old call a key, or what is shorter.
_SHORT = {"app_id": "client_id", "app_secret": "client_secret", "hd": "hosted_domain", "register": "may_register"}
#: Keys that any kind may have.
_COMMON = ("kind", "name", "scopes", "may_register")
_ADDRESSES = frozenset({"issuer", "authorization_endpoint", "token_endpoint", "resource_endpoint"})
#: Providers that a setting of their own switches on.
_SWITCHES = ("GOOGLE", "FACEBOOK")

_INSTALL = "Install them with `pip install 'stormpath-app[social]'`."


def make(config: Config) -> Provider:
    """Return the provider of a configuration.

    :raises NotReady: its kind is not known here, or Authlib is not installed.
    """
    kind = KINDS.get(config.kind)
    if kind is None:
        raise NotReady([f"There is no kind of provider {config.kind!r}: add it with providers.add_kind."])
    if not is_installed():
        raise NotReady([f"Logging in with {config.name} needs the libraries Authlib and requests. {_INSTALL}"])
    return kind(config)


def is_installed() -> bool:
    """Tell whether the libraries are there that providers are asked with."""
    return all(find_spec(name) for name in ("authlib", "joserfc", "requests"))


def configured() -> dict[str, Config]:
    """Return the providers of the settings by their ids, as they are written: those that are switched on, and right."""
    return {
        key.lower(): _config(key.lower(), _kind(key, given), _long(given))
        for key, given in settings.SOCIAL.items()
        if not _is_off(key) and not any(_wrong(key, given))
    }


def check() -> Iterator[Problem]:
    """Yield what is wrong with the providers of the settings."""
    if not isinstance(settings.SOCIAL, dict):  # which the check of its type tells
        return
    for key, given in settings.SOCIAL.items():
        if _is_off(key):
            yield Problem(f"STORMPATH_SOCIAL has {key!r}, and STORMPATH_ENABLE_{key.upper()} is off.", "note")
        else:
            yield from map(Problem, _wrong(key, given))
    ids = [str(key).lower() for key in settings.SOCIAL]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield Problem(f"STORMPATH_SOCIAL has {name!r} twice: capital letters do not count.")
    for name in _SWITCHES:
        if getattr(settings, f"ENABLE_{name}") and name.lower() not in ids:
            yield Problem(f"STORMPATH_ENABLE_{name} is on, and STORMPATH_SOCIAL has no {name!r}.")
    if configured() and not is_installed():
        yield Problem(f"STORMPATH_SOCIAL needs the libraries Authlib and requests. {_INSTALL}")


def _is_off(key: Any) -> bool:
    return str(key).upper() in _SWITCHES and not getattr(settings, f"ENABLE_{key.upper()}")


def _wrong(key: Any, given: Any) -> Iterator[str]:
    """Yield a sentence for each mistake in one entry."""
    where = f"STORMPATH_SOCIAL[{key!r}]"
    if not isinstance(key, str) or not PROVIDER_ID.fullmatch(key.lower()) or key.lower() == STORMPATH:
        yield f"{where}: a provider's name is of letters, digits and hyphens, 50 at most, and not 'stormpath'."
    elif not isinstance(given, dict):
        yield f"{where} is of type {type(given).__name__}; it must be a dictionary, such as {{'client_id': '…'}}."
    elif (kind := KINDS.get(_kind(key, given))) is None:
        kinds = ", ".join(sorted(KINDS))
        if "kind" in given:
            yield f"{where}['kind'] must be one of {kinds}."
        else:
            yield f"{where} needs an 'issuer' (OpenID Connect), or a 'kind': one of {kinds}."
    else:
        known = {*kind.required, *kind.optional, *_COMMON}
        for name in kind.required:
            if _long(given).get(name) in (None, ""):
                yield f"{where} needs {_spelt(name, key)!r}."
        for name, value in given.items():
            long = _SHORT.get(name, str(name))
            if long not in known:
                yield f"{where} has no use for {name!r}.{_hint(long, known)}"
            elif value not in (None, "") and (must := _must(long, value)):
                yield f"{where}[{name!r}] must be {must}."


def _must(name: str, value: Any) -> str | None:
    """Return what a value must be, where it is not."""
    if name == "may_register":
        return None if isinstance(value, bool) else "True or False"
    if name == "scopes":
        is_list = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return None if is_list or isinstance(value, str) else "text, or a list of texts"
    if not isinstance(value, str):
        return "text"
    if name in _ADDRESSES and not is_safe(value):
        return "an https address; http is for this machine alone"
    return None


def _kind(key: str, given: Mapping[str, Any]) -> str:
    if "kind" in given:
        return str(given["kind"])
    if key.lower() in KINDS:
        return key.lower()
    return "oidc" if "issuer" in given else "oauth2" if "authorization_endpoint" in given else ""


def _long(given: Mapping[Any, Any]) -> dict[str, Any]:
    return {_SHORT.get(name, str(name)): value for name, value in given.items()}


def _spelt(name: str, key: str) -> str:
    """Return the key as Facebook's is written, and everybody's."""
    short = {long: short for short, long in _SHORT.items()}
    return short[name] if key.lower() == "facebook" and name in {"client_id", "client_secret"} else name


def _hint(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, {*known, *_SHORT}, n=1)
    return f" Did you mean {close[0]!r}?" if close else f" It takes {', '.join(sorted(known))}."


def _config(provider_id: str, kind: str, values: dict[str, Any]) -> Config:
    given = {name: value for name, value in values.items() if value not in (None, "") and name != "kind"}
    scopes = given.pop("scopes", ())
    return Config(
        provider_id,
        kind,
        scopes=tuple(re.split(r"[\s,]+", scopes)) if isinstance(scopes, str) else tuple(scopes),
        **given,
    )
