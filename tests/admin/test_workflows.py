"""The editor of a directory's mails: looked at as typed, saved when it is right, and never lost."""

import html

import pytest
from bs4 import BeautifulSoup

from stormpath_app import Account, Directory
from stormpath_app.database import session
from stormpath_app.mail import preview
from stormpath_app.mail.rendering import template_of
from stormpath_app.models import OneTimeToken, OutboxMessage
from stormpath_app.models.email_template import WORKFLOWS

from ..conftest import PASSWORD
from ..models.test_event import events
from ..payloads import HEADER_INJECTION, HTML, TEMPLATE
from ..together import together

pytestmark = [
    pytest.mark.sqlite,
    pytest.mark.settings(STORMPATH_BASE_URL="https://www.example.com", STORMPATH_ENABLE_FORGOT_PASSWORD=True),
]
NAMES = ("from_name", "from_email_address", "reply_to", "subject", "link_base_url", "token_life", "mime_type")


@pytest.fixture
def reset(home_directory):
    """Return where the mail with the link to a new password is edited."""
    return f"/directories/{home_directory}/workflows/reset"


def fields(page):
    """Return what the form of a page would send."""
    form = BeautifulSoup(page.text, "html.parser").find("form", id="mail")
    found = {each["name"]: each.get("value", "") for each in form.find_all("input", {"name": True})}
    if not form.find("input", {"name": "is_on"}).has_attr("checked"):
        found.pop("is_on")
    for each in form.find_all("select"):
        chosen = each.find("option", selected=True) or each.find("option")
        found[each["name"]] = chosen["value"]
    # a browser leaves out the first line break of a textarea, and sends CRLF
    bodies = {each["name"]: each.text.removeprefix("\r\n").removeprefix("\n") for each in form.find_all("textarea")}
    return found | {name: text.replace("\r\n", "\n").replace("\n", "\r\n") for name, text in bodies.items()}


def sent(console, path, to="", **changes):
    """Send the form of a page, with some changes, to the page or below it."""
    found = {**fields(console.get(path)), "do": "save", **changes}
    return console.post(path + to, **{name: value for name, value in found.items() if value is not None})


def template(app, directory_id, kind="reset"):
    with app.app_context():
        found = template_of(Directory.get(directory_id), kind)
        parts = ("from_name", "from_email_address", "reply_to", "subject", "text_body", "html_body")
        own = {name: value for name in parts if (value := getattr(found, f"own_{name}")) is not None}
        policy, switch = WORKFLOWS[kind]
        return own, found.mime_type, found.link_base_url, found.directory[policy][switch]


FIRST = ({}, "multipart/alternative", None, "ENABLED")


def text(answer):
    return " ".join(BeautifulSoup(answer.text, "html.parser").get_text(" ").split())


def mail_in(answer):
    """Return the HTML of the mail that a preview shows."""
    return BeautifulSoup(answer.text, "html.parser").find("iframe")["srcdoc"]


# --- Saving ---


@pytest.mark.parametrize("kind", WORKFLOWS)
def test_each_mail_has_a_page_and_saving_it_untouched_changes_nothing(app, owner, home_directory, kind):
    path = f"/directories/{home_directory}/workflows/{kind.replace('_', '-')}"
    before = template(app, home_directory, kind)
    assert owner.get(path).status_code == 200
    assert sent(owner, path).status_code == 303
    assert template(app, home_directory, kind) == before
    with app.app_context():
        assert events("email_template.updated") == []


def test_the_tab_opens_a_mail_that_is_sent(owner, home_directory):
    answer = owner.get(f"/directories/{home_directory}/workflows/")
    assert (answer.status_code, answer.location.rpartition("/")[2]) == (302, "reset")


def test_a_mail_is_saved_with_its_switch_and_its_life(app, owner, reset, home_directory):
    answer = sent(
        owner,
        reset,
        is_on=None,
        from_name="The crew",
        from_email_address="crew@example.com",
        reply_to="help@example.com",
        subject="For $!{account.givenName}",
        mime_type="text/plain",
        text_body="Here:\r\n${url}",
        link_base_url="https://www.example.com/new",
        token_life="3",
    )
    assert answer.status_code == 303
    own, mime_type, link, status = template(app, home_directory)
    assert own == {
        "from_name": "The crew",
        "from_email_address": "crew@example.com",
        "reply_to": "help@example.com",
        "subject": "For $!{account.givenName}",
        "text_body": "Here:\n${url}",
    }
    assert (mime_type, link, status) == ("text/plain", "https://www.example.com/new", "DISABLED")
    with app.app_context():
        assert Directory.get(home_directory).password_policy.reset_token_ttl == 3
        assert {event.actor_name for event in events("email_template.updated")} == {"owner@console.example"}
    shown = fields(owner.get(reset))
    assert (shown["text_body"], shown["token_life"], shown.get("is_on")) == ("Here:\r\n${url}", "3", None)


