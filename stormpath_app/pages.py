"""How a page of ours is answered: its template's surroundings, its headers, and where it leads to next."""

import unicodedata
from datetime import datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from flask import Response, abort, current_app, flash, g, jsonify, render_template, request, url_for
from flask_wtf import FlaskForm
from sqlalchemy.exc import SQLAlchemyError

from .authentication import LOOPBACK, is_secure
from .database import outage
from .errors import DatabaseUnavailable, LoginFailed, NotReady, StormpathError, TooManyAttempts
from .mail.rendering import page_address
from .settings import settings
from .translation import SOURCE, day, gettext as _, in_language, spoken, template_gettext

#: Longest body of a form, in bytes.
LONGEST_BODY = 64 * 1024

#: The policy of pages that are ours from top to bottom.
STRICT = "default-src 'self'; frame-ancestors 'none'; object-src 'none'; base-uri 'none'"
_HOSTS_TEMPLATE = "frame-ancestors 'none'; object-src 'none'; base-uri 'none'"


def render(template: str, form: FlaskForm | None = None, **context: Any) -> str:
    """Render a page with what every page of ours knows."""
    context |= {"_": template_gettext, "sp_language": spoken()}
    context.setdefault("site_name", settings.APPLICATION)
    context.setdefault("home_url", site_url("/"))
    g.stormpath_shipped = _is_shipped(template) and _is_shipped(settings.BASE_TEMPLATE)
    return render_template(template, form=form, insecure=is_secure() and not request.is_secure, **context)


def add_headers(response: Response) -> Response:
    """Add the headers of our own pages; one that is there already is left alone."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if request.endpoint and request.endpoint.endswith(".static"):
        return response
    policy = STRICT if g.pop("stormpath_shipped", True) else _HOSTS_TEMPLATE
    for name, value in (
        ("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY or policy),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
    ):
        response.headers.setdefault(name, value)
    response.vary.add("Cookie")
    return response


def was_sent() -> bool:
    """Tell whether a form was sent, and not a page asked for."""
    return request.method == "POST"


def prefers_json() -> bool:
    """Tell whether the client would rather read JSON than a page."""
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def answer_json(status: int, message: str, code: int | None = None) -> Response:
    """Return an error as Stormpath's frameworks gave it: what is safe for people, and its number."""
    answer = jsonify(status=status, code=code or status, message=message)
    answer.status_code = status
    return answer


def refuse(error: StormpathError) -> tuple[int, dict[str, str]]:
    """Return the status and headers of a form that comes again: 200, unless it must not be sent again at once.

    A client that prefers JSON gets the error itself, and the view ends here.
    """
    status, headers = 200, {}
    if isinstance(error, TooManyAttempts):
        status, headers = error.status, {"Retry-After": str(error.retry_after)}
    if prefers_json():
        # The finer code of a failed login would tell strangers who has an account.
        answer = answer_json(error.status, error.message, None if isinstance(error, LoginFailed) else error.code)
        answer.headers.update(headers)
        abort(answer)
    return status, headers


def is_about_who_asks(error: StormpathError) -> bool:
    """Tell whether another device or network need not wait: it must where too many people come at once."""
    return type(error) is TooManyAttempts


def tell(form: FlaskForm, field: str | None, message: str) -> None:
    """Tell what is wrong: as a flashed message, which a host's own template shows, and at the field."""
    flash(message, "error")
    if field is not None and field in form:
        form[field].errors = [*form[field].errors, message]


def tell_errors(form: FlaskForm) -> int:
    """Tell all that a form's own look at itself found; return the status of the answer.

    A client that prefers JSON is told at once, and the view ends here.
    """
    is_stale = form.meta.csrf_field_name in form.errors
    sentences = [str(sentence) for found in form.errors.values() for sentence in found]
    if is_stale:  # nothing else was looked at in earnest
        sentences = [_("This page was open for too long. Send it once more.")]
        for field in form:
            field.errors = []
    if prefers_json():
        abort(answer_json(400, " ".join(sentences)))
    for sentence in sentences:
        flash(sentence, "error")
    return 400 if is_stale else 200


