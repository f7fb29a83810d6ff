"""Logging in with other sites: Google, Facebook, GitHub, OpenID Connect and OAuth 2 providers, and a host's own.

It says who somebody is, and nothing of accounts. Every failure of the other side is a ProviderRefused or a
ProviderUnavailable.
"""

from .base import KINDS, PROVIDER_ID, STORMPATH, Config, Identity, Provider, add_kind
from .configuration import check, configured, is_installed, make
from .facebook import Facebook
from .github import GitHub
from .google import Google
from .oauth2 import OAuth2
from .openid_connect import OpenIdConnect, is_safe

__all__ = [
    "KINDS",
    "PROVIDER_ID",
    "STORMPATH",
    "Config",
    "Facebook",
    "GitHub",
    "Google",
    "Identity",
    "OAuth2",
    "OpenIdConnect",
    "Provider",
    "add_kind",
    "check",
    "configured",
    "is_installed",
    "is_safe",
    "make",
]
