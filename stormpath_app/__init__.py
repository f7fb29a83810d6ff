"""User accounts for Flask: Stormpath's words, on the app's own database."""

from .authentication import login_fresh, login_user, logout_user, user
from .authorization import fresh_login_required, groups_required, login_required
from .errors import StormpathError
from .manager import StormpathManager
from .models import Account, Account as User, Application, Directory, Group

current_user = user

__all__ = [
    "Account",
    "Application",
    "Directory",
    "Group",
    "StormpathError",
    "StormpathManager",
    "User",
    "current_user",
    "fresh_login_required",
    "groups_required",
    "login_fresh",
    "login_required",
    "login_user",
    "logout_user",
    "user",
]
