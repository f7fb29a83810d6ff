"""ProviderData: what a provider told of the person behind an account."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application
from stormpath_app.database import session
from stormpath_app.models import ProviderData

from ..conftest import PASSWORD
from ..falcon import SOCIAL
from .test_event import events
from .test_provider_login import HAN

pytestmark = pytest.mark.settings(STORMPATH_SOCIAL=SOCIAL, STORMPATH_KEEP_PROVIDER_TOKENS=True)


@pytest.fixture
def han(context):
    return Application.current().enter("falcon", HAN)


def test_an_account_that_came_by_no_provider_has_its_word_for_that_alone(context):
    leia = Account.create("leia@alderaan.example", PASSWORD)
    told = dict(leia.provider_data)
    assert told.pop("provider_id") == "stormpath"
    assert told.pop("href") == f"{leia.href}/providerData"
    assert {told.pop("created_at"), told.pop("modified_at")} == {leia.created_at}
    assert set(told.values()) == {None}
    assert session.scalar(sa.select(sa.func.count()).select_from(ProviderData)) == 0


def test_it_reads_as_a_resource_and_cannot_be_set(han):
    data = han["provider_data"]
    assert dict(data) == {
        "href": f"{han.href}/providerData",
        "provider_id": "falcon",
        "user_info": {"sub": "1138", "ship": "Falcon"},
        "access_token": "access",
        "refresh_token": "refresh",
        "created_at": data.created_at,
        "modified_at": data.modified_at,
    }
    assert ProviderData.get(data.href) is data
    assert data["account"] is han
    with pytest.raises(Exception, match="cannot be changed"):
        data["user_info"] = {}


def test_the_log_tells_no_token(han):
    Application.current().enter("falcon", HAN)
    assert not [event for event in events() if "access" in event.details or "refresh" in event.details]


def test_it_goes_with_its_account_and_with_its_directory(han):
    directory = han.directory
    han.delete()
    assert session.scalar(sa.select(sa.func.count()).select_from(ProviderData)) == 0
    Application.current().enter("falcon", HAN)
    directory.delete()
    assert session.scalar(sa.select(sa.func.count()).select_from(ProviderData)) == 0
