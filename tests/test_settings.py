"""Settings: what a wrong one is told as, and when each is read."""

from datetime import timedelta

import pytest

from stormpath_app import settings
from stormpath_app.settings import NOT_YET, SETTINGS

DAY = timedelta(days=1)
SWITCHES = [row.name for row in SETTINGS if row.kind == "bool"]


def problems(**changed):
    """Return what is told of the defaults with some settings changed after the pages were registered."""
    config = {"TESTING": False}
    settings.set_defaults(config)
    before = settings.registered(config)
    return settings.check({**config, **{f"STORMPATH_{name}": value for name, value in changed.items()}}, before)


def sentences(**changed):
    return [problem.sentence for problem in problems(**changed) if problem.level == "error"]


def test_the_defaults_are_right():
    assert problems() == []


def test_a_default_does_not_replace_what_was_set():
    config = {"STORMPATH_LOGIN_URL": "/signin"}
    settings.set_defaults(config)
    assert config["STORMPATH_LOGIN_URL"] == "/signin"
    assert config["STORMPATH_LOGOUT_URL"] == "/logout"


# --- Misspelt ---


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("ENABLE_USERNAMES", "ENABLE_USERNAME"),
        ("ENABEL_LOGIN", "ENABLE_LOGIN"),
        ("BCRYPT_COSTS", "BCRYPT_COST"),
        ("COOKIE_DURATON", "COOKIE_DURATION"),
        ("DATABASE_URL", "DATABASE_URI"),
    ],
)
def test_a_misspelt_setting_is_told_with_the_one_that_was_meant(misspelt, meant):
    told = f"There is no setting STORMPATH_{misspelt}. Did you mean STORMPATH_{meant}?"
    assert sentences(**{misspelt: True}) == [told]


def test_a_setting_like_no_other_is_told_with_where_to_look():
    assert sentences(QUX=1) == ["There is no setting STORMPATH_QUX. docs/settings.md lists those there are."]


def test_settings_of_others_are_their_own_business():
    config = {"MAIL_SERVER": 1, "SECRET_KEY": 2, "MY_STORMPATH_QUX": 3, "stormpath_qux": 4}
    settings.set_defaults(config)
    assert settings.check(config, settings.registered(config)) == []


# --- Of the wrong kind ---


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *(("APPLICATION", value, "text") for value in (None, "", 5, b"My Application", ["My Application"])),
        *(("DATABASE_URI", value, "text, or None") for value in ("", 5, False)),
        *(("COOKIE_DOMAIN", value, "text, or None") for value in ("", True)),
        *(
            ("LOGIN_URL", value, "a path that begins with a slash")
            for value in (None, "", "login", "//evil.example", 5)
        ),
        *(
            ("BASE_URL", value, "an http or https address without a slash at its end")
            for value in (
                *("", "www.example.com", "https://www.example.com/", "https://", "ftp://example.com", "//example.com"),
                *("http://[::1", "javascript:alert(1)", 5),
            )
        ),
        *((name, value, "True or False") for name in SWITCHES for value in (None, "yes", 1, 0, "")),
        *(("COOKIE_SECURE", value, "True, False or None") for value in ("", "auto", 0)),
        *(
            (name, value, "a positive datetime.timedelta")
            for name in ("COOKIE_DURATION", "SESSION_LIFETIME")
            for value in (None, "1 day", timedelta(), -DAY, 0, -1, True)
        ),
        *(
            ("MAIL_DELIVERY", value, "'thread', 'command', or a function")
            for value in (None, "", "celery", 5, True, [])
        ),
        *(("PROXY_COUNT", value, "a whole number, 0 or more") for value in (-1, 1.0, "1", None, True)),
        *(("BCRYPT_COST", value, "10 to 14") for value in (9, 15, 4, 0, -12, "12", 12.0, None, True)),
        *(("HASH_CONCURRENCY", value, "a whole number, 1 or more, or None") for value in (0, -1, 1.5, "2", True)),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_setting_of_the_wrong_kind_is_told_with_what_it_must_be(name, value, told):
    mentioned = [sentence for sentence in sentences(**{name: value}) if "it must be" in sentence]
    assert len(mentioned) == 1
    assert mentioned[0].startswith(f"STORMPATH_{name} is {value!r}; it must be {told}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("APPLICATION", "Straße 漢字"),
            ("REDIRECT_URL", "https://elsewhere.example/"),
            ("COOKIE_DOMAIN", ".example.com"),
        ),
        *(
            ("BASE_URL", value)
            for value in ("http://127.0.0.1:5000", "https://bücher.example", "https://example.com/shop")
        ),
        *(("COOKIE_SECURE", value) for value in (True, False, None)),
        *(("BCRYPT_COST", value) for value in (10, 11, 12, 13, 14)),
        *(("HASH_CONCURRENCY", value) for value in (None, 1, 64)),
        *(
            ("COOKIE_DURATION", 3600),
            ("PROXY_COUNT", 2),
            ("MAIL_DELIVERY", "command"),
            ("MAIL_DELIVERY", print),
            ("SOCIAL", {}),
            ("HTTP_PROXY", "http://proxy.example.com:3128"),
            ("HTTP_PROXY", "https://127.0.0.1:8080/"),
            ("HTTP_TIMEOUT", 2.5),
            ("COOKIE_DURATION", timedelta(seconds=1)),
            ("SESSION_LIFETIME", DAY),
        ),
    ],
    ids=str,
)
def test_a_setting_of_the_right_kind_is_not_told(name, value):
    assert problems(**{name: value}) == []


