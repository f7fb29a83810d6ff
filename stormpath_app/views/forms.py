"""The forms: their shape alone. What a value may be is the resources' business."""

from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired

from ..settings import settings
from ..translation import gettext as _


def _present(message: str) -> list[object]:
    return [InputRequired(_(message))]


class LoginForm(FlaskForm):
    """An e-mail address or username, and a password."""

    login = StringField(_("Email"))
    password = PasswordField(_("Password"))

    def __init__(self) -> None:
        super().__init__()
        self.login.validators = _present("Login identifier required.")
        self.password.validators = _present("Password required.")


class RegistrationForm(FlaskForm):
    """A new account's fields. The settings say which there are and which must be filled."""

    username = StringField(_("Username"))
    given_name = StringField(_("First Name"))
    middle_name = StringField(_("Middle Name"))
    surname = StringField(_("Last Name"))
    email = EmailField(_("Email"))
    password = PasswordField(_("Password"))

    def __init__(self) -> None:
        super().__init__()
        self.email.validators = _present("You must provide an email address.")
        self.password.validators = _present("You must supply a password.")
        for name, message in _MISSING.items():
            if not getattr(settings, f"ENABLE_{name.upper()}"):
                del self[name]
            elif getattr(settings, f"REQUIRE_{name.upper()}"):
                self[name].validators = [DataRequired(_(message))]

    def attributes(self) -> dict[str, str]:
        """Return what an account is created from; names that are not asked for are 'Anonymous', as in the seed."""
        found = {name: self[name].data or "" for name in (*_MISSING, "email", "password") if name in self}
        return {"given_name": "Anonymous", "surname": "Anonymous", **found}


_MISSING = {
    "username": "Username is required.",
    "given_name": "First name is required.",
    "middle_name": "Middle name is required.",
    "surname": "Surname is required.",
}
