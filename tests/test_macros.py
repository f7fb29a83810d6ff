"""Macros in the text of a mail."""

import pytest
from markupsafe import escape

from stormpath_app import macros
from stormpath_app.macros import link, substitute

VALUES = {
    "account": {
        "givenName": "Han",
        "surname": None,
        "customData": {"ship": {"name": "Falcon", "crew": ["Chewbacca"]}, "age": 32, "pilot": True, "x.y": "z"},
    },
    "url": "https://www.example.com/forgot/change?sptoken=abc",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello ${account.givenName},", "Hello Han,"),
        ("Hello $!{account.givenName},", "Hello Han,"),
        ("${account.customData.ship.name}", "Falcon"),
        ("${account.customData.age} ${account.customData.pilot}", "32 true"),
        ("${url}${url}", VALUES["url"] * 2),
        ("no macro at all", "no macro at all"),
        ("", ""),
    ],
)
def test_a_macro_gives_way_to_its_value(text, expected):
    assert substitute(text, VALUES) == expected


@pytest.mark.parametrize(
    "name",
    [
        "account.surname",
        "account.directory.name",
        "application.name",
        "sptoken",
        "account.customData.ship",
        "account.customData.ship.crew",
        "account.customData.ship.crew.0",
        "account.customData.ship.name.upper",
        "account.directory.customData.plan",
    ],
)
def test_what_has_no_value_stays_visible_or_is_left_out_where_it_is_quiet(name):
    assert substitute(f"a ${{{name}}} b $!{{{name}}} c", VALUES) == f"a ${{{name}}} b  c"


@pytest.mark.parametrize(
    "text",
    [
        *("${account.password}", "$!{account.password}", "$!{account}", "$!{account.customData}", "$!{7*7}", "$!{URL}"),
        *("$!{account.givenName.}", "$!{.url}", "$!{url.__class__}", "$!{__class__.__init__.__globals__}"),
        "{{7*7}}",
        "{% raw %}",
        "{{ config }}",
        "#set($x = 7)$x",
        "$url",
        "$ {url}",
        "${}",
        "${ url }",
        "${ur\nl}",
        "$!!{url}",
        "${url",
        "%(url)s",
        "{url}",
        "${" * 1000,
    ],
)
def test_nothing_else_is_looked_at(text):
    assert substitute(text, VALUES) == text


def test_a_value_is_never_expanded_again():
    values = {"sptoken": "${url} $!{url} {{7*7}}", "url": "secret", "account": {"email": "${"}}
    assert substitute("${sptoken}|${account.email}url}", values) == "${url} $!{url} {{7*7}}|${url}"


def test_a_value_is_escaped_and_the_text_around_it_is_not():
    values = {"url": '<script>alert(1)</script>"&'}
    assert substitute("<b>${url}</b> ${x}", values, escape) == (
        "<b>&lt;script&gt;alert(1)&lt;/script&gt;&#34;&amp;</b> ${x}"
    )


def test_the_values_of_one_text_have_an_end():
    values = {"sptoken": "x" * (macros.LONGEST - 2), "url": "ab"}
    assert substitute("${sptoken}${sptoken}|${url}|${url}", values) == "x" * (macros.LONGEST - 2) + "|ab|"


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://a.example/forgot", "https://a.example/forgot?sptoken=T"),
        ("https://a.example/forgot?lang=de", "https://a.example/forgot?lang=de&sptoken=T"),
        ("https://a.example/forgot#form", "https://a.example/forgot?sptoken=T#form"),
        ("https://a.example/?a=1#form", "https://a.example/?a=1&sptoken=T#form"),
        ("https://a.example/app#/reset", "https://a.example/app#/reset?sptoken=T"),
        ("https://a.example/app?v=2#!/reset", "https://a.example/app?v=2#!/reset?sptoken=T"),
        ("https://a.example/#/reset?step=1", "https://a.example/#/reset?step=1&sptoken=T"),
    ],
)
def test_a_token_stands_where_the_page_reads_it(base, expected):
    assert link(base, "T") == expected


def named(text):
    return [(found.text, found.name, found.meant) for found in macros.written(text)]


def test_the_macros_of_a_text_are_told_each_spelling_once():
    text = "${url} $!{account.givenName} ${url} $!{account.customData.ship.name} ${account.givenName}"
    assert named(text) == [
        ("${url}", "url", None),
        ("$!{account.givenName}", "account.givenName", None),
        ("$!{account.customData.ship.name}", "account.customData.ship.name", None),
        ("${account.givenName}", "account.givenName", None),
    ]
    assert [found.is_quiet for found in macros.written(text)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("${acount.givenName}", "account.givenName"),
        ("${account.givenname}", "account.givenName"),
        ("$!{account.fullname}", "account.fullName"),
        ("${ url }", "url"),
        ("$ {url}", "url"),
        ("${URL}", "url"),
        ("${sptokenNameValuepair}", "sptokenNameValuePair"),
        ("${expiration}", None),
        ("${account.password}", None),
        ("${}", None),
    ],
)
def test_what_looks_like_a_macro_and_is_none_is_told_with_what_may_be_meant(text, meant):
    (found,) = macros.written(f"before {text} after")
    assert (found.text, found.name) == (text, None)
    assert meant is None or found.meant == meant


@pytest.mark.parametrize("text", ["", "{url}", "$url", "{{ url }}", "costs $5 {or so}", "${unfinished", "$\n{url}"])
def test_what_does_not_look_like_a_macro_is_not_told(text):
    assert named(text) == []


def test_a_text_full_of_almost_macros_is_read_once():
    assert macros.written("${" * 50_000) == []
    assert len(macros.written("${a}" * 20_000)) == 1