@pytest.mark.parametrize("value", [None, True, 5, "off", "", [], (), {"free_failures"}, timedelta(minutes=15)], ids=str)
def test_a_throttle_is_a_dictionary_or_false(value):
    told = f"STORMPATH_THROTTLE is {value!r}; it must be a dictionary of what it changes, or False."
    assert sentences(THROTTLE=value) == [told]


NUMBERS, DURATIONS = ("free_failures", "hard_stop", "network_failures"), ("longest_wait", "network_window")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        *((key, value, "a whole number, 1 or more") for key in NUMBERS for value in (0, -1, 1.5, "5", None, True)),
        *(
            (key, value, "a positive datetime.timedelta")
            for key in DURATIONS
            for value in (0, -1, "15 min", None, True)
        ),
    ],
)
def test_an_entry_of_a_throttle_of_the_wrong_kind_is_told_with_what_it_must_be(key, value, told):
    (sentence,) = sentences(THROTTLE={"free_failures": 2, key: value})
    assert sentence.startswith(f"STORMPATH_THROTTLE[{key!r}] is {value!r}; it must be {told}")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("free_failure", "Did you mean free_failures?"),
        ("LONGEST_WAIT", "docs/settings.md lists those there are."),
        (5, "docs/settings.md lists those there are."),
    ],
)
def test_a_misspelt_entry_of_a_throttle_is_told_with_the_one_that_was_meant(key, hint):
    assert sentences(THROTTLE={key: 1}) == [f"STORMPATH_THROTTLE has no {key!r}. {hint}"]


@pytest.mark.parametrize(
    "value", [{}, False, {"free_failures": 1}, {"longest_wait": 60, "network_window": 0.5}, dict(settings.THROTTLE)]
)
def test_a_throttle_may_name_what_it_changes_and_seconds_will_do(value):
    assert problems(THROTTLE=value) == []


def test_a_dictionary_of_the_defaults_is_not_shared_by_two_apps():
    one, other = {}, {}
    for config in (one, other):
        settings.set_defaults(config)
    one["STORMPATH_THROTTLE"]["free_failures"] = 1
    assert other["STORMPATH_THROTTLE"]["free_failures"] == settings.THROTTLE["free_failures"] == 5


