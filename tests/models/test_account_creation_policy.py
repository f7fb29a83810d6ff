"""Which e-mail addresses the accounts of a directory may have."""

import pytest

from stormpath_app import Account, Application, Directory
from stormpath_app.errors import (
    EmailDomainBlacklisted,
    EmailDomainNotWhitelisted,
    EmailDomainRefused,
    InvalidFormat,
    PropertyRequired,
    TooLong,
    UnsupportedValue,
    WrongType,
)
from stormpath_app.models import AccountCreationPolicy
from stormpath_app.models.account_creation_policy import LONGEST_LIST

from ..conftest import PASSWORD
from ..together import together
from .test_event import events

LISTS = "email_domain_whitelist", "email_domain_blacklist"
WORKFLOWS = "verification_email_status", "verification_success_email_status", "welcome_email_status"


@pytest.fixture
def policy(context):
    return Application.current().default_account_store().account_creation_policy


def allow(policy, *patterns, but=()):
    policy.email_domain_whitelist, policy.email_domain_blacklist = patterns, but
    policy.save()


def takes(policy, domain):
    """Tell whether an address at this domain would be taken."""
    try:
        policy.check(f"han@{domain}")
    except EmailDomainRefused:
        return False
    return True


# --- The patterns ---


@together(
    ("pattern", "matching", "others"),
    [
        ("site.com", "site.com SITE.com", "id.site.com zsite.com site.com.example site.co"),
        ("*site.com", "site.com zsite.com id.site.com a.b.site.com", "site.com.example site.co xsite.org"),
        ("*.site.com", "id.site.com a.b.site.com", "site.com zsite.com"),
        ("site.*", "site.com site.co.uk", "asite.com site"),
        ("*", "site.com x.example", ""),
        ("a*b*c.example", "abc.example a.b.c.example aXbYc.example", "ac.example bac.example acb.example"),
        ("*.a*a.*", "x.aa.example x.aba.example", "x.a.example aa.example"),
        ("ab*ba.example", "abba.example ab-ba.example", "aba.example"),
        ("Site.COM.", "site.com", "site.net"),
    ],
)
def test_a_star_stands_for_any_letters(policy, pattern, matching, others):
    allow(policy, pattern)
    assert [domain for domain in matching.split() if not takes(policy, domain)] == []
    assert [domain for domain in others.split() if takes(policy, domain)] == []


@pytest.mark.parametrize(
    "pattern", ["bücher.example", "xn--bcher-kva.example", "BÜCHER。example", "bu\u0308cher.example"]
)
@pytest.mark.parametrize(
    "domain", ["bücher.example", "BÜCHER.example", "XN--BCHER-KVA.example", "bu\u0308cher.example"]
)
def test_a_domain_is_the_same_in_unicode_and_in_ascii(policy, pattern, domain):
    allow(policy, but=[pattern])
    with pytest.raises(EmailDomainBlacklisted):
        Account.create(f"han@{domain}", PASSWORD)
    allow(policy, pattern, f"*.{pattern}")
    assert Account.create(f"han@{domain}", PASSWORD)
    assert Account.create(f"han@mail.{domain}", PASSWORD)


@together(
    "domain",
    [
        "EVIL.example",
        "\uff45vil.example",
        "evil。example",
        "ⓔⓥⓘⓛ.example",
        "e\u00advil.example",
        "mail.evil.example",
    ],
)
def test_no_spelling_of_a_domain_gets_round_the_blacklist(context, policy, domain):
    allow(policy, but=["evil.example", "*.evil.example"])
    with pytest.raises((EmailDomainBlacklisted, InvalidFormat)):
        Account.create(f"han@{domain}", PASSWORD)
    assert len(Application.current().accounts) == 0


def test_letters_that_only_look_alike_are_another_domain(policy):
    allow(policy, "strasse.example")
    assert not takes(policy, "straße.example")
    assert not takes(policy, "str\u0430sse.example")


def test_thousands_of_stars_are_not_tried_in_all_ways(policy):
    domain = ".".join(["a" * 60] * 4)
    allow(policy, but=["*" + "a*" * count + "b*" for count in range(60, 100)])
    assert takes(policy, domain)  # years, where each way to share out the letters is tried
    assert not takes(policy, f"{domain}b")


# --- Two lists ---


def test_a_new_directory_takes_every_domain(context):
    policy = Directory.create(name="Rebels").account_creation_policy
    assert (policy.email_domain_whitelist, policy.email_domain_blacklist) == ((), ())
    assert takes(policy, "any.example")
    assert policy.directory.name == "Rebels"


def test_the_blacklist_beats_the_whitelist(policy):
    allow(policy, "*.example", but=["empire.example"])
    assert takes(policy, "falcon.example")
    with pytest.raises(EmailDomainBlacklisted):
        policy.check("vader@empire.example")
    with pytest.raises(EmailDomainNotWhitelisted):
        policy.check("vader@empire.org")


