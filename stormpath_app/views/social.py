"""Logging in with another site: out to the provider, back with an account, and what is asked on the way."""

from collections.abc import Mapping
from typing import NamedTuple

from flask import Response, abort, current_app, flash, redirect, request, session as browser_session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from .. import clock, providers, tokens
from ..authentication import login_user, session_id
from ..authorization import refuse_stale
from ..errors import (
    AccountAlreadyExists,
    AccountKnown,
    AccountNotVerified,
    LoginOutdated,
    ProviderNotMapped,
    ProviderRefused,
    ProviderUnavailable,
    SecretLocked,
    StormpathError,
    TooManyAttempts,
    WrongPassword,
)
from ..forms import Form
from ..models import Account, Application, used_state
from ..models.base import DISABLED, VERIFIED
from ..pages import (
    answer_json,
    is_about_who_asks,
    link,
    next_url,
    prefers_json,
    redirect_uri,
    refuse,
    render,
    site_url,
    tell,
    tell_errors,
    was_sent,
)
from ..providers import Config, Identity
from ..settings import settings
from ..translation import gettext as _
from .forms import LinkForm
from .social_buttons import AGAIN, button
from .social_state import LIFE, Start

#: In the browser's session: the identity whose address an account here has, until it is linked.
_KNOWN = "stormpath_known"
#: How far the clocks of a provider and of this site may be apart, in seconds; it tells whole ones.
_APART = 60


# --- Out, and back ---


def google_login() -> ResponseReturnValue:
    """Log in with Google."""
    return social_login("google")


def facebook_login() -> ResponseReturnValue:
    """Log in with Facebook."""
    return social_login("facebook")


def social_login(provider: str) -> ResponseReturnValue:
    """Send a person to a provider, by POST; or take what it sends back. Who only looks is led to the login page."""
    try:
        config = Application.current().login_provider(provider)
    except ProviderNotMapped as error:
        if prefers_json():
            return answer_json(404, error.message, error.code)
        abort(404)
    except SecretLocked as error:
        current_app.logger.error("stormpath_app: %s", error.developer_message)
        return _refused(error, None)
    if was_sent():
        return _leave(config)
    if not {"code", "state", "error"} & request.args.keys():
        return redirect(link("stormpath.login", next_url()) or site_url("/"))
    return _arrive(config)


def _leave(config: Config) -> ResponseReturnValue:
    """Send the browser to the provider, which sends it back."""
    form, target = Form(), next_url()
    if not form.validate():
        status = tell_errors(form)
        return _sorry(_("Not accepted"), _("Open the page again, then send it once more."), target, status)
    links = again = None
    if request.form.get("do") == "link":
        if (refusal := refuse_stale()) is not None:
            return refusal
        links = session_id()
    elif AGAIN in request.args and current_user.is_authenticated:
        again = current_user.id
    start = Start.new(config.provider_id, target, links=links, again=again)
    try:
        where = providers.make(config).authorization_url(
            redirect_uri=redirect_uri(config.provider_id),
            state=start.state,
            nonce=start.nonce,
            verifier=start.verifier,
            again=again is not None,
        )
    except ProviderUnavailable as error:
        return _down(config, error, target)
    answer = redirect(where, 303)
    start.keep(answer)
    return answer


def _arrive(config: Config) -> ResponseReturnValue:
    """Take what the provider sent, once; its start is forgotten, whatever comes of it."""
    states = request.args.getlist("state")
    start = Start.find(states[0], config.provider_id) if len(states) == 1 else None
    if start is None:
        return _back(_("This login was begun in another browser, or too long ago. Try it again."), None)
    answer = current_app.make_response(_finish(config, start))
    start.forget(answer)
    return answer


