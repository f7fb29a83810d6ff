"""Where `?next=` may lead: to pages of this site, as a browser reads the address, and nowhere else."""
# ruff: noqa: SIM905 - addresses read better without their quotes

import itertools
import json
import re
import shutil
import socket
import subprocess
import threading
import unicodedata
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from werkzeug.serving import make_server

from stormpath_app import login_required

from ..conftest import PASSWORD, token
from ..servers import PATIENCE

pytestmark = pytest.mark.sqlite  # about pages and texts: their statements are tried elsewhere on all databases

#: Each led out of some site's login page once, or was said to.
PAYLOADS = [
    # as in the list of the security requirements
    *r"https://evil.example //evil.example ///evil.example ////evil.example/x /\evil.example \\evil.example".split(),
    *r"/\/evil.example javascript:alert(1) https://app.example.com.evil.example".split(),
    *("https://app.example.com@evil.example", "/\t/evil.example", "\0//evil.example"),
    # schemes, with and without slashes, in any case
    *r"https:evil.example https:/evil.example https:///evil.example https:\evil.example http:evil.example".split(),
    *r"http:/\evil.example HTTPS://evil.example hTTp:\\evil.example JaVaScRiPt:alert(1) ftp://evil.example".split(),
    *"data:text/html,<script>alert(1)</script> vbscript:x blob:https://evil.example/x file:///etc/passwd".split(),
    *"mailto:a@evil.example about:blank view-source:https://evil.example ws://evil.example x:y evil:80".split(),
    *("java\tscript:alert(1)", "java\nscript:alert(1)", " javascript:alert(1)", "\x01javascript:alert(1)"),
    # controls, blanks and line breaks where browsers drop them
    *("/\n/evil.example", "/\r\n/evil.example", "\t//evil.example", " //evil.example", "\r//evil.example"),
    *("//evil.example\t", "/\x0b/evil.example", "/\x00/evil.example", "\x1f//evil.example", "\xa0//evil.example"),
    *("\u2028//evil.example", "\ufeff//evil.example", "\u200b//evil.example", "h\nttps://evil.example"),
    *("/\r\nLocation: //evil.example", "/%0d%0aLocation:%20//evil.example", "/x\r\nSet-Cookie: a=b", "/a b"),
    # slashes of other kinds, encoded ones, and paths that fold into two slashes
    *("\uff0f\uff0fevil.example", "/\uff0fevil.example", "\u2215\u2215evil.example", "/\u2044evil.example"),
    *("\uff3c\uff3cevil.example", "/%09/evil.example", "/%2fevil.example", "%2f%2fevil.example", "/%5cevil.example"),
    *r"%5c%5cevil.example /%252fevil.example /.//evil.example /..//evil.example ..//evil.example".split(),
    *r".//evil.example ./\evil.example /%2e%2e//evil.example /a/..//evil.example /%2e//evil.example".split(),
    *r"../..//evil.example /a/../..//evil.example /;//evil.example ?//evil.example #//evil.example".split(),
    # other hosts, other ports, people before the host, and what is no address at all
    *"//user@evil.example //localhost@evil.example //localhost:80@evil.example //localhost/x".split(),
    *r"//localhost\@evil.example https://localhost\.evil.example https://localhost.evil.example".split(),
    *"https://localhost@evil.example //localhost#@evil.example/ http://user:pw@localhost/".split(),
    *"http://localhost:8080/ http://localhost:80/x http://localhost: http://LOCALHOST/x http://localhost./x".split(),
    *r"http://localhost//evil.example http://localhost/\evil.example http://localhost?//evil.example".split(),
    *("//evil\u3002example", "//\u24d4vil.example", "http://localhost\u2100/", "https://evil%2eexample"),
    *r"//[::1] //[ https://[::1 http://] //0x7f000001 http:///localhost // /// \ /\ http:// http: : :// ;//x".split(),
    "/" + "x" * 5000,
]

#: Enough of them for a door whose `next` goes the same way as that of a login.
SOME = [*PAYLOADS[:12], *PAYLOADS[12::4]]

