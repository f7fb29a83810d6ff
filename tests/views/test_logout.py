"""Logging out: by a form, by a typed address, and what must not log anybody out."""

import pytest
from bs4 import BeautifulSoup

from ..conftest import token

PREFETCHED = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Purpose": "prefetch"},
    {"X-Moz": "prefetch"},
]


def is_in(client):
    return client.get("/secret").status_code == 200


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_logging_out_leads_to_the_start_page(member, how):
    answer = member.open("/logout", method=how, data={"csrf_token": token(member, "/login?next=/")})
    assert (answer.status_code, answer.location) == (302, "/")
    assert not is_in(member)


def test_an_app_below_a_path_leads_to_its_own_start_page(member):
    assert member.get("/logout", base_url="http://localhost/shop").location == "/shop/"


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_a_stranger_may_log_out_too(client, how):
    answer = client.open("/logout", method=how, data={"csrf_token": token(client)})
    assert (answer.status_code, answer.location) == (302, "/")


def test_logging_out_forgets_the_browsers_cookies(member):
    member.get("/logout")
    assert member.get_cookie("__Host-stormpath_session") is None
    assert member.get_cookie("__Host-stormpath_token") is None


def test_a_token_from_before_the_logout_is_worthless_after(member):
    before = token(member, "/login?next=/")
    assert member.post("/logout", data={"csrf_token": before}).status_code == 302
    assert member.post("/logout", data={"csrf_token": before}).status_code == 400


@pytest.mark.parametrize("data", [{}, {"csrf_token": ""}, {"csrf_token": "wrong"}])
def test_another_site_cannot_log_a_person_out_by_a_form(member, data):
    answer = member.post("/logout", data=data)
    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 400
    assert page.select_one("[role=alert]")
    assert is_in(member)
    again = {"csrf_token": page.select_one("[name=csrf_token]")["value"]}
    assert member.post("/logout", data=again).location == "/"
    assert not is_in(member)


def test_a_refusal_is_told_on_its_own_page_and_not_on_the_next(member):
    assert "This page was open for too long." in member.post("/logout").text
    assert "This page was open for too long." not in member.get("/login?next=/").text


def test_a_look_at_the_headers_logs_nobody_out(member):
    assert member.head("/logout").status_code == 302
    assert member.options("/logout").status_code == 200
    assert is_in(member)


@pytest.mark.parametrize("headers", PREFETCHED, ids=str)
def test_a_browser_that_asks_ahead_of_its_user_logs_nobody_out(member, headers):
    member.get("/logout", headers=headers)
    assert is_in(member)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused(member, method):
    assert member.open("/logout", method=method).status_code == 405
    assert is_in(member)


@pytest.mark.settings(STORMPATH_LOGOUT_REQUIRES_POST=True)
def test_a_strict_site_asks_before_it_logs_anybody_out(member):
    answer = member.get("/logout")
    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 200
    assert page.h1.text == "Log Out of My Application?"
    assert page.find("a", string="Stay logged in")["href"] == "/"
    assert is_in(member)
    data = {"csrf_token": page.select_one("[name=csrf_token]")["value"]}
    assert member.post("/logout", data=data).location == "/"
    assert not is_in(member)


@pytest.mark.settings(STORMPATH_LOGOUT_URL="/bye")
def test_the_page_can_stand_at_another_address(member):
    assert member.get("/logout").status_code == 404
    assert is_in(member)
    assert member.get("/bye").location == "/"
    assert not is_in(member)


@pytest.mark.settings(STORMPATH_ENABLE_LOGOUT=False)
def test_without_a_logout_page_there_is_none(member):
    for method in ("GET", "POST"):
        assert member.open("/logout", method=method).status_code == 404
    assert is_in(member)
