"""Directories whose accounts come from another site: how one is made, and the page of its provider."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from flask import abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import InputRequired, ValidationError

from .. import providers
from ..errors import ChangedMeanwhile, NotReady, PropertyError, ProviderError, StormpathError
from ..models import Application, Directory, Provider
from ..models.administration import OWNER, VIEWER
from ..pages import redirect_uri, tell_errors
from ..providers import OpenIdConnect, is_safe
from ..settings import settings
from ..transactions import release
from ..translation import day, gettext as _, mark, ngettext
from . import scope
from .account_actions import said
from .base import ConsoleForm, tell_outdated, tell_refused
from .directory_pages import DirectoryPages
from .gate import needs


class Sort(NamedTuple):
    """A kind of directory to choose: what it is called, and for whom it is."""

    name: str
    text: str


CLOUD = "cloud"
SORTS = {
    CLOUD: Sort(mark("Cloud"), mark("Accounts that are made here, with a password of this site.")),
    "google": Sort("Google", mark("People with a Google account, or those of one company.")),
    "facebook": Sort("Facebook", mark("People with a Facebook account.")),
    "github": Sort("GitHub", mark("People with a GitHub account.")),
    "oidc": Sort(
        "OpenID Connect", mark("Keycloak, Okta, Auth0, Entra, Authentik and all others that tell all by one address.")
    ),
    "oauth2": Sort("OAuth 2", mark("A site that tells who somebody is, and is none of the others.")),
}
#: Kinds that there is one provider of: its id is theirs.
ONES = frozenset({"google", "facebook", "github"})
_REGISTERS = (("", mark("As on the registration page")), ("yes", mark("Yes")), ("no", mark("No")))
_REGISTER_VALUES = {"": None, "yes": True, "no": False}
#: What some kinds of providers have: a field and an attribute of the same name.
_ADDRESSES = ("issuer", "authorization_endpoint", "token_endpoint", "resource_endpoint")
_OF_KINDS = (*_ADDRESSES, "id_field", "client_id", "hosted_domain")
#: Stands in a redirect address for an id that nobody typed yet.
_NO_ID = "PROVIDER-ID"


def sorts() -> dict[str, Sort]:
    """Return the kinds of directories to choose from, a host's own behind ours."""
    own = {key: Sort(kind.title or key, "") for key, kind in providers.KINDS.items() if key not in SORTS}
    return {**{key: one for key, one in SORTS.items() if key == CLOUD or key in providers.KINDS}, **own}


class ProviderForm(ConsoleForm):
    """What this site is to a provider. A kind of providers has some of these fields."""

    button_name = StringField(mark("Name on the button"))
    issuer = StringField(mark("Issuer"))
    authorization_endpoint = StringField(mark("Authorization endpoint"))
    token_endpoint = StringField(mark("Token endpoint"))
    resource_endpoint = StringField(mark("Profile endpoint"))
    id_field = StringField(mark("Where the profile has the ID"))
    client_id = StringField(mark("Client ID"))
    client_secret = PasswordField(mark("Client secret"))
    hosted_domain = StringField(mark("Only people of this domain"))
    scope = StringField(mark("Scopes"))
    may_register = SelectField(mark("New people may register"))

    def __init__(self, kind: str, known: Mapping[str, Any] | None = None, *, has_secret: bool = False) -> None:
        super().__init__(known)
        self.kind = kind
        self.may_register.choices = [(value, _(text)) for value, text in _REGISTERS]
        asked = providers.KINDS.get(kind, providers.Provider)
        for name in ("client_secret", *_OF_KINDS):
            if name not in {*asked.required, *asked.optional}:
                del self[name]
            elif name in asked.required and not (name == "client_secret" and has_secret):
                self[name].validators = [InputRequired(mark("Fill this in."))]
            if name in self and name in _ADDRESSES:
                self[name].validators = [*self[name].validators, _check_address]
        if kind == Provider.FACEBOOK:
            self.client_id.label.text, self.client_secret.label.text = _("App ID"), _("App secret")

    def needs(self, name: str) -> bool:
        """Tell whether a field must be filled in."""
        return any(isinstance(one, InputRequired) for one in self[name].validators)

    @property
    def attributes(self) -> dict[str, Any]:
        """What it says, as a provider takes it; a secret that was not typed is left out."""
        given = {name: self[name].data or None for name in _OF_KINDS if name in self}
        if "client_secret" in self and (secret := (self.client_secret.data or "").strip()):
            given["client_secret"] = secret
        may_register = _REGISTER_VALUES[self.may_register.data]
        return {**given, "name": self.button_name.data or None, "scope": self.scope.data, "may_register": may_register}


