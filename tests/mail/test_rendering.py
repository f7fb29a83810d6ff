"""What a mail says, who it is from, and where its link leads."""

import re

import pytest
from bs4 import BeautifulSoup

from stormpath_app import Account, Application, errors
from stormpath_app.database import session
from stormpath_app.mail.rendering import KINDS, Occasion, render, render_occasion, template_of
from stormpath_app.models import EmailTemplate, OutboxMessage, one_time_token

from ..conftest import PASSWORD
from ..payloads import HEADER_INJECTION, HTML, TEMPLATE
from ..together import together

EMAIL = "han@falcon.example"
TOKEN = "T" * 43
WITH_A_LINK = {"reset": "/forgot/change", "verification": "/verify", "email_change": "/verify/change"}
WITH_A_LINK["invitation"] = "/admin/invitation"

pytestmark = [
    pytest.mark.sqlite,  # about texts: what delivery asks is tried elsewhere on all databases
    pytest.mark.settings(
        STORMPATH_BASE_URL="https://www.example.com",
        STORMPATH_ENABLE_FORGOT_PASSWORD=True,
        STORMPATH_ADMIN_URL="/admin",
    ),
]


@pytest.fixture
def here(context):
    application = Application.current()
    application.name = context.config["STORMPATH_APPLICATION"] = "Falcon"
    application.save()
    return application


@pytest.fixture
def han(here):
    return Account.create(EMAIL, PASSWORD, "Han", "Solo", username="solo")


def mail(kind, account=None, **more):
    """Return a mail of a kind to somebody."""
    more.setdefault("token", TOKEN if kind in WITH_A_LINK else None)
    return render_occasion(Occasion(kind, EMAIL, account, data={"new_address": "han.solo@falcon.example"}, **more))


def about(kind, han):
    return mail(kind, None if kind == "test" else han)


@pytest.fixture
def own(han):
    """Return a function that sets what an administrator may, of the reset mail unless it is another."""

    def own(kind="reset", **texts):
        template = template_of(han.directory, kind)
        for name, value in texts.items():
            setattr(template, name, value)
        template.save()
        return template

    return own


# --- Ours ---


@together("kind", KINDS)
def test_every_mail_has_a_subject_and_says_the_same_twice(han, kind):
    found = about(kind, han)
    assert found.to == EMAIL
    assert found.sender == ("Falcon console" if kind == "invitation" else "Falcon", "no-reply@www.example.com")
    assert found.reply_to is None
    assert found.subject
    assert "Falcon" in found.text
    assert not re.search(r"[{}<>]|\n\n\n|None|Undefined", found.text)
    page = BeautifulSoup(found.html, "html.parser")
    assert page.title.text == found.subject
    assert page.html["lang"] == "en"
    words = page.get_text(" ")
    assert "Falcon" in words
    assert "None" not in words
    for address in re.findall(r"https://\S+", found.text):
        assert page.find("a", href=address.rstrip(".")), address


@pytest.mark.parametrize("kind", KINDS)
def test_no_mail_loads_anything_or_shows_what_a_stranger_typed(here, kind):
    """Who registers with another one's address could else have us send their words there."""
    stranger = Account.create("x@x.example", PASSWORD, "You won, see evil.example", "Now", username="winner")
    found = about(kind, stranger)
    page = BeautifulSoup(found.html, "html.parser")
    assert not page.select("img, script, link, iframe, object, form, [src], [background], meta[http-equiv]")
    assert "url(" not in found.html
    assert "@import" not in found.html
    assert "evil" not in found.text + found.html + found.subject
    assert all(link["href"].startswith("https://www.example.com") for link in page.select("a"))


def test_a_mail_is_made_for_the_night_too(han):
    found = about("reset", han).html
    assert '<meta name="color-scheme" content="light dark">' in found
    assert "prefers-color-scheme: dark" in found