#: An ordinary page of this site, as it is asked for on /login, and where it leads.
HONOURED = {
    "/account?x=1#y": "/account?x=1#y",
    "/a%2f%2fb": "/a%2f%2fb",
    "settings": "/settings",
    "./settings": "/settings",
    "?tab=2": "/login?tab=2",
    "/": "/",
    "/a/b//c": "/a/b//c",
    "/sok?q=bl%C3%A5b%C3%A6r": "/sok?q=bl%C3%A5b%C3%A6r",
    "/blåbær": "/bl%C3%A5b%C3%A6r",
    "/x?next=//evil.example": "/x?next=//evil.example",
    "/x?u=https://evil.example": "/x?u=https://evil.example",
    "http://localhost/account": "/account",
    "https://localhost/account?x=1#y": "/account?x=1#y",
    "http://localhost": "/",
}

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443, "ftp": 21}


def origin(location, page):
    """Return scheme, host and port that a browser on `page` goes to: the steps of the WHATWG URL standard."""
    here = urlsplit(page)
    text = re.sub(r"[\t\n\r]", "", location.strip("".join(map(chr, range(33)))))
    scheme, rest = here.scheme, text
    if named := re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text):
        scheme, rest = named[1].lower(), text[named.end() :]
        if scheme not in _PORTS:
            return scheme, None, None
    slashes = re.match(r"[/\\]*", rest)[0]
    if scheme == here.scheme and len(slashes) < 2:  # a path of this site, or "http:path", which is one too
        return here.scheme, here.hostname, here.port or _PORTS[scheme]
    authority = re.split(r"[/\\?#]", rest[len(slashes) :])[0].rpartition("@")[2]
    host, colon, port = authority.rpartition(":") if re.search(r":\d*$", authority) else (authority, "", "")
    host = unicodedata.normalize("NFKC", unquote(host)).lower().replace("\u3002", ".")
    return scheme, host, int(port) if colon and port else _PORTS[scheme]


def leaving(answers, page):
    """Return the payloads whose answer leads elsewhere, or is an error of ours."""
    ours = origin("", page)
    return {
        payload: (answer.status_code, answer.location)
        for payload, answer in answers.items()
        if answer.status_code >= 500 or (answer.location is not None and origin(answer.location, page) != ours)
    }


def at(page, payload):
    return f"{page}?next={quote(payload, safe='')}"


def log_in(client, where, **more):
    data = {"csrf_token": token(client, "/login?next=/"), "login": "solo", "password": PASSWORD}
    return client.post(where, data=data, **more)


# Tokens are not what is asked about here, and each costs a page.
without_tokens = pytest.mark.settings(WTF_CSRF_ENABLED=False)


# --- The resolver that judges is judged itself ---


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/account", ("https", "app.example.com", 443)),
        ("https:evil.example", ("https", "app.example.com", 443)),
        ("http:evil.example", ("http", "evil.example", 80)),
        (" /\t/evil.example", ("https", "evil.example", 443)),
        ("/\\a@evil.example:8443?x", ("https", "evil.example", 8443)),
        ("java\nscript:alert(1)", ("javascript", None, None)),
        ("/.//evil.example", ("https", "app.example.com", 443)),
    ],
)
def test_the_resolver_reads_an_address_as_a_browser_does(location, found):
    assert origin(location, "https://app.example.com/login") == found


