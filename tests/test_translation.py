"""Sentences: whose language they come in, and that every catalogue has all of them."""

import re
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, g
from flask_babel import Babel, force_locale, get_locale

from docs import translations
from stormpath_app.errors import AccountAlreadyExists, NotReady, PasswordRefused, StormpathError, TooManyAttempts
from stormpath_app.models.password_policy import PasswordPolicy, PasswordStrength
from stormpath_app.translation import day, english, gettext, in_language, locale, mark, ngettext, spoken

from .servers import PATIENCE

PLACEHOLDER = re.compile(r"%\(\w+\)s|\$\{\w+\}|%")
CATALOGUES = pytest.mark.parametrize("file", translations.catalogues(), ids=lambda file: file.parent.parent.name)


@pytest.fixture
def app(tmp_path):
    """An app that has Flask-Babel, and whose readers say their language in the address."""
    app = Flask("host", root_path=str(tmp_path))
    Babel(app, locale_selector=lambda: g.get("language", "de"))
    return app


@pytest.fixture
def reader(app):
    """Somebody who reads German asks for something."""
    with app.test_request_context():
        yield


# --- Whose language ---


def test_without_a_reader_it_is_english(app):
    assert (gettext("Log In"), locale(), spoken()) == ("Log In", None, "en")
    with app.app_context():
        assert (gettext("Log In"), locale(), spoken()) == ("Log In", None, "en")


def test_an_app_without_flask_babel_speaks_english(app):
    app.extensions.pop("babel")
    with app.test_request_context():
        assert (gettext("Log In"), locale(), spoken()) == ("Log In", None, "en")
        with in_language("de"):
            assert (gettext("Log In"), locale(), spoken()) == ("Log In", None, "en")


def test_whoever_has_no_flask_babel_never_loads_babel():
    asked = (
        "import sys, flask, stormpath_app.translation as t\n"
        "with flask.Flask('host').test_request_context():\n"
        "    assert t.gettext('Hello %(name)s', name='Han') == 'Hello Han'\n"
        "    assert t.ngettext('a number', '%(count)s numbers', 2) == '2 numbers'\n"
        "    assert t.locale() is None\n"
        "assert not {'babel', 'flask_babel'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", asked], check=True)


@pytest.mark.usefixtures("reader")
def test_the_app_says_which_language_its_reader_has():
    assert (gettext("Log In"), locale(), spoken()) == ("Anmelden", "de", "de")
    assert gettext("Hello %(name)s", name="100 % Han") == "Hallo 100 % Han"


@pytest.mark.parametrize(
    ("language", "told", "named"), [("de_AT", "Anmelden", "de"), ("fr", "Log In", "en"), ("en_GB", "Log In", "en")]
)
def test_a_language_that_is_not_there_is_its_neighbour_or_english(app, language, told, named):
    with app.test_request_context():
        g.language = language
        assert (gettext("Log In"), locale(), spoken()) == (told, language, named)


@pytest.mark.usefixtures("reader")
def test_what_no_catalogue_has_stays_as_it_is():
    assert gettext("Kessel run") == "Kessel run"
    assert ngettext("one run", "%(count)s runs", 1) == "one run"
    assert ngettext("one run", "%(count)s runs", 12) == "12 runs"
    assert gettext("") == ""


@pytest.mark.usefixtures("reader")
def test_counts_have_their_own_sentences():
    one, many = "Too many attempts. Try again in one second.", "Too many attempts. Try again in %(count)s seconds."
    assert ngettext(one, many, 1) == "Zu viele Versuche. Versuchen Sie es in einer Sekunde noch einmal."
    assert ngettext(one, many, 30) == "Zu viele Versuche. Versuchen Sie es in 30 Sekunden noch einmal."


def test_a_day_is_written_as_its_reader_writes_it(app):
    at = datetime(2026, 8, 3, 14, 5, tzinfo=UTC)
    assert day(at) == "3 August 2026"
    with app.test_request_context():
        assert day(at) == "3. August 2026"


@pytest.mark.usefixtures("reader")
def test_a_marked_sentence_is_translated_when_it_is_used():
    assert mark("Log In") == "Log In"
    assert gettext(mark("Log In")) == "Anmelden"