@pytest.mark.parametrize(("kind", "path"), WITH_A_LINK.items())
def test_a_link_is_a_button_and_below_it_the_bare_address(han, kind, path):
    found, url = about(kind, han), f"https://www.example.com{path}?sptoken={TOKEN}"
    assert url in found.text.splitlines()
    links = BeautifulSoup(found.html, "html.parser").find_all("a", href=url)
    assert [link.text == url for link in links] == [False, True]


def test_the_reset_mail_says_what_the_manual_of_the_old_one_shows(han):
    found = about("reset", han)
    assert found.subject == "Reset your Password"
    assert found.text.startswith(
        "Forgot your password?\n\nWe've received a request to reset the password for this email address.\n\nTo reset"
        " your password please click on this link or cut and paste this URL into your browser (link expires in 24"
        f" hours):\nhttps://www.example.com/forgot/change?sptoken={TOKEN}\n"
    )
    assert "please ignore this message. Your password will not be reset." in found.text


def test_a_mail_says_how_long_its_link_is_good(han):
    han.directory.password_policy.reset_token_ttl = 1
    han.directory.account_creation_policy.verification_token_ttl = 48
    assert "(link expires in one hour)" in about("reset", han).text
    assert "(link expires in 48 hours)" in about("verification", han).text
    assert "(link expires in 24 hours)" in about("email_change", han).text


@pytest.mark.parametrize(("hours", "told"), [(1, "one hour"), (48, "48 hours"), (73, "73 hours"), (168, "7 days")])
def test_how_long_a_link_is_good_is_told_in_words_that_people_count_in(han, hours, told):
    policy = han.directory.account_creation_policy
    policy.verification_token_ttl = hours
    policy.save()
    assert f"(link expires in {told})" in about("verification", han).text


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=False, STORMPATH_ENABLE_LOGIN=False)
def test_a_mail_names_no_page_that_is_not_there(han):
    for kind in ("account_exists", "reset_success", "welcome", "verification_success"):
        found = about(kind, han)
        assert "/login" not in found.text + found.html
        assert "/forgot" not in found.text + found.html
    assert f"https://www.example.com/forgot/change?sptoken={TOKEN}" in about("reset", han).text  # a host's own page


# --- Waiting mails ---


def test_a_waiting_mail_has_the_link_that_its_token_opens(here, han):
    token = here.send_password_reset_email(EMAIL).token
    (waiting,) = session.query(OutboxMessage).all()
    assert token in render(waiting).text
    assert token in render(waiting).html
    assert token not in repr(Occasion.of(waiting))


def test_a_mail_whose_link_is_dead_is_not_made(here, han):
    here.send_password_reset_email(EMAIL)
    (waiting,) = session.query(OutboxMessage).all()
    one_time_token.end(han.id)
    with pytest.raises(errors.TokenRefused):
        render(waiting)
    waiting.nonce = None
    with pytest.raises(errors.TokenRefused):
        render(waiting)


# --- Where links begin ---


def test_a_link_never_begins_with_the_host_that_asked(app, han):
    with app.test_request_context("/", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}):
        assert "evil" not in about("reset", han).html + about("reset", han).text


def test_the_base_of_a_workflow_is_the_administrators(han, own):
    own(link_base_url="https://app.example.com/#/reset")
    assert f"\nhttps://app.example.com/#/reset?sptoken={TOKEN}\n" in about("reset", han).text
    own(default_model={"linkBaseUrl": "https://app.example.com/reset?v=2"})
    assert f"https://app.example.com/reset?v=2&amp;sptoken={TOKEN}" in about("reset", han).html


@pytest.mark.settings(STORMPATH_BASE_URL=None)
def test_without_an_address_of_its_own_a_site_in_production_mails_no_link(app, han, own):
    assert "http://localhost/forgot/change" in about("reset", han).text
    app.testing = False
    with pytest.raises(errors.NotReady, match="STORMPATH_BASE_URL"):
        about("reset", han)
    assert "http" not in about("reset_success", han).text
    own(link_base_url="https://app.example.com/reset")
    assert f"https://app.example.com/reset?sptoken={TOKEN}" in about("reset", han).text
    app.debug = True
    assert "http://127.0.0.1:5000/verify?" in about("verification", han).text


