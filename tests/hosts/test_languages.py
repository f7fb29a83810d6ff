"""An app whose readers have several languages: Flask-Babel says which, and our pages and mails speak it."""

import threading

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from bs4 import BeautifulSoup
from flask import request
from flask_babel import Babel

from stormpath_app import Application, StormpathManager, login_required, user
from stormpath_app.database import session
from stormpath_app.mail.rendering import render
from stormpath_app.models import OutboxMessage

from ..conftest import PASSWORD, statements, token
from ..servers import PATIENCE
from .conftest import han

GERMAN = {"Accept-Language": "de-AT, de;q=0.9, en;q=0.5"}
ENGLISH = {"Accept-Language": "en-GB, en;q=0.9, de;q=0.5"}


@pytest.fixture
def speaking(bare):
    """Return a function that makes an app which follows the browser's language."""

    def speaking(selector=lambda: request.accept_languages.best_match(["en", "de"]), **settings):
        app = bare(**settings)
        Babel(app, locale_selector=selector)
        StormpathManager(app)
        return app

    return speaking


def catalogue(app, domain, **said):
    """Give an app a German catalogue of its own, as `pybabel compile` leaves it."""
    catalog = Catalog(locale="de")
    for message, text in said.items():
        catalog.add(message.replace("_", " "), text)
    file = app.extensions["babel"].translation_directories[0] / "de" / "LC_MESSAGES" / f"{domain}.mo"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as compiled:
        write_mo(compiled, catalog)


@pytest.fixture
def own(speaking, tmp_path):
    """An app with translations of its own, beside its templates."""
    app = speaking(STORMPATH_BASE_TEMPLATE="base.html")
    app.extensions["babel"].translation_directories[:] = [tmp_path / "translations"]
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "base.html").write_text(
        """<html lang="x"><title>{% block title %}{% endblock %}</title>{% block head %}{% endblock %}
        <nav>{{ _("Shopping cart") }} {{ _("Hi <b>%(name)s</b>", name="<i>") }} {{ gettext("Log In") }}</nav>
        {% block body %}{% endblock %}</html>"""
    )
    return app


def look(client, path, headers=GERMAN):
    return BeautifulSoup(client.get(path, headers=headers).text, "html.parser")


# --- Pages ---


def test_a_page_is_in_the_language_of_its_reader_and_says_so(speaking):
    client = speaking().test_client()
    page = look(client, "/login")
    assert page.html["lang"] == "de"
    assert page.title.text == "Anmelden - My Application"
    assert [label.text for label in page.find_all("label")] == ["E-Mail-Adresse", "Passwort"]
    assert page.button.text == "Anmelden"
    page = look(client, "/login", ENGLISH)
    assert page.html["lang"] == "en"
    assert page.title.text == "Log In - My Application"
    assert [label.text for label in page.find_all("label")] == ["Email", "Password"]


def test_a_page_that_no_language_was_asked_of_is_in_the_apps_own(speaking):
    page = look(speaking(BABEL_DEFAULT_LOCALE="de").test_client(), "/register", {})
    assert page.html["lang"] == "de"
    assert page.h1.text == "Konto anlegen"


def test_a_page_in_a_language_that_we_do_not_speak_is_english_and_says_so(speaking):
    page = look(speaking(selector=lambda: "fr").test_client(), "/login")
    assert (page.html["lang"], page.h1.text) == ("en", "Log In")


def test_an_app_without_flask_babel_is_english_whatever_a_browser_would_like(bare):
    app = bare()
    StormpathManager(app)
    page = look(app.test_client(), "/login")
    assert (page.html["lang"], page.h1.text) == ("en", "Log In")


def test_what_is_wrong_with_a_form_is_told_in_the_readers_language(speaking):
    client = speaking().test_client()
    form = {"email": "han", "csrf_token": token(client, "/register"), "password": ""}
    page = BeautifulSoup(client.post("/register", data=form, headers=GERMAN).text, "html.parser")
    assert page.title.text == "Fehler: Konto anlegen - My Application"
    assert page.find(class_="sp-alert").strong.text == "Drei Felder müssen geändert werden."
    assert [error.text.strip() for error in page.find_all(class_="sp-error")] == [
        "Geben Sie Ihren Vornamen ein.",
        "Geben Sie Ihren Nachnamen ein.",
        "Geben Sie ein Passwort ein.",
    ]
    form |= {"given_name": "Han", "surname": "Solo", "email": "han@falcon.example", "password": "kessel"}
    page = BeautifulSoup(client.post("/register", data=form, headers=GERMAN).text, "html.parser")
    assert "Das Passwort ist zu kurz." in page.find(class_="sp-error").text


def test_a_program_is_told_in_its_language_too(speaking):
    app = speaking()
    han(app)
    client = app.test_client()
    form = {"login": "han@falcon.example", "password": "wrong", "csrf_token": token(client, "/login")}
    answer = client.post("/login", data=form, headers={**GERMAN, "Accept": "application/json"})
    assert answer.json == {"status": 400, "code": 400, "message": "Benutzername oder Passwort ist falsch."}
    form["login"] = ""
    answer = client.post("/login", data=form, headers={**GERMAN, "Accept": "application/json"})
    assert answer.json["message"] == "Geben Sie an, womit Sie sich anmelden."


def test_who_is_sent_to_the_login_page_reads_why(speaking):
    app = speaking()
    app.add_url_rule("/secret", "secret", login_required(lambda: "Hello"))
    client = app.test_client()
    client.get("/secret", headers=GERMAN)
    assert "Melden Sie sich an, um diese Seite zu öffnen." in client.get("/login", headers=GERMAN).text


