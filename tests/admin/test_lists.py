"""The lists of the console: what they show, find, count, sort and page through, and what they make of any address."""

import re
from itertools import chain, cycle
from urllib.parse import quote, urlencode

import pytest

from stormpath_app import Application, Directory
from stormpath_app.admin import base

from ..conftest import PASSWORD, statements
from ..payloads import HTML, TEMPLATE
from ..together import together
from .test_gate import rules

LISTS = ("accounts", "applications", "groups", "api-keys", "messages")

#: What no form of ours sends.
HOSTILE = [
    *HTML,
    *TEMPLATE,
    "\0",
    "\ud800",
    "%",
    "_",
    "*",
    "'",
    '"',
    "\\",
    "' OR 1=1 --",
    "x" * 5000,
    "é\u0301\u202e\u200b",
    "[2026-01-01,",
    "-1",
    "1e9",
    "../../etc/passwd",
    "\r\nSet-Cookie: a=b",
    "٣",
    "null",
]
ARGUMENTS = ("q", "show", "sort", "size", "after", "url", "page", "search", "flt0_0", "add", "login", "part", "another")
FILTERS = ("before", "directory", "group")


@pytest.fixture
def people(app):
    """Make 60 accounts, of whom each sixth is disabled, each tenth unverified, and each third in the crew."""
    with app.app_context():
        accounts = Application.current().accounts
        crew = Application.current().default_account_store().create_group(name="crew")
        for number in range(60):
            status = "DISABLED" if number % 6 == 0 else "UNVERIFIED" if number % 10 == 1 else "ENABLED"
            account = accounts.create(
                email=f"{number:02}@falcon.example",
                password=PASSWORD,
                given_name="Luke" if number % 2 else "Leia",
                surname="Skywalker",
                status=status,
            )
            if number % 3 == 0:
                crew.add_account(account)
    return crew


def shown(page):
    """Return the numbers of the accounts that a page lists."""
    return re.findall(r'<small class="sp-clip">(\d\d)@falcon.example', page.text)


def link(page, rel):
    """Return the address of the page before or after; None: there is none."""
    found = re.search(f'rel="{rel}" href="([^"]+)"', page.text)
    return found and found[1].replace("&amp;", "&").removeprefix("/admin")


def walk(console, path):
    """Return the numbers of all pages, as somebody finds them who goes on and on."""
    numbers = []
    while path:
        page = console.get(path)
        numbers.append(shown(page))
        path = link(page, "next")
    return numbers


def chips(page):
    """Return the quick filters of a page: what each says and counts."""
    return dict(re.findall(r"<a href=[^>]*>([^<]+) <small>([^<]*)</small>", page.text.split("sp-chips")[1]))


# --- What is shown ---


def test_the_newest_are_first_and_each_is_on_one_page(people, owner):
    pages = walk(owner, "/accounts/")
    assert [len(page) for page in pages] == [25, 25, 10]
    assert list(chain(*pages)) == [f"{number:02}" for number in reversed(range(60))]


def test_previous_leads_back_to_the_very_page(people, owner):
    first = owner.get("/accounts/")
    second = owner.get(link(first, "next"))
    assert shown(owner.get(link(second, "prev"))) == shown(first)
    assert link(first, "prev") is None


def test_a_page_that_was_the_last_when_its_rows_went_is_the_first(people, owner, app):
    last = owner.get(link(owner.get(link(owner.get("/accounts/"), "next")), "next"))
    oldest = re.findall(r'name="id" value="([^"]+)"', last.text)[-1]
    page = owner.get("/accounts/", query_string={"after": oldest})
    assert page.status_code == 200
    assert shown(page)[0] == "59"


@pytest.mark.parametrize("sort", ["name", "-name", "created_at", "-created_at"])
def test_a_sorted_list_is_walked_through_without_a_gap_over_all_ties(people, owner, held_clock, sort):
    numbers = list(chain(*walk(owner, f"/accounts/?sort={sort}&size=25")))
    assert sorted(numbers) == sorted(f"{number:02}" for number in range(60))
    if "name" in sort:
        assert numbers == sorted(numbers, reverse=sort.startswith("-"))


