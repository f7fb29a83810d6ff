"""What people wrote is text on every page of the console (P-K3)."""

import pytest

from stormpath_app import Application, Directory
from stormpath_app.models import Tenant

from ..conftest import PASSWORD
from ..payloads import HTML
from .test_gate import rules

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize("payload", HTML)
def test_no_page_of_the_console_runs_what_somebody_wrote(app, owner, payload):
    with app.app_context():
        directory = Directory.create(name=payload, description=payload)
        group = directory.create_group(name=payload, description=payload)
        account = directory.create_account(
            email="leia@alderaan.example",
            username=payload,
            given_name=payload,
            middle_name=payload,
            surname=payload,
            password=PASSWORD,
            custom_data={"plan": payload},
        )
        group.add_account(account)
        application = Application.create(name=payload, description=payload)
        application.add_account_store(directory)
        application.add_account_store(group)
        keys = [one.api_keys.create(name=payload, description=payload) for one in (account, Tenant.current())]
        ids = [one.id for one in (directory, group, account, application, *keys)]
    shown = 0
    for path, methods, _view in rules(app):
        for one in ids if "nothing" in path else [None]:
            if "GET" in methods and "export" not in path:
                for query in ({}, {"q": payload, "login": payload, "add": payload, "store": payload}):
                    answer = owner.browser.get(path.replace("nothing", one or ""), query_string=query)
                    assert answer.status_code < 500, path
                    assert "<script>alert" not in answer.text, path
                    assert "<img src=x" not in answer.text, path
                    assert 'href="javascript:' not in answer.text, path
                    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"], path
                    shown += "alert(1)" in answer.text
    assert shown > 20