def test_two_readers_at_once_get_a_page_each(speaking):
    app = speaking()
    app.test_client().get("/login")
    at_once, seen = threading.Barrier(2), {}

    def read(headers):
        client = app.test_client()
        for _ in range(5):
            at_once.wait(PATIENCE)
            page = look(client, "/login", headers)
            seen.setdefault(headers["Accept-Language"][:2], set()).add((page.html["lang"], page.h1.text))

    threads = [threading.Thread(target=read, args=(headers,)) for headers in (GERMAN, ENGLISH)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == {"de": {("de", "Anmelden")}, "en": {("en", "Log In")}}


# --- A host's own words ---


def test_a_hosts_own_catalogue_of_our_name_is_heard_first(own):
    catalogue(own, "stormpath_app", Log_In="Reinkommen")
    page = look(own.test_client(), "/login")
    assert page.h1.text == "Reinkommen"
    assert [label.text for label in page.find_all("label")] == ["E-Mail-Adresse", "Passwort"]


def test_a_hosts_base_template_speaks_the_hosts_words_around_our_page(own):
    catalogue(own, "messages", Shopping_cart="Warenkorb", Log_In="Hereinspaziert")
    page = look(own.test_client(), "/login")
    assert page.h1.text == "Anmelden"
    assert page.nav.text.split() == ["Warenkorb", "Hi", "<i>", "Hereinspaziert"]
    assert page.nav.b.text == "<i>"
    page = look(own.test_client(), "/login", ENGLISH)
    assert page.h1.text == "Log In"
    assert page.nav.text.split() == ["Shopping", "cart", "Hi", "<i>", "Log", "In"]


def test_an_underscore_that_is_not_flask_babels_goes_on_translating_our_pages(bare):
    app = bare()
    app.jinja_env.globals["_"] = lambda message, **variables: (message % variables).upper()
    StormpathManager(app)
    assert look(app.test_client(), "/login").h1.text == "LOG IN"


# --- A selector that asks who is there ---


def test_the_language_may_be_a_choice_of_the_account(speaking, log_in):
    app = speaking(selector=lambda: user.custom_data.get("language") if user.is_authenticated else "en")
    han(app)
    with app.app_context():
        account = Application.current().find_account("han@falcon.example")
        account.custom_data["language"] = "de"
        account.save()
    client = app.test_client()
    assert look(client, "/login").h1.text == "Log In"
    log_in(client)
    assert look(client, "/login?next=/x").h1.text == "Anmelden"


def test_a_site_that_is_not_ready_says_so_though_its_selector_asks_who_is_there(speaking):
    app = speaking(selector=lambda: "de" if user.is_authenticated else "en", STORMPATH_APPLICATION="Falcon")
    app.config["STORMPATH_BCRYPT_COST"] = 40
    answer = app.test_client().get("/login")
    assert answer.status_code == 503
    assert "This site is not set up yet." in answer.text


def test_a_page_of_the_hosts_that_says_nothing_of_ours_asks_nobody_for_a_language(speaking, log_in):
    asked = []
    app = speaking(selector=lambda: asked.append(1) or "de")
    app.add_url_rule("/me", "me", login_required(lambda: user.email))
    han(app)
    client = app.test_client()
    log_in(client)
    asked.clear()
    with statements(app) as seen:
        assert client.get("/me").text == "han@falcon.example"
    assert (len(seen), asked) == (1, [])


# --- Mails and commands ---


def test_a_mail_is_in_the_language_of_who_asked_for_it_though_it_is_sent_later(speaking):
    app = speaking(
        STORMPATH_ENABLE_FORGOT_PASSWORD=True,
        STORMPATH_BASE_URL="https://www.example.com",
    )
    han(app)
    client = app.test_client()
    form = {"email": "han@falcon.example", "csrf_token": token(client, "/forgot")}
    client.post("/forgot", data=form, headers=GERMAN)
    with app.app_context():
        Application.current().answer(session.query(OutboxMessage).one())
        waiting = session.query(OutboxMessage).one()
        assert waiting.language == "de"
        mail = render(waiting)
        assert "Für diese E-Mail-Adresse wurde ein neues Passwort angefordert." in mail.text
        assert "(er ist 24 Stunden lang gültig)" in mail.text
        assert BeautifulSoup(mail.html, "html.parser").html["lang"] == "de"
        waiting.language = "en"
        assert "We've received a request" in render(waiting).text
        assert BeautifulSoup(render(waiting).html, "html.parser").html["lang"] == "en"
        waiting.language = None
        assert "We've received a request" in render(waiting).text
        session.rollback()


def test_commands_speak_english(speaking):
    app = speaking(selector=lambda: "de", BABEL_DEFAULT_LOCALE="de")
    han(app)
    command = ["stormpath", "create-account", "han@falcon.example", "--password-stdin"]
    result = app.test_cli_runner().invoke(args=command, input=f"{PASSWORD}\n")
    assert result.exit_code == 1
    assert "Account with that email already exists." in result.output


def test_what_developers_are_told_is_english(speaking):
    app = speaking(selector=lambda: "de")
    with app.test_request_context(), pytest.raises(Exception, match="Passwort ist zu kurz") as caught:
        Application.current().accounts.create(
            {"email": "han@falcon.example", "password": "k", "given_name": "Han", "surname": "Solo"}
        )
    assert caught.value.developer_message.startswith("Account password minimum length not satisfied.")
