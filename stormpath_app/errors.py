"""Every error, one class per cause, with Stormpath's code. `docs/errors.md` lists them.

`message` (also `str(error)` and `user_message`) is safe on a page; only `developer_message` names the cause.
"""

import math
from collections.abc import Sequence
from datetime import timedelta

from .translation import english, gettext as _, ngettext


class StormpathError(Exception):
    """The base of all. `status`: HTTP status; `code`: Stormpath's code, or the status where it has none finer."""

    status = 400
    code = 400
    message = "This cannot be done."
    #: None: the cause is the message itself.
    cause: str | None = None

    def __init__(self, message: str | None = None, *, developer_message: str | None = None) -> None:
        self.message = message or _(type(self).message)
        self.developer_message = developer_message or self.cause or english(self.message)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    @property
    def user_message(self) -> str:
        """The same as `message`, under the name the old SDK had."""
        return self.message

    @property
    def more_info(self) -> str:
        """Where the code is explained."""
        return f"docs/errors.md#{self.code}"


class NotReady(StormpathError):
    """The settings, the schema or the application are not right. `problems`: a sentence for each mistake."""

    status = code = 503
    message = "This site is not set up yet."

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        # In English: the app's locale selector may ask who is there, of the very site that is not ready.
        super().__init__(self.message, developer_message=" ".join(self.problems))
        for problem in self.problems:
            self.add_note(problem)  # a traceback shows them: it is for whoever runs the site


class DatabaseUnavailable(NotReady):
    """The database does not answer, or is busy for too long. `retry_after`: the seconds until to ask again."""

    message = "This site cannot reach its data just now. Try again in a few seconds."
    retry_after = 5


class ResourceNotFound(StormpathError):
    """Nothing has this href or name."""

    status = code = 404
    message = "The requested resource does not exist."


class Conflict(StormpathError):
    """The database refused the change because of another one."""

    status = code = 409
    message = "Another resource with that information already exists."


class ChangedMeanwhile(Conflict):
    """Somebody else changed or deleted the resource since it was loaded."""

    message = "This was changed by somebody else meanwhile. Load it again, then repeat the change."


class PointedAt(Conflict):
    """Rows of the host's own tables point at it, so it cannot be deleted. `tables`: their names."""

    message = "This cannot be deleted, as other data points at it: %(tables)s."

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = list(tables)
        super().__init__(_(self.message, tables=", ".join(self.tables) or "?"))


# --- Attributes ---


class PropertyError(StormpathError):
    """One attribute is wrong. `thing`, `property`: whose and which, as in "Account" and "given_name"."""

    template = "%(thing)s %(label)s is not valid."

    def __init__(
        self,
        thing: str,
        property: str,  # noqa: A002 - Stormpath's word
        *,
        label: str | None = None,
        **more: object,
    ) -> None:
        self.thing, self.property = thing, property
        super().__init__(
            _(self.template, thing=_(thing), property=property, label=_(label or property.replace("_", " ")), **more)
        )


class PropertyRequired(PropertyError):
    """A required attribute is missing or blank."""

    code = 2000
    template = "%(thing)s %(label)s is required; it cannot be null, empty, or blank."


class AlreadyExists(PropertyError):
    """Another resource has this value, and it must be unique."""

    status = 409
    code = 2001
    # The two blanks are Stormpath's own.
    template = "%(thing)s with that %(label)s already exists.  Please choose another %(label)s."


class AccountAlreadyExists(AlreadyExists):
    """Another account of the directory has this e-mail address or username. `property`: "email" or "username"."""


class InvalidReference(PropertyError):
    """What was given for a resource names none that is there."""

    code = 2002
    template = "%(thing)s %(label)s does not exist."


class UnsupportedValue(PropertyError):
    """The value is not one of those allowed."""

    code = 2003
    template = "%(thing)s %(label)s must be one of: %(allowed)s."


class WrongType(PropertyError):
    """The value is of another type."""

    code = 2004
    template = "%(thing)s %(label)s is of the wrong type."


class InvalidFormat(PropertyError):
    """The value is not written as it must be."""

    code = 2006
    template = "%(thing)s %(label)s is in an invalid format."


class TooLong(PropertyError):
    """The value is too long."""

    code = 2008
    template = "%(thing)s %(label)s exceeded the maximum length of %(longest)s characters."


class BelowMinimum(PropertyError):
    """The number is too small."""

    code = 2009
    template = "%(thing)s %(label)s minimum value is %(low)s."


class OutOfRange(PropertyError):
    """The number is outside its range."""

    code = 2013
    template = "%(thing)s %(label)s must be between %(low)s and %(high)s."


