"""A host app as a type checker reads it: `make types` fails where our public surface tells it less, or otherwise."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import assert_type

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

from stormpath_app import (
    Account,
    Application,
    Directory,
    StormpathError,
    StormpathManager,
    User,
    login_required,
    login_user,
    logout_user,
)
from stormpath_app.errors import LoginFailed, PasswordRefused
from stormpath_app.models import AuthenticationResult, Client, Tenant

app = Flask(__name__)
db = SQLAlchemy()
manager = StormpathManager(app, db=db)


@app.get("/")
@login_required
def home() -> str:
    return "Hello"


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
    yield account


def log_in() -> str:
    try:
        result = manager.application.authenticate_account("han@falcon.example", "x")
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
