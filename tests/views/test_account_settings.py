"""The settings page: what people see of their own account, and change themselves."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup

from stormpath_app import Account, login_user, logout_user, origin
from stormpath_app.database import session
from stormpath_app.models import AccountSession, Application, OutboxMessage, event
from stormpath_app.transactions import atomic
from stormpath_app.views.account_settings import WORDS

from ..conftest import PASSWORD, reads, statements, token
from ..devices import cookies, is_in
from ..models.test_event import events
from ..together import together

pytestmark = pytest.mark.settings(STORMPATH_ENABLE_SETTINGS=True)

PAGE, OTHER = "/settings", "Kessel12.Parsecs"
FORMS = ("profile", "email", "password", "devices")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0"
IPHONE = "Mozilla/5.0 (iPhone) AppleWebKit/605 Version/17.5 Mobile/15E148 Safari/604.1"
MARKUP = "<script>alert(1)</script>"


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def section(answer, name):
    """Return the words of a section, with single blanks between."""
    return " ".join(soup(answer).select_one(f"#settings-{name}").get_text(" ").split())


def entries(answer):
    return [line.text for line in soup(answer).select("#settings-activity strong")]


def send(client, form, **fields):
    return client.post(f"{PAGE}/{form}", data={"csrf_token": token(client, PAGE), **fields})


def change_password(client, **fields):
    known = {"old_password": PASSWORD, "password": OTHER, "password_again": OTHER}
    return send(client, "password", **{**known, **fields})


def han():
    return Application.current().find_account("han@falcon.example")


@pytest.fixture
def another(app, account, log_in):
    """Return a function that logs Han in on another browser."""

    def another(user_agent=IPHONE, **how):
        client = app.test_client()
        log_in(client, headers={"User-Agent": user_agent}, **how)
        return client

    return another


# --- Who is let in ---


@pytest.mark.settings(STORMPATH_ENABLE_SETTINGS=False)
def test_there_is_no_page_unless_it_is_enabled(member):
    assert {member.get(f"{PAGE}{below}").status_code for below in ("", "/profile", "/password", "/devices")} == {404}


def test_a_stranger_is_sent_to_the_login_page_and_back(client, account, log_in):
    assert client.get(PAGE).location == "/login?next=%2Fsettings"
    for form in FORMS:
        assert client.get(f"{PAGE}/{form}").location == f"/login?next=%2Fsettings%2F{form}"
        data = {"csrf_token": token(client), "device": "others", "given_name": "Greedo"}
        assert client.post(f"{PAGE}/{form}", data=data).location == "/login"
    assert log_in(client, page="/login?next=/settings").location == PAGE


@pytest.mark.settings(LOGIN_DISABLED=True)
def test_no_setting_of_tests_lets_a_stranger_in(client):
    assert {client.get(f"{PAGE}{below}").status_code for below in ("", "/profile", "/password", "/devices")} == {302}


def test_the_address_of_a_form_leads_to_its_section(member):
    for form in FORMS:
        assert member.get(f"{PAGE}/{form}").location == f"{PAGE}#settings-{form}"


@pytest.mark.settings(STORMPATH_SETTINGS_URL="/my/account/")
def test_the_page_can_stand_at_another_address(member):
    page = soup(member.get("/my/account/"))
    assert {form["action"] for form in page.select("form")} == {
        "/my/account/profile#settings-profile",
        "/my/account/email#settings-email",
        "/my/account/password#settings-password",
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_form_without_its_token_changes_nothing_and_comes_again(app, member, form):
    data = {"given_name": "Randall", "old_password": PASSWORD, "password": OTHER, "password_again": OTHER}
    answer = member.post(f"{PAGE}/{form}", data={**data, "device": "others"})
    assert answer.status_code == 400
    assert "This page was open for too long. Send it once more." in section(answer, form)
    with app.app_context():
        assert han().given_name == "Han"
        han().check_password(PASSWORD)


def test_the_page_is_kept_by_no_cache_and_has_the_strictest_policy(member):
    headers = member.get(PAGE).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_the_page_costs_few_statements(app, member, another):
    for _ in range(5):
        another()
    member.get(PAGE)
    with statements(app) as seen:
        assert member.get(PAGE).status_code == 200
    # The logins, the events, the directory, and whether there is a password. Where they are not kept: who it is, the
    # application, its providers, and the rules of a new password.
    assert len([one for one in seen if one.startswith("SELECT")]) == 4 + 4 * reads(app)
    assert [one for one in seen if not one.startswith(("SELECT", "PRAGMA", "BEGIN"))] == []


# --- Profile ---


def test_names_are_shown_and_saved(app, member):
    page = soup(member.get(PAGE))
    shown = {field["name"]: field["value"] for field in page.select("#settings-profile input[type=text]")}
    assert shown == {"given_name": "Han", "surname": "Solo", "middle_name": ""}
    answer = send(member, "profile", given_name="Randall", surname="Solo", middle_name="J.")
    assert (answer.status_code, answer.location) == (302, f"{PAGE}#settings-profile")
    assert "Profile saved." in section(member.get(PAGE), "profile")
    assert "Profile saved." not in member.get(PAGE).text
    with app.app_context():
        assert (han().full_name, han().username) == ("Randall J. Solo", "solo")


@pytest.mark.settings(
    STORMPATH_ENABLE_USERNAME=True, STORMPATH_ENABLE_SURNAME=False, STORMPATH_REQUIRE_GIVEN_NAME=False
)
def test_which_names_there_are_is_as_with_registration(app, member):
    fields = [field["name"] for field in soup(member.get(PAGE)).select("#settings-profile input[type=text]")]
    assert fields == ["username", "given_name", "middle_name"]
    assert send(member, "profile", username="captain", given_name="", surname="Greedo").status_code == 302
    with app.app_context():
        assert (han().username, han().given_name, han().surname) == ("captain", None, "Solo")


@pytest.mark.settings(**{f"STORMPATH_ENABLE_{name}": False for name in ("GIVEN_NAME", "MIDDLE_NAME", "SURNAME")})
def test_without_names_there_is_no_profile(member):
    assert soup(member.get(PAGE)).select_one("#settings-profile") is None


@pytest.mark.settings(STORMPATH_ENABLE_USERNAME=True)
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("given_name", "", "First name is required."),
        ("given_name", "x" * 256, "exceeded the maximum length of 255 characters."),
        ("surname", "a\0b", "is in an invalid format."),
        ("username", "x@x.example", "is in an invalid format."),
        ("username", "PRINCESS", "already exists."),
    ],
)
def test_a_name_that_cannot_be_comes_again_with_what_was_typed(app, member, field, value, told):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia", username="princess")
    typed = {"username": "captain", "given_name": "Randall", "surname": "Duo", field: value}
    answer = send(member, "profile", **typed)
    page = soup(answer)
    assert (answer.status_code, page.title.text) == (200, "Error: Account settings - My Application")
    assert told in page.select_one(f"#{field}-error").text
    for name, text in typed.items():
        assert page.select_one(f"#{name}")["value"] == text
    with app.app_context():
        assert (han().username, han().full_name) == ("solo", "Han Solo")


def test_a_name_that_the_directory_requires_is_asked_for(app, member):
    with app.app_context():
        field = han().directory.account_schema.fields["surname"]
        field.required = True
        field.save()
        app.config["STORMPATH_REQUIRE_SURNAME"] = False
    assert (
        "is required" in soup(send(member, "profile", given_name="Han", surname="")).select_one("#surname-error").text
    )


def test_names_are_text_and_never_markup(member):
    send(member, "profile", given_name=MARKUP, surname='"><img src=x>')
    answer = member.get(PAGE)
    assert soup(answer).select_one("#given_name")["value"] == MARKUP
    assert soup(answer).select_one("#surname")["value"] == '"><img src=x>'
    assert "<script" not in answer.text
    assert "<img" not in answer.text


def test_an_address_is_not_changed_by_the_form_of_names(app, member):
    send(member, "profile", given_name="Han", surname="Solo", email="x@x.example", status="DISABLED", password=OTHER)
    with app.app_context():
        han().check_password(PASSWORD)
        assert (han().status, han().email) == ("ENABLED", "han@falcon.example")


# --- Password ---


# --- The address ---

NEW = "captain@falcon.example"


def mails(app):
    """Return kind and address of each mail that waits."""
    with app.app_context():
        waits = sa.select(OutboxMessage).filter_by(status="QUEUED").order_by(OutboxMessage.id)
        return [(one.kind, one.address) for one in session.scalars(waits)]


def change_email(client, **fields):
    return send(client, "email", **{"new_email": NEW, "email_password": PASSWORD, **fields})


def test_a_link_to_a_new_address_is_mailed_and_nothing_is_changed_yet(app, member):
    answer = change_email(member)
    assert answer.location == f"{PAGE}#settings-email"
    page = member.get(PAGE)
    assert f"A link was mailed to {NEW}." in section(page, "email")
    assert "han@falcon.example" in section(page, "email")
    assert mails(app) == [("email_change", NEW)]


@together(
    ("fields", "field", "told"),
    [
        ({"email_password": "Not.the.1.word"}, "email_password", "This is not your current password."),
        ({"email_password": ""}, "email_password", "Password required."),
        ({"new_email": "nowhere"}, "new_email", "You must provide a valid email address."),
        ({"new_email": f"{NEW}\r\nBcc: x@evil.example"}, "new_email", "You must provide a valid email address."),
        ({"new_email": ""}, "new_email", "You must provide an email address."),
        ({"new_email": "han@falcon.example"}, "new_email", "already exists"),
    ],
)
def test_an_address_that_cannot_be_comes_again_with_what_was_typed(app, member, fields, field, told):
    answer = change_email(member, **fields)
    assert answer.status_code == 200
    assert told in soup(answer).select_one(f"#{field}-error").text
    assert PASSWORD not in answer.text
    assert mails(app) == []


def test_who_guesses_the_password_for_it_is_slowed_down(held_clock, member):
    answers = [change_email(member, email_password="Not.the.1.word").status_code for _ in range(7)]
    assert answers == [200] * 5 + [429] * 2


def test_of_an_address_that_somebody_has_nobody_learns_but_its_owner(app, member):
    with app.app_context():
        Account.create("lando@cloud.example", PASSWORD)
    answer = change_email(member, new_email="lando@cloud.example")
    assert answer.location == f"{PAGE}#settings-email"
    assert "A link was mailed to lando@cloud.example." in section(member.get(PAGE), "email")
    assert mails(app) == [("account_exists", "lando@cloud.example")]


def test_more_links_than_there_may_be_are_told(app, member):
    for number in range(3):
        change_email(member, new_email=f"x{number}@falcon.example")
    answer = change_email(member, new_email="x4@falcon.example")
    assert (answer.status_code, len(mails(app))) == (200, 3)
    assert "Too many mails" in section(answer, "email")


# --- The password ---


def test_a_new_password_is_told_by_mail_where_the_directory_says_so(app, member):
    change_password(member)
    assert mails(app) == [("password_changed", "han@falcon.example")]
    with app.app_context():
        policy = han().directory.password_policy
        policy.reset_success_email_status = "DISABLED"
        policy.save()
    change_password(member, old_password=OTHER, password="Third3.Parsecs", password_again="Third3.Parsecs")
    assert len(mails(app)) == 1


def test_a_new_password_leaves_this_device_logged_in_and_no_other(app, member, another):
    others, before = [another() for _ in range(2)], cookies(member)
    copy = app.test_client()
    for name in ("stormpath_session", "stormpath_token"):
        copy.set_cookie(f"__Host-{name}", member.get_cookie(f"__Host-{name}").value)
    assert is_in(copy)
    assert change_password(member).location == f"{PAGE}#settings-password"
    assert is_in(member)
    assert not any(map(is_in, [*others, copy]))
    assert cookies(member) != before
    assert "Password changed. 2 other devices were logged out." in section(member.get(PAGE), "password")
    with app.app_context():
        han().check_password(OTHER)


def test_alone_or_with_one_other_device_it_is_told_in_their_words(member, another):
    change_password(member)
    assert "Password changed." in section(member.get(PAGE), "password")
    assert "other device" not in section(member.get(PAGE), "password").replace("Your other devices", "")
    another(password=OTHER)
    change_password(member, old_password=OTHER, password=PASSWORD, password_again=PASSWORD)
    assert "Password changed. One other device was logged out." in section(member.get(PAGE), "password")


def test_a_login_that_was_not_to_be_remembered_stays_so(client, account, does):
    does.append(lambda: str(login_user(han(), remember=False)))
    client.get("/do")
    change_password(client)
    assert (is_in(client), cookies(client).token) == (True, None)


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"old_password": "wrong"}, "old_password", "This is not your current password."),
        ({"old_password": ""}, "old_password", "Password required."),
        ({"password_again": "x"}, "password_again", "Passwords don't match."),
        ({"password": "x", "password_again": "x"}, "password", "Account password minimum length not satisfied."),
        ({"password": "HanSolo1", "password_again": "HanSolo1"}, "password", "too close to a name"),
    ],
)
def test_a_password_that_is_refused_changes_nothing(app, member, another, fields, field, told):
    other = another()
    answer = change_password(member, **fields)
    assert answer.status_code == 200
    assert told in soup(answer).select_one(f"#{field}-error").text
    assert not any(field["value"] for field in soup(answer).select("[type=password]"))
    assert soup(answer).select_one("#given_name")["value"] == "Han"
    assert is_in(member)
    assert is_in(other)
    with app.app_context():
        han().check_password(PASSWORD)


def test_a_password_that_was_used_before_is_refused(app, member):
    with app.app_context():
        strength = han().directory.password_policy.strength
        strength.prevent_reuse = 2
        strength.save()
    change_password(member)
    answer = change_password(member, old_password=OTHER, password=PASSWORD, password_again=PASSWORD)
    told = "The new password is one of the last 2: choose another."
    assert told in soup(answer).select_one("#password-error").text


def test_who_guesses_the_current_password_is_slowed_down(held_clock, member):
    for _ in range(5):
        assert change_password(member, old_password="wrong").status_code == 200
    answer = change_password(member)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert "Too many attempts." in section(answer, "password")


def test_the_page_tells_the_directorys_rules_and_when_the_password_was_set(member):
    found = section(member.get(PAGE), "password")
    assert "At least 8 characters" in found
    assert re.search(r"Changed on \d+ \w+ 20\d\d\.", found)


# --- Devices ---


def test_each_device_is_told_by_its_name_place_and_times(member, another, held_clock):
    another(environ_base={"REMOTE_ADDR": "192.0.2.7"})
    held_clock.forward(hours=2)
    lines = [" ".join(line.get_text(" ").split()) for line in soup(member.get(PAGE)).select("#settings-devices li")]
    assert lines == [
        "Unknown browser This device Active now, 127.0.0.1",
        "Safari on iPhone Active 2 hours ago, 192.0.2.7. Since 24 November 2026 Log out",
    ]


@pytest.mark.parametrize(
    ("ago", "told"),
    [
        (timedelta(seconds=30), "Active now"),
        (timedelta(minutes=59), "Active 59 minutes ago"),
        (timedelta(hours=1), "Active one hour ago"),
        (timedelta(hours=23), "Active 23 hours ago"),
        (timedelta(hours=47), "Active one day ago"),
        (timedelta(days=30), "Active 30 days ago"),
        (timedelta(days=31), "Active on 24 November 2026"),
    ],
    ids=str,
)
def test_how_long_ago_is_told_in_words(member, another, held_clock, ago, told):
    another()
    held_clock.at += ago
    assert f"{told}, 127.0.0.1." in section(member.get(PAGE), "devices")


def test_one_device_is_logged_out(member, another):
    phone, desk = another(), another(FIREFOX)
    page = soup(member.get(PAGE))
    button = page.select_one('[aria-label="Log out Safari on iPhone"]')
    wanted = button.find_parent("form").select_one("[name=device]")["value"]
    assert send(member, "devices", device=wanted).location == f"{PAGE}#settings-devices"
    assert "Safari on iPhone was logged out." in section(member.get(PAGE), "devices")
    assert (is_in(phone), is_in(desk), is_in(member)) == (False, True, True)
    send(member, "devices", device=wanted)
    assert "That device was logged out already." in section(member.get(PAGE), "devices")


def test_all_others_are_logged_out_at_once(member, another):
    others = [another() for _ in range(2)]
    assert "Log out the other 2 devices" in section(member.get(PAGE), "devices")
    send(member, "devices", device="others")
    assert "2 other devices were logged out." in section(member.get(PAGE), "devices")
    assert "Log out the other" not in member.get(PAGE).text
    assert not any(map(is_in, others))
    assert is_in(member)
    send(member, "devices", device="others")
    assert "No other device was logged in." in section(member.get(PAGE), "devices")


@together("wanted", ["", "x", "x" * 5000, "a\0b", "\ud800", "../..", None])
def test_what_names_no_device_ends_none(member, another, wanted):
    other = another()
    fields = {} if wanted is None else {"device": wanted.encode("utf-8", "surrogatepass")}
    assert send(member, "devices", **fields).status_code == 302
    assert is_in(other)


def test_nobody_ends_a_login_of_somebody_else(app, member, log_in):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia")
    leia = app.test_client()
    log_in(leia, "leia@alderaan.example")
    with app.app_context():
        (hers,) = Application.current().find_account("leia@alderaan.example").sessions
    send(member, "devices", device=hers.id)
    send(member, "devices", device="others")
    assert is_in(leia)


def test_this_device_can_be_named_too_and_is_logged_out(app, member):
    with app.app_context():
        (mine,) = han().sessions
    send(member, "devices", device=mine.id)
    assert not is_in(member)


def test_a_device_is_text_and_never_markup(member, another):
    another(MARKUP, environ_base={"REMOTE_ADDR": MARKUP})
    another(f"Firefox/1 {MARKUP}")
    answer = member.get(PAGE)
    assert "<script" not in answer.text
    assert MARKUP in section(answer, "devices")  # what a server calls the address


def test_of_very_many_devices_the_first_are_shown(app, member):
    with app.app_context():
        for _ in range(60):
            AccountSession.start(han().id, Application.current().id, remembered=True)
        session.commit()
    found = member.get(PAGE)
    assert len(soup(found).select("#settings-devices li")) == 51
    assert "And 11 more." in section(found, "devices")
    assert "Log out the other 60 devices" in section(found, "devices")


# --- Recent activity ---


def test_what_happened_is_told_in_plain_words_the_newest_first(app, member, another, log_in):
    another(FIREFOX, password="wrong")
    change_password(member, old_password="wrong")
    send(member, "profile", given_name="Randall", surname="Solo")
    change_password(member)
    phone = another(password=OTHER)
    phone.get("/logout")
    with app.app_context():
        account = han()
        account.directory.groups.create(name=f"pilots {MARKUP}").add_account(account)
        account.email = "captain@falcon.example"
        account.save()
        account.custom_data["seen"] = 1
        account.save()
        account.sign_out()
    log_in(member, "captain@falcon.example", OTHER)
    answer = member.get(PAGE)
    assert entries(answer) == [
        "Logged in",
        "Devices were logged out",
        "Email address changed",
        f"Added to the group pilots {MARKUP}",
        "Logged out",
        "Logged in",
        "Password changed",
        "Name changed",
        "A wrong password was entered",
        "Login with a wrong password",
        "Logged in",
        "Account created",
    ]
    found = section(answer, "activity")
    assert "Firefox on Windows, 127.0.0.1" in found
    assert "By the people of this site" in found
    assert "<script" not in answer.text


def test_a_login_by_a_provider_is_told_with_its_name(app, member):
    with app.app_context(), origin.acting(origin.Origin(interface="web")), atomic():
        for kind in ("login.succeeded", "login.failed"):
            event.record(kind, account_id=han().id, provider="github")
    assert entries(member.get(PAGE))[:2] == ["Login with GitHub refused", "Logged in with GitHub"]


def test_only_what_concerns_the_person_is_told(app, member, log_in):
    with app.app_context():
        Account.create("leia@alderaan.example", PASSWORD, "Leia")
    log_in(app.test_client(), "leia@alderaan.example")
    log_in(app.test_client(), "leia@alderaan.example", "wrong")
    assert entries(member.get(PAGE)) == ["Logged in", "Account created"]


def test_older_events_are_on_pages_of_their_own(app, member):
    with app.app_context():
        for _ in range(45):
            han().unlock()
    seen, at = [], PAGE
    while at:
        answer = member.get(at)
        seen.append(len(entries(answer)))
        older = soup(answer).find("a", string="Older")
        at = older and older["href"]
        assert bool(soup(answer).find("a", string="Newest")) is (len(seen) > 1)
    assert seen == [20, 20, 7]
    assert entries(answer)[-1] == "Account created"


@together("before", ["x", "x" * 5000, "%00", "%ff", "'", "0000000000000000000000", "\u0660" * 22])
def test_an_address_that_names_no_event_is_no_error(member, before):
    answer = member.get(f"{PAGE}?before={before}")
    assert answer.status_code == 200
    told = ["Logged in", "Account created"] if before != "0" * 22 else []
    assert entries(answer) == told
    assert told or "Nothing more." in section(answer, "activity")


def test_every_kind_that_is_told_has_words(app, member):
    with app.app_context():
        with atomic():
            for kind in WORDS:
                event.record(kind, account_id=han().id)
        assert {one.kind for one in events()} >= {*WORDS}
    assert member.get(PAGE).status_code == 200


# --- In a host's own page ---


def test_a_hosts_own_template_takes_its_place(app, member, tmp_path):
    (tmp_path / "mine.html").write_text("{{ account.email }} {{ devices|length }} {{ entries|length }} {{ others }}")
    app.jinja_loader.searchpath.append(str(tmp_path))
    app.config["STORMPATH_SETTINGS_TEMPLATE"] = "mine.html"
    assert member.get(PAGE).text == "han@falcon.example 1 2 0"


def test_logging_out_shows_the_page_to_nobody(does, member):
    does.append(lambda: str(logout_user()))
    member.get("/do")
    assert member.get(PAGE).status_code == 302


def test_a_password_that_must_be_changed_is_told_in_a_line_for_each_step(app, client, account, log_in):
    with app.app_context():
        flagged = han()
        flagged.must_change_password = True
        flagged.save()
    page = log_in(client).location
    client.post(page, data={"csrf_token": token(client, page), "password": OTHER, "password_again": OTHER})
    assert entries(client.get(PAGE)) == [
        "Password changed",
        "Another password had to be chosen",
        "Another password was asked for",
        "Account created",
    ]