class UnknownProperty(PropertyError, KeyError):
    """No such attribute: probably a typing error."""

    code = 2015
    template = "%(thing)s has no property '%(property)s'."


class ReadOnly(PropertyError):
    """The attribute cannot be set, or not any more: accounts and groups stay in their directory."""

    code = 2017
    template = "%(thing)s %(label)s cannot be changed."


class EmailDomainRefused(PropertyError):
    """The directory takes no e-mail addresses of this domain."""

    template = "Cannot create the Account because your email's domain is not allowed."


class EmailDomainBlacklisted(EmailDomainRefused):
    """The domain of the e-mail address is on the directory's blacklist."""

    code = 7205
    cause = "The domain of the email address is on the blacklist of the Directory's Account creation policy."


class EmailDomainNotWhitelisted(EmailDomainRefused):
    """The directory has a whitelist, and the domain of the e-mail address is not on it."""

    code = 7206
    cause = "The domain of the email address is not on the whitelist of the Directory's Account creation policy."


# --- Searches ---


class InvalidQueryValue(PropertyError):
    """The value of a search is not one that the attribute could be compared with, such as half a range."""

    code = 2103
    template = "%(thing)s resources cannot be searched for this %(label)s: it is not valid."


class InvalidOrder(PropertyError):
    """The clause of an order is not written as it must be: an attribute, and "asc" or "desc" behind it, or nothing."""

    code = 2104
    template = "'%(property)s' is no order of %(thing)s resources."


class UnsupportedQueryValue(PropertyError):
    """The value of a search is not one that the attribute can have."""

    code = 2105
    template = "%(thing)s resources can be searched for one %(label)s of: %(allowed)s."


class UnsupportedOrder(PropertyError):
    """Nothing can be sorted by this attribute."""

    code = 2106
    template = "%(thing)s resources cannot be sorted by '%(property)s'."


class RangeReversed(PropertyError):
    """The range of a search ends before it starts."""

    code = 2108
    template = "%(thing)s resources cannot be searched for this %(label)s: the range ends before it starts."


class PasswordRefused(StormpathError):
    """The password breaks the directory's policy. `violations`: a sentence for each rule, in the policy's order."""

    def __init__(self, violations: Sequence[str], code: int = 400) -> None:
        self.violations = list(violations)
        self.code = code
        super().__init__(self.violations[0], developer_message=" ".join(map(english, self.violations)))


class PasswordReused(PasswordRefused):
    """The password was in use before, and the directory prevents its reuse. `last`: of how many passwords it is one."""

    code = 6401

    def __init__(self, last: int = 1) -> None:
        self.last = last
        only = _("The new password is the one in use: choose another.")
        one_of = _("The new password is one of the last %(count)s: choose another.", count=last)
        super().__init__([only if last == 1 else one_of], code=self.code)


# --- Custom data ---


class CustomDataKeyRequired(PropertyError):
    """A key of custom data is empty."""

    code = 3000
    template = "%(thing)s custom data needs a key for each value; it cannot be empty."


class CustomDataKeyTooLong(PropertyError):
    """A key of custom data is longer than 255 characters."""

    code = 3001
    template = "%(thing)s custom data keys cannot be longer than 255 characters."


class CustomDataKeyInvalid(PropertyError):
    """A key of custom data has other characters than a key may have."""

    code = 3002
    template = "%(thing)s custom data keys are of the characters A-Z, a-z, 0-9, '_' and '-', and do not begin with '-'."


class CustomDataKeyReserved(PropertyError):
    """A key of custom data is one that the resource itself has."""

    code = 3003
    template = "%(thing)s custom data keys cannot be one of: %(reserved)s."


class CustomDataTooLarge(PropertyError):
    """The custom data of one resource is more than 10 MB in all."""

    code = 3004
    template = "%(thing)s custom data cannot be more than 10 MB in all."


class CustomDataTooDeep(PropertyError):
    """Lists and objects of custom data are nested too deep, or hold themselves."""

    template = "%(thing)s %(label)s is nested more than %(deepest)s levels deep."


class CustomDataLocked(StormpathError):
    """Custom data is stored encrypted, and none of the keys there are opens it."""

    status = code = 500
    message = "The custom data cannot be read at the moment."
    cause = "None of STORMPATH_ENCRYPTION_KEYS opens the custom data: put the key that it was written with at the end."


class SecretLocked(StormpathError):
    """A secret is stored encrypted, and none of the keys there are opens it."""

    status = code = 503
    message = "This is not possible at the moment."
    cause = (
        "None of STORMPATH_ENCRYPTION_KEYS, SECRET_KEY and SECRET_KEY_FALLBACKS opens the secret: set it again, or put"
        " the key that it was written with at the end."
    )