def test_a_heading_tells_how_its_column_is_sorted_and_turns_it(people, owner):
    page = owner.get("/groups/")  # by name, as nobody asked otherwise
    assert re.findall(r'aria-sort="(\w+)"', page.text) == ["ascending"]
    assert 'href="/admin/groups/?sort=-name"' in page.text
    page = owner.get("/accounts/?sort=-name")
    assert re.findall(r'aria-sort="(\w+)"', page.text) == ["descending"]
    assert 'href="/admin/accounts/?sort=name"' in page.text
    assert "aria-sort" not in owner.get("/accounts/?q=falcon").text


def test_the_size_of_a_page_is_kept_by_whatever_leads_on(people, owner):
    page = owner.get("/accounts/?size=50&sort=name")
    assert len(shown(page)) == 50
    links = re.findall(r'href="(/admin/accounts/\?[^"]+)"', page.text)
    kept = [each for each in links if "size=" in each]
    assert {re.search(r"size=(\d+)", each)[1] for each in kept} == {"10", "25", "50"}
    assert all("size=" in each for each in links if "show=" in each or "after=" in each)


def test_the_groups_of_each_are_told_and_how_many_more(people, owner, app):
    with app.app_context():
        account = Application.current().find_account("57@falcon.example")
        for name in ("a", "b"):
            account.directory.create_group(name=name).add_account(account)
    page = owner.get("/accounts/?q=57@falcon.example")
    assert '<span class="sp-muted" title="b, crew">+2</span>' in page.text


def test_a_locked_account_says_so(held_clock, people, owner, app, client, log_in):
    for _guess in range(6):
        log_in(client, "02@falcon.example", "wrong")
    page = owner.get("/accounts/?show=locked")
    assert shown(page) == ["02"]
    assert "Locked" in page.text
    assert chips(page)["Locked"] == "1"


def test_each_row_has_buttons_for_what_the_role_may_do_to_it(people, owner, sign_in):
    menu = owner.get("/accounts/?q=07@falcon").text.split("sp-cell-menu")[1].split("</td>")[0]
    assert re.findall(r'form="([^"]+)" formaction="[^"]+q=07@falcon" name="action" value="(\w+)"', menu) == [
        ("at-once", "reset"),
        ("at-once", "sign_out"),
        ("ask-first", "disable"),
    ]
    assert 'value="disable"' not in sign_in("support").get("/accounts/").text


# --- Search, filters, counts ---


@pytest.mark.parametrize("text", ["07@falcon.example", " 07@FALCON.example ", "07@fal"])
def test_a_search_finds_by_the_address_in_any_case_with_blanks_around(people, owner, text):
    assert shown(owner.get("/accounts/", query_string={"q": text})) == ["07"]


def test_a_search_and_a_quick_filter_narrow_one_list(people, owner):
    page = owner.get("/accounts/?q=Leia&show=disabled&size=50")
    assert sorted(shown(page)) == [f"{number:02}" for number in range(0, 60, 6)]
    counted = chips(page)
    assert (counted["All"], counted["Disabled"], counted["Unverified"]) == ("30", "10", "0")


def test_quick_filters_tell_how_many_each_would_show(people, owner):
    counted = chips(owner.get("/accounts/"))
    assert (counted["All"], counted["Enabled"], counted["Unverified"], counted["Disabled"]) == ("60", "44", "6", "10")
    assert (counted["Locked"], counted["New this week"]) == ("0", "60")
    for name, key in (("Enabled", "enabled"), ("Unverified", "unverified"), ("Disabled", "disabled")):
        assert f"of {counted[name]}</span>" in owner.get(f"/accounts/?show={key}").text


def test_a_count_goes_no_further_than_the_most_that_is_counted(people, owner, monkeypatch):
    monkeypatch.setattr(base, "MOST_COUNTED", 20)
    monkeypatch.setattr("stormpath_app.admin.pages.MOST_COUNTED", 20)
    counted = chips(owner.get("/accounts/"))
    assert (counted["All"], counted["Enabled"], counted["Disabled"]) == ("20+", "20+", "10")
    monkeypatch.setattr(base, "_POOL", 20)
    counted = chips(owner.get("/accounts/?q=skywalker"))
    assert counted["All"] == "20+"
    assert counted["Disabled"].endswith("+")  # of the first that were found


def test_a_list_of_many_is_sorted_as_a_whole_and_not_only_its_head(people, owner, monkeypatch):
    monkeypatch.setattr(base, "MOST_COUNTED", 20)
    assert shown(owner.get("/accounts/?sort=-name"))[0] == "59"


