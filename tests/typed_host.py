"""A host app as a type checker reads it: `make types` fails where our public surface tells it less, or otherwise."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, assert_type

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

from stormpath_app import (
    Account,
    Application,
    Directory,
    Group,
    StormpathError,
    StormpathManager,
    User,
    fresh_login_required,
    groups_required,
    login_fresh,
    login_required,
    login_user,
    logout_user,
)
from stormpath_app.errors import LoginFailed, PasswordRefused, PointedAt, TooManyAttempts
from stormpath_app.models import AccountStoreMapping, AuthenticationResult, Client, CustomData, GroupMembership, Tenant

app = Flask(__name__)
db = SQLAlchemy()
manager = StormpathManager(app, db=db)


@app.get("/")
@login_required
def home() -> str:
    return "Hello"


@app.get("/orders/<int:number>")
@groups_required(["admins", "pilots"], all=False)
def order(number: int) -> tuple[str, int]:
    return f"Order {number}", 200


@app.post("/leave")
@fresh_login_required
async def leave() -> dict[str, bool]:
    return {"fresh": login_fresh()}


def custom_data(account: Account, group: Group) -> None:
    account.custom_data["plan"] = {"seats": 5}
    account.custom_data = {"plan": "free"}
    assert_type(account.custom_data, CustomData)
    assert_type(dict(group.custom_data), dict[str, Any])
    assert_type(account.custom_data.save(), None)


def groups(account: Account) -> None:
    group = manager.application.groups.create({"name": "admins"})
    assert_type(group, Group)
    assert_type(account.add_group(group), GroupMembership)
    assert_type(account.has_group("admins"), bool)
    assert_type(account.has_groups([group, "pilots"], all=False), bool)
    assert_type(list(account.groups), list[Group])
    assert_type(list(group.accounts), list[Account])
    account.remove_group(group.href)
    try:
        account.delete()
    except PointedAt as error:
        assert_type(error.tables, list[str])


def resources() -> Iterator[object]:
    assert_type(manager.client, Client)
    assert_type(manager.client.tenant, Tenant)
    assert_type(manager.application, Application)
    assert_type(manager.blueprint, Blueprint)
    assert_type(manager.atomic(), AbstractContextManager[Session])
    assert_type(manager.load_user("/v1/accounts/x"), Account | None)
    account = manager.application.accounts.create({"email": "han@falcon.example"}, password="x")
    assert_type(account, Account)
    assert_type(account.directory, Directory)
    assert_type(account.given_name, str | None)
    assert_type(account.username, str)
    assert_type(account.created_at, datetime)
    assert_type(User.from_login("han@falcon.example", "x"), Account)
    assert_type(manager.application.find_account("han"), Account | None)
    assert_type(list(manager.client.directories), list[Directory])
    assert_type(manager.application.account_store_mappings[0].account_store, Directory | Group)
    assert_type(manager.application.add_account_store("People"), AccountStoreMapping)
    assert_type(list(account.applications), list[Application])
    yield account


def log_in() -> str:
    try:
        result = manager.application.authenticate_account("han@falcon.example", "x")
    except TooManyAttempts as error:
        assert_type(error.retry_after, int)
        return error.message
    except LoginFailed as error:
        assert_type(error.message, str)
        return error.user_message
    except (PasswordRefused, StormpathError) as error:
        assert_type(error.status, int)
        raise
    assert_type(result, AuthenticationResult)
    assert_type(login_user(result.account, remember=False), bool)
    assert_type(logout_user(), bool)
    return "Welcome"