# --- Applications and their account stores ---


class NoDefaultAccountStore(StormpathError):
    """The application has no place for new accounts."""

    code = 5100
    message = "New accounts cannot be created at the moment."
    cause = "No account store of the application is its default account store: new accounts have no place to go."


class DefaultAccountStoreDisabled(StormpathError):
    """The place for new accounts is disabled."""

    code = 5101
    message = "New accounts cannot be created at the moment."
    cause = "The application's default account store is disabled."


class NoDefaultGroupStore(StormpathError):
    """The application has no place for new groups."""

    code = 5102
    message = "New groups cannot be created at the moment."
    cause = (
        "No account store assigned to this application has been configured as the default storage location"
        " for newly created groups."
    )


class DefaultGroupStoreDisabled(StormpathError):
    """The place for new groups is disabled."""

    code = 5103
    message = "New groups cannot be created at the moment."
    cause = "The account store that is the application's default storage location for newly created groups is disabled."


class AccountStoreAlreadyMapped(StormpathError):
    """The application has this account store already."""

    status = 409
    code = 5104
    message = "The Account Store is already assigned to the Application."


class GroupAsDefaultGroupStore(StormpathError):
    """New groups go to a directory: a group cannot be their place."""

    code = 5112
    message = "A Group cannot be the default group store of an Application."


class DirectoryNameTaken(StormpathError):
    """The directory that was to be made with the application has a name that is taken."""

    code = 5010
    message = "Sorry, that Directory name is not available. Please choose another."


class MirrorAsDefaultAccountStore(StormpathError):
    """New accounts go to a directory with accounts of its own, or a group of one: not where a provider brings them."""

    code = 5106
    message = "A Directory whose Accounts come from a provider cannot be the default account store of an Application."


class MirrorGroupAsDefaultAccountStore(StormpathError):
    """The group is one of a directory whose accounts come from a provider."""

    code = 5108
    message = (
        "A Group of a Directory whose Accounts come from a provider cannot be the default account store of an"
        " Application."
    )


class MirrorAsDefaultGroupStore(StormpathError):
    """New groups go to a directory with accounts of its own."""

    code = 5110
    message = "A Directory whose Accounts come from a provider cannot be the default group store of an Application."


class ProviderAlreadyMapped(StormpathError):
    """The application has another directory of the same provider."""

    status = 409
    code = 5200
    message = "The Application has a Directory of this provider already."


class ProviderNotMapped(StormpathError):
    """Nobody can log in to the application by this provider: no setting names it, and no account store is of it."""

    code = 5201
    message = "Logging in this way is not possible here."
    cause = "STORMPATH_SOCIAL does not name the provider, and the Application has no enabled Directory of it."


# --- Directories of providers ---


class CreatedByProvider(StormpathError):
    """Accounts of this directory come into being when people log in by its provider."""

    code = 6100
    message = "Accounts of this Directory cannot be created here: they come from its provider."


class CannotBecomeMirror(StormpathError):
    """A directory with accounts of its own keeps them: a provider is named when a directory is created."""

    code = 6201
    message = "A Directory that has its own Accounts cannot take them from a provider."


class ProviderStays(StormpathError):
    """A directory stays with its provider."""

    code = 6202
    message = "The provider of a Directory cannot be changed."


class KeptByProvider(PropertyError):
    """The attribute is the provider's to change, as the account came from it."""

    code = 7202
    template = "%(thing)s %(label)s cannot be changed here: it comes from the provider."


# --- The console ---


class Protected(StormpathError):
    """The console needs this application, directory, group or account store as it is."""

    status = code = 403
    message = "This belongs to the console, which needs it as it is."


class LastOwner(StormpathError):
    """The console would be left without an owner who can log in."""

    status = 409
    code = 4002
    message = "This is the only owner of the console. Make somebody else an owner first."


# --- Groups ---


class DirectoriesDiffer(StormpathError):
    """The account and the group are in different directories."""

    message = "An Account can only be in Groups of its own Directory."


# --- Linked accounts ---


class AccountsAlreadyLinked(StormpathError):
    """The two accounts are linked already. `link`: that link."""

    status = 409
    code = 7500
    message = "These accounts are already linked."

    def __init__(
        self, message: str | None = None, *, link: object = None, developer_message: str | None = None
    ) -> None:
        self.link = link
        super().__init__(message, developer_message=developer_message)


class LinkedWithItself(StormpathError):
    """Both ends of an account link are one account."""

    code = 7501
    message = "An account cannot be linked with itself."


