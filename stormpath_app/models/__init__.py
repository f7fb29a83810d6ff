"""Stormpath's resources and their verbs: the one door for every interface."""

from .account import Account, Claim
from .account_creation_policy import AccountCreationPolicy
from .account_link import AccountLink
from .account_linking_policy import AccountLinkingPolicy
from .account_schema import AccountSchema, Field
from .account_store import AccountStore
from .account_store_mapping import AccountStoreMapping
from .active_session import ActiveSession, Replay
from .administrator import Administrator
from .api_key import ApiKey, ApiKeys
from .application import Application, AuthenticationResult
from .base import DISABLED, ENABLED, UNVERIFIED, Base, Resource
from .client import Client
from .collection import Collection
from .console_session import ConsoleSession
from .custom_data import CustomData
from .custom_data_encryption import encrypt_all as encrypt_custom_data
from .deleted_account import DeletedAccount
from .diagnosis import Diagnosis, Step
from .directory import Directory
from .email_template import EmailTemplate
from .event import AuditEvent
from .group import Group
from .group_membership import GroupMembership
from .login_name import LoginName
from .mail_workflows import PasswordResetToken
from .message import OutboxMessage
from .one_time_token import OneTimeToken
from .password_history import FormerPassword
from .password_policy import PasswordPolicy, PasswordStrength
from .provider import Provider
from .provider_data import ProviderData
from .session import AccountSession
from .tenant import Tenant
from .used_state import UsedState

__all__ = [
    "DISABLED",
    "ENABLED",
    "UNVERIFIED",
    "Account",
    "AccountCreationPolicy",
    "AccountLink",
    "AccountLinkingPolicy",
    "AccountSchema",
    "AccountSession",
    "AccountStore",
    "AccountStoreMapping",
    "ActiveSession",
    "Administrator",
    "ApiKey",
    "ApiKeys",
    "Application",
    "AuditEvent",
    "AuthenticationResult",
    "Base",
    "Claim",
    "Client",
    "Collection",
    "ConsoleSession",
    "CustomData",
    "DeletedAccount",
    "Diagnosis",
    "Directory",
    "EmailTemplate",
    "Field",
    "FormerPassword",
    "Group",
    "GroupMembership",
    "LoginName",
    "OneTimeToken",
    "OutboxMessage",
    "PasswordPolicy",
    "PasswordResetToken",
    "PasswordStrength",
    "Provider",
    "ProviderData",
    "Replay",
    "Resource",
    "Step",
    "Tenant",
    "UsedState",
    "encrypt_custom_data",
]
