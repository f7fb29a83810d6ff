"""Authorized URIs: the addresses that an application trusts."""

import pytest

from stormpath_app.errors import InvalidFormat, TooLong, WrongType
from stormpath_app.models import Application, Client

from ..together import together

NAMES = ["authorized_callback_uris", "authorized_origin_uris"]
GOOD = ["https://shop.example", "http://localhost:5000/callback?x=1", "https://*.shop.example/back", "shop://done"]


@pytest.fixture
def application(context):
    return Application.current()


@pytest.mark.parametrize("name", NAMES)
def test_an_application_trusts_no_address_until_it_is_told(application, name):
    assert application[name] == ()
    application[name] = GOOD
    application.save()
    application.refresh()
    assert application[name] == dict(application)[name] == tuple(GOOD)
    application[name] = None
    application.save()
    application.refresh()
    assert application[name] == ()


def test_an_application_is_created_with_its_addresses(context):
    created = Client().applications.create({"name": "Shop"}, authorized_callback_uris=GOOD)
    created.refresh()
    assert (created.authorized_callback_uris, created.authorized_origin_uris) == (tuple(GOOD), ())


BAD = ["", "shop.example", "*.shop.example", "https://", "https:///x", "//shop.example", "javascript:alert(1)"]
BAD += ["https://shop.example/a b", "https://shop.example\n", " https://shop.example", "https://\0", "/callback"]


@together("name", NAMES)
@together("uri", BAD)
def test_what_is_no_address_with_a_scheme_is_refused(application, name, uri):
    with pytest.raises(InvalidFormat):
        setattr(application, name, ["https://shop.example", uri])
    assert application[name] == ()


@together("value", ["https://shop.example", b"x", 5, [5], [None], {"https://shop.example": 1}])
def test_what_is_no_list_of_texts_is_refused(application, value):
    with pytest.raises(WrongType):
        application.authorized_origin_uris = value


def test_all_together_have_4000_characters_at_most(application):
    uri = "https://shop.example"
    application.authorized_origin_uris = [uri] * 200
    application.save()
    with pytest.raises(TooLong):
        application.authorized_origin_uris = [uri] * 200 + ["x://y"]
    application.refresh()
    assert len(application.authorized_origin_uris) == 200