def _check_address(_form: ProviderForm, field: StringField) -> None:
    if field.data and not is_safe(field.data.strip()):
        raise ValidationError(_("Give it a whole address with https://; http:// is for this machine alone."))


class NewMirrorForm(ProviderForm):
    """And its directory, and the application that is logged in to by it."""

    provider_id = StringField(mark("Provider ID"), [InputRequired(mark("Give it an ID."))])
    name = StringField(mark("Name of the directory"), [InputRequired(mark("Give it a name."))])
    application = SelectField(mark("Application"), validate_choice=False)

    def __init__(self, kind: str, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(kind, known)
        self.application.choices = [("", _("None yet")), *scope.choices(scope.applications(), self.application.data)]
        if kind in ONES:
            del self.provider_id

    @property
    def id(self) -> str:
        """What the provider is called here; "": nobody said yet."""
        return self.kind if self.kind in ONES else (self.provider_id.data or "").strip().lower()

    @property
    def properties(self) -> dict[str, Any]:
        """What it says, as the verb takes it."""
        provider = {"provider_id": self.id, "provider_type": self.kind, **self.attributes}
        return {"name": self.name.data, "provider": provider}

    def validate_provider_id(self, _field: StringField) -> None:
        """Accept an id that no other form, and no setting, is for."""
        if self.id == Provider.STORMPATH:
            raise ValidationError(_("That is what directories are called whose accounts are made here."))
        if self.id in ONES:
            raise ValidationError(
                _("%(name)s has a form of its own: go back, and choose it.", name=SORTS[self.id].name)
            )
        if self.id in providers.configured():
            raise ValidationError(set_elsewhere(self.id))


class ProviderPages(DirectoryPages):
    """A new directory of each kind, and where the accounts of one come from."""

    # --- New ---

    def kinds_page(self) -> str:
        """Render the page that asks which kind of directory is wanted."""
        named = providers.configured()
        return self.render("stormpath_admin/directory_kinds.html", sorts=sorts(), named=named, back=self.here({}))

    def new_mirror_form(self, kind: str) -> NewMirrorForm:
        """Return the form of a new directory whose accounts come from a provider of this kind."""
        site = Application.named(settings.APPLICATION)
        is_seen = site is not None and site in scope.applications()
        known = {"application": site.id if site and is_seen else "", "name": SORTS[kind].name if kind in ONES else ""}
        return NewMirrorForm(kind, known)

    def new_mirror_page(self, form: NewMirrorForm) -> str:
        """Render that form, with what there is to be done at the provider."""
        return self.render(
            "stormpath_admin/directory_new_mirror.html",
            form=form,
            kind=form.kind,
            kind_name=sorts()[form.kind].name,
            redirect_address=_redirect_address(form.id or _NO_ID),
            redirect_pattern=_redirect_address(_NO_ID),
            no_id=_NO_ID,
            back=url_for(".create_view"),
        )

    # --- Where its accounts come from ---

    @expose("/<id>/provider")
    @needs(VIEWER)
    def provider(self, id: str) -> ResponseReturnValue:
        """Show where its accounts come from."""
        return self._provider_page(self.get_one(id))

    def _provider_page(self, directory: Directory, form: ProviderForm | None = None) -> str:
        page = "stormpath_admin/directory_provider.html"
        head = self.head(directory, "provider")
        if directory.is_cloud:
            return self.render(page, **head)
        provider = directory.provider
        config = provider.config(with_secret=False)
        return self.render(
            page,
            provider=provider,
            form=form or _form_of(provider),
            config=config,
            is_named=directory.provider_id in providers.configured(),
            name=provider.shown_name,
            kind_name=sorts()[provider.kind].name if provider.kind in sorts() else provider.kind,
            shown=_OF_KINDS,
            secret_day=day(at) if (at := provider.client_secret_set_at) else "",
            registers=_(dict(_REGISTERS)[_registers(config.may_register if config else provider.may_register)]),
            redirect_address=_redirect_address(directory.provider_id),
            can_be_tested=config is not None and issubclass(providers.KINDS[config.kind], OpenIdConnect),
            **head,
        )

    @expose("/<id>/provider", methods=("POST",))
    @needs(OWNER, fresh=True)
    def change_provider(self, id: str) -> ResponseReturnValue:
        """Change what this site is to its provider."""
        directory = self._mirror(id)
        provider, status = directory.provider, 200
        form = _form_of(provider)
        if directory.provider_id in providers.configured():
            flash(set_elsewhere(directory.provider_id), "error")
        elif not form.validate():
            status = tell_errors(form)
        elif not tell_outdated(form, _shown(form, provider)):
            try:
                _set(provider, form)
            except StormpathError as error:
                provider.refresh()
                tell_refused(form, error)
                if isinstance(error, ChangedMeanwhile):
                    tell_outdated(form, _shown(form, provider))
            else:
                flash(_("What this site is to %(name)s was saved.", name=provider.shown_name), "success")
                return redirect(url_for(".provider", id=id), 303)
        return self._provider_page(directory, form), status

    @expose("/<id>/provider/test", methods=("POST",))
    @needs(OWNER)
    def test_provider(self, id: str) -> ResponseReturnValue:
        """Ask its provider, as that is saved, what it says of itself, and tell what came."""
        config = self._mirror(id).provider.config(with_secret=False)
        if config is None:
            abort(404)
        release()  # it may take seconds to answer
        provider = providers.make(config)
        if not isinstance(provider, OpenIdConnect):
            abort(404)
        try:
            found = provider.discover()
        except ProviderError as error:
            flash(_("Nobody can log in by it now. %(why)s", why=error.developer_message), "error")
        except StormpathError as error:
            flash(said(error), "error")
        else:
            flash(
                ngettext(
                    "%(name)s answers as %(issuer)s, with one key.",
                    "%(name)s answers as %(issuer)s, with %(count)s keys.",
                    found.keys,
                    name=config.name,
                    issuer=found.issuer,
                ),
                "success",
            )
        return redirect(url_for(".provider", id=id), 303)

    def _mirror(self, directory_id: str) -> Directory:
        directory: Directory = self.get_one(directory_id)
        return abort(404) if directory.is_cloud else directory


def _redirect_address(provider_id: str) -> str:
    """Return the address to register at a provider; "": the site has no public address yet."""
    try:
        return redirect_uri(provider_id)
    except NotReady:
        return ""


def set_elsewhere(provider_id: str) -> str:
    """Say that the settings have a provider, so that the console does not."""
    return _(
        "STORMPATH_SOCIAL has %(id)s: it is changed there, and its directory is made at the first login by it.",
        id=provider_id,
    )


def _registers(may_register: bool | None) -> str:
    """Return whether new people may register by a provider, as the form has it."""
    return {value: key for key, value in _REGISTER_VALUES.items()}[may_register]


def _form_of(provider: Provider) -> ProviderForm:
    return ProviderForm(provider.kind, _known(provider), has_secret=provider.has_client_secret)


def _known(provider: Provider) -> dict[str, Any]:
    """Return what the form of a provider has where nothing was typed."""
    return {
        **{name: getattr(provider, name) for name in _OF_KINDS},
        "button_name": provider.name,
        "scope": " ".join(provider.scope or ()),
        "may_register": _registers(provider.may_register),
        "version": provider.version,
    }


def _shown(form: ProviderForm, provider: Provider) -> dict[str, Any]:
    return {name: value for name, value in _known(provider).items() if name in form}


def _set(provider: Provider, form: ProviderForm) -> None:
    with told_at_fields():
        for name, value in form.attributes.items():
            setattr(provider, name, value)
        provider.save()


@contextmanager
def told_at_fields() -> Iterator[None]:
    """Let what is wrong with a provider's name be told at its own field; another one has the directory's."""
    try:
        yield
    except PropertyError as error:
        if (error.thing, error.property) == (Provider.thing, "name"):
            error.property = "button_name"
        raise
