"""The forms: their shape alone. What a value may be is the resources' business."""

from collections.abc import Mapping, Sequence
from typing import Any

from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, InputRequired

from ..forms import Form
from ..settings import settings
from ..translation import gettext as _, mark


class LoginForm(Form):
    """An e-mail address or username, and a password."""

    login = StringField(mark("Email"), [InputRequired(mark("Login identifier required."))])
    password = PasswordField(mark("Password"), [InputRequired(mark("Password required."))])

    def __init__(self) -> None:
        super().__init__()
        if settings.ENABLE_USERNAME:
            self.login.label.text = _("Username or Email")


class NamesForm(Form):
    """The names of an account. The settings say which there are and which must be filled."""

    username = StringField(mark("Username"), [DataRequired(mark("Username is required."))])
    given_name = StringField(mark("First Name"), [DataRequired(mark("First name is required."))])
    middle_name = StringField(mark("Middle Name"), [DataRequired(mark("Middle name is required."))])
    surname = StringField(mark("Last Name"), [DataRequired(mark("Surname is required."))])

    def __init__(self, known: Mapping[str, Any] | None = None, *, sent: bool = True) -> None:
        super().__init__(known, sent=sent)
        for name in NAMES:
            if not getattr(settings, f"ENABLE_{name.upper()}"):
                del self[name]
            elif not getattr(settings, f"REQUIRE_{name.upper()}"):
                self[name].validators, self[name].flags.required = [], False

    def names(self) -> dict[str, str]:
        """Return those that were sent."""
        return {name: self[name].data or "" for name in NAMES if name in self}


class RegistrationForm(NamesForm):
    """A new account's fields."""

    email = EmailField(mark("Email"), [InputRequired(mark("You must provide an email address."))])
    password = PasswordField(mark("Password"), [InputRequired(mark("You must supply a password."))])

    def attributes(self) -> dict[str, str]:
        """Return what an account is created from; names that are not asked for are 'Anonymous', as in the seed."""
        asked = {**self.names(), "email": self.email.data or "", "password": self.password.data or ""}
        return {"given_name": "Anonymous", "surname": "Anonymous", **asked}


class LinkForm(Form):
    """The password of the account to be linked, or the wish to take over one that nobody confirmed."""

    password = PasswordField(mark("Password"))
    do = HiddenField()

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Look at the form: to take an account over needs no password."""
        self.password.validators = [] if self.do.data == "take-over" else [InputRequired(mark("Password required."))]
        return super().validate(extra_validators)


class ForgotForm(Form):
    """The address of an account whose password is forgotten."""

    email = EmailField(mark("Email"), [InputRequired(mark("Email address required."))])


class OldPasswordForm(Form):
    """The password that there is."""

    old_password = PasswordField(mark("Current password"), [InputRequired(mark("Password required."))])


class NewAddressForm(Form):
    """Another e-mail address, and the password: a login that somebody left open is not enough."""

    new_email = EmailField(mark("New email"), [InputRequired(mark("You must provide an email address."))])
    email_password = PasswordField(mark("Current password"), [InputRequired(mark("Password required."))])


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


class ResetForm(NewPasswordForm):
    """A new password, twice, and the hash of the link that led here: another may have been opened meanwhile."""

    link = HiddenField()


class ResendForm(Form):
    """The e-mail address or username of an account whose address is to be confirmed."""

    login = StringField(mark("Email"), [InputRequired(mark("Login identifier required."))])

    def __init__(self) -> None:
        super().__init__()
        if settings.ENABLE_USERNAME:
            self.login.label.text = _("Username or Email")


class ChangePasswordForm(NewPasswordForm, OldPasswordForm):
    """A new password in the place of the old one."""


NAMES = ("username", "given_name", "middle_name", "surname")
