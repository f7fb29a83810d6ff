"""What an application does about people who come by a provider and may have an account: its account linking policy."""

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import BooleanField

from ..errors import StormpathError
from ..models import DISABLED, ENABLED, Application
from ..models.account_linking_policy import EMAIL, AccountLinkingPolicy
from ..models.administration import OWNER
from ..translation import gettext as _, mark
from .base import ConsoleForm, ResourceView
from .gate import needs


class LinkingForm(ConsoleForm):
    """When accounts are linked, and made, by themselves."""

    is_enabled = BooleanField(mark("Accounts are linked"))
    provisions = BooleanField(mark("New people get an account here, too"))
    by_email = BooleanField(mark("The same email is the same person"))


class LinkingPages(ResourceView):
    """The account linking policy on the page of an application."""

    @expose("/<id>/linking", methods=("POST",))
    @needs(OWNER)
    def linking(self, id: str) -> ResponseReturnValue:
        """Change it."""
        policy, form = self.get_one(id).account_linking_policy, LinkingForm()
        try:
            if form.version.data != str(policy.version):
                flash(
                    _("Somebody else changed account linking since you opened it. Look, then save once more."), "error"
                )
            else:
                policy.status = ENABLED if form.is_enabled.data else DISABLED
                policy.automatic_provisioning = ENABLED if form.provisions.data else DISABLED
                policy.matching_property = EMAIL if form.by_email.data else None
                policy.save()
                flash(_("Account linking was saved."), "success")
        except StormpathError as error:
            flash(error.message, "error")
        return redirect(url_for(".edit_view", id=id, _anchor="linking"), 303)


def linking_form(policy: AccountLinkingPolicy) -> LinkingForm:
    """Return the form as the policy is saved, whatever else was sent."""
    known = {name: getattr(policy, name) for name in ("is_enabled", "provisions", "version")}
    return LinkingForm({**known, "by_email": policy.matching_property == EMAIL}, sent=False)


def linking_effects(application: Application) -> list[tuple[str, str]]:
    """Return what the policy comes to: who logs in by a provider, and what becomes of it."""
    policy, mapping = application.account_linking_policy, application.default_account_store_mapping
    place = mapping.account_store.name if mapping else _("the default account store")
    own = _("They are logged in to the account of the provider's directory.")
    asked = _("They are asked on the login page whether that account is theirs, and linked once they prove it.")
    linked = _("They are logged in to the linked account.")
    matched = policy.is_enabled and policy.matching_property == EMAIL
    made = policy.is_enabled and policy.provisions
    return [
        (_("Who linked an account themselves"), linked),
        (_("Whose account somebody else linked"), linked if policy.is_enabled else own),
        (
            _("Who is new, and %(store)s has an account with their verified email", store=place),
            _("They are logged in to that account, which is linked at once.") if matched else asked,
        ),
        (
            _("Who is new, and %(store)s has no account with their verified email", store=place),
            _("They get an account of %(store)s as well, which is linked.", store=place) if made else own,
        ),
        (_("Who is new, with an email that the provider does not verify"), own),
    ]
