"""What all pages of a directory have alike: which directories there are to see, the tabs, and the mails."""

from collections.abc import Mapping
from typing import Any

from flask import url_for

from ..errors import PropertyError, StormpathError
from ..models import ENABLED, Collection, Directory
from ..models.base import Resource
from ..models.email_template import WORKFLOWS
from ..models.unsaved import changed
from ..pages import tell
from ..transactions import atomic
from ..translation import gettext as _, mark
from . import scope
from .base import ConsoleForm, ResourceView, tell_changed
from .messages import kind_name
from .pages import MOST_COUNTED, count


class DirectoryPages(ResourceView):
    """Pages of the directories but that of the administrators."""

    def collection(self) -> Collection[Directory]:
        """Return the directories in scope."""
        return scope.directories()

    def head(self, directory: Directory, tab: str) -> dict[str, Any]:
        """Return what stands above a page of a directory: its tabs, of which this is one, and how many accounts."""
        return {"resource": directory, "tab": tab, "tabs": _tabs(directory), "accounts_count": accounts(directory)}


def accounts(directory: Directory) -> str:
    """Return how many accounts a directory has, as it is shown."""
    return count(directory.accounts.count(MOST_COUNTED))


def _tabs(directory: Directory) -> list[tuple[str, str, str, None]]:
    here = "stormpath_admin.directories"
    places = (
        ("overview", mark("Overview"), url_for(f"{here}.edit_view", id=directory.id)),
        ("accounts", mark("Accounts"), url_for("stormpath_admin.accounts.index_view", directory=directory.id)),
        ("policy", mark("Policy"), url_for(f"{here}.passwords", id=directory.id)),
        ("workflows", mark("Workflows"), url_for(f"{here}.workflows", id=directory.id)),
        ("groups", mark("Groups"), url_for("stormpath_admin.groups.index_view", directory=directory.id)),
        ("provider", mark("Provider"), url_for(f"{here}.provider", id=directory.id)),
        ("custom-data", mark("Custom data"), url_for(f"{here}.custom_data", id=directory.id)),
    )
    return [(key, _(text), url, None) for key, text, url in places]


def mails(directory: Directory) -> list[dict[str, Any]]:
    """Return its mails: `kind`, `name`, `url`, and whether it is sent (`is_on`).

    A directory of a provider has none about passwords.
    """
    return [
        {
            "kind": kind,
            "name": kind_name(kind),
            "url": url_for("stormpath_admin.directories.workflow", id=directory.id, mail=slug(kind)),
            "is_on": directory[policy][switch] == ENABLED,
        }
        for kind, (policy, switch) in WORKFLOWS.items()
        if directory.is_cloud or policy != "password_policy"
    ]


def slug(kind: str) -> str:
    """Return a kind of mail as addresses have it."""
    return kind.replace("_", "-")


# --- Forms that change several resources together ---

#: The field of a form, and the resource and attribute that it is for.
Parts = Mapping[str, tuple[Resource, str]]


def values(parts: Parts) -> dict[str, Any]:
    """Return what the fields of a form have before anything was sent, and the versions of what it changes."""
    resources = dict.fromkeys(resource for resource, _attribute in parts.values())
    found = {field: getattr(resource, attribute) for field, (resource, attribute) in parts.items()}
    return {**found, "version": ".".join(str(resource.version) for resource in resources)}


def set_from(form: ConsoleForm, parts: Parts) -> bool:
    """Set what the fields of a form have, and tell at each field what cannot be. False: something cannot."""
    for field, (resource, attribute) in parts.items():
        try:
            setattr(resource, attribute, form[field].data)
        except StormpathError as error:
            tell(form, field, error.message)
    return not form.errors


#: Letters of a long text that somebody else changed meanwhile.
_MOST_SHOWN = 100


def is_current(form: ConsoleForm, saved: Mapping[str, Any]) -> bool:
    """Tell whether nobody changed what a form is about since it was opened; if somebody did, say what it is now.

    :param saved: as `values` returned it.
    """
    now = {
        name: shown(value)[:_MOST_SHOWN]
        for name, value in saved.items()
        if name != "version" and shown(value).split() != shown(form[name].data).split()
    }
    return not tell_changed(form, saved["version"], now)


def save(parts: Parts) -> None:
    """Save what was set of them, together."""
    with atomic():
        for resource in dict.fromkeys(resource for resource, _name in parts.values()):
            if changed(resource):
                resource.save()


def tell_at(form: ConsoleForm, error: StormpathError, parts: Parts) -> None:
    """Tell what a verb said against a form, at the field of the attribute that it is about."""
    wanted = error.property if isinstance(error, PropertyError) else None
    field = next((field for field, (_resource, name) in parts.items() if wanted in {name, f"own_{name}"}), None)
    tell(form, field, error.message)


def changes(form: ConsoleForm, parts: Parts) -> list[dict[str, Any]]:
    """Return what is set and not saved: the `field`, its `label`, and the value `before` and `after`."""
    found = []
    for field, (resource, attribute) in parts.items():
        if attribute in (what := changed(resource)):
            before, after = what[attribute]
            told = {"label": form[field].label.text, "before": shown(before), "after": shown(after)}
            found.append({"field": field, **told})
    return found


def shown(value: Any) -> str:
    """Return a value of a field as people read it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, tuple | list):
        return ", ".join(value)
    return "" if value is None else str(value)
