"""Flask-Admin as the console has it, wrapped once: its views and menu, and its model views over resources and verbs.

Of what Flask-Admin ships, no template, file or query is used. A `ResourceView` reads from a Collection and changes by
the resource's own verbs, so that policies, audit and signals always are part of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import Admin, BaseView, expose
from flask_admin.model import BaseModelView
from sqlalchemy.orm.exc import ObjectDeletedError
from wtforms import HiddenField

from ..database import session
from ..errors import ChangedMeanwhile, PasswordRefused, PropertyError, ResourceNotFound, StormpathError
from ..forms import Form
from ..models import Collection
from ..models.administration import MANAGER, OWNER, SUPPORT, VIEWER
from ..models.base import Resource
from ..pages import tell, tell_errors, was_sent
from ..translation import gettext as _, mark, ngettext
from . import export, scope
from .gate import ask_password, needed, needs
from .pages import MOST_COUNTED, count
from .session import administrator


class ConsoleView(BaseView):  # type: ignore[misc]
    """A page of the console, or several, at `path` below the console's address.

    `icon`: of its place in the menu; None: it has none there. `section`: the group of the menu.
    """

    path = ""
    icon: str | None = None
    section = 0
    _default_view: str | None
    #: The role that opens any of its pages: the gate asks for it beside what each view function needs.
    reads = VIEWER

    def __init__(self, name: str, endpoint: str) -> None:
        self._default_view = self._default_view or ""  # Flask-Admin wants a first page of each
        super().__init__(name, endpoint=endpoint)

    def create_blueprint(self, admin: Admin) -> Blueprint:
        """Return a blueprint with the routes alone; Flask-Admin's would serve its files too."""
        self.admin = admin
        self.blueprint = Blueprint(self.endpoint, __name__, url_prefix=self.path)
        for url, name, methods in self._urls:
            self.blueprint.add_url_rule(url, name, getattr(self, name), methods=methods)
        return self.blueprint

    def _run_view(self, fn: Callable[..., ResponseReturnValue], *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Call a view function once; Flask-Admin's calls it a second time where its own code raised a TypeError."""
        return fn(self, *args, **kwargs)

    def render(self, template: str, **context: Any) -> str:
        """Render a page; `view` is this one."""
        return render_template(template, view=self, **context)

    def is_visible(self) -> bool:
        """Tell whether it is in the menu of whoever is signed in."""
        return self.icon is not None and administrator.may(self.reads)


class ConsoleForm(Form):
    """A form of the console. The gate looked at its token; `version` tells whether what it changes is as it was."""

    class Meta:
        csrf = False

    version = HiddenField()


#: So many of what a text finds are looked at by a quick filter.
_POOL = 1000
#: So many of those to whom something could not be done are told, and letters of each name: they travel in a cookie.
_MOST_REFUSED, _LONGEST_NAME = 10, 60


class Quick(NamedTuple):
    """A quick filter: its place in the address, its name, and what it leaves of a collection."""

    key: str
    label: str
    narrow: Callable[[Collection[Any]], Collection[Any]]


class ResourceView(ConsoleView, BaseModelView):  # type: ignore[misc]
    """The list of one kind of resource, and how one is made, changed and deleted.

    Flask-Admin's own words say what is shown, `column_list`, `column_labels`, `column_sortable_list`, and what is done
    in bulk: `@action`, for one resource after the other.
    """

    #: Sentences of the page: what makes a new one, and what the search looks into.
    new_text = ""
    search_text = mark("Name")
    #: Columns that narrow pages leave out.
    wide_columns: ClassVar[frozenset[str]] = frozenset()
    #: The roles that make one, and change one.
    creates = changes = MANAGER
    page_size = 25
    page_sizes: ClassVar[tuple[int, ...]] = (10, 25, 50)
    #: The column that a list is sorted by, where nobody asks for another; "": as they were made, the newest first.
    natural_sort = ""
    quick: ClassVar[tuple[Quick, ...]] = ()
    filter_names: ClassVar[tuple[str, ...]] = ()
    #: What is done in bulk that each row offers too: its icon, and "at-once" or "ask-first".
    row_actions: ClassVar[dict[str, tuple[str, str]]] = {}
    #: Attributes of each resource that exports have, after its href.
    exported: ClassVar[tuple[str, ...]] = ()
    #: The form that one is changed by.
    edit_with: type[ConsoleForm] = ConsoleForm
    list_template = "stormpath_admin/list.html"
    create_template = "stormpath_admin/new.html"
    # Routes of Flask-Admin's that there are none of here.
    ajax_lookup = ajax_update = details_view = None

    def __init__(self, model: type[Resource], name: str, endpoint: str) -> None:
        BaseModelView.__init__(self, model, name, endpoint=endpoint)

    # --- What Flask-Admin asks its model views ---

    def get_pk_value(self, model: Resource) -> str:
        """Return the id."""
        return model.id

    def scaffold_list_columns(self) -> list[str]:
        """Return no columns of its own accord: a column is shown because somebody named it."""
        return []

    def scaffold_sortable_columns(self) -> dict[str, str]:
        """Return none, for the same reason."""
        return {}

    def init_search(self) -> bool:
        """Return whether there is a search."""
        return True

    def scaffold_form(self) -> type[Form]:
        """Return the form of nothing: each view has its own."""
        return ConsoleForm

    def get_one(self, id: str) -> Any:
        """Return the one with this id, of those the administrator may see; anything else is a 404."""
        return scope.one_of(self.collection(), self.model, id)

    def create_model(self, form: Form) -> Any:
        """Create one from a form, by the verb."""
        raise NotImplementedError

    def update_model(self, form: Form, model: Any) -> None:
        """Change one as a form says, by the verb."""
        raise NotImplementedError

    def delete_model(self, model: Any) -> None:
        """Delete one, by the verb."""
        model.delete()

    def may_create(self) -> bool:
        """Tell whether the administrator may make a new one."""
        return bool(administrator.may(self.creates))

    def may_change(self) -> bool:
        """Tell whether the administrator may change one."""
        return bool(administrator.may(self.changes))

    # --- The list ---

    def collection(self) -> Collection[Any]:
        """Return all that the administrator may see."""
        raise NotImplementedError

    def filtered(self, found: Collection[Any], asked: Mapping[str, str]) -> Collection[Any]:
        """Return what is left of a collection by the filters of the address, but the quick one and the search."""
        return found

    def searched(self, found: Collection[Any], text: str) -> Collection[Any]:
        """Return what a text finds in a collection."""
        return found.search(text)

    def filters(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the filters to choose, for the page: `name`, `label`, and `choices` of value and text."""
        return []

    def beside(self, rows: list[Any]) -> dict[str, Any]:
        """Return what the rows of a page show beside their attributes, asked for all of them at once."""
        return {}

    def asked(self) -> dict[str, Any]:
        """Return what the address asks for; what it cannot ask for is left out."""
        given = {name: request.args.get(name, "").strip() for name in ("q", "show", "sort", "size", *self.filter_names)}
        choices = {
            "show": {quick.key for quick in self.quick},
            "sort": {turn + name for name in self._sortable_columns for turn in ("", "-")},
            "size": set(map(str, self.page_sizes)),
        }
        return {name: value for name, value in given.items() if value and value in choices.get(name, {value})}

    def turned_on(self, asked: Mapping[str, str], filters: list[dict[str, Any]]) -> list[dict[str, str]]:
        """Return what narrows the list, in words, each with the address without it."""
        words = [("show", "", _(quick.label)) for quick in self.quick if quick.key == asked.get("show")]
        words += [("q", _("Search"), f"“{asked['q']}”")] if "q" in asked else []
        for each in filters:
            if chosen := asked.get(each["name"]):
                words.append((each["name"], each["label"], dict(each["choices"]).get(chosen, chosen)))
        return [
            {"text": f"{label}: {value}" if label else value, "url": self.here(asked, **{name: ""})}
            for name, label, value in words
        ]

    def found(self, asked: Mapping[str, str]) -> Collection[Any]:
        """Return what the address asks for, in no order yet."""
        found = self.to_choose_from(asked)
        chosen = next((quick for quick in self.quick if quick.key == asked.get("show")), None)
        return chosen.narrow(self._bounded(found, asked)) if chosen else found

    def to_choose_from(self, asked: Mapping[str, str]) -> Collection[Any]:
        """Return what the quick filters are of."""
        found = self.filtered(self.collection(), asked)
        return self.searched(found, asked["q"]) if "q" in asked else found

    def _bounded(self, found: Collection[Any], asked: Mapping[str, str]) -> Collection[Any]:
        """Return so many as a filter may look at one by one: an index of texts knows nothing of filters."""
        return found.head(_POOL) if "q" in asked else found

    def sorted(self, found: Collection[Any], total: int, asked: Mapping[str, str]) -> Collection[Any]:
        """Return what was found in the order that is asked for.

        A few are sorted. Of many, the index of the order has some among the first that it gives.
        """
        sort = self._sort(asked)
        if not sort:
            return found
        are_few = total < MOST_COUNTED and "q" not in asked  # what a text found is sorted among few anyway
        return (found.head(MOST_COUNTED) if are_few else found).order(sort)

    def _sort(self, asked: Mapping[str, str]) -> str:
        """Return the order that is asked for, as `order` takes it: of the columns that may be sorted by, or ours."""
        sort = asked.get("sort") or ("" if "q" in asked else self.natural_sort)
        name = self._sortable_columns.get(sort.removeprefix("-"))
        return f"{name} {'desc' if sort.startswith('-') else 'asc'}" if name else ""

    def turned(self, asked: Mapping[str, str]) -> str:
        """Return the column that the list is sorted by, as the address has it; "" for what a search found."""
        return asked.get("sort") or ("" if "q" in asked else self.natural_sort or "-created_at")

    @expose("/")
    @needs(VIEWER)
    def index_view(self) -> ResponseReturnValue:
        """Show a page of the list."""
        asked = self.asked()
        size, filters, turned = int(asked.get("size", self.page_size)), self.filters(asked), self.turned(asked)
        found, most = self.found(asked), _POOL if "q" in asked else MOST_COUNTED
        total = found.count(most)
        page = self.sorted(found, total, asked).page(
            size,
            after=request.args.get("after"),
            before=request.args.get("before"),
            from_the_end=not self._sort(asked) and "q" not in asked,
        )
        rows = page.items
        return self.render(
            self.list_template,
            rows=rows,
            asked=asked,
            columns=self._list_columns,
            sortable=self._sortable_columns,
            chips=list(self._chips(asked, total)),
            total=count(total, at_least=total == most),
            size=size,
            newer=self.here(asked, before=rows[0].id) if page.has_before else None,
            older=self.here(asked, after=rows[-1].id) if page.has_after else None,
            turned=turned,
            sort_url=lambda name: self.here(asked, sort=_turned(turned, name)),
            actions=self.allowed_actions(),
            filters=filters,
            turned_on=self.turned_on(asked, filters),
            all_url=self.here({name: value for name, value in asked.items() if name in {"sort", "size"}}),
            url=lambda **changes: self.here(asked, **changes),
            **self.beside(rows),
        )

    def _chips(self, asked: Mapping[str, str], total: int) -> Iterator[dict[str, Any]]:
        every, shown = self.to_choose_from(asked), asked.get("show", "")
        some = self._bounded(every, asked)
        most = MOST_COUNTED if some is every else _POOL
        is_part = some is not every and every.count(most) == most
        for quick in (Quick("", mark("All"), lambda _some: every), *self.quick) if self.quick else ():
            number = total if quick.key == shown else quick.narrow(some).count(most)
            yield {
                "label": _(quick.label),
                "count": count(number, at_least=is_part),
                "url": self.here(asked, show=quick.key),
                "is_current": quick.key == shown,
            }

    def here(self, asked: Mapping[str, str], **changes: str) -> str:
        """Return the address of the list with what is asked for, and changes of it; "" takes something away."""
        kept: dict[str, Any] = {name: value for name, value in {**asked, **changes}.items() if value}
        return url_for(f"stormpath_admin.{self.endpoint}.index_view", **kept)

    # --- In bulk ---

    def allowed_actions(self) -> list[tuple[str, str]]:
        """Return what the administrator may do in bulk: names and texts, in the order of the code."""
        order = [verb._action[0] for verb in vars(type(self)).values() if hasattr(verb, "_action")]
        texts = dict(self._actions)
        return [(name, _(texts[name])) for name in order if self.is_action_allowed(name)]

    def is_action_allowed(self, name: str) -> bool:
        """Tell whether the administrator's role is enough for something in bulk."""
        return bool(administrator.may(needed(self._actions_data[name][0], "POST").role or OWNER))

    def action_form_fields(self, name: str, chosen: list[Any]) -> Form | None:
        """Return the form that the confirming page of an action has, if it asks for anything."""
        return None

    @expose("/action", methods=("POST",))
    @needs(SUPPORT)
    def action_view(self) -> ResponseReturnValue:
        """Show what would be done to whom; once that is confirmed, do it."""
        name, back = request.form.get("action", ""), self.here(self.asked())
        if name not in self._actions_data:
            abort(400)
        if not self.is_action_allowed(name):
            abort(403)
        chosen = self._chosen([*request.form.getlist("id"), *request.args.getlist("id")])
        if not chosen:
            flash(_("Nothing was chosen. Tick the rows that it is for."), "warning")
            return redirect(back, 303)
        handler, text, consequence = self._actions_data[name]
        form = self.action_form_fields(name, chosen)
        if "confirmed" not in request.form or (form and not form.validate()):
            return self.render(
                "stormpath_admin/confirm_action.html",
                action=name,
                text=_(text),
                consequence=_(consequence) if consequence else "",
                chosen=chosen,
                back=back,
                form=form,
                url=url_for(f"stormpath_admin.{self.endpoint}.action_view", **self.asked()),
            )
        if needed(handler, "POST").fresh and not administrator.is_fresh and (answer := ask_password()):
            return answer
        self._do(handler, chosen, form)
        return redirect(back, 303)

    def _do(self, handler: Callable[..., str], chosen: list[Any], form: Form | None) -> None:
        done, refused = 0, []
        for each, name in [(each, self.label(each)) for each in chosen]:  # one may be gone when its turn comes
            try:
                handler(each, form) if form else handler(each)
                done += 1
            except (StormpathError, ObjectDeletedError) as error:
                why = error if isinstance(error, StormpathError) else ResourceNotFound()
                refused.append(f"{name[:_LONGEST_NAME]}: {why.message}")
                session.expunge(each)  # what was set on it is in nobody else's way
        if done:
            flash(ngettext("Done for %(count)s.", "Done for %(count)s.", done), "success")
        for sentence in refused[:_MOST_REFUSED]:
            flash(sentence, "error")
        if more := len(refused) - len(refused[:_MOST_REFUSED]):
            flash(ngettext("And one more is refused.", "And %(count)s more are refused.", more), "error")

    def label(self, resource: Any) -> str:
        """Return what one of them is called in sentences."""
        return str(resource.name)

    def _chosen(self, ids: list[str]) -> list[Any]:
        """Return those that were ticked, of those the administrator may see: a page of them at most."""
        every, wanted = self.collection(), list(dict.fromkeys(ids))[: max(self.page_sizes)]
        return [found for one in wanted if (found := scope.find(every, self.model, one))]

    # --- Export ---

    @expose("/export/<any(csv, json):kind>")
    @needs(VIEWER)
    def export(self, kind: str) -> ResponseReturnValue:
        """Send all that the address asks for, as it is read."""
        asked = self.asked()
        found = self.found(asked)
        total = found.count(MOST_COUNTED)
        return export.answer(kind, self.endpoint, self.exported, self.sorted(found, total, asked), asked)

    # --- New, change, delete ---

    @expose("/new", methods=("GET", "POST"))
    @needs(SUPPORT)
    def create_view(self) -> ResponseReturnValue:
        """Show the form for a new one, or create it."""
        if not self.may_create():
            abort(403)
        form = self.create_form()
        status = 200
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            else:
                try:
                    created = self.create_model(form)
                except StormpathError as error:
                    tell_refused(form, error)
                else:
                    flash(self.created_text(created), "success")
                    return redirect(self.page_url(created), 303)
        return self.new_page(form), status

    def new_page(self, form: Form) -> str:
        """Render the page with the form of a new one."""
        return self.render(self.create_template, form=form, back=self.here({}))

    def created_text(self, resource: Any) -> str:
        """Return what is told of a new one."""
        return _("%(name)s was created.", name=self.label(resource))

    def page_url(self, resource: Any) -> str:
        """Return the address of the page of one."""
        return url_for(f"stormpath_admin.{self.endpoint}.edit_view", id=resource.id)

    @expose("/<id>/", methods=("GET", "POST"))
    @needs(VIEWER)
    def edit_view(self, id: str) -> ResponseReturnValue:
        """Show one, or change it. A change needs a manager, unless the view says more."""
        resource = self.get_one(id)
        if was_sent() and not self.may_change():
            abort(403)
        form = self.edit_form(resource)
        status = 200
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            elif not tell_outdated(form, self.known(resource)):
                try:
                    self.update_model(form, resource)
                except StormpathError as error:
                    resource.refresh()
                    tell_refused(form, error)
                    if isinstance(error, ChangedMeanwhile):
                        tell_outdated(form, self.known(resource))
                else:
                    flash(_("%(name)s was saved.", name=self.label(resource)), "success")
                    return redirect(self.page_url(resource), 303)
        return self.render(self.edit_template, resource=resource, form=form, **self.page(resource)), status

    def known(self, resource: Any) -> dict[str, Any]:
        """Return what the form of one has, with its `version`."""
        raise NotImplementedError

    def edit_form(self, obj: Any) -> Any:
        """Return the form of one."""
        return self.edit_with(self.known(obj))

    def page(self, resource: Any) -> dict[str, Any]:
        """Return what the page of one shows beside its form."""
        return {}

    @expose("/<id>/delete", methods=("GET", "POST"))
    @needs(OWNER, fresh=True)
    def delete_view(self, id: str) -> ResponseReturnValue:
        """Show what goes with one, or delete it, once its name was typed: it cannot be undone."""
        resource = self.get_one(id)
        if not self.may_change():
            abort(403)
        name, refused = self.label(resource), None
        if was_sent():
            if request.form.get("typed", "").split() != name.split():
                refused = _("Type %(name)s to delete it.", name=name)
            else:
                try:
                    self.delete_model(resource)
                except StormpathError as error:
                    refused = error.message
                else:
                    flash(_("%(name)s was deleted.", name=name), "success")
                    return redirect(self.here({}), 303)
        return self.render(
            "stormpath_admin/confirm_delete.html",
            resource=resource,
            name=name,
            goes=self.goes_with(resource),
            refused=refused,
            back=self.page_url(resource),
        )

    def goes_with(self, resource: Any) -> list[str]:
        """Return sentences: what goes when one is deleted, and what stays."""
        return []


def _turned(sort: str, name: str) -> str:
    """Return the order that a click on a column asks for: it, then the other way."""
    return f"-{name}" if sort == name else name


def tell_refused(form: Form, error: StormpathError) -> None:
    """Tell what a verb said against a form, at its field where it has one."""
    if isinstance(error, PasswordRefused):
        for violation in error.violations:
            tell(form, "password", violation)
    else:
        tell(form, error.property if isinstance(error, PropertyError) else None, error.message)


def tell_outdated(form: Form, known: Mapping[str, Any]) -> bool:
    """Tell of what somebody else changed since the form was opened; what was typed stays, to be sent once more.

    :param known: what the form would have if it was opened now, with the `version`.
    """
    fields = {name: value or "" for name, value in known.items() if name != "version"}
    now = {name: value for name, value in fields.items() if value != (form[name].data or "")}
    return tell_changed(form, str(known["version"]), now)


def tell_changed(form: Form, version: str, now: Mapping[str, str]) -> bool:
    """Tell, where a form was made of another version, what its fields are now; sent once more, it is of this one."""
    if form.version.data == version:
        return False
    form.version.data, form.version.raw_data = version, None
    told = [_("Somebody else changed this since you opened it. Look, then save once more to put yours in its place.")]
    told += [_("%(field)s is now “%(value)s”.", field=form[name].label.text, value=now[name]) for name in now]
    flash(" ".join(told), "error")
    return True