def read_by_node(locations, page):
    """Return protocol, host and port that node's `URL`, the standard's own parser, finds; nothing where node is not."""
    if shutil.which("node") is None:
        return []
    program = """
        const read = (text, page) => { try { return new URL(text, page) } catch { return {} } };
        const [page, all] = JSON.parse(require('fs').readFileSync(0));
        const found = all.map(text => read(text, page)).map(url => [url.protocol, url.hostname, url.port]);
        console.log(JSON.stringify(found))
    """
    asked = json.dumps([page, list(locations)])
    done = subprocess.run(["node", "-e", program], input=asked, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_resolver_reads_the_payloads_as_node_does():
    page = "http://localhost/login"
    for payload, found in zip(PAYLOADS, read_by_node(PAYLOADS, page), strict=True):
        if found[0] in {"http:", "https:"} and "0x7f" not in payload:
            scheme, host, port = origin(payload, page)
            assert [f"{scheme}:", host, "" if port == _PORTS[scheme] else str(port)] == found, payload


# --- The doors ---


@without_tokens
def test_a_login_leads_to_this_site_whatever_next_says(client, account):
    page, typed = "http://localhost/login", {"login": "solo", "password": PASSWORD}
    answers = {payload: client.post(at("/login", payload), data=typed) for payload in PAYLOADS}
    assert leaving(answers, page) == {}
    assert {answer.status_code for answer in answers.values()} == {302}
    led = {payload: answer.location for payload, answer in answers.items()}
    for payload, judged in zip(led, read_by_node(led.values(), page), strict=False):
        assert judged == ["http:", "localhost", ""], payload


@without_tokens
def test_a_registration_leads_to_this_site_whatever_next_says(client):
    answers = {}
    for number, payload in enumerate(SOME):
        typed = {"given_name": "Leia", "surname": "Organa", "email": f"{number}@x.example", "password": PASSWORD}
        answers[payload] = client.post(at("/register", payload), data=typed)
    assert leaving(answers, "http://localhost/register") == {}
    assert {answer.status_code for answer in answers.values()} == {302}


@pytest.mark.parametrize("page", ["/login", "/register", "/logout"])
def test_who_is_logged_in_stays_on_this_site_whatever_next_says(client, account, page):
    log_in(client, "/login")
    answers = {payload: client.get(at(page, payload)) for payload in SOME}
    assert leaving(answers, f"http://localhost{page}") == {}


@without_tokens
def test_a_logout_leads_to_the_start_page_whatever_next_says(client):
    for payload in SOME:
        assert client.get(at("/logout", payload)).location == "/"
        assert client.post(at("/logout", payload)).location == "/"


def test_a_closed_door_leads_to_our_own_login_page_whatever_was_asked_for(app, client):
    app.add_url_rule("/<path:anything>", "anything", login_required(lambda anything: anything))
    answers = {payload: client.get(f"/secret?{quote(payload)}") for payload in SOME}
    for payload in SOME:
        path = f"/{payload}".encode().decode("latin-1")  # as a server hands it over
        answers[f"/{payload}"] = client.get("/", environ_overrides={"PATH_INFO": path})
    assert leaving(answers, "http://localhost/secret") == {}


@pytest.mark.parametrize("asked", HONOURED)
def test_an_ordinary_page_of_this_site_is_honoured(client, account, asked):
    assert log_in(client, at("/login", asked)).location == HONOURED[asked]


@pytest.mark.parametrize("query", ["a=b&c=d", "q=a%20b", "q=%5C", "q=%E3%80%80", "q=%E2%80%8C", "q=%09%00%FF"])
def test_who_is_sent_to_the_login_page_comes_back_to_the_very_page(client, account, query):
    sent = client.get(f"/secret?{query}")
    assert log_in(client, sent.location).location == f"/secret?{query}"


@pytest.mark.parametrize(
    "path", ["/100%25", "/what%3Fnow", "/a%2523", "/a%23b", "/a%20b", "/bl%C3%A5b%C3%A6r", "/a%5Cb"]
)
def test_a_path_comes_back_as_it_was_too(app, client, account, path):
    app.add_url_rule("/<path:anything>", "anything", login_required(lambda anything: anything))
    sent = client.get(path)
    back = log_in(client, sent.location).location
    assert client.get(back).text == unquote(path).removeprefix("/")


def test_of_two_pages_asked_for_the_first_counts(client, account):
    assert log_in(client, "/login?next=/a&next=//evil.example").location == "/a"
    assert log_in(client, "/login?next=//evil.example&next=/a").location == "/"


def test_another_port_is_another_site(client, account):
    here = "http://localhost:5000"
    for asked in ("http://localhost:5000/x", "https://localhost:5000/x"):
        assert log_in(client, at("/login", asked), base_url=here).location == "/x"
    for asked in ("http://localhost/x", "http://localhost:5001/x", "//localhost/x"):
        assert log_in(client, at("/login", asked), base_url=here).location == "/"


@without_tokens
@pytest.mark.parametrize("page", ["/login", "/register"])
def test_no_page_links_or_posts_to_another_site(client, page):
    """Neither directly nor through a `next` that a link hands on."""
    found = {}
    for payload in SOME:
        answer = client.post(at(page, payload))
        tags = BeautifulSoup(answer.text, "html.parser").select("[href], [action], [formaction], [src]")
        urls = [tag[name] for tag in tags for name in ("href", "action", "formaction", "src") if tag.has_attr(name)]
        urls += [target for url in urls for target in parse_qs(urlsplit(url).query).get("next", ())]
        found |= {url: payload for url in urls if origin(url, "http://localhost/login") != ("http", "localhost", 80)}
        assert "http-equiv" not in answer.text
        assert "<script" not in answer.text
    assert found == {}


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "application/x-www-form-urlencoded"])
def test_a_refusal_does_not_link_to_another_site_either(client, account, kind):
    log_in(client, "/login")
    for body in (b"x" * 99, b"x" * 99_999):
        answer = client.post(at("/login", "//evil.example"), data=body, content_type=kind)
        assert 400 <= answer.status_code < 500
        assert "evil.example" not in answer.text


