"""Too many at once, as a browser or a program meets them: the form comes again, and counts for nobody.

Who comes while the queue is full has a lighter page, and costs no more than that.
"""

import pytest
from bs4 import BeautifulSoup
from jinja2 import DictLoader

from stormpath_app import Application
from stormpath_app.database import session
from stormpath_app.models import AuditEvent

from ..conftest import PASSWORD, statements, token
from ..devices import is_in
from .test_throttled_pages import JSON, meanwhile, shown

HAN, LEIA, OTHER = "han@falcon.example", "leia@alderaan.example", "Kessel12.Parsecs"
TOLD = "Too many people are logging in at this moment. Try again in 5 seconds."
TWICE = {"password": OTHER, "password_again": OTHER}
PERSON = {"given_name": "Leia", "surname": "Organa", "email": LEIA, "password": OTHER}

pytestmark = [pytest.mark.usefixtures("account"), pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)]


def is_refused(answer):
    assert (answer.status_code, answer.headers["Retry-After"], shown(answer)) == (429, "5", TOLD)
    assert meanwhile(answer) == []  # neither another device nor another network helps
    assert answer.headers["Cache-Control"] == "no-store"
    assert not {PASSWORD, OTHER} & set(answer.text.split('"'))
    return True


def events(app):
    with app.app_context():
        return session.query(AuditEvent).count()


def kept(answer, name):
    return BeautifulSoup(answer.text, "html.parser").select_one(f"[name={name}]")["value"]


def test_a_login_is_refused_and_the_name_stays_and_the_next_one_gets_in(app, client, log_in, overloaded):
    before = events(app)
    with overloaded():
        for login in (HAN, "nobody@falcon.example"):
            for password in [PASSWORD, OTHER] * 4:  # more than are free
                answer = log_in(client, login, password)
                assert is_refused(answer)
                assert kept(answer, "login") == login
    assert events(app) == before
    assert log_in(client).status_code == 302


def test_a_form_that_lacks_something_or_is_stale_is_told_so_all_the_same(client, overloaded):
    with overloaded():
        sent = {"csrf_token": token(client), "login": HAN, "password": ""}
        assert "Password required." in client.post("/login", data=sent).text
        assert client.post("/login", data={**sent, "csrf_token": "x", "password": OTHER}).status_code == 400
        too_long = client.post("/login", data={**sent, "password": "x" * 2000})
        assert (too_long.status_code, shown(too_long)) == (200, "Invalid username or password.")


def test_a_program_is_told_in_json(client, log_in, overloaded):
    with overloaded():
        answer = log_in(client, headers=JSON)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert answer.json == {"status": 429, "code": 429, "message": TOLD}


def test_a_registration_is_refused_and_what_was_typed_stays(app, client, register, overloaded):
    with overloaded():
        answer = register(client)
        assert is_refused(answer)
        assert [kept(answer, name) for name in ("email", "given_name", "surname")] == [LEIA, "Leia", "Organa"]
        assert "minimum length" in register(client, password="short").text
    with app.app_context():
        assert Application.current().find_account(LEIA) is None
    assert register(client).status_code == 302


def test_a_link_to_a_new_password_is_refused_and_stays_good(app, client, overloaded):
    with app.app_context():
        application = Application.current()
        link = f"/forgot/change?sptoken={application.create_password_reset_token(application.find_account(HAN)).token}"
    client.get(link, follow_redirects=True)
    sent = {"csrf_token": token(client, "/forgot/change"), **TWICE}
    with overloaded():
        answer = client.post("/forgot/change", data=sent)
        assert is_refused(answer)
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert client.post("/forgot/change", data=sent).status_code == 200
    assert is_in(client)


def test_who_must_choose_another_password_is_refused_and_may_send_it_again(app, client, log_in, overloaded):
    with app.app_context():
        han = Application.current().find_account(HAN)
        han.must_change_password = True
        han.save()
    log_in(client)
    sent = {"csrf_token": token(client, "/login/password"), **TWICE}
    with overloaded():
        assert is_refused(client.post("/login/password", data=sent))
    assert client.post("/login/password", data=sent).status_code == 302
    assert is_in(client)


