"""Links that were mailed: the token leaves the browser's address at once, and its session keeps the hash alone."""

from functools import cached_property

from flask import Response, make_response, redirect, request, session as browser_session
from werkzeug.wrappers import Response as Redirect

from .errors import StormpathError
from .models import one_time_token
from .pages import answer_json, here, prefers_json, render
from .translation import gettext as _

#: Of the pages that a link leads to: nobody whom they lead to is told where one came from.
SECRET = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


class MailedLink:
    """The link that led here. `token_hash`: of its token; None where there is none.

    :param purpose: what its token must be for.
    """

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self._key = f"stormpath_{purpose}"

    @cached_property
    def is_shown(self) -> bool:
        """Whether the address has a token, and not the session."""
        return "sptoken" in request.args

    @cached_property
    def token_hash(self) -> str | None:
        """The hash of the token that the address has, or else the session."""
        if not self.is_shown:
            kept: str | None = browser_session.get(self._key)
            return kept
        tokens = request.args.getlist("sptoken")
        return one_time_token.digest(tokens[0] if len(tokens) == 1 else None)

    def hide(self) -> Redirect:
        """Keep the hash, and lead to the same page without the token."""
        browser_session[self._key] = self.token_hash
        answer = redirect(here(with_query=False))
        answer.headers.update(SECRET)
        return answer

    def forget(self) -> None:
        """Let the session keep nothing: the link was used."""
        browser_session.pop(self._key, None)

    def refuse(self, error: StormpathError, again: str | None) -> Response:
        """Answer a link that does not work, always alike. `again`: the page where one asks for another."""
        self.forget()
        if prefers_json():
            answer = answer_json(400, error.message)
        else:
            page = render(
                "flask_stormpath/error.html",
                heading=_("Link not accepted"),
                sentence=error.message,
                onward_url=again,
                onward=_("Ask for a new link"),
            )
            answer = make_response(page, 400)
        answer.headers.update(SECRET)
        return answer