def answer_not_ready(error: NotReady) -> Response:
    """Tell that the site is not set up, or cannot reach its database; in debug also why, for its developer alone."""
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": STRICT}
    heading = "Not set up yet"
    if isinstance(error, DatabaseUnavailable):
        heading, headers["Retry-After"] = "Not available now", str(error.retry_after)
    if prefers_json():
        answer = answer_json(error.status, error.message)
        answer.headers.update(headers)
        return answer
    problems = error.problems if current_app.debug else []
    if "stormpath.static" not in current_app.view_functions:  # our pages are what is missing
        return Response("\n".join([error.message, *problems]), error.status, headers, mimetype="text/plain")
    # Of our own, without a setting and without context processors: each may be what is wrong, or ask who is there.
    template = current_app.jinja_env.get_template("flask_stormpath/error.html")
    with in_language(SOURCE):  # the app's locale selector may ask as well
        page = template.render(_=template_gettext, heading=heading, sentence=error.message, problems=problems)
    return Response(page, error.status, headers)


def answer_outage(error: SQLAlchemyError) -> Response:
    """Answer a page of ours that the database left in the middle. What it had begun to write is undone."""
    return answer_not_ready(outage(error))


def moment(at: datetime) -> str:
    """Return a moment in words: "3 August 2026, 14:05 UTC"."""
    return f"{day(at)}, {at:%H:%M} UTC"


def link(endpoint: str, target: str | None = None) -> str | None:
    """Return the URL of another page of ours, or of a host's at its name, keeping where it should lead to."""
    return url_for(endpoint, next=target) if endpoint in current_app.view_functions else None


def site_url(url: str) -> str:
    """Return a URL of the settings; a path is one of the app's own, wherever the app is mounted."""
    root = request.script_root.rstrip("/")
    root = f"/{root.lstrip('/')}" if root else ""  # "//elsewhere" would be another host
    return f"{root}{url}" if url.startswith("/") and not url.startswith(("//", f"{root}/")) else url


def provider_page(provider_id: str) -> tuple[str, dict[str, str]]:
    """Return the endpoint of the page of a provider, and its values. Two have addresses of their own, as ever."""
    own = f"stormpath.{provider_id}_login"
    if provider_id in {"google", "facebook"} and own in current_app.view_functions:
        return own, {}
    return "stormpath.social_login", {"provider": provider_id}


def redirect_uri(provider_id: str) -> str:
    """Return the public address that a provider sends people back to, as it must be registered there.

    :raises NotReady: the site has none.
    """
    endpoint, values = provider_page(provider_id)
    address = page_address(endpoint, **values)
    if address is None:
        raise NotReady(["STORMPATH_BASE_URL is not set: providers send people back to it."])
    public, asked = urlsplit(address), urlsplit(request.host_url)
    if public.hostname in LOOPBACK and asked.hostname in LOOPBACK:
        # A developer's own machine has several names, and browsers keep the cookies of each apart.
        return public._replace(scheme=asked.scheme, netloc=asked.netloc).geturl()
    return address


def next_url() -> str | None:
    """Return the page that `?next=` asks for, as a path of this site; None where it asks for none, or for elsewhere."""
    return local_path(request.args.get("next", ""))


def here(*, with_query: bool = True) -> str:
    """Return the address that was asked for, without scheme and host, as it travels: percent-encoded."""
    query = request.query_string.decode("latin-1") if with_query else ""
    path = quote(f"{request.script_root}{request.path}", safe=_IN_PATHS)
    return f"{path}?{quote(query, safe=_IN_QUERIES)}" if query else path


_IN_PATHS = "/:;=@!$&'()*+,~"
_IN_QUERIES = f"{_IN_PATHS}?%"


def local_path(target: str) -> str | None:
    """Return a URL of this site as path, query and fragment; None for every other.

    Browsers forgive much: they drop tabs and newlines, and read a backslash as a slash. So what holds such a thing is
    refused, and what is left is read as they read it, against the page that is asked for.
    """
    if not target or "\\" in target or any(unicodedata.category(letter)[0] in "CZ" for letter in target):
        return None
    try:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            if parts.scheme not in {"http", "https"} or parts.netloc != request.host:
                return None
            path = parts.path or "/"
        else:
            path = urlsplit(urljoin(f"http://host{request.script_root}{request.path}", target)).path
    except ValueError:
        return None
    if not path.startswith("/") or path.startswith("//"):
        return None
    return urlunsplit(("", "", path, parts.query, parts.fragment))


def _is_shipped(template: str) -> bool:
    """Tell whether a template is our own file, not a host's of the same name."""
    found = current_app.jinja_env.get_template(template).filename or ""
    return found.startswith(_TEMPLATES)


_TEMPLATES = __file__.rpartition("pages")[0] + "templates"
