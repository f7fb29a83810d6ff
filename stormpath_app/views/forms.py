"""The forms: their shape alone. What a value may be is the resources' business."""

from flask import request
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, InputRequired

from ..settings import settings
from ..translation import gettext as _


class Form(FlaskForm):
    """A form that reads what a form sent: never JSON, never a file in a field's place."""

    def __init__(self) -> None:
        super().__init__(request.form if request.method == "POST" else None)


class LoginForm(Form):
    """An e-mail address or username, and a password."""

    login = StringField(_("Email"), [InputRequired(_("Login identifier required."))])
    password = PasswordField(_("Password"), [InputRequired(_("Password required."))])

    def __init__(self) -> None:
        super().__init__()
        if settings.ENABLE_USERNAME:
            self.login.label.text = _("Username or Email")


class RegistrationForm(Form):
    """A new account's fields. The settings say which there are and which must be filled."""

    username = StringField(_("Username"), [DataRequired(_("Username is required."))])
    given_name = StringField(_("First Name"), [DataRequired(_("First name is required."))])
    middle_name = StringField(_("Middle Name"), [DataRequired(_("Middle name is required."))])
    surname = StringField(_("Last Name"), [DataRequired(_("Surname is required."))])
    email = EmailField(_("Email"), [InputRequired(_("You must provide an email address."))])
    password = PasswordField(_("Password"), [InputRequired(_("You must supply a password."))])

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

    email = EmailField(_("Email"), [InputRequired(_("Email address required."))])


class NewPasswordForm(Form):
    """A new password, twice."""

    password = PasswordField(_("Password"), [InputRequired(_("You must supply a password."))])
    password_again = PasswordField(
        _("Password (again)"),
        [
            InputRequired(_("Please verify the password.")),
            EqualTo("password", _("Passwords don't match.")),
        ],
    )


class ResendForm(Form):
    """The e-mail address or username of an account whose address is to be confirmed."""

    login = StringField(_("Email"), [InputRequired(_("Login identifier required."))])

    def __init__(self) -> None:
        super().__init__()
        if settings.ENABLE_USERNAME:
            self.login.label.text = _("Username or Email")


_CHOSEN = ("username", "given_name", "middle_name", "surname")