@pytest.mark.parametrize("cost", [4, 9])
def test_a_cheap_hash_is_for_tests_alone(cost):
    config = {"STORMPATH_BCRYPT_COST": cost}
    settings.set_defaults(config)
    told = [problem.sentence for problem in settings.check(config, {})]
    assert told == [f"STORMPATH_BCRYPT_COST is {cost}; it must be 10 to 14 (4 to 9 only with TESTING)."]
    assert settings.check({**config, "TESTING": True}, {}) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        *(("SOCIAL", value, "a dictionary with one for each provider") for value in (None, "my-secret", ["my-secret"])),
        *(
            ("HTTP_PROXY", value, "an http or https address")
            for value in (
                "",
                "han:my-secret@proxy.example.com",
                "socks5://han:my-secret@proxy.example.com",
                "http://",
                5,
            )
        ),
    ],
    ids=str,
)
def test_what_may_hold_a_secret_is_told_by_its_type_alone(name, value, told):
    (sentence,) = sentences(**{name: value})
    assert sentence.startswith(f"STORMPATH_{name} is {type(value).__name__}; it must be {told}")
    assert "my-secret" not in sentence


@pytest.mark.parametrize("cost", [3, 15])
def test_no_test_makes_a_cost_right_that_bcrypt_or_people_cannot_bear(cost):
    config = {"STORMPATH_BCRYPT_COST": cost, "TESTING": True}
    settings.set_defaults(config)
    assert len(settings.check(config, {})) == 1


def test_all_mistakes_are_told_at_once():
    told = "\n".join(sentences(ENABLE_USERNAMES=True, BCRYPT_COST="12", BASE_URL="example.com", LOGIN_URL="login"))
    for name in ("ENABLE_USERNAMES", "BCRYPT_COST", "BASE_URL", "LOGIN_URL"):
        assert f"STORMPATH_{name}" in told


# --- Too late, and too early ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "/elsewhere") for name in ("LOGIN_URL", "LOGOUT_URL", "REGISTRATION_URL")),
        *((name, "/elsewhere") for name in ("GOOGLE_LOGIN_URL", "FACEBOOK_LOGIN_URL", "SOCIAL_LOGIN_URL")),
        *((name, True) for name in ("ENABLE_GOOGLE", "ENABLE_FACEBOOK")),
        *((name, False) for name in ("ENABLE_LOGIN", "ENABLE_LOGOUT", "ENABLE_REGISTRATION")),
    ],
)
def test_what_pages_there_are_cannot_be_changed_once_they_are_there(name, value):
    told = f"STORMPATH_{name} was changed to {value!r} after the pages were registered; set it before"
    assert [sentence.startswith(told) for sentence in sentences(**{name: value})] == [True]


@pytest.mark.parametrize("name", [row.name for row in SETTINGS if row.name not in settings.AT_REGISTRATION])
def test_everything_else_may_follow_the_manager(name):
    assert not any("after the pages were registered" in sentence for sentence in sentences(**{name: object()}))


@pytest.mark.parametrize("name", NOT_YET)
def test_a_setting_of_old_that_does_nothing_is_a_note_where_it_is_set(name):
    found = problems(**{name: "set"})
    assert [problem.level for problem in found] == ["note"]
    assert found[0].sentence == f"STORMPATH_{name} {NOT_YET[name]}."


@pytest.mark.parametrize("unset", [None, False, "", {}])
def test_a_setting_of_old_that_is_not_set_is_not_told(unset):
    assert problems(**dict.fromkeys(NOT_YET, unset)) == []


# --- In an app ---


def test_a_setting_is_read_when_it_is_used(app):
    with app.app_context():
        assert settings.settings.REDIRECT_URL == "/"
        app.config["STORMPATH_REDIRECT_URL"] = "/home"
        assert settings.settings.REDIRECT_URL == "/home"
        with pytest.raises(AttributeError, match="no setting STORMPATH_QUX"):
            _ = settings.settings.QUX


@pytest.mark.settings(STORMPATH_ENABLE_USERNAMES=True, STORMPATH_BCRYPT_COST=3)
def test_an_app_with_wrong_settings_answers_nobody_and_logs_each(client, caplog):
    assert client.get("/login").status_code == 503
    for told in ("Did you mean STORMPATH_ENABLE_USERNAME?", "STORMPATH_BCRYPT_COST is 3"):
        assert told in caplog.text
