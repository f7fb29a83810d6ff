"""The forms: their shape alone. What a value may be is the resources' business."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, InputRequired

from ..settings import settings
from ..translation import gettext as _, mark


class Form(FlaskForm):
    """A form that reads what a form sent: never JSON, never a file in a field's place.

    Labels and the validators' sentences are marked, and translated when somebody reads them.
    """

    def __init__(self) -> None:
        super().__init__(request.form if request.method == "POST" else None)
        for field in self:
            field.label.text = _(field.label.text)

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Look at the form; what is wrong is told in the reader's language."""
        is_valid: bool = super().validate(extra_validators)
        for field in self:
            field.errors = [_(error) for error in field.errors]
        return is_valid


class LoginForm(Form):
    """An e-mail address or username, and a password."""

    login = StringField(mark("Email"), [InputRequired(mark("Login identifier required."))])
    password = PasswordField(mark("Password"), [InputRequired(mark("Password required."))])

    def __init__(self) -> None:
        super().__init__()
        if settings.ENABLE_USERNAME:
            self.login.label.text = _("Username or Email")


class RegistrationForm(Form):
    """A new account's fields. The settings say which there are and which must be filled."""

    username = StringField(mark("Username"), [DataRequired(mark("Username is required."))])
    given_name = StringField(mark("First Name"), [DataRequired(mark("First name is required."))])
    middle_name = StringField(mark("Middle Name"), [DataRequired(mark("Middle name is required."))])
    surname = StringField(mark("Last Name"), [DataRequired(mark("Surname is required."))])
    email = EmailField(mark("Email"), [InputRequired(mark("You must provide an email address."))])
    password = PasswordField(mark("Password"), [InputRequired(mark("You must supply a password."))])

    def __init__(self) -> None:
        super().__init__()
        for name in _CHOSEN:
            if not getattr(settings, f"ENABLE_{name.upper()}"):
                del self[name]
            elif not getattr(settings, f"REQUIRE_{name.upper()}"):
                self[name].validators, self[name].flags.required = [], False

    def attributes(self) -> dict[str, str]:
        """Return what an account is created from; names that are not asked for are 'Anonymous', as in the seed."""
        found = {name: self[name].data or "" for name in (*_CHOSEN, "email", "password") if name in self}
        return {"given_name": "Anonymous", "surname": "Anonymous", **found}


class ForgotForm(Form):
    """The address of an account whose password is forgotten."""

    email = EmailField(mark("Email"), [InputRequired(mark("Email address required."))])


class NewPasswordForm(Form):
    """A new password, twice."""

    password = PasswordField(mark("Password"), [InputRequired(mark("You must supply a password."))])
    password_again = PasswordField(
        mark("Password (again)"),
        [
            InputRequired(mark("Please verify the password.")),
            EqualTo("password", mark("Passwords don't match.")),
        ],
    )


class ResendForm(Form):
    """The e-mail address or username of an account whose address is to be confirmed."""

    login = StringField(mark("Email"), [InputRequired(mark("Login identifier required."))])

    def __init__(self) -> None:
        super().__init__()
        if settings.ENABLE_USERNAME:
            self.login.label.text = _("Username or Email")


_CHOSEN = ("username", "given_name", "middle_name", "surname")