def test_the_list_can_be_of_one_directory_and_one_group(people, owner, app, home_directory):
    with app.app_context():
        other = Directory.create(name="Empire")
        other.create_account(email="99@falcon.example", password=PASSWORD)
        elsewhere, group = other.id, Directory.get(home_directory).groups.search("crew")[0].id
    assert shown(owner.get(f"/accounts/?directory={elsewhere}")) == ["99"]
    page = owner.get(f"/accounts/?group={group}&size=50")
    assert len(shown(page)) == 20
    assert "Group: crew" in page.text
    assert shown(owner.get(f"/accounts/?directory={elsewhere}&group={group}")) == []


def test_what_narrows_a_list_is_told_and_each_can_be_taken_away(people, owner, home_directory):
    page = owner.get(f"/accounts/?q=Leia&show=disabled&directory={home_directory}&size=50")
    told = page.text.split('aria-label="What is shown"')[1].split("</nav>")[0]
    assert "10 shown:" in told
    assert "“Leia”" in told
    assert f'href="/admin/accounts/?q=Leia&amp;size=50&amp;directory={home_directory}"' in told
    assert 'href="/admin/accounts/?size=50"' in told
    assert "What is shown" not in owner.get("/accounts/?size=50&sort=name").text


def test_a_list_where_nothing_is_found_says_what_was_looked_for_and_leads_back(people, owner):
    page = owner.get("/accounts/?q=nobody-at-all")
    assert "Nothing is found" in page.text
    assert "nobody-at-all" in page.text
    assert "Show all" in page.text


@pytest.mark.parametrize("path", ["/accounts/?directory=NONE", "/accounts/?group=NONE", "/groups/?directory=NONE"])
def test_a_filter_that_names_what_is_not_there_is_a_404_in_words(people, owner, path):
    answer = owner.get(path)
    assert answer.status_code == 404
    assert "it was deleted" in answer.text


# --- Any address ---


@together("screen", LISTS)
def test_no_address_makes_a_list_fail(people, owner, screen):
    for value in HOSTILE:
        for names in (ARGUMENTS, FILTERS):
            query = urlencode(dict.fromkeys(names, value), errors="surrogatepass")
            assert owner.get(f"/{screen}/?{query}").status_code in {200, 404, 413}, value


def test_no_address_makes_any_other_page_fail(app, owner, ada):
    pages = [path for path, methods, _view in rules(app) if "GET" in methods]
    for path, value in zip(pages, cycle(HOSTILE), strict=False):
        query = urlencode(dict.fromkeys((*ARGUMENTS, *FILTERS), value), errors="surrogatepass")
        assert owner.browser.get(f"{path}?{query}").status_code < 500, (path, value)


def test_no_id_makes_a_page_fail(owner):
    for screen, value in zip(cycle(LISTS), HOSTILE, strict=False):
        quoted = quote(value, safe="", errors="surrogatepass")
        for path in (f"/{screen}/{quoted}/", f"/{screen}/{quoted}/delete"):
            assert owner.get(path).status_code in {200, 302, 308, 404, 413}, path


# --- What it costs ---


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True)
@pytest.mark.parametrize("screen", LISTS)
def test_a_list_takes_the_same_statements_for_few_rows_and_for_many(app, owner, screen):
    def fill(number):
        with app.app_context():
            application = Application.current()
            for each in range(number):
                directory = Directory.create(name=f"{number} {each}")
                directory.create_group(name="crew")
                account = application.accounts.create(email=f"{each}@{number}.example", password=PASSWORD)
                account.directory.create_group(name=f"{number} {each}").add_account(account)
                account.api_keys.create()
                application.send_password_reset_email(account.email)

    fill(2)
    owner.get(f"/{screen}/")
    with statements(app) as few:
        assert owner.get(f"/{screen}/").status_code == 200
    fill(7)
    with statements(app) as many:
        owner.get(f"/{screen}/")
    assert len(many) == len(few) <= 20


def test_an_application_more_takes_two_statements_more_for_what_it_lets_in(app, owner):
    owner.get("/applications/")
    with statements(app) as one:
        owner.get("/applications/")
    with app.app_context():
        Application.create(name="Second", create_directory=True)
    with statements(app) as two:
        owner.get("/applications/")
    assert len(two) == len(one) + 2
