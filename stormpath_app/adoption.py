"""The API key pair of the settings, which an old app brings along, and the tenant's keys."""

from collections.abc import Iterator

from . import credentials
from .models import ApiKey, Tenant
from .settings import Problem


def adopt_api_key() -> None:
    """Let the API key pair of the settings, which an old app brings along, be the tenant's, where it has none yet."""
    tenant = Tenant.current()
    try:
        pair = credentials.find()
    except credentials.Unusable:  # `check` says why
        return
    if pair and not len(tenant.api_keys) and ApiKey.find(pair.id) is None:
        ApiKey.adopt(pair.id, pair.secret, tenant_id=tenant.id, name="From the settings")


def known_api_key() -> ApiKey | None:
    """Return the key of the tenant's that the settings name; None where they name none, or another one."""
    try:
        pair = credentials.find()
    except credentials.Unusable:
        return None
    known = Tenant.current().api_keys.get_key(pair.id) if pair else None
    return known if pair and known and known.has_secret(pair.secret) else None


def check() -> Iterator[Problem]:
    """Tell of a pair in the settings that opens nothing."""
    try:
        pair = credentials.find()
    except credentials.Unusable:
        return
    tenant = Tenant.first()
    if not pair or not tenant:
        return
    known = known_api_key()
    if known and not known.is_enabled:
        yield Problem(f"The API key {pair.id} of the settings is DISABLED.", "warning")
    elif not known:
        mend = "`flask stormpath init` makes it one"
        if len(tenant.api_keys):
            mend = "take it away, or name one that `flask stormpath create-api-key` made"
        yield Problem(f"The API key {pair.id} of the settings is not one of the tenant's: {mend}.", "warning")
