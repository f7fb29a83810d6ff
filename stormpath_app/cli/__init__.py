"""The commands: `python manage.py X`, and `flask stormpath X` in a host app. One module for each subject."""

from . import (  # noqa: F401 - each adds its commands
    accounts,
    administrators,
    api_keys,
    applications,
    cache,
    doctor,
    groups,
    installation,
    links,
    listing,
    mail,
    mail_preview,
    policies,
    prune,
    restoration,
    workflows,
)
from .command import stormpath_commands

__all__ = ["stormpath_commands"]