def test_what_is_emptied_or_put_back_follows_the_default_again(app, owner, reset, home_directory):
    default = fields(owner.get(reset))
    sent(owner, reset, subject="Other", text_body="Other ${url}")
    assert set(template(app, home_directory)[0]) == {"subject", "text_body"}
    sent(owner, reset, subject="", text_body=default["text_body"])
    assert template(app, home_directory) == FIRST


def test_the_default_can_be_put_in_and_is_saved_by_saving_alone(app, owner, reset, home_directory):
    default = fields(owner.get(reset))
    sent(owner, reset, subject="Other")
    page = sent(owner, reset, do="default", reply_to="help@example.com")
    assert "Nothing is saved yet." in page.text
    shown = fields(page)
    assert (shown["subject"], shown["reply_to"]) == (default["subject"], "")
    assert template(app, home_directory)[0] == {"subject": "Other"}
    assert owner.post(reset, **shown, do="save").status_code == 303
    assert template(app, home_directory) == FIRST


@together(
    ("field", "typed"),
    [
        ("text_body", "no link here"),
        ("html_body", "<p>no link here</p>"),
        ("text_body", "${url}" + "x" * 60_000),
        ("from_email_address", "nobody"),
        ("reply_to", "a@b.example, c@d.example"),
        ("subject", "x" * 300),
        ("link_base_url", "javascript:alert(1)"),
        ("token_life", "169"),
        ("token_life", ""),
        ("mime_type", "text/rtf"),
    ],
)
def test_what_cannot_be_is_told_at_its_field_and_nothing_that_was_typed_is_lost(
    app, owner, reset, home_directory, field, typed
):
    page = sent(owner, reset, from_name="The crew", **{field: typed})
    assert page.status_code == 200
    assert BeautifulSoup(page.text, "html.parser").find(attrs={"name": field})["aria-invalid"] == "true"
    shown = fields(page)
    assert shown["from_name"] == "The crew"
    assert field == "mime_type" or shown[field] == typed
    assert template(app, home_directory) == FIRST


@pytest.mark.parametrize("typed", HEADER_INJECTION)
@pytest.mark.parametrize("field", ["from_name", "from_email_address", "reply_to", "subject"])
def test_no_header_can_be_added(app, owner, reset, home_directory, field, typed):
    sent(owner, reset, **{field: typed})
    own = template(app, home_directory)[0]
    assert not {"\r", "\n", "\0"} & set(own.get(field, ""))


def test_two_who_edit_a_mail_at_once_are_told(app, owner, reset, home_directory):
    mine = fields(owner.get(reset))
    sent(owner, reset, subject="Theirs")
    page = owner.post(reset, **mine | {"subject": "Mine", "do": "save"})
    assert page.status_code == 200
    assert "Subject is now “Theirs”" in html.unescape(page.text)
    assert template(app, home_directory)[0] == {"subject": "Theirs"}
    assert owner.post(reset, **fields(page) | {"do": "save"}).status_code == 303
    assert template(app, home_directory)[0] == {"subject": "Mine"}


def test_a_mail_without_a_link_has_no_fields_for_one(owner, home_directory):
    page = owner.get(f"/directories/{home_directory}/workflows/welcome")
    assert "link_base_url" not in fields(page)
    assert "<code>${url}</code>" not in page.text


@pytest.mark.parametrize("mail", ["test", "reset_success", "email-change", "x", "preview"])
def test_there_are_five_mails_and_no_others(owner, home_directory, mail):
    assert owner.get(f"/directories/{home_directory}/workflows/{mail}").status_code == 404


# --- Looking at it ---


def test_it_is_shown_as_it_is_typed_to_somebody_who_was_chosen(app, owner, reset, home_directory, ada):
    page = sent(
        owner,
        reset,
        "/preview",
        reader="ada@example.com",
        subject="For $!{account.givenName}",
        html_body="<p>Hello $!{account.givenName}: <a href='${url}'>here</a></p>",
    )
    told = text(page)
    assert "To ada@example.com" in told
    assert "Subject For Ada" in told
    link = f"https://www.example.com/forgot/change?sptoken={preview.NO_TOKEN}"
    assert mail_in(page) == f"<p>Hello Ada: <a href='{link}'>here</a></p>"
    assert template(app, home_directory) == FIRST
    with app.app_context():
        assert (session.query(OneTimeToken).count(), session.query(OutboxMessage).count()) == (0, 0)


def test_somebody_made_up_reads_it_first(owner, reset):
    told = text(owner.get(f"{reset}/preview"))
    assert "To leia@alderaan.example somebody made up" in told
    assert "It says what the default says." in told


@pytest.mark.parametrize("wanted", ["ada", "ADA@example.com", "Lovelace"])
def test_who_reads_it_is_searched_for(owner, reset, ada, wanted):
    assert "To ada@example.com" in text(owner.get(f"{reset}/preview?reader={wanted}"))