@pytest.mark.parametrize(
    ("allowed", "refused", "error", "code", "cause"),
    [
        ([], ["*.example"], EmailDomainBlacklisted, 7205, "is on the blacklist"),
        (["rebels.org"], [], EmailDomainNotWhitelisted, 7206, "is not on the whitelist"),
    ],
)
def test_a_refusal_has_its_number_and_tells_people_no_more_than_they_need(policy, allowed, refused, error, code, cause):
    allow(policy, *allowed, but=refused)
    with pytest.raises(error) as caught:
        Application.current().accounts.create(email="han@falcon.example", password=PASSWORD)
    told = caught.value
    assert (told.status, told.code, told.thing, told.property) == (400, code, "Account", "email")
    assert str(told) == "Cannot create the Account because your email's domain is not allowed."
    assert cause in told.developer_message
    assert len(Application.current().accounts) == 0


def test_an_address_that_has_an_account_already_is_no_way_in(policy):
    han = Account.create("han@falcon.example", PASSWORD)
    allow(policy, "rebels.example")
    for address in ("solo@falcon.example", "Han@FALCON.example"):
        han.email = address
        with pytest.raises(EmailDomainNotWhitelisted):
            han.save()
    han.email = "han@rebels.example"
    han.save()
    han.refresh()
    assert han.email == "han@rebels.example"


def test_who_has_an_account_keeps_it_whatever_the_lists_say_now(policy):
    han = Account.create("han@falcon.example", PASSWORD)
    allow(policy, but=["*"])
    han.given_name, han.password, han.status = "Han", "Kessel12.Parsecs", "DISABLED"
    han.save()
    han.status = "ENABLED"
    han.save()
    assert Account.from_login("han@falcon.example", "Kessel12.Parsecs") is han


def test_the_lists_of_one_directory_are_not_those_of_another(policy):
    allow(policy, but=["*"])
    assert Directory.create(name="Rebels").accounts.create(email="han@falcon.example", password=PASSWORD)


# --- Changing it ---


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_replaced_as_it_was_typed(policy, name):
    for written in (["Bücher.example", "*.x"], ("a.example",), []):
        setattr(policy, name, written)
        policy.save()
        policy.refresh()
        assert policy[name] == tuple(written)


@together("name", LISTS)
@together(
    ("value", "error"),
    [
        *((value, WrongType) for value in (None, "site.com", 5, {"site.com": 1}, [5], ["x", True], [["x"]])),
        *(([value], PropertyRequired) for value in ("", "  ", None)),
        *(
            ([value], InvalidFormat)
            for value in (
                "@site.com",
                "han@site.com",
                ".site.com",
                "site..com",
                ".",
                "a b",
                "*bücher.example",
                "☃",
                "a,b",
            )
        ),
        *(
            ([value], InvalidFormat)
            for value in ("a\0b", "a\nb", "[127.0.0.1]", "sité*.com", "\uff0ax", "[a-z]", "?.com")
        ),
        (["x" * 256], TooLong),
        (["x" * 200] * 100, TooLong),
    ],
)
def test_what_is_no_list_of_patterns_is_refused(policy, name, value, error):
    allow(policy, "site.com", but=["site.org"])
    before = policy[name]
    with pytest.raises(error) as caught:
        setattr(policy, name, value)
    assert (caught.value.thing, caught.value.property) == ("Account creation policy", name)
    policy.refresh()
    assert policy[name] == before


def test_a_list_as_long_as_it_may_be_is_kept_and_logged(policy):
    longest = ["x" * 146] * (LONGEST_LIST // 150)
    for patterns in (longest, longest[1:]):
        allow(policy, *patterns, but=patterns)
    policy.refresh()
    assert len(policy.email_domain_blacklist) == 99
    assert max(len(event.details) for event in events("account_creation_policy.updated")) < 2**16  # MySQL's TEXT


def test_a_list_cannot_be_changed_unnoticed(policy):
    with pytest.raises(AttributeError):
        policy.email_domain_blacklist.append("evil.example")


def test_the_log_says_what_the_lists_were_and_are(policy):
    allow(policy, but=["evil.example"])
    policy.save()
    allow(policy, but=["evil.example", "worse.example"])
    told = events("account_creation_policy.updated")
    assert [event.data["changed"] for event in told] == [
        {"email_domain_blacklist": [[], ["evil.example"]]},
        {"email_domain_blacklist": [["evil.example"], ["evil.example", "worse.example"]]},
    ]
    assert {event.directory_id for event in told} == {policy.id}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_mails_are_off_until_they_are_enabled(policy, name):
    assert policy[name] == "DISABLED"
    policy[name] = "Enabled"
    policy.save()
    policy.refresh()
    assert policy[name] == "ENABLED"
    for value, error in (("perhaps", UnsupportedValue), (True, WrongType), (None, WrongType)):
        with pytest.raises(error) as caught:
            policy[name] = value
        assert caught.value.property == name
    assert policy[name] == "ENABLED"


def test_it_is_found_by_its_href(policy):
    assert policy.href == f"/v1/accountCreationPolicies/{policy.id}"
    assert AccountCreationPolicy.get(policy.href) is policy
    assert policy.directory.account_creation_policy is policy