class AccountLinkMalformed(StormpathError):
    """An account link was not given the two accounts that are its ends."""

    code = 7502
    message = "An account link needs the two accounts that it links."
    cause = "An Account Link needs left_account and right_account: each an Account that exists, or its href."


class TooManyAccountLinks(StormpathError):
    """One of the two accounts has as many links as an account can have."""

    code = 7503
    message = "One of these accounts is linked with too many others."


class LinkedInOneDirectory(StormpathError):
    """The two accounts are in one directory."""

    code = 7504
    message = "Only accounts of different directories can be linked."


class LinkedElsewhere(StormpathError):
    """One of the two is linked with another account of the other's directory. `account_id`: of the one that is."""

    status = 409
    code = 7505
    message = "One of these accounts is already linked with another one from the same place."

    def __init__(
        self, message: str | None = None, *, account_id: str = "", developer_message: str | None = None
    ) -> None:
        self.account_id = account_id
        super().__init__(message, developer_message=developer_message)


class LastWayIn(StormpathError):
    """The account has no password, and no other link that it could be logged in to by."""

    status = code = 409
    message = "This is the only way to log in to the account. Choose a password first, or link another way."


# --- Mails ---


class LinkMacroMissing(PropertyError):
    """The mail needs its link, which one of the macros `url`, `sptoken` and `sptokenNameValuePair` makes."""

    code = 7301
    template = "%(thing)s %(label)s must contain the macro ${url}, ${sptoken} or ${sptokenNameValuePair}."


class NoSuchAccount(StormpathError):
    """No account of the application has this e-mail address or username, so nobody gets a mail."""

    code = 2016
    message = "Invalid email address."
    cause = "No Account of the Application has this email address or username."


class NoPassword(NoSuchAccount):
    """The account logs in by a provider, and has no password that could be forgotten."""

    message = "This account logs in with another site, and has no password here."
    cause = "The Account logs in by a provider, and has no password here: nothing is mailed to it."


class VerificationDisabled(StormpathError):
    """The directory of the account confirms no addresses, so there is no mail to send."""

    code = 6101
    message = "Email addresses are not confirmed here."
    cause = "The email verification workflow is not enabled for the Directory of this Account."


class MailQuotaExceeded(StormpathError):
    """The address got as many mails of this kind as it may in the time. Those that came stay good."""

    status = code = 429
    message = "Too many mails of this kind were sent to this address. Try again later."


class TokenRefused(ResourceNotFound):
    """The token of a link is unknown, was used, is too old, or a newer one was mailed: nobody is told which."""

    message = "This link does not work any more. Ask for a new one."


# --- Logging in ---


class LoginFailed(StormpathError):
    """Nobody was let in. All causes that a stranger could tell apart have one message."""

    message = "Invalid username or password."


class NoAccountStores(LoginFailed):
    """The application has no account store to ask."""

    code = 5105
    cause = "Login attempt failed because the Application has no Account Stores."


class AccountStoreNotMapped(LoginFailed):
    """The account store that was named is not one of the application's."""

    code = 5114
    cause = "The specified Account Store is not one of the Application's assigned Account Stores."


class ApplicationDisabled(LoginFailed):
    """The application is disabled: nobody may log in."""

    code = 2021
    message = "Logging in is closed at the moment."
    cause = "Login attempt failed because the Application is disabled."


class WrongPassword(LoginFailed):
    """The account exists; the password is not its own."""

    code = 7100
    cause = "Login attempt failed because the specified password is incorrect."


class AccountDisabled(LoginFailed):
    """The password is right, the account is disabled. Only its owner can learn this."""

    code = 7101
    message = "Login attempt failed because the Account is disabled."


class AccountNotVerified(LoginFailed):
    """The password is right, the e-mail address is not confirmed. Only its owner can learn this."""

    code = 7102
    message = "Login attempt failed because the Account is not verified."


class PasswordChangeRequired(LoginFailed):
    """The password is right, and its owner must choose another before they are let in. Only they can learn this.

    `proof`: what `application.choose_password` takes beside the new one, soon after.
    """

    message = "Choose a new password before you log in."

    def __init__(self, message: str | None = None, *, proof: str = "", developer_message: str | None = None) -> None:
        self.proof = proof
        super().__init__(message, developer_message=developer_message)


class GroupDisabled(LoginFailed):
    """The group that was named as the account store is disabled, as one can read in the log alone."""

    code = 7105
    cause = "Login attempt failed because the Group that is the specified Account Store is disabled."


class DirectoryDisabled(LoginFailed):
    """The directory of the account store that was named is disabled, as one can read in the log alone."""

    code = 7106
    cause = "Login attempt failed because the Directory of the specified Account Store is disabled."


