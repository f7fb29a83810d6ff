"""How administrators come to be: by a link from the shell, and by an invitation in their mail."""

import re

import pytest

from stormpath_app import entry_links
from stormpath_app.models import Administrator, administrator
from stormpath_app.models.administration import OWNER, SUPPORT

from ..conftest import PASSWORD
from .test_entry import is_refused, log_in, send, token

pytestmark = pytest.mark.sqlite

LEIA, HAN = "leia@alderaan.example", "han@falcon.example"
LEIAS = {"email": LEIA, "given_name": "Leia", "surname": "Organa", "password": PASSWORD, "password_again": PASSWORD}
HANS = {"given_name": "Han", "surname": "Solo", "password": PASSWORD, "password_again": PASSWORD}


@pytest.fixture
def link(app):
    """Return the address of the first owner's link, at a server that listens on this machine alone."""
    app.extensions["stormpath"].is_local = True
    with app.app_context():
        return entry_links.address(entry_links.make(is_first=True), "http://localhost")


def known(app, email):
    with app.app_context():
        account = administrator.directory().find_account(email)
        return account and Administrator.of(account)


# --- The first one ---


def test_the_first_owner_comes_by_the_link_and_is_signed_in(app, client, link):
    opened = client.get(link)
    assert (opened.status_code, opened.location, opened.headers["Referrer-Policy"]) == (
        *(302, "/admin/enter", "no-referrer"),
    )
    answer = send(client, "/admin/enter", **LEIAS)
    assert (answer.status_code, answer.location) == (303, "/admin/")
    assert "Leia Organa" in client.get("/admin/").text
    assert known(app, LEIA).role == OWNER


def test_the_login_page_says_where_the_link_is_while_there_is_no_owner_and_on_this_machine_alone(app, client, link):
    said = "This console has no owner yet."
    assert said in client.get("/admin/login").text
    app.extensions["stormpath"].is_local = False
    assert said not in client.get("/admin/login").text
    app.extensions["stormpath"].is_local = True
    client.get(link)
    send(client, "/admin/enter", **LEIAS)
    assert said not in app.test_client().get("/admin/login").text


def test_the_link_works_once(app, client, link):
    assert "Link not accepted" in client.get(f"{link}x").text
    client.get(link)
    second = app.test_client()
    second.get(link)
    sent = {"csrf_token": token(second, "/admin/enter"), **LEIAS, "email": HAN}
    send(client, "/admin/enter", **LEIAS)
    assert second.post("/admin/enter", data=sent).status_code == 404
    assert app.test_client().get(link).status_code == 404
    assert known(app, HAN) is None


def test_what_was_typed_stays_where_it_cannot_be(client, link):
    client.get(link)
    for wrong, told in (
        ({"password": "short", "password_again": "short"}, "minimum length"),
        ({"password_again": "other"}, "Passwords don&#39;t match."),
        ({"email": "leia"}, "email"),
        ({"email": ""}, "You must provide an email address."),
    ):
        answer = send(client, "/admin/enter", **{**LEIAS, **wrong})
        assert answer.status_code == 200
        assert told in answer.text
        assert 'value="Organa"' in answer.text
        assert PASSWORD not in answer.text


def test_where_too_many_come_at_once_the_link_stays_good(app, client, link, overloaded):
    client.get(link)
    with overloaded():
        refused = send(client, "/admin/enter", **LEIAS)
    assert is_refused(refused)
    assert 'value="Organa"' in refused.text
    assert known(app, LEIA) is None
    assert send(client, "/admin/enter", **LEIAS).location == "/admin/"


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1"])
def test_the_link_opens_nothing_from_elsewhere(client, link, address):
    assert client.get(link, environ_base={"REMOTE_ADDR": address}).status_code == 404
    client.get(link)
    assert client.get("/admin/enter", environ_base={"REMOTE_ADDR": address}).status_code == 404


def test_without_a_link_there_is_no_such_page(client):
    for answer in (client.get("/admin/enter"), send(client, "/admin/login") and client.post("/admin/enter")):
        assert answer.status_code in {400, 404}