def test_a_mail_is_rendered_in_the_language_it_keeps_though_nobody_asks(app):
    with app.app_context():
        with in_language("de"):
            assert (gettext("Log In"), locale(), str(get_locale())) == ("Anmelden", "de", "de")
            with in_language("en"):
                assert gettext("Log In") == "Log In"
            assert gettext("Log In") == "Anmelden"
        assert (gettext("Log In"), locale()) == ("Log In", None)


@pytest.mark.usefixtures("reader")
def test_a_mail_to_somebody_else_is_not_in_the_readers_language():
    with in_language("en"):
        assert (gettext("Log In"), locale()) == ("Log In", "en")
    assert (gettext("Log In"), locale()) == ("Anmelden", "de")


@pytest.mark.usefixtures("reader")
def test_the_language_is_the_readers_again_when_a_block_fails():
    with pytest.raises(ZeroDivisionError), in_language("en"):
        _ = 1 / 0
    assert (gettext("Log In"), locale()) == ("Anmelden", "de")


def test_a_mail_that_keeps_no_language_is_in_the_apps_own(tmp_path):
    app = Flask("host", root_path=str(tmp_path))
    Babel(app, default_locale="de", locale_selector=lambda: "en")
    with app.test_request_context(), in_language(None):
        assert (gettext("Log In"), locale()) == ("Anmelden", "de")


@pytest.mark.usefixtures("reader")
def test_a_host_that_forces_a_language_is_followed():
    with force_locale("en"):
        assert gettext("Log In") == "Log In"
    assert gettext("Log In") == "Anmelden"


