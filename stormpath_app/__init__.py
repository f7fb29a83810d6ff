"""User accounts for Flask: Stormpath's words, on the app's own database."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

if not TYPE_CHECKING:  # a checker would let every name pass

    def __getattr__(name: str) -> Any:
        """Import what is asked for, when it is: `testing` is loaded by every pytest that finds this package."""
        wanted = "Account" if name == "User" else name
        for home in ("errors", "models", "authentication", "authorization", "manager") if name in __all__ else ():
            module = import_module(f".{home}", __name__)
            if hasattr(module, wanted):
                globals()[name] = getattr(module, wanted)
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
