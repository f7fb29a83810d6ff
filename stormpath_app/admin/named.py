"""What the screens of named things have alike: groups, directories, applications and API keys."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired

from ..models import DISABLED, ENABLED
from ..translation import gettext as _, mark
from .base import ConsoleForm, Quick, ResourceView


class NamedForm(ConsoleForm):
    """What something is called and is for, and whether it is enabled."""

    name = StringField(mark("Name"), [InputRequired(mark("Give it a name."))])
    description = TextAreaField(mark("Description"))
    status = SelectField(mark("Status"), default=ENABLED)

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(known)
        self.status.choices = [(ENABLED, _("Enabled")), (DISABLED, _("Disabled"))]

    @property
    def properties(self) -> dict[str, Any]:
        """What it says, as the verbs take it; what is empty is None."""
        return {
            "name": self.name.data or None,
            "description": self.description.data or None,
            "status": self.status.data,
        }


class NamedView(ResourceView):
    """A list by name, and the form of one."""

    search_text = mark("Name or description")
    column_sortable_list: ClassVar = [("name", "name"), ("created_at", "created_at")]
    natural_sort = "name"
    quick = (
        Quick("enabled", mark("Enabled"), lambda found: found.query(status=ENABLED)),
        Quick("disabled", mark("Disabled"), lambda found: found.query(status=DISABLED)),
    )
    exported: ClassVar[tuple[str, ...]] = ("name", "description", "status")
    edit_with = NamedForm

    def known(self, resource: Any) -> dict[str, Any]:
        """Return its name, description and status."""
        return {name: getattr(resource, name) for name in ("name", "description", "status", "version")}

    def update_model(self, form: NamedForm, model: Any) -> None:
        """Save its name, description and status."""
        for name, value in form.properties.items():
            setattr(model, name, value)
        model.save()
