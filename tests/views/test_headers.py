"""What our answers carry: cookies with their flags, and the headers that keep pages out of caches and frames."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import after_this_request

import stormpath_app

from ..conftest import PASSWORD, token

pytestmark = pytest.mark.sqlite  # about pages and texts: their statements are tried elsewhere on all databases

TEMPLATES = Path(stormpath_app.__file__).parent / "templates"


def cookies(answer):
    """Return the login cookies an answer sets: name -> the flags beside its value, in small letters."""
    found = {}
    for line in answer.headers.getlist("Set-Cookie"):
        name, value = re.match(r"([^=]+)=([^;]*)", line).groups()
        if "stormpath" in name:
            found[name] = {flag.lower() for flag in line.split("; ")[1:]}, value
    return found


def flags(answer):
    """Return the flags that all login cookies of an answer have, and their names."""
    found = cookies(answer)
    return set.intersection(*(set(flags) for flags, _value in found.values())), sorted(found)


NAMES = ["stormpath_session", "stormpath_token"]
HOST_NAMES = ["__Host-stormpath_session", "__Host-stormpath_token"]


@pytest.mark.parametrize(
    ("names", "secure", "domain"),
    [
        pytest.param(HOST_NAMES, True, None, id="as it comes"),
        pytest.param(
            *(HOST_NAMES, True, None), marks=pytest.mark.settings(STORMPATH_BASE_URL="https://x.example"), id="https"
        ),
        pytest.param(
            *(HOST_NAMES, True, None), marks=pytest.mark.settings(STORMPATH_BASE_URL="http://x.example"), id="http"
        ),
        pytest.param(
            *(NAMES, True, "x.example"), marks=pytest.mark.settings(STORMPATH_COOKIE_DOMAIN="x.example"), id="domain"
        ),
        pytest.param(NAMES, False, None, marks=pytest.mark.settings(STORMPATH_COOKIE_SECURE=False), id="said so"),
        pytest.param(
            *(NAMES, False, "x.example"),
            marks=pytest.mark.settings(STORMPATH_COOKIE_SECURE=False, STORMPATH_COOKIE_DOMAIN="x.example"),
            id="said so, domain",
        ),
        pytest.param(NAMES, False, None, marks=pytest.mark.settings(DEBUG=True), id="debug"),
        *(
            pytest.param(NAMES, False, None, marks=pytest.mark.settings(STORMPATH_BASE_URL=url), id=url)
            for url in ("http://localhost:5000", "http://127.0.0.1:5000", "http://[::1]:5000")
        ),
        pytest.param(
            *(HOST_NAMES, True, None),
            marks=pytest.mark.settings(STORMPATH_BASE_URL="http://localhost:5000", STORMPATH_COOKIE_SECURE=True),
            id="loopback, but said so",
        ),
        pytest.param(
            *(HOST_NAMES, True, None), marks=pytest.mark.settings(STORMPATH_BASE_URL="http://localhost.evil.example")
        ),
    ],
)
def test_login_cookies_have_the_names_and_flags_of_the_place(app, client, account, names, secure, domain):
    app.debug = app.config["DEBUG"]
    here = {"base_url": f"https://{domain or 'localhost'}"}
    page = BeautifulSoup(client.get("/login", **here).text, "html.parser")
    data = {"csrf_token": page.select_one("[name=csrf_token]")["value"], "login": "solo", "password": PASSWORD}
    device = names[0].replace("session", "device")  # it survives the logout
    login, logout = client.post("/login", data=data, **here), client.get("/logout", **here)
    for answer, expected in ((login, [device, *names]), (logout, names)):
        found, there = flags(answer)
        assert there == expected
        assert {"httponly", "samesite=lax", "path=/"} <= found
        assert ("secure" in found) == secure
        assert {flag for flag in found if flag.startswith("domain")} == ({f"domain={domain}"} if domain else set())


@pytest.mark.settings(STORMPATH_COOKIE_SECURE=False)
def test_the_remembered_cookie_lasts_as_the_setting_says_and_the_other_until_the_browser_closes(
    client, account, log_in
):
    found = cookies(log_in(client))
    assert "max-age=31536000" in found["stormpath_token"][0]
    assert not [flag for flag in found["stormpath_session"][0] if flag.startswith(("max-age", "expires"))]


def test_a_login_is_named_by_a_long_random_value_that_differs_each_time(app, account, log_in):
    values = {cookies(log_in(app.test_client()))["__Host-stormpath_token"][1] for _ in range(5)}
    assert len(values) == 5
    assert {len(value.partition(".")[2]) for value in values} == {43}  # 256 bits in base 64


@pytest.mark.settings(STORMPATH_COOKIE_SECURE=None)
def test_where_a_browser_will_drop_the_login_cookie_the_page_says_so(client):
    for page in ("/login", "/register"):
        assert "cannot work over plain http" in client.get(page).text
        assert "cannot work over plain http" not in client.get(page, base_url="https://localhost").text


# --- Every page of ours ---


@pytest.fixture
def pages(client, account, log_in):
    """Return one answer of each kind: pages, refusals, redirects."""
    answers = {
        "login": client.get("/login"),
        "forgot": client.get("/forgot"),
        "forgotten": client.post("/forgot", data={"csrf_token": token(client), "email": "han@falcon.example"}),
        "verify": client.get("/verify"),
        "register": client.get("/register"),
        "refused": log_in(client, password="wrong"),
        "forged": client.post("/login"),
        "no form": client.post("/login", json={}),
        "too long": client.post("/register", data={"password": "x" * 99_999}),
        "logged in": log_in(client),
        "already in": client.get("/login"),
        "another account": client.get("/login?next=/a"),
        "forged logout": client.post("/logout"),
        "logged out": client.get("/logout"),
    }
    found = {name: answer.status_code for name, answer in answers.items()}
    assert list(found.values()) == [200, 200, 200, 200, 200, 200, 400, 415, 413, 302, 302, 200, 400, 302]
    return answers


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)
def test_our_pages_are_kept_by_no_cache_shown_in_no_frame_and_run_nothing_foreign(pages):
    for name, answer in pages.items():
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy.items() >= {"default-src": "'self'", "object-src": "'none'", "base-uri": "'none'"}.items(), name
        assert policy["frame-ancestors"] == "'none'"
        assert answer.headers["Cache-Control"] == "no-store", name
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.vary.find("Cookie") >= 0
        assert answer.content_type == "text/html; charset=utf-8"


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)
def test_our_pages_have_nothing_inline(pages):
    for name, answer in pages.items():
        page = BeautifulSoup(answer.text, "html.parser")
        assert not page.select("script, style, [style], iframe, object, embed, base, meta[http-equiv]"), name
        assert not [key for tag in page.select("*") for key in tag.attrs if key.startswith("on")], name
        urls = [tag[key] for tag in page.select("*") for key in ("href", "src", "action") if key in tag.attrs]
        assert all(url.startswith(("/", "#")) for url in urls), name


#: The console's one script, from a file of its own.
OUR_SCRIPT = """<script src="{{ url_for('stormpath.static', filename='admin.js') }}" defer></script>"""


def test_no_template_of_ours_has_anything_inline():
    for template in TEMPLATES.rglob("*.html"):
        source = re.sub(r"\{#.*?#\}", "", template.read_text(), flags=re.DOTALL)
        source = source.replace(OUR_SCRIPT, "")
        assert not re.search(r"<script|\son\w+=|javascript:|\|\s*safe\b|autoescape false", source), template
        if template.parent.name != "mail":  # mail programs know no other styles
            assert not re.search(r"<style|\sstyle=", source), template


@pytest.mark.settings(STORMPATH_CONTENT_SECURITY_POLICY="default-src 'none'")
def test_a_policy_of_the_settings_replaces_ours(client):
    assert client.get("/login").headers.getlist("Content-Security-Policy") == ["default-src 'none'"]


def test_a_header_of_the_hosts_is_left_alone(app, client):
    theirs = {
        "Content-Security-Policy": "default-src https:",
        "Cache-Control": "private",
        "X-Frame-Options": "SAMEORIGIN",
        "X-Content-Type-Options": "theirs",
        "Referrer-Policy": "no-referrer",
    }

    @app.before_request
    def set_early():
        @after_this_request
        def _set(answer):
            answer.headers.update(theirs)
            answer.vary.add("Accept-Language")
            return answer

    answer = client.get("/login")
    assert {name: answer.headers.getlist(name) for name in theirs} == {name: [value] for name, value in theirs.items()}
    assert {"accept-language", "cookie"} <= set(answer.vary.as_set())


def test_a_host_may_also_have_the_last_word(app, client):
    @app.after_request
    def _set(answer):
        answer.headers["Content-Security-Policy"] = "default-src https:"
        return answer

    assert client.get("/login").headers.getlist("Content-Security-Policy") == ["default-src https:"]


@pytest.mark.parametrize("is_member", [False, True])
def test_pages_of_the_host_get_none_of_our_headers(client, account, log_in, is_member):
    if is_member:
        log_in(client)
    answer = client.get("/")
    assert "Content-Security-Policy" not in answer.headers
    assert "Cache-Control" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


@pytest.mark.parametrize("file", ["stormpath.css", "favicon.svg"])
def test_static_files_are_the_same_for_all_and_may_be_cached(client, account, log_in, file):
    log_in(client)
    with client.get(f"/stormpath/static/{file}") as answer:
        assert answer.status_code == 200
        assert "no-store" not in answer.headers["Cache-Control"]
        assert "Cookie" not in answer.headers.get("Vary", "")
        assert "Set-Cookie" not in answer.headers
    with client.get(f"/stormpath/static/{file}", headers={"If-None-Match": answer.headers["ETag"]}) as again:
        assert again.status_code == 304


def test_no_answer_ever_shows_a_password(client, account):
    for page in ("/login", "/register"):
        for csrf_token in (token(client), "wrong"):
            data = {"csrf_token": csrf_token, "login": "x", "password": PASSWORD, "email": "x"}
            answer = client.post(page, data=data)
            assert PASSWORD not in answer.text + str(answer.headers)