class TooManyAttempts(LoginFailed):
    """There were too many attempts. `retry_after`: the seconds until the next one is looked at."""

    status = code = 429
    #: How long it is where nobody says.
    usual_wait = timedelta(seconds=1)

    def __init__(
        self, message: str | None = None, *, wait: timedelta | None = None, developer_message: str | None = None
    ) -> None:
        self.retry_after = max(1, math.ceil((wait or self.usual_wait).total_seconds()))
        super().__init__(message or self._sentence(), developer_message=developer_message)

    def _sentence(self) -> str:
        if self.retry_after < 90:
            return ngettext(
                "Too many attempts. Try again in one second.",
                "Too many attempts. Try again in %(count)s seconds.",
                self.retry_after,
            )
        return ngettext(
            "Too many attempts. Try again in one minute.",
            "Too many attempts. Try again in %(count)s minutes.",
            math.ceil(self.retry_after / 60),
        )


class TooManyAtOnce(TooManyAttempts):
    """More people log in, register or change a password at once than the server can hash for. It counts for nobody."""

    usual_wait = timedelta(seconds=5)

    def _sentence(self) -> str:
        return ngettext(
            "Too many people are logging in at this moment. Try again in one second.",
            "Too many people are logging in at this moment. Try again in %(count)s seconds.",
            self.retry_after,
        )


class LoginOutdated(LoginFailed):
    """The account was changed or closed while it was logging in, or it is not one of the application's."""

    code = 7100
    cause = "Login attempt failed because the Account may not log in to the Application, or was changed meanwhile."


class NoRole(LoginFailed):
    """The password is right, and the account is no administrator's, or not any more. Only its owner can learn this."""

    message = "This account has no role in the console. Ask one of its owners for one."


class ApiKeyRefused(StormpathError):
    """No program was let in. All causes have one message."""

    status = 401
    code = 10019
    message = "API Key Authentication failed because the API key or secret submitted is invalid."


class ApiKeyNotFound(ApiKeyRefused):
    """No API key has this id."""

    cause = "API Key Authentication failed because there is no API Key with the specified id."


class WrongApiKeySecret(ApiKeyRefused):
    """The API key exists; the secret is not its own."""

    cause = "API Key Authentication failed because the specified secret is not that of the API Key."


class ApiKeyDisabled(ApiKeyRefused):
    """Id and secret are right, the API key is disabled."""

    cause = "API Key Authentication failed because the API Key is disabled."


class ApiKeyAccountRefused(ApiKeyRefused):
    """Id and secret are right, but the API key is not one of those that are asked, or its account may not log in."""

    cause = (
        "API Key Authentication failed because the Account of the API Key is not ENABLED, or may not log in to the"
        " Application."
    )


class AccountNotFound(LoginFailed):
    """No account store of the application knows the login."""

    code = 7104
    cause = (
        "Login attempt failed because there is no Account in the Application's associated Account Stores"
        " with the specified username or email."
    )


# --- Logging in with other sites ---


class RegistrationClosed(LoginFailed):
    """The provider knows them, but they have no account here, and strangers get none."""

    status = code = 403
    message = "There is no account for you here, and new ones are not given out."


class AccountKnown(AccountAlreadyExists):
    """Somebody comes by a provider for the first time, and an account has their e-mail address.

    `account`: that one. `is_email_verified`: whether the provider says that the address is theirs; if not, they may be
    told to log in and link it, and nothing may be offered that needs less.
    """

    def __init__(self, account: object, *, is_email_verified: bool) -> None:
        self.account, self.is_email_verified = account, is_email_verified
        super().__init__("Account", "email")


class ProviderError(StormpathError):
    """The provider did not say who somebody is. `name`: its own, as on its button.

    `developer_message` may have the provider's words in it, and never a token or a secret.
    """

    message = "%(name)s did not say who you are. Try again, or log in another way."

    def __init__(self, name: str, developer_message: str | None = None) -> None:
        self.name = name
        super().__init__(_(type(self).message, name=name), developer_message=developer_message)


class ProviderRefused(ProviderError):
    """The provider refused, or what it said is not to be believed."""

    code = 7200
    message = "%(name)s did not confirm who you are. Try again, or log in another way."


class ProviderLacksEmail(ProviderError):
    """The provider told no e-mail address, and an account needs one."""

    code = 7201
    message = "%(name)s did not tell us your email address. Allow it there, or log in another way."


class ProviderUnavailable(ProviderError):
    """The provider cannot be reached, is too slow, or talks nonsense."""

    status = code = 503
    message = "%(name)s does not answer now. Log in another way, or try again later."
