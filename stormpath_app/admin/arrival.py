"""How administrators come to be: the first one by a link from the shell, others by an invitation in their mail."""

from flask import redirect, request, session as browser_session, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import InputRequired

from ..entry_links import EntryLink
from ..errors import StormpathError, TokenRefused
from ..mailed_links import SECRET, MailedLink
from ..models import Administrator
from ..models.administrator import directory
from ..models.one_time_token import INVITATION
from ..pages import here, refuse, tell_errors, was_sent
from ..translation import gettext as _, mark
from .base import ConsoleView, tell_refused
from .entry import NewPasswordForm
from .gate import public
from .session import log_in

_LINK = "stormpath_admin_link"  # in the browser's session: the token of the link that led here


class PersonForm(NewPasswordForm):
    """Who somebody is, and their password. `link`: the hash of what led here; another may be open meanwhile."""

    given_name = StringField(mark("First Name"))
    surname = StringField(mark("Last Name"))
    link = HiddenField()


class OwnerForm(PersonForm):
    """And their address."""

    email = EmailField(mark("Email"), [InputRequired(mark("You must provide an email address."))])


class ArrivalView(ConsoleView):
    """Where new administrators choose their password."""

    @expose("/enter", methods=("GET", "POST"))
    @public
    def enter(self) -> ResponseReturnValue:
        """Make the owner that a link from the shell is for, and sign them in."""
        shown = request.args.get("sptoken")
        try:
            link = EntryLink.read(shown or browser_session.get(_LINK))
            if shown and not was_sent():
                browser_session[_LINK] = shown
                answer = redirect(here(with_query=False))
                answer.headers.update(SECRET)
                return answer
            return self._enter(link)
        except TokenRefused:
            browser_session.pop(_LINK, None)
            raise

    def _enter(self, link: EntryLink) -> ResponseReturnValue:
        form, status, headers = OwnerForm(), 200, SECRET
        if was_sent():
            if not form.validate():
                status = tell_errors(form)
            else:
                try:
                    made = link.make_owner(form.email.data, form.password.data, **_names(form))
                except TokenRefused:
                    raise
                except StormpathError as error:
                    status, more = refuse(error)
                    headers = {**SECRET, **more}
                    tell_refused(form, error)
                else:
                    browser_session.pop(_LINK, None)
                    log_in(made.account)
                    return redirect(url_for("stormpath_admin.home.index"), 303)
        return self._page(form, link), status, headers

    def _page(self, form: OwnerForm, link: EntryLink) -> str:
        text = _("You become the first owner of this console: you may do everything, and invite others.")
        if not link.is_first:
            text = _("You become an owner of this console. If it knows your address, your password is replaced.")
        return self.render(
            "stormpath_admin/person.html",
            form=form,
            email=None,
            hint=directory().password_policy.strength.describe(),
            heading=_("Welcome"),
            text=text,
        )

    @expose("/invitation", methods=("GET", "POST"))
    @public
    def invitation(self) -> ResponseReturnValue:
        """Let somebody who was invited choose name and password, and sign them in."""
        mailed = MailedLink(INVITATION)
        try:
            token = Administrator.find_invitation(mailed.token_hash or "")
            if mailed.is_shown and not was_sent():
                return mailed.hide()
            form, status, headers = PersonForm({"link": mailed.token_hash}), 200, SECRET
            if was_sent():
                if form.link.data != mailed.token_hash:
                    raise TokenRefused  # of somebody else, who made this browser open it
                if not form.validate():
                    status = tell_errors(form)
                else:
                    try:
                        account = Administrator.accept(token, form.password.data, **_names(form))
                    except TokenRefused:
                        raise
                    except StormpathError as error:
                        status, more = refuse(error)
                        headers = {**SECRET, **more}
                        tell_refused(form, error)
                    else:
                        mailed.forget()
                        log_in(account)
                        return redirect(url_for("stormpath_admin.home.index"), 303)
        except TokenRefused:
            mailed.forget()
            raise
        page = self.render(
            "stormpath_admin/person.html",
            form=form,
            email=token.account.email,
            hint=directory().password_policy.strength.describe(),
            heading=_("Welcome"),
            text=_("You were invited to this console. Choose your name and password."),
        )
        return page, status, headers


def _names(form: PersonForm) -> dict[str, str | None]:
    return {"given_name": form.given_name.data or None, "surname": form.surname.data or None}
