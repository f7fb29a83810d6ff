"""The first page of the console."""

from flask.typing import ResponseReturnValue
from flask_admin import expose

from ..models.administration import VIEWER
from .base import ConsoleView
from .gate import needs


class HomeView(ConsoleView):
    """How the site is."""

    icon = "home"

    @expose("/")
    @needs(VIEWER)
    def index(self) -> ResponseReturnValue:
        """Show it."""
        return self.render("stormpath_admin/home.html")