# --- Over the wire, past all that a test client tidies up ---


class Answer:
    def __init__(self, raw):
        self.raw = raw.decode("latin-1")
        self.status_code = int(self.raw.split(" ", 2)[1]) if raw else 0  # 0: the server hung up
        self.location = (re.search(r"^Location: (.*?)\r$", self.raw, re.MULTILINE | re.IGNORECASE) or [None, None])[1]


@pytest.fixture
def wire(app, account):
    """Serve the app at a port of this machine; return its number and a function that sends a request's bytes."""
    app.config["STORMPATH_COOKIE_SECURE"] = False
    app.add_url_rule("/<path:anything>", "anything", login_required(lambda anything: anything))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def send(method, target, *headers, body=b"", host=None):
        head = [f"Host: {host or f'127.0.0.1:{server.port}'}".encode(), b"Connection: close", *headers]
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
            connection.sendall(b"\r\n".join([b"%s %s HTTP/1.1" % (method, target), *head, b"", body]))
            return Answer(b"".join(iter(lambda: connection.recv(65536), b"")))

    yield server.port, send
    server.shutdown()
    server.server_close()


def raw(payload):
    """Return a payload with only those bytes encoded that would end a word of the request line."""
    return re.sub(rb"[\0-\x20\x85\xa0]", lambda found: b"%%%02X" % found[0][0], payload.encode())


def test_a_login_over_the_wire_leads_to_this_site_whatever_next_says(wire):
    port, send = wire
    page = send(b"GET", b"/login").raw
    cookie = b"Cookie: " + re.search(r"Set-Cookie: (session=[^;]+)", page)[1].encode()
    csrf_token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
    body = f"csrf_token={csrf_token}&login=solo&password={PASSWORD}".encode()
    kind = b"Content-Type: application/x-www-form-urlencoded"
    length = b"Content-Length: %d" % len(body)
    answers = {p: send(b"POST", b"/login?next=" + raw(p), cookie, kind, length, body=body) for p in SOME}
    assert leaving(answers, f"http://127.0.0.1:{port}/login") == {}
    assert {answer.status_code for answer in answers.values()} == {302}


def test_a_closed_door_over_the_wire_leads_to_our_own_login_page(wire):
    port, send = wire
    targets = [*(b"/secret?" + raw(p) for p in SOME), *(raw(p) for p in PAYLOADS if p.startswith("/"))]
    answers = {target: send(b"GET", target) for target in targets}
    assert leaving(answers, f"http://127.0.0.1:{port}/secret") == {}
    assert answers[b"//evil.example"].location
    assert send(b"GET", b"http://evil.example/secret").location == "/login?next=%2Fsecret"


def test_a_host_that_is_none_is_refused_or_ignored(wire):
    _port, send = wire
    hosts = ["evil.example", "[", "]", "[::1", "a b", "a@b", "a:b:c", "%", "\u2100", "a/b", "a\\b", "x" * 300, "."]
    for host, target in itertools.product(hosts, (b"/secret", b"/login?next=http://%s/x", b"/logout")):
        target = target.replace(b"%s", quote(host).encode())
        answer = send(b"GET", target, host=host)
        assert answer.status_code < 500, host
        assert answer.location in {None, "/", "/login?next=%2Fsecret"}, host