# --- A host's files ---


@pytest.fixture
def files(app, tmp_path):
    """Return the folder of the host's own mails."""
    folder = tmp_path / "templates" / "flask_stormpath" / "mail"
    folder.mkdir(parents=True)
    app.template_folder = str(tmp_path / "templates")
    return folder


def test_a_hosts_file_gets_the_objects_themselves(here, files, han):
    (files / "reset.txt").write_text(
        "Subject: For {{ account.given_name }}\n\n{{ account.email }} {{ directory.name }} {{ application.name }}"
        " {{ site_name }} {{ hours }} {{ sptoken }}\n{{ url }}"
    )
    found = mail("reset", han)
    assert found.subject == "For Han"
    assert found.text == (
        f"{EMAIL} {han.directory.name} Falcon Falcon 24 {TOKEN}\n"
        f"https://www.example.com/forgot/change?sptoken={TOKEN}\n"
    )
    assert "Forgot your password?" in found.html  # that file is still ours


def test_a_hosts_layout_changes_every_mail(files, han):
    (files / "_layout.html").write_text("<h1>Falcon</h1>{% block body %}{% endblock %}")
    assert about("welcome", han).html.startswith("<h1>Falcon</h1>")


def test_a_hosts_file_needs_its_subject(files, han):
    (files / "welcome.txt").write_text("Hello")
    with pytest.raises(ValueError, match=r"welcome\.txt must begin"):
        about("welcome", han)


# --- An administrator's texts ---


def test_what_an_administrator_set_beats_a_hosts_file(files, han, own):
    (files / "reset.txt").write_text("Subject: The host's\n\nThe host's")
    own(
        subject="For $!{account.givenName}",
        text_body="Go to ${url}",
        html_body='<a href="${url}">here</a>',
        from_name="The crew",
        from_email_address="crew@example.com",
        reply_to="help@example.com",
    )
    found = about("reset", han)
    url = f"https://www.example.com/forgot/change?sptoken={TOKEN}"
    assert found.sender == ("The crew", "crew@example.com")
    assert found.reply_to == "help@example.com"
    assert (found.subject, found.text, found.html) == ("For Han", f"Go to {url}", f'<a href="{url}">here</a>')
    own(text_body=None, subject=None)
    assert (about("reset", han).subject, about("reset", han).text) == ("The host's", "The host's\n")


def test_a_reply_to_is_named_in_our_own_text(han, own):
    own(reply_to="help@example.com")
    assert "please email help@example.com." in about("reset", han).text


@pytest.mark.parametrize(
    ("mime_type", "has_text", "has_html"),
    [("text/plain", True, False), ("text/html", False, True), ("multipart/alternative", True, True)],
)
def test_an_administrator_chooses_the_format(han, own, mime_type, has_text, has_html):
    own(mime_type=mime_type)
    found = about("reset", han)
    assert (found.text is not None, found.html is not None) == (has_text, has_html)


def test_every_documented_macro_has_its_value(here, han, own):
    han.custom_data["ship"] = {"name": "Falcon"}
    han.save()
    han.directory.custom_data["team"] = "Rebels"
    han.directory.save()
    here.custom_data["planet"] = "Hoth"
    here.save()
    names = {
        "account.givenName": "Han",
        "account.surname": "Solo",
        "account.fullName": "Han Solo",
        "account.username": "solo",
        "account.email": EMAIL,
        "account.customData.ship.name": "Falcon",
        "account.directory.name": han.directory.name,
        "account.directory.customData.team": "Rebels",
        "application.name": "Falcon",
        "application.customData.planet": "Hoth",
        "url": f"https://www.example.com/forgot/change?sptoken={TOKEN}",
        "sptoken": TOKEN,
        "sptokenNameValuePair": f"sptoken={TOKEN}",
    }
    own(text_body="\n".join(f"${{{name}}}|$!{{{name}}}" for name in names))
    assert about("reset", han).text == "\n".join(f"{value}|{value}" for value in names.values())


