"""Forms that several screens have."""

from collections.abc import Mapping
from typing import Any

from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired

from ..models import DISABLED, ENABLED
from ..translation import gettext as _, mark
from .base import ConsoleForm


class StatusForm(ConsoleForm):
    """Whether something is enabled."""

    status = SelectField(mark("Status"), default=ENABLED)

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(known)
        self.status.choices = [(ENABLED, _("Enabled")), (DISABLED, _("Disabled"))]


class NamedForm(StatusForm):
    """What a group or an application is called and is for."""

    name = StringField(mark("Name"), [InputRequired(mark("Give it a name."))])
    description = TextAreaField(mark("Description"))

    @property
    def properties(self) -> dict[str, Any]:
        """What it says, as the verbs take it."""
        return {"name": self.name.data, "description": self.description.data or None, "status": self.status.data}
