"""Resources that are made of what is kept."""

import sqlalchemy as sa
from flask import request

from stormpath_app import Account, user
from stormpath_app.authentication import load_user
from stormpath_app.database import session
from stormpath_app.models import PasswordStrength


def test_a_resource_is_one_object_before_there_is_a_session_and_after(app, account):
    with app.app_context():
        directory_id = session.scalar(sa.select(Account.directory_id))
    with app.app_context():
        found = PasswordStrength.of(directory_id)
        assert PasswordStrength.of(directory_id) is found
        assert found in session
        assert PasswordStrength.of(directory_id) is found


def test_who_is_asked_for_twice_is_one_account_too(does, member):
    def ask():
        again = load_user(request)
        assert again is user._get_current_object()
        return session.get(Account, again.id).given_name

    does.append(ask)
    assert member.get("/do").text == "Han"