@together("payload", TEMPLATE)
def test_nothing_an_administrator_writes_is_run(han, own, payload):
    own(text_body=f"{payload} ${{url}}", html_body=f"{payload} ${{url}}", subject=payload)
    found = about("reset", han)
    assert found.text.startswith(f"{payload} https://")
    assert found.html.startswith(f"{payload} https://")
    assert found.subject == payload
    assert "49" not in found.text.partition("https")[0]


@together("payload", [*TEMPLATE, "${url} $!{sptoken}"])
def test_what_a_person_writes_is_not_expanded_again(here, own, han, payload):
    han.custom_data["x"] = payload
    han.save()
    own(text_body="$!{account.customData.x}|${url}")
    assert about("reset", han).text.startswith(f"{payload}|https")


@pytest.mark.parametrize("payload", HTML)
def test_what_a_person_writes_is_escaped_in_html(han, own, payload):
    han.given_name = payload
    han.save()
    own(text_body="$!{account.givenName} ${url}", html_body="<p>$!{account.givenName}</p>${url}")
    found = about("reset", han)
    assert found.text.startswith(payload)
    page = BeautifulSoup(found.html, "html.parser")
    assert page.p.text == payload
    assert not page.p.find_all()


@together("payload", [*HEADER_INJECTION, "Hi\vthere", "Hi\u2028there", "x" * 5000])
def test_a_subject_is_one_line_whatever_a_value_is(han, own, payload):
    han.custom_data["x"] = payload
    han.save()
    own(subject="$!{account.customData.x} !")
    subject = about("reset", han).subject
    assert len(subject) <= 255
    assert subject.isprintable()


# --- What a template reads as ---


def test_what_was_never_set_reads_as_our_own_text_with_macros(han):
    template = template_of(han.directory, "reset")
    assert template.subject == "Reset your Password"
    assert "\n${url}\n" in template.text_body
    assert 'href="${url}"' in template.html_body
    assert "$!{application.name}" in template.html_body
    assert (template.from_name, template.from_email_address) == ("Falcon", "no-reply@www.example.com")
    assert template.reply_to is None
    assert EmailTemplate.get(template.href)["text_body"] == template.text_body


def test_a_hosts_file_reads_with_macros_too(files, han):
    (files / "welcome.txt").write_text(
        "Subject: Hello {{ account.given_name }}\n\n{{ account.directory.custom_data.team_name }}"
        " {{ account.custom_data['ship'] }} {{ account.full_name }} {{ application.name }}"
    )
    template = template_of(han.directory, "welcome")
    assert template.subject == "Hello $!{account.givenName}"
    assert template.text_body == (
        "$!{account.directory.customData.team_name} $!{account.customData.ship} $!{account.fullName}"
        " $!{application.name}\n"
    )


def test_a_default_that_is_written_back_says_the_same(han, own):
    before = about("reset", han)
    template = template_of(han.directory, "reset")
    own(text_body=template.text_body, html_body=template.html_body, subject=template.subject)
    assert about("reset", han) == before


@pytest.mark.settings(MAIL_DEFAULT_SENDER="Falcon mail <mail@example.com>")
def test_mails_come_from_the_sender_that_the_app_has(app, han):
    assert about("reset", han).sender == ("Falcon mail", "mail@example.com")
    app.config["MAIL_DEFAULT_SENDER"] = ("Crew", "crew@example.com")
    assert about("test", han).sender == ("Crew", "crew@example.com")
    assert template_of(han.directory, "reset").from_email_address == "crew@example.com"
    app.config["MAIL_DEFAULT_SENDER"] = "crew@example.com"
    assert about("reset", han).sender == ("Falcon", "crew@example.com")