def test_an_owner_who_cannot_get_in_is_let_in_by_a_link_from_the_shell(app, client):
    with app.app_context():
        Administrator.create(LEIA, PASSWORD, OWNER)
    link = app.test_cli_runner().invoke(args=["stormpath", "admin-link"]).stdout.strip()
    assert client.get(link, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 302
    answer = send(client, "/admin/enter", **{**LEIAS, "password": "Another1.Pw", "password_again": "Another1.Pw"})
    assert answer.location == "/admin/"
    assert log_in(app.test_client(), LEIA, "Another1.Pw").status_code == 303


# --- Invitations ---


def invite(owner, **fields):
    return owner.post("/administrators/invite", **{"emails": HAN, "role": SUPPORT, **fields})


def link_of(outbox):
    return next(link for link in outbox[-1].links if "sptoken" in link)


def kept(page):
    return re.search('name="link"[^>]*value="([^"]+)"', page.text)[1]


def accept(client, link, **fields):
    client.get(link)
    page = client.get("/admin/invitation")
    return send(client, "/admin/invitation", link=kept(page), **{**HANS, **fields})


def test_where_too_many_come_at_once_the_invitation_stays_good(client, owner, outbox, overloaded):
    invite(owner)
    link = link_of(outbox)
    with overloaded():
        assert is_refused(accept(client, link))
    assert accept(client, link).location == "/admin/"


def test_who_is_invited_chooses_a_password_and_is_let_in(app, client, owner, outbox):
    assert invite(owner).location == "/admin/administrators/"
    (mail,) = outbox
    assert mail.to == HAN
    assert "owner@console.example invites you to look after My Application console." in mail.text
    link = link_of(outbox)
    assert link.startswith("http://localhost/admin/invitation?sptoken=")
    assert (known(app, HAN).role, known(app, HAN).is_invited) == (SUPPORT, True)
    assert client.get(link).location == "/admin/invitation"
    page = client.get("/admin/invitation")
    assert HAN in page.text
    answer = send(client, "/admin/invitation", link=kept(page), **HANS)
    assert (answer.status_code, answer.location) == (303, "/admin/")
    assert "Han Solo" in client.get("/admin/").text
    assert known(app, HAN).is_invited is False
    assert log_in(app.test_client(), HAN).status_code == 303
    assert client.get(link).status_code == 404


def test_an_invitation_opens_nothing_by_itself(app, owner, outbox):
    invite(owner)
    for password in ("", PASSWORD):
        browser = app.test_client()
        assert log_in(browser, HAN, password).status_code == 200
        assert browser.get("/admin/").status_code == 302
    assert len(outbox) == 1


def test_a_weak_password_leaves_the_invitation_good(client, owner, outbox):
    invite(owner)
    link = link_of(outbox)
    assert "minimum length" in accept(client, link, password="short", password_again="short").text
    assert accept(client, link).status_code == 303


def test_of_two_invitations_the_newer_one_works(app, owner, outbox):
    invite(owner)
    first = link_of(outbox)
    owner.post(f"/administrators/{known(app, HAN).account.id}/invitation")
    assert len(outbox) == 2
    assert app.test_client().get(first).status_code == 404
    assert accept(app.test_client(), link_of(outbox)).status_code == 303


def test_an_invitation_ends_after_a_week_and_with_its_account(app, owner, outbox, held_clock):
    held_clock.at = held_clock.at.replace(year=2027)
    with app.app_context():
        Administrator.invite(HAN, SUPPORT)
        Administrator.invite("luke@tatooine.example", SUPPORT)
    luke, han = (next(link for link in mail.links if "sptoken" in link) for mail in outbox[::-1])
    with app.app_context():
        administrator.directory().find_account("luke@tatooine.example").delete()
    assert app.test_client().get(luke).status_code == 404
    held_clock.forward(days=6, hours=23)
    assert app.test_client().get(han).status_code == 302
    held_clock.forward(hours=1)
    assert app.test_client().get(han).status_code == 404


def test_a_link_that_somebody_else_made_this_browser_open_is_not_used(app, client, owner, outbox):
    invite(owner)
    mine = link_of(outbox)
    invite(owner, emails="eve@evil.example")
    client.get(mine)
    page = client.get("/admin/invitation")
    client.get(link_of(outbox))  # an image in another tab, say
    sent = {"csrf_token": token(client, "/admin/invitation"), "link": kept(page), **HANS}
    assert client.post("/admin/invitation", data=sent).status_code == 404
    assert known(app, "eve@evil.example").is_invited