def test_two_readers_at_once_have_a_language_each(app):
    at_once, heard = threading.Barrier(2), {}

    def ask(language):
        with app.test_request_context():
            g.language = language
            for _ in range(20):
                at_once.wait(PATIENCE)
                heard.setdefault(language, set()).add((gettext("Log In"), locale()))

    threads = [threading.Thread(target=ask, args=(language,)) for language in ("de", "en")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert heard == {"de": {("Anmelden", "de")}, "en": {("Log In", "en")}}


def test_an_app_that_looks_for_the_language_in_our_own_rows_may_hear_an_error_of_ours(tmp_path):
    heard = []

    def selector():
        try:
            raise StormpathError
        except StormpathError as error:
            heard.append(str(error))
        return "de"

    app = Flask("host", root_path=str(tmp_path))
    Babel(app, locale_selector=selector)
    with app.test_request_context():
        assert str(StormpathError()) == "Das ist nicht möglich."
    assert heard == ["This cannot be done."]


# --- A host's own words ---


def sentences(directory, language, **said):
    """Write a catalogue of our domain, as `pybabel compile` leaves it."""
    from babel.messages.catalog import Catalog
    from babel.messages.mofile import write_mo

    catalog = Catalog(locale=language)
    for message, text in said.items():
        catalog.add(message.replace("_", " "), text)
    file = directory / language / "LC_MESSAGES" / "stormpath_app.mo"
    file.parent.mkdir(parents=True)
    with file.open("wb") as compiled:
        write_mo(compiled, catalog)


def test_a_host_says_a_sentence_otherwise_in_a_catalogue_of_our_name(app, tmp_path):
    sentences(tmp_path / "translations", "de", Log_In="Reinkommen")
    sentences(tmp_path / "translations", "en", Log_In="Enter")
    with app.test_request_context():
        assert (gettext("Log In"), gettext("Log Out")) == ("Reinkommen", "Abmelden")
    with app.test_request_context():
        g.language = "en"
        assert (gettext("Log In"), gettext("Log Out"), spoken()) == ("Enter", "Log Out", "en")


def test_a_host_adds_a_language_and_a_region_of_one(app, tmp_path):
    sentences(tmp_path / "translations", "pt_BR", Log_In="Entrar")
    sentences(tmp_path / "translations", "de_AT", Log_In="Servus")
    with app.test_request_context():
        g.language = "pt_BR"
        assert (gettext("Log In"), gettext("Log Out"), spoken()) == ("Entrar", "Log Out", "pt-BR")
    with app.test_request_context():
        g.language = "de_AT"
        assert (gettext("Log In"), gettext("Log Out"), spoken()) == ("Servus", "Abmelden", "de-AT")


# --- Errors ---


@pytest.mark.usefixtures("reader")
def test_an_error_speaks_to_its_reader_and_to_developers_in_english():
    error = AccountAlreadyExists("Account", "email")
    assert str(error) == "Konto: E-Mail-Adresse ist schon vergeben. Bitte wählen Sie etwas anderes."
    assert error.developer_message == "Account with that email already exists.  Please choose another email."
    assert (error.thing, error.property) == ("Account", "email")
    error = TooManyAttempts(wait=timedelta(minutes=2))
    assert str(error) == "Zu viele Versuche. Versuchen Sie es in 2 Minuten noch einmal."
    assert error.developer_message == "Too many attempts. Try again in 2 minutes."


@pytest.mark.usefixtures("reader")
def test_what_is_wrong_with_a_password_is_told_in_the_readers_language():
    strength = PasswordStrength(
        min_length=8, max_length=100, min_lower_case=1, min_upper_case=2, min_numeric=1, min_symbol=0, min_diacritic=0
    )
    told = "Mindestens 8 Zeichen, mit einem Kleinbuchstaben, 2 Großbuchstaben und einer Ziffer."
    assert strength.describe() == told
    verdicts = PasswordPolicy(strength=strength, refuses_common=False).judge("kessel")
    error = PasswordRefused([verdict.refusal for verdict in verdicts if not verdict.is_met])
    assert error.violations == [
        "Das Passwort ist zu kurz.",
        "Das Passwort muss mindestens eine Ziffer enthalten.",
        "Das Passwort muss mindestens 2 Großbuchstaben enthalten.",
    ]
    assert error.developer_message == (
        "Account password minimum length not satisfied. Password requires at least 1 numeric character."
        " Password requires at least 2 uppercase characters."
    )


@pytest.mark.usefixtures("reader")
def test_a_site_that_is_not_ready_asks_nobody_for_their_language():
    assert str(NotReady(["There is no database."])) == "This site is not set up yet."


@pytest.mark.usefixtures("reader")
def test_a_sentence_knows_how_it_reads_in_english():
    told = gettext("Error: %(page)s", page=gettext("Log In"))
    assert (told, english(told)) == ("Fehler: Anmelden", "Error: Log In")
    assert english("Kessel run") == "Kessel run"


# --- The catalogues ---


def messages(catalog):
    """Return what each sentence is translated as; both are tuples, of two or more where it has a plural."""
    return {translations.texts(message.id): translations.texts(message.string) for message in catalog if message.id}


def test_german_is_complete():
    assert "de" in [file.parent.parent.name for file in translations.catalogues()]


@CATALOGUES
def test_a_catalogue_has_the_sentences_of_the_code_and_no_others(file):
    assert messages(translations.read(file)).keys() == messages(translations.sources()).keys(), "make translations"


@CATALOGUES
def test_a_catalogue_translates_every_sentence(file):
    catalog = translations.read(file)
    assert [said for said, told in messages(catalog).items() if not all(told)] == []
    assert not [message.id for message in catalog if message.id and message.fuzzy]


@CATALOGUES
def test_a_translation_fills_in_what_the_sentence_fills_in(file):
    for said, told in messages(translations.read(file)).items():
        wanted = set(PLACEHOLDER.findall(said[-1]))
        assert set(PLACEHOLDER.findall(told[-1])) == wanted, told[-1]
        assert all(set(PLACEHOLDER.findall(text)) <= wanted for text in told), told


@CATALOGUES
def test_a_translation_ends_as_the_sentence_does_and_has_no_blanks_around_it(file):
    for said, told in messages(translations.read(file)).items():
        for text in told:
            assert text.strip() == text
            assert (text[-1] in ".?!:") == (said[-1][-1] in ".?!:"), text


@CATALOGUES
def test_bringing_a_catalogue_up_to_the_code_changes_nothing_where_nothing_changed(file, tmp_path):
    copy = tmp_path / file.name
    copy.write_bytes(file.read_bytes())
    assert translations.update(copy) == []
    assert messages(translations.read(copy)) == messages(translations.read(file))


def test_a_new_sentence_is_named_and_one_that_is_gone_goes(tmp_path):
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import write_po

    catalog = Catalog(locale="fr")
    catalog.add("Kessel run", "Course de Kessel")
    catalog.add("Log In", "Connexion")
    file = tmp_path / "fr.po"
    with file.open("wb") as text:
        write_po(text, catalog)
    missing = translations.update(file)
    assert "Log Out" in missing
    assert "Log In" not in missing
    assert messages(translations.read(file))[("Log In",)] == ("Connexion",)
    assert "Kessel run" not in file.read_text()
