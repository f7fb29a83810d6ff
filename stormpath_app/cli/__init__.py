"""The commands: `python manage.py X`, and `flask stormpath X` in a host app. One module for each subject."""

from . import accounts, api_keys, applications, groups, installation, listing, mail_preview, workflows  # noqa: F401 - each adds its commands
from .command import stormpath_commands

__all__ = ["stormpath_commands"]
