"""API keys: the tenant's own and those of accounts. A secret is shown and downloaded once, when its key is made."""

from typing import Any, ClassVar

import sqlalchemy as sa
from flask import Response, abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.actions import action
from wtforms import StringField, TextAreaField

from .. import credentials, names
from ..database import session
from ..errors import ResourceNotFound, StormpathError
from ..models import DISABLED, ENABLED, Account, ApiKey, Collection, Tenant
from ..models.administration import OWNER
from ..models.login_name import LoginName
from ..pages import tell, was_sent
from ..translation import gettext as _, mark
from . import scope
from .base import ConsoleForm, Quick, tell_refused
from .gate import needs
from .named import NamedForm, NamedView

_OWN: sa.Select[Any] = sa.select(ApiKey.id).where(ApiKey.account_id.is_(None))
_DISABLED: sa.Select[Any] = sa.select(ApiKey.id).where(ApiKey.status == DISABLED)


class ApiKeyForm(NamedForm):
    """What a key is called and is for, and whether it works; it needs no name."""

    name = StringField(mark("Name"))


class NewApiKeyForm(ConsoleForm):
    """What a new key is called and is for, and whose it is."""

    account = StringField(mark("Account"))
    name = StringField(mark("Name"))
    description = TextAreaField(mark("Description"))


class ApiKeysView(NamedView):
    """The tenant's own keys, and those of all accounts but the administrators'."""

    path, icon, section = "/api-keys", "key", 2
    new_text, search_text = mark("New API key"), mark("The beginning of an ID, or the owner's email")
    reads = creates = changes = OWNER
    column_list = ("id", "owner", "status", "created_at")
    column_labels: ClassVar[dict[str, str]] = {
        "id": mark("Key"),
        "owner": mark("Owner"),
        "status": mark("Status"),
        "created_at": mark("Created"),
    }
    column_sortable_list: ClassVar = [("created_at", "created_at")]
    wide_columns = frozenset({"created_at"})
    natural_sort = ""
    edit_with = ApiKeyForm
    quick = (
        Quick("tenant", mark("The tenant's own"), lambda found: found.among(_OWN)),
        Quick("disabled", mark("Disabled"), lambda found: found.among(_DISABLED)),
    )
    exported = ("id", "name", "description", "status")
    list_template = "stormpath_admin/api_keys.html"
    create_template = "stormpath_admin/api_key_new.html"
    edit_template = "stormpath_admin/api_key.html"

    def collection(self) -> Collection[ApiKey]:
        """Return the keys in scope."""
        mine = (Account.id == ApiKey.account_id, Account.directory_id.in_(scope.ids()))
        return Collection(ApiKey, sa.or_(ApiKey.account_id.is_(None), sa.exists().where(*mine)))

    def searched(self, found: Collection[ApiKey], text: str) -> Collection[ApiKey]:
        """Return those whose id begins so, or whose owner has this email address or username."""
        if not names.can_be_stored(text):
            return found.among(sa.select(ApiKey.id).where(sa.false()))
        begun = ApiKey.id.startswith(text.upper(), autoescape=True)
        owners = sa.select(LoginName.account_id).where(
            LoginName.directory_id.in_(scope.ids()), LoginName.name_key == names.key(text)
        )
        return found.among(sa.select(ApiKey.id).where(sa.or_(begun, ApiKey.account_id.in_(owners))))

    def beside(self, rows: list[ApiKey]) -> dict[str, Any]:
        """Return the addresses of the accounts that they are of."""
        owners = sa.select(Account.id, Account.email).where(Account.id.in_({row.account_id for row in rows}))
        return {"owner_of": {found.id: found.email for found in session.execute(owners)}}

    def label(self, resource: ApiKey) -> str:
        """Return its name, or its id."""
        return resource.name or resource.id

    # --- New ---

    @expose("/new", methods=("GET", "POST"))
    @needs(OWNER, fresh=True)
    def create_view(self) -> ResponseReturnValue:
        """Show the form for a new key; or create it, and show its secret this once."""
        form = NewApiKeyForm({"account": request.args.get("account")})
        if was_sent() and form.validate():
            try:
                created = self.create_model(form)
            except ResourceNotFound:
                tell(form, "account", _("There is not one account with this email address, username or ID."))
            except StormpathError as error:
                tell_refused(form, error)
            else:
                return self.render("stormpath_admin/api_key_made.html", key=created, file=url_for(".file"))
        return self.render(self.create_template, form=form, back=self.here({}))

    def create_model(self, form: NewApiKeyForm) -> ApiKey:
        """Create it for the account that was named, or for the tenant."""
        given = {"name": form.name.data or None, "description": form.description.data or None}
        login = (form.account.data or "").strip()
        if login:
            return scope.account_named(login).api_keys.create(given)
        return Tenant.current().api_keys.create(given)

    @expose("/file", methods=("POST",))
    @needs(OWNER)
    def file(self) -> ResponseReturnValue:
        """Send a key that was made just now as `apiKey.properties`: the page has its secret, and nobody else."""
        key, secret = self.get_one(request.form.get("id", "")), request.form.get("secret", "")
        if not key.has_secret(secret):
            abort(404)
        answer = Response(credentials.text(credentials.Pair(key.id, secret)), mimetype="text/plain")
        answer.headers["Content-Disposition"] = f'attachment; filename="apiKey-{key.id}.properties"'
        return answer

    def goes_with(self, resource: ApiKey) -> list[str]:
        """Say what stops."""
        return [_("Every program that uses it is let in no more.")]

    @action("enable", mark("Enable"), mark("Programs that use them are let in again."))
    @needs(OWNER)
    def enable(self, key: ApiKey) -> None:
        """Let it be used."""
        key.status = ENABLED
        key.save()

    @action("disable", mark("Disable"), mark("Programs that use them are let in no more, until they are enabled."))
    @needs(OWNER)
    def disable(self, key: ApiKey) -> None:
        """Let it be used no more."""
        key.status = DISABLED
        key.save()
