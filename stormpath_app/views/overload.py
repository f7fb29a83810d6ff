"""Too many at once: a form with a password that nobody has a place for is refused before it is looked at.

All other pages wait behind the forms that are refused. So the answer asks nothing, and has no more on it than is needed
to send the same once more.
"""

from typing import Literal

from flask import request
from flask.typing import ResponseReturnValue

from .. import bulkhead
from ..errors import TooManyAtOnce
from ..pages import refuse, render, was_sent
from ..translation import gettext as _
from .forms import NAMES

#: What goes on with the form that is sent again. The password is typed again.
_KEPT = frozenset({"csrf_token", "login", "email", *NAMES})
_FIELDS = _KEPT | {"password"}


def refuse_the_excess(
    heading: str, autocomplete: Literal["current-password", "new-password"]
) -> ResponseReturnValue | None:
    """Answer a form that was sent while all places for a hash are taken, and the queue before them; None: go on.

    A form with fields of a host's own goes on, and comes again as a whole where its hash is refused.

    :param heading: the page's own, marked.
    :param autocomplete: which password it asks for, as browsers know it.
    """
    if not was_sent() or not bulkhead.is_full() or not request.form.keys() <= _FIELDS:
        return None
    error = TooManyAtOnce()
    status, headers = refuse(error)
    kept = [(name, value) for name, value in request.form.items() if name in _KEPT]
    page = render(
        "flask_stormpath/overload.html",
        heading=_(heading),
        sentence=error.message,
        kept=kept,
        autocomplete=autocomplete,
    )
    return page, status, headers
