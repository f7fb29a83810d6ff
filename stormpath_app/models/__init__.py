"""Stormpath's resources and their verbs: the one door for every interface."""

from .account import Account, Claim
from .account_store_mapping import AccountStoreMapping
from .active_session import ActiveSession, Replay
from .api_key import ApiKey, ApiKeys
from .application import Application, AuthenticationResult
from .base import DISABLED, ENABLED, UNVERIFIED, Base, Resource
from .client import Client
from .collection import Collection
from .directory import Directory
from .event import AuditEvent
from .group import Group
from .group_membership import GroupMembership
from .login_name import LoginName
from .password_policy import PasswordPolicy, PasswordStrength
from .session import AccountSession
from .tenant import Tenant

__all__ = [
    "DISABLED",
    "ENABLED",
    "UNVERIFIED",
    "Account",
    "AccountSession",
    "AccountStoreMapping",
    "ActiveSession",
    "ApiKey",
    "ApiKeys",
    "Application",
    "AuditEvent",
    "AuthenticationResult",
    "Base",
    "Claim",
    "Client",
    "Collection",
    "Directory",
    "Group",
    "GroupMembership",
    "LoginName",
    "PasswordPolicy",
    "PasswordStrength",
    "Replay",
    "Resource",
    "Tenant",
]