def _finish(config: Config, start: Start) -> ResponseReturnValue:
    target, codes = start.target, request.args.getlist("code")
    if "error" in request.args or len(codes) != 1:
        is_refused = request.args.get("error") in {"access_denied", "user_cancelled_login"}
        told = _("You were not logged in: you said no at %(name)s.", name=config.name)
        refused = _("%(name)s refused. Try it again, or log in another way.", name=config.name)
        return _back(told if is_refused else refused, start)
    application = Application.current()
    try:
        identity = application.identify(
            config.provider_id,
            code=codes[0],
            redirect_uri=redirect_uri(config.provider_id),
            verifier=start.verifier,
            nonce=start.nonce,
        )
        if not used_state.use(start.state, clock.now() + LIFE):
            return _back(_("This login was used already. Try it again."), start)
        if start.links:
            return _link(config, identity, start)
        return _enter(config, identity, start)
    except ProviderUnavailable as error:
        return _down(config, error, target)
    except StormpathError as error:
        return _refused(error, start)


def _enter(config: Config, identity: Identity, start: Start) -> ResponseReturnValue:
    """Log the person in whom the provider told of; where an account here has their address, ask about it first."""
    try:
        account = Application.current().enter(config.provider_id, identity)
    except AccountKnown as error:
        if not error.is_email_verified:
            return _back(
                _(
                    "There is an account with %(email)s, and %(name)s does not confirm that the address is yours."
                    " Log in to that account, then link %(name)s on its settings page.",
                    email=identity.email,
                    name=config.name,
                ),
                start,
            )
        browser_session[_KNOWN] = _pack(config.provider_id, identity, start)
        return redirect(url_for("stormpath.link_account"), 303)
    if start.again and account.id != start.again:
        return _back(_("That is another account. Log in with the one that you were asked for."), start)
    is_late = identity.authenticated_at is not None and identity.authenticated_at.timestamp() < start.at - _APART
    # A password is asked for where there is one; else the provider's word is what there is.
    fresh = not (start.again and is_late) and not account.has_password
    return _log_in(account, start.target, fresh=fresh)


def _log_in(account: Account, target: str | None, *, fresh: bool) -> ResponseReturnValue:
    is_new = account.is_new_account
    if not login_user(account, fresh=fresh):
        raise LoginOutdated
    return redirect(target or site_url((is_new and settings.REGISTRATION_REDIRECT_URL) or settings.REDIRECT_URL), 303)


def _link(config: Config, identity: Identity, start: Start) -> ResponseReturnValue:
    """Link the provider to the account that asked, if its login is the same still."""
    if not current_user.is_authenticated or session_id() != start.links:
        return _back(_("You were logged out meanwhile. Log in, then link it again."), start)
    Application.current().link(config.provider_id, identity, current_user._get_current_object())
    flash(_("%(name)s is linked: you can log in with it from now on.", name=config.name), "success")
    return redirect(link("stormpath.settings") or site_url(settings.REDIRECT_URL), 303)


# --- An account that is known ---


def link_account() -> ResponseReturnValue:
    """Ask whether an account that has the address which a provider confirmed is to be linked, and link it."""
    known = _unpack(browser_session.get(_KNOWN, ""))
    if known is None:
        if browser_session.pop(_KNOWN, None):
            flash(_("That took too long. Log in again."), "error")
        return redirect(link("stormpath.login") or site_url("/"))
    try:
        account = Application.current().account_known_by_email(known.provider_id, known.identity)
        if account is None:  # it was linked, or deleted, meanwhile
            return _enter_known(known, fresh=False)
        return _ask(known, account)
    except StormpathError as error:
        browser_session.pop(_KNOWN, None)
        return _refused(error, None)


def _ask(known: "_Known", account: Account) -> ResponseReturnValue:
    """Show the page, or link the account of whoever gives its password; one that nobody confirmed is taken over."""
    application, form, status = Application.current(), LinkForm(), 200
    headers: dict[str, str] = {}
    must_wait = False
    may_take_over = account.email_verification_status != VERIFIED and account.status != DISABLED
    if was_sent():
        if not form.validate():
            status = tell_errors(form)
        else:
            try:
                if form.do.data == "take-over" and may_take_over:
                    application.take_over(known.provider_id, known.identity, account)
                else:
                    account.check_password(form.password.data or "")
                    application.link(known.provider_id, known.identity, account)
                return _enter_known(known, fresh=True)
            except WrongPassword:
                tell(form, "password", _("This is not the password of that account."))
            except TooManyAttempts as error:
                status, headers = refuse(error)
                must_wait = is_about_who_asks(error)
                tell(form, "password", error.message)
    ways = application.ways_in(account)
    page = render(
        settings.LINK_ACCOUNT_TEMPLATE,
        form,
        provider=application.login_provider(known.provider_id).name,
        email=account.email,
        has_password=ways.has_password,
        may_take_over=may_take_over,
        must_wait=must_wait,
        ways=[button(way.provider, known.target) for way in ways.providers if way.is_linked],
        forgot_url=link("stormpath.forgot"),
        login_url=link("stormpath.login", known.target),
    )
    return page, status, headers


