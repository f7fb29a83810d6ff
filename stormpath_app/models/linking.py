"""What becomes of a login by a provider: whose account is logged in then."""

from typing import TYPE_CHECKING

from ..providers import Identity
from .account import Account

if TYPE_CHECKING:
    from .account_store_holder import AccountStoreHolder


def account_to_enter(_application: "AccountStoreHolder", social_account: Account, _identity: Identity) -> Account:
    """Return the account that is logged in when this one comes by its provider."""
    return social_account


def links_by_itself(_application: "AccountStoreHolder", _account: Account, _identity: Identity) -> bool:
    """Tell whether who comes for the first time is linked with the account that has their address, without a page."""
    return False
