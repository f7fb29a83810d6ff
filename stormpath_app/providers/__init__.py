"""Logging in with other sites: Google, Facebook, GitHub, OpenID Connect and OAuth 2 providers, and a host's own.

It says who somebody is, and nothing of accounts. Every failure of the other side is a ProviderRefused or a
ProviderUnavailable.
"""

from .base import KINDS, PROVIDER_ID, STORMPATH, Config, Identity, Provider, add_kind

__all__ = ["KINDS", "PROVIDER_ID", "STORMPATH", "Config", "Identity", "Provider", "add_kind"]