@pytest.mark.settings(STORMPATH_ENABLE_SETTINGS=True)
@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ("password", {"old_password": PASSWORD, **TWICE}),
        ("email", {"new_email": LEIA, "email_password": PASSWORD}),
    ],
)
def test_the_forms_of_the_settings_page_are_refused_and_who_sent_them_stays_logged_in(
    client, member, overloaded, form, fields
):
    sent = {"csrf_token": token(client, "/settings"), **fields}
    with overloaded():
        answer = client.post(f"/settings/{form}", data=sent)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
        assert TOLD in answer.text
        assert is_in(client)
    assert client.post(f"/settings/{form}", data=sent).status_code == 302


def test_the_pages_of_who_is_logged_in_need_no_hash(client, member, overloaded):
    with overloaded():
        assert client.get("/secret").status_code == 200
        assert client.get("/login?next=/secret").status_code == 200
        assert client.get("/logout").status_code == 302


# --- While the queue is full ---


def form(answer):
    """Return what the form of an answer would send."""
    return {field["name"]: field.get("value", "") for field in BeautifulSoup(answer.text, "html.parser")("input")}


def test_a_full_queue_refuses_a_login_without_a_statement_and_its_page_lets_in_later(app, client, crowded):
    sent, before = {"csrf_token": token(client), "login": HAN, "password": PASSWORD}, events(app)
    for login in (HAN, "nobody@falcon.example"):
        for password in [PASSWORD, OTHER, "", "x" * 2000] * 4:  # more than are free
            with crowded(), statements(app) as seen:
                answer = client.post("/login?next=/secret", data={**sent, "login": login, "password": password})
            assert (is_refused(answer), seen) == (True, [])
            assert form(answer) == {**sent, "login": login, "password": ""}
    assert events(app) == before
    answer = client.post("/login?next=/secret", data={**form(answer), "login": HAN, "password": PASSWORD})
    assert answer.location == "/secret"


def test_a_full_queue_refuses_a_registration_without_a_statement_and_its_page_registers_later(app, client, crowded):
    sent = {"csrf_token": token(client, "/register"), **PERSON}
    with crowded(), statements(app) as seen:
        answer = client.post("/register", data=sent)
    assert (is_refused(answer), seen) == (True, [])
    assert form(answer) == {**sent, "password": ""}
    assert client.post("/register", data={**form(answer), "password": OTHER}).status_code == 302
    with app.app_context():
        assert Application.current().find_account(LEIA).surname == "Organa"


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_a_full_queue_tells_a_program_in_json(client, crowded, page):
    with crowded():
        answer = client.post(page, headers=JSON)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")
    assert answer.json == {"status": 429, "code": 429, "message": TOLD}


def test_what_a_stranger_lets_a_browser_send_to_a_full_queue_is_no_markup_and_opens_nothing(client, crowded):
    evil = '"><script>alert(1)</script>'
    with crowded():
        answer = client.post("/login", data={"csrf_token": evil, "login": evil, "password": evil})
    assert is_refused(answer)
    assert "<script" not in answer.text
    assert form(answer) == {"csrf_token": evil, "login": evil, "password": ""}
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert client.post("/login", data={**form(answer), "login": HAN, "password": PASSWORD}).status_code == 400


def test_a_base_of_a_hosts_own_has_the_light_page_too(app, client, crowded):
    app.jinja_loader = DictLoader({"flask_stormpath/base.html": "<main>{% block body %}{% endblock %}</main>"})
    sent = {"csrf_token": token(client), "login": HAN, "password": PASSWORD}
    with crowded():
        answer = client.post("/login", data=sent)
    assert is_refused(answer)
    assert form(answer) == {**sent, "password": ""}


def test_a_form_with_fields_of_a_hosts_own_comes_again_as_a_whole(client, crowded):
    with crowded():
        for page, sent in (("/login", {"login": HAN, "password": PASSWORD}), ("/register", PERSON)):
            answer = client.post(page, data={"csrf_token": token(client, page), **sent, "terms": "accepted"})
            assert is_refused(answer)
            assert form(answer).keys() == form(client.get(page)).keys()


def test_pages_are_shown_while_the_queue_is_full(client, crowded):
    with crowded():
        assert [client.get(page).status_code for page in ("/login", "/register")] == [200, 200]
