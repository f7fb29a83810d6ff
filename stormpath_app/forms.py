"""The form that every page of ours begins with."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request
from flask_wtf import FlaskForm

from .translation import gettext as _


class Form(FlaskForm):
    """A form that reads what a form sent: never JSON, never a file in a field's place.

    Labels and the validators' sentences are marked, and translated when somebody reads them.

    :param known: what its fields have where nothing was sent.
    :param sent: False: it is one of several on its page, and another one was sent.
    """

    def __init__(self, known: Mapping[str, Any] | None = None, *, sent: bool = True) -> None:
        super().__init__(request.form if sent and request.method == "POST" else None, data=known)
        for field in self:
            field.label.text = _(field.label.text)

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Look at the form; what is wrong is told in the reader's language."""
        is_valid: bool = super().validate(extra_validators)
        for field in self:
            field.errors = [_(error) for error in field.errors]
        return is_valid