def test_nobody_of_another_directory_reads_it(app, owner, reset):
    with app.app_context():
        vader = Directory.create(name="Empire").accounts.create(email="vader@empire.example", password=PASSWORD)
        hidden = vader.id
    for wanted in ("vader@empire.example", hidden, "\0", "a" * 500, "%"):
        page = owner.get(f"{reset}/preview", query_string={"reader": wanted})
        assert "To leia@alderaan.example" in text(page)


def test_it_is_shown_as_text_narrow_and_by_night(owner, reset):
    assert (
        "Forgot your password?" in BeautifulSoup(owner.get(f"{reset}/preview?look=text").text, "html.parser").pre.text
    )
    narrow = owner.get(f"{reset}/preview?look=html-narrow")
    assert "sp-frame-s" in narrow.text
    assert "(max-width: 0)" in mail_in(narrow)
    by_night = mail_in(owner.get(f"{reset}/preview?look=html-narrow-dark"))
    assert "(min-width: 0)" in by_night
    assert "prefers-color-scheme" not in by_night


def test_macros_that_are_missing_or_none_are_told(owner, reset, ada):
    page = sent(owner, reset, "/preview", text_body="Hello ${acount.givenName}", html_body="<p>${url}</p>")
    told = text(page)
    assert "Text: The link is missing: this mail needs it. Write ${url}" in told
    assert "Text: ${acount.givenName} It is no macro, and is mailed as it stands. Write $!{account.givenName}" in told


def test_what_is_other_than_the_default_is_shown_line_by_line(owner, reset):
    page = BeautifulSoup(sent(owner, reset, "/preview", subject="Other").text, "html.parser")
    group = page.find(attrs={"aria-label": "Subject"})
    assert (group.find("del").text, group.find("ins").text) == ("Reset your Password", "Other")


def test_what_cannot_be_saved_is_told_in_the_preview_too(owner, reset):
    told = text(sent(owner, reset, "/preview", from_email_address="nobody"))
    assert "From address:" in told
    assert "To leia@alderaan.example" in told


def test_a_mail_is_shown_in_a_frame_that_can_do_nothing(owner, reset):
    page = owner.get(reset)
    frame = BeautifulSoup(page.text, "html.parser").find("iframe")
    assert (list(frame["sandbox"]), frame["src"].endswith("/workflows/reset/preview")) == ([], True)
    answer = owner.get(f"{reset}/preview")
    policy = answer.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "frame-ancestors 'self'", "form-action 'none'", "base-uri 'none'", "sandbox"):
        assert part in policy
    assert "script-src" not in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Cache-Control"] == "no-store"
    assert BeautifulSoup(answer.text, "html.parser").find("iframe").get("sandbox") in ([], "")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_what_is_typed_is_run_by_nothing(app, owner, reset, ada):
    for typed in (*TEMPLATE, *HTML):
        with app.app_context():
            account = Account.get(ada)
            account.given_name = "".join(letter for letter in typed if letter.isprintable())[:200] or None
            account.save()
        page = sent(
            owner, reset, "/preview", reader="ada@example.com", text_body=f"{typed} ${{url}}", subject=typed[:200]
        )
        assert page.status_code == 200
        outer = BeautifulSoup(page.text, "html.parser")
        assert outer.find("script") is None
        assert "49" not in outer.find("strong").text or "49" in typed
        assert not outer.find_all(lambda tag: any(name.startswith("on") for name in tag.attrs))


# --- Send to me ---


def test_it_is_mailed_to_whoever_asks_as_it_was_typed(app, owner, reset, home_directory, ada):
    answer = sent(owner, reset, "/send", reader="ada@example.com", subject="For $!{account.givenName}")
    assert "On its way to owner@console.example." in text(answer)
    with app.app_context():
        (waiting,) = session.query(OutboxMessage)
        assert (waiting.address, waiting.kind) == ("owner@console.example", "preview")
        assert preview.render(waiting).subject == "Preview: For Ada"
    assert template(app, home_directory) == FIRST


def test_what_cannot_be_saved_is_not_mailed(app, owner, reset):
    answer = sent(owner, reset, "/send", from_email_address="nobody")
    assert "From address:" in text(answer)
    with app.app_context():
        assert session.query(OutboxMessage).count() == 0


# --- Who may ---


@pytest.mark.parametrize("role", ["viewer", "support", "manager"])
def test_others_look_at_mails_and_change_none(app, sign_in, reset, home_directory, ada, role):
    browser = sign_in(role)
    page = browser.get(reset)
    assert page.status_code == 200
    assert "Save mail" not in page.text
    assert "Send to me" not in page.text
    assert "To ada@example.com" in text(browser.get(f"{reset}/preview?reader=ada"))
    found = {**fields(page), "subject": "Sith", "do": "save"}
    assert browser.post(reset, **found).status_code == 403
    assert browser.post(f"{reset}/send", **found).status_code == 403
    assert template(app, home_directory) == FIRST


def test_a_form_without_its_token_does_nothing(app, owner, reset, home_directory):
    for to in ("", "/preview", "/send"):
        assert sent(owner, reset, to, csrf_token="", subject="Sith").status_code == 400
    assert template(app, home_directory) == FIRST