def _enter_known(known: "_Known", *, fresh: bool) -> ResponseReturnValue:
    """Log in, once: a copy of the browser's session would do it again after the logout."""
    browser_session.pop(_KNOWN, None)
    if not used_state.use(f"{_KNOWN_PURPOSE} {known.state}", clock.now() + LIFE):
        return _back(_("This login was used already. Try it again."), None)
    account = Application.current().enter(known.provider_id, known.identity)
    return _log_in(account, known.target, fresh=fresh)


class _Known(NamedTuple):
    """Who came by a provider that verified their address, and has an account here with it. `state`: of their start."""

    provider_id: str
    identity: Identity
    target: str | None
    state: str


_KNOWN_PURPOSE = "social identity"


def _pack(provider_id: str, identity: Identity, start: Start) -> str:
    """Return an identity as the browser keeps it: without what the provider's tokens open."""
    names = (identity.given_name, identity.middle_name, identity.surname)
    kept = [provider_id, identity.subject, identity.email, *names, start.target, start.state]
    return tokens.sign(_KNOWN_PURPOSE, kept)


def _unpack(text: str) -> _Known | None:
    match tokens.read(_KNOWN_PURPOSE, text, LIFE):
        case [str(provider_id), str(subject), str(email), given_name, middle_name, surname, target, str(state)]:
            identity = Identity(
                subject=subject,
                email=email,
                is_email_verified=True,  # of others nobody is asked
                given_name=given_name,
                middle_name=middle_name,
                surname=surname,
            )
            return _Known(provider_id, identity, target, state)
    return None


# --- What goes wrong ---


def _refused(error: StormpathError, start: Start | None) -> ResponseReturnValue:
    """Tell on the login page why nobody is logged in."""
    if isinstance(error, ProviderRefused):
        current_app.logger.warning("stormpath_app: %s", error.developer_message)
    status, headers = refuse(error)
    if status != 200:
        return _sorry(_("Not accepted"), error.message, start and start.target, status, headers)
    if isinstance(error, AccountNotVerified):
        return _back(_("Please confirm your email address first."), start)
    if isinstance(error, AccountAlreadyExists):  # of the provider's own people: an address that was given anew
        return _back(_("Another account has your email address. Ask the people of this site for help."), start)
    return _back(error.message, start)


def _back(sentence: str, start: Start | None) -> ResponseReturnValue:
    """Lead to where the person came from, which says the sentence: the settings page, or the one for logging in."""
    if prefers_json():
        return answer_json(400, sentence)
    flash(sentence, "error")
    if start and start.links and (page := link("stormpath.settings")):
        return redirect(page, 303)
    return redirect(link("stormpath.login", start and start.target) or site_url("/"), 303)


def _down(config: Config, error: ProviderUnavailable, target: str | None) -> ResponseReturnValue:
    """Say that a provider does not answer. The other ways in are as they were."""
    current_app.logger.warning("stormpath_app: %s", error.developer_message)
    if prefers_json():
        return answer_json(error.status, error.message, error.code)
    heading = _("%(name)s does not answer", name=config.name)
    return _sorry(heading, _("Log in another way, or try it again later."), target, error.status)


def _sorry(
    heading: str, sentence: str, target: str | None, status: int, headers: Mapping[str, str] | None = None
) -> ResponseReturnValue:
    page = render(
        "flask_stormpath/error.html",
        heading=heading,
        sentence=sentence,
        onward_url=link("stormpath.login", target),
        onward=_("Back to Log In"),
    )
    return Response(page, status, headers)
