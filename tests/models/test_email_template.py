"""What the mails of a directory say: one template for each of the five."""

import pytest

from stormpath_app import Application, Directory, errors
from stormpath_app.models import EmailTemplate
from stormpath_app.models.email_template import LONGEST_BODY

from ..together import together
from .test_event import events

LINKED = ("verification", "reset")
OTHERS = ("verification_success", "welcome", "reset_success")


@pytest.fixture
def directory(context):
    return Application.current().default_account_store()


def template(directory, kind):
    """Return the template of a kind by the way that Stormpath's users find it."""
    policy = directory.password_policy if kind.startswith("reset") else directory.account_creation_policy
    (found,) = policy[f"{kind}_email_templates"]
    return found


@pytest.mark.parametrize("kind", [*LINKED, *OTHERS])
def test_each_directory_has_one_of_each_kind(directory, kind):
    found = template(directory, kind)
    assert (found.kind, found.directory, found.mime_type) == (kind, directory, "multipart/alternative")
    assert found.name.startswith("Default ")
    assert EmailTemplate.get(found.href) is found
    assert template(Directory.create(name="Second"), kind) != found


def test_what_was_set_is_kept_and_none_goes_back_to_the_default(directory):
    found = template(directory, "reset")
    default = found.subject
    found.subject, found.from_name, found.reply_to = "New password", "Falcon", "help@falcon.example"
    found.text_body = "Here: ${url}"
    found.save()
    found.refresh()
    assert (found["subject"], found["from_name"]) == ("New password", "Falcon")
    assert found["reply_to"] == "help@falcon.example"
    assert (found.text_body, found.own_html_body) == ("Here: ${url}", None)
    found.subject = None
    found.save()
    assert found.subject == default
    told = [event.data["changed"] for event in events("email_template.updated")]
    assert told == [
        {
            "from_name": [None, "Falcon"],
            "reply_to": [None, "help@falcon.example"],
            "subject": [None, "New password"],
            "text_body": [None, "Here: ${url}"],
        },
        {"subject": ["New password", None]},
    ]


@pytest.mark.parametrize("kind", LINKED)
def test_the_address_of_the_link_is_read_and_set_as_stormpath_had_it(directory, kind):
    found = template(directory, kind)
    assert found.default_model == {"linkBaseUrl": None}
    found.default_model = {"linkBaseUrl": "https://mysite.com/forgot/change"}
    found.save()
    found.refresh()
    assert found.link_base_url == "https://mysite.com/forgot/change"
    with pytest.raises(errors.PropertyRequired):
        found.default_model = {}
    for wrong in ("x", "ftp://mysite.com", "javascript:alert(1)", "//mysite.com", "https://", "https://a b.com"):
        with pytest.raises(errors.InvalidFormat):
            found.link_base_url = wrong


@pytest.mark.parametrize("kind", OTHERS)
def test_the_others_have_no_link(directory, kind):
    found = template(directory, kind)
    assert found.default_model is None
    with pytest.raises(errors.ReadOnly):
        found.link_base_url = "https://mysite.com"


@pytest.mark.parametrize("kind", LINKED)
@pytest.mark.parametrize("body", ["text_body", "html_body"])
def test_a_mail_with_a_link_cannot_go_without_it(directory, kind, body):
    found = template(directory, kind)
    setattr(found, body, "Go there: {url}, $url, ${ url }")
    with pytest.raises(errors.LinkMacroMissing, match=r"must contain the macro \$\{url\}") as caught:
        found.save()
    assert caught.value.code == 7301
    for macro in ("${url}", "$!{url}", "https://x.example?t=${sptoken}", "$!{sptokenNameValuePair}"):
        setattr(found, body, f"Go there: {macro}")
        found.save()
    setattr(found, body, "Nothing")
    found.mime_type = "text/html" if body == "text_body" else "text/plain"  # it is not sent
    found.save()


@together(
    ("name", "value", "error"),
    [
        ("subject", "Hi\r\nBcc: a@evil.example", errors.InvalidFormat),
        ("subject", "x" * 256, errors.TooLong),
        ("from_name", "Hi\nBcc: a@evil.example", errors.InvalidFormat),
        ("from_email_address", "a@evil.example\r\nBcc: b@evil.example", errors.InvalidFormat),
        ("from_email_address", "nobody", errors.InvalidFormat),
        ("reply_to", ["a@x.example"], errors.WrongType),
        ("text_body", "x" * (LONGEST_BODY + 1), errors.TooLong),
        ("html_body", "\0", errors.InvalidFormat),
        ("html_body", 5, errors.WrongType),
        ("mime_type", "text/xml", errors.UnsupportedValue),
        ("mime_type", None, errors.UnsupportedValue),
        ("mime_type", [], errors.UnsupportedValue),
        ("name", "", errors.PropertyRequired),
        ("kind", "reset", errors.UnknownProperty),
        ("default_model", "x", errors.WrongType),
        ("subjekt", "x", errors.UnknownProperty),
    ],
)
def test_what_cannot_be_is_refused(directory, name, value, error):
    with pytest.raises(error, match=r"[Ee]mail template"):
        template(directory, "reset")[name] = value
