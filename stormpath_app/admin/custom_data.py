"""Custom data, of whatever has some: as a tree, and as JSON to be edited.

Who saves has looked at a state of each key. A key that somebody else changed meanwhile is told, and not replaced; what
was typed stays there to be saved once more.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import HiddenField, TextAreaField

from ..database import session
from ..errors import CustomDataLocked, StormpathError
from ..models.administration import VIEWER
from ..models.custom_data_holder import CustomDataHolder
from ..models.custom_data_text import dump, is_unicode
from ..pages import tell, was_sent
from ..translation import gettext as _, mark
from .base import ConsoleForm, ResourceView
from .gate import needs

#: So many bytes are shown and edited as a whole; of more, one key at a time, up to so many.
_MOST_AT_ONCE, _MOST_OF_ONE = 32 * 1024, 256 * 1024
#: So many keys are listed.
_MOST_KEYS = 500


class CustomDataForm(ConsoleForm):
    """JSON, and what was there when it was opened: a digest for each key."""

    text = TextAreaField(mark("JSON"))
    opened = HiddenField()


class Wrong(Exception):
    """What was typed is no JSON object. Its text says where."""


class Merged(NamedTuple):
    """What is to be written. `conflicts`: keys that somebody else changed, too."""

    values: dict[str, Any]
    removed: list[str]
    conflicts: list[str]


class CustomDataPages(ResourceView):
    """The page with the custom data of one: who may change it may save that, too."""

    @expose("/<id>/custom-data", methods=("GET", "POST"))
    @needs(VIEWER)
    def custom_data(self, id: str) -> ResponseReturnValue:
        """Show it, or save it."""
        if was_sent() and not self.may_change():
            abort(403)
        resource: CustomDataHolder = self.get_one(id)
        sizes = _sizes(resource)
        key = request.args.get("key")
        if key is not None and (sizes.get(key) is None or sizes[key] > _MOST_OF_ONE):
            abort(404)
        is_shown = key is not None or sum(sizes.values()) <= _MOST_AT_ONCE
        shown = ([key] if key is not None else list(sizes)) if is_shown else []
        form = CustomDataForm()
        try:
            tree = {name: resource.custom_data[name] for name in shown if name in resource.custom_data}
        except CustomDataLocked as error:
            flash(error.developer_message, "error")
            is_shown, tree = False, {}
        if was_sent():
            if not is_shown:
                abort(400)
            if _save(resource, form, key):
                flash(_("The custom data was saved."), "success")
                return redirect(url_for(".custom_data", id=resource.id, key=key), 303)
        elif is_shown:
            form.text.data = _pretty(tree)
            form.opened.data = json.dumps(_digests(resource, shown))
        return self.custom_data_page(
            resource,
            form=form,
            sizes=dict(list(sizes.items())[:_MOST_KEYS]),
            total=sum(sizes.values()),
            most_of_one=_MOST_OF_ONE,
            only=key,
            is_shown=is_shown,
            tree=tree,
        )

    def custom_data_page(self, resource: Any, **shown: Any) -> str:
        """Render the page, in the frame of this kind of resource."""
        return self.render("stormpath_admin/custom_data.html", resource=resource, **shown)


def _sizes(resource: CustomDataHolder) -> dict[str, int]:
    """Return the keys that are stored, and how many bytes each is."""
    rows = resource.custom_data_table.c
    found = sa.select(rows.key, rows.size).where(rows.owner_id == resource.id, rows.key != "").order_by(rows.key)
    return {key: size for key, size in session.execute(found)}  # noqa: C416 - a row is no pair for `dict`


def _save(resource: CustomDataHolder, form: CustomDataForm, only: str | None) -> bool:
    """Save what was typed; False: it is refused, which was told."""
    try:
        typed = _read(form.text.data or "")
        merged = _merge(resource, typed, _read(form.opened.data or "{}"), only)
    except Wrong as wrong:
        tell(form, "text", str(wrong))
        return False
    except StormpathError as error:
        tell(form, "text", error.message)
        return False
    if merged.conflicts:
        for key in merged.conflicts:
            now = _pretty(resource.custom_data[key]) if key in resource.custom_data else _("gone")
            told = _("Somebody else changed “%(key)s” since you opened it. It is now: %(value)s", key=key, value=now)
            tell(form, "text", told[:_LONGEST_TOLD])
        shown = [only] if only is not None else [*resource.custom_data]
        form.opened.raw_data, form.opened.data = None, json.dumps(_digests(resource, shown))
        return False
    try:
        for key in merged.removed:
            del resource.custom_data[key]
        resource.custom_data.update(merged.values)
        resource.custom_data.save()
    except StormpathError as error:
        resource.custom_data.refresh()
        tell(form, "text", error.message)
        return False
    return True


_LONGEST_TOLD = 500


def _merge(resource: CustomDataHolder, typed: Mapping[str, Any], opened: Mapping[str, Any], only: str | None) -> Merged:
    """Compare what was opened, what is there now and what was typed, key by key."""
    if only is not None and set(typed) - {only}:
        raise Wrong(_("Here is one key alone: “%(key)s”.", key=only))
    now = {key: _digest(dump(resource.thing, key, value)) for key, value in resource.custom_data.items()}
    wanted = {key: _digest(dump(resource.thing, key, value)) for key, value in typed.items()}
    changed = [key for key in sorted(opened.keys() | wanted.keys()) if opened.get(key) != wanted.get(key)]
    todo = [key for key in changed if wanted.get(key) != now.get(key)]
    return Merged(
        values={key: typed[key] for key in todo if key in typed},
        removed=[key for key in todo if key not in typed],
        conflicts=[key for key in todo if now.get(key) != opened.get(key)],
    )


def _read(text: str) -> dict[str, Any]:
    """Return a JSON object.

    :raises Wrong: it is none, or has a key twice, or one that nobody could read.
    """
    try:
        found = json.loads(text or "{}", object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        raise Wrong(_("This is no JSON: line %(line)s, column %(column)s: %(why)s.", **place, why=error.msg)) from error
    except (ValueError, RecursionError) as error:  # a number too long to be read, or brackets without end
        raise Wrong(_("This is no JSON that can be kept.")) from error
    if not isinstance(found, dict):
        raise Wrong(_("Custom data is a JSON object: it begins with { and ends with }."))
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if not is_unicode(key):  # half of a surrogate pair: no page could tell of it
            raise Wrong(_("This is no JSON that can be kept."))
        if key in found:
            raise Wrong(_("“%(key)s” is there twice: one of the two would be lost.", key=key))
        found[key] = value
    return found


def _digests(resource: CustomDataHolder, keys: list[str]) -> dict[str, str]:
    return {
        key: _digest(dump(resource.thing, key, resource.custom_data[key]))
        for key in keys
        if key in resource.custom_data
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
