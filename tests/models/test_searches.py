"""Searches, orders and slices against a plain Python model of them, on databases that answer alike."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from stormpath_app import Account, Application, names
from stormpath_app.database import database, session
from stormpath_app.installation import set_up
from stormpath_app.models import listing
from stormpath_app.transactions import atomic

from ..conftest import make_app

ALL = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck), "database": None}
MANY, FEW = settings(max_examples=150, **ALL), settings(max_examples=40, **ALL)

GIVEN = [
    "Leia",
    "Léia",
    "LEIA",
    "leia amidala",
    "Łukasz",
    "Straße",
    "50%",
    "a_b",
    "王芳",
    "芳",
    "김수",
    "İpek",
    "O'Hara/",
    None,
]
SURNAMES = ["Organa", "Solo", "solo", "Strasse", "Skywalker", "Ørsted", "le", '"*"', None]
DOMAINS = ["falcon.example", "münchen.example", "a-b.example"]
WORDS = st.text(max_size=4) | st.sampled_from(
    [
        *("le", "leia", "LÉ", "l", "王", "芳", "김", "수", "solo", "o", "example", "falcon.example", "stras", "lukasz"),
        *("xn--", "münch", "i", "a b", "ia am", "orsted", "zzz", "%", "_", "50%", "/", '"', "*"),
        *("\x02", "\x02\x02l", "\0", "\ud800"),
    ]
)
TEXT_ATTRIBUTES = ["email", "username", "given_name", "middle_name", "surname"]


def people():
    for number in range(48):
        yield {
            "email": f"{'AbcDe'[number % 5]}{number}@{DOMAINS[number % 3]}",
            "username": [None, f"User{number}", f"üser{number}"][number % 3] if number % 2 else None,
            "given_name": GIVEN[number % len(GIVEN)],
            "middle_name": [None, "Padmé", "le"][number % 3],
            "surname": SURNAMES[(number * 5) % len(SURNAMES)],
            "status": ["ENABLED", "DISABLED", "UNVERIFIED"][number % 3],
            "created_at": datetime(2014, 12, 30, 20, tzinfo=UTC) + timedelta(hours=7 * number),
        }


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def crowd(request, tmp_path_factory):
    """Return an app with a crowd of people, and how much it is asked."""
    uri = None if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_server").new_database()
    app = make_app(tmp_path_factory.mktemp("crowd"), STORMPATH_DATABASE_URI=uri)
    set_up(app)
    with app.app_context():
        directory = Application.current().default_account_store()
        with atomic() as current:
            for person in people():
                born = person.pop("created_at")
                account = Account(directory_id=directory.id, directory=directory, **person)
                account.created_at = born
                current.add(account)
                current.flush()
        session.expire_all()
        yield app, MANY if request.param == "sqlite" else FEW
    with app.app_context():
        database.engine.dispose()


@pytest.fixture(params=["by the index", "one by one"])
def way(request, monkeypatch):
    """Let SQLite's index of texts be asked, or not."""
    monkeypatch.setattr(listing, "_FEW", -1 if request.param == "by the index" else 10**6)


# --- The model ---


def folded(text):
    return names.unmarked(names.part(text))


def fields(account):
    shown = [account.email, account.username, account.given_name, account.middle_name, account.surname]
    return [folded(text) for text in shown if text] + [folded(names.key(account.email))]


def has_text(account, wanted):
    term = folded(wanted.strip()).strip()
    if not wanted.strip():
        return True
    if not term or not names.can_be_sought(wanted):
        return False
    return any(term in field if len(term) > 2 else field.startswith(term) for field in fields(account))


def is_like(account, name, wanted):
    key = names.key(getattr(account, name) or "")
    wanted = wanted.strip()
    before, behind, text = wanted.startswith("*"), wanted.endswith("*"), wanted.strip("*")
    if not key or not names.can_be_sought(text):
        return False
    if not before and not behind:
        return key == names.key(text)
    part = names.part(text)
    part = part if before else part.lstrip()
    part = part if behind else part.rstrip()
    if text and not part:
        return False
    if before and behind:
        return part in key
    return key.endswith(part) if before else key.startswith(part)


def everyone():
    return sorted(Application.current().accounts, key=lambda account: account.id)


def ids(accounts):
    return [account.id for account in accounts]


# --- The searches ---


def test_a_text_finds_those_who_have_it_in_a_name_and_no_one_else(crowd, way):
    _app, examples = crowd
    everybody = everyone()

    @examples
    @given(WORDS)
    def check(text):
        found = Application.current().accounts.search(text)
        expected = [account for account in everybody if has_text(account, text)]
        assert ids(found) == ids(expected)
        assert (len(found), bool(found)) == (len(expected), bool(expected))
        assert all((account in found) == (account in expected) for account in everybody[:3])

    check()


def test_an_attribute_finds_those_whose_own_is_like_it(crowd, way):
    _app, examples = crowd
    everybody = everyone()

    @examples
    @given(st.sampled_from(TEXT_ATTRIBUTES), WORDS, st.sampled_from(["", "*"]), st.sampled_from(["", "*"]))
    def check(name, text, before, behind):
        wanted = f"{before}{text.strip().strip('*')}{behind}"
        if not wanted.strip():
            return
        expected = [account for account in everybody if is_like(account, name, wanted)]
        found = Application.current().accounts.search({name: wanted})
        assert sorted(ids(found)) == ids(expected)
        assert len(found) == len(expected)

    check()


def test_all_that_is_asked_for_must_be_so(crowd, way):
    _app, examples = crowd
    everybody = everyone()

    @examples
    @given(WORDS, st.sampled_from(["ENABLED", "disabled"]), st.sampled_from(["le*", "*o*", "Solo", "*e", "*"]))
    def check(text, status, surname):
        found = Application.current().accounts.search(text).query(status=status, surname=surname)
        expected = [
            account
            for account in everybody
            if has_text(account, text) and account.status == status.upper() and is_like(account, "surname", surname)
        ]
        assert sorted(ids(found)) == ids(expected)

    check()


ORDERS = st.lists(
    st.tuples(st.sampled_from([*TEXT_ATTRIBUTES, "status", "created_at", "password_modified_at"]), st.booleans()),
    min_size=1,
    max_size=3,
    unique_by=lambda clause: clause[0],
)


def sorted_by(accounts, clauses):
    """Sort as the database must: by keys, byte by byte; who are alike by their ids, in the last one's direction."""
    accounts = sorted(accounts, key=lambda account: account.id, reverse=clauses[-1][1])
    for name, descending in reversed(clauses):
        if name in TEXT_ATTRIBUTES:
            key = lambda account, name=name: names.key(getattr(account, name) or "").encode()  # noqa: E731
        else:
            key = lambda account, name=name: getattr(account, name) or ""  # noqa: E731
        accounts = sorted(accounts, key=key, reverse=descending)
    return accounts


def test_an_order_and_any_part_of_it_are_those_of_a_list(crowd, monkeypatch):
    _app, examples = crowd
    everybody = everyone()
    monkeypatch.setattr("stormpath_app.models.collection._PAGE", 7)
    places = st.none() | st.integers(-60, 60)

    @examples
    @given(ORDERS, st.builds(slice, places, places, st.sampled_from([None, 1, 2, -1, -3])), st.integers(0, 50), places)
    def check(clauses, part, offset, limit):
        written = [f"{name} {'desc' if descending else 'asc'}" for name, descending in clauses]
        accounts, expected = Application.current().accounts.order(*written), sorted_by(everybody, clauses)
        assert ids(account for account in accounts) == ids(expected)
        assert ids(reversed(accounts)) == ids(reversed(expected))
        assert ids(accounts[part]) == ids(expected[part])
        if limit is None or limit < 1:
            accounts, expected = accounts.offset(offset), expected[offset:]
        else:
            accounts, expected = accounts.offset(offset).limit(limit), expected[offset : offset + limit]
        assert ids(account for account in accounts) == ids(expected)
        assert ids(accounts[part]) == ids(expected[part])
        assert ids(reversed(accounts)) == ids(reversed(expected))
        assert (len(accounts), bool(accounts)) == (len(expected), bool(expected))
        assert [account in accounts for account in everybody[:4]] == [account in expected for account in everybody[:4]]

    check()


def test_a_range_of_times_is_that_of_its_text(crowd):
    _app, examples = crowd
    everybody = everyone()
    ends = st.sampled_from(
        ["2014", "2014-12", "2014-12-31", "2015-01-01", "2015-01-03T05", "2015-01-03T05:00", "2015", ""]
    )

    @examples
    @given(st.sampled_from("[("), ends, ends, st.sampled_from("])"))
    def check(opens, low, high, closes):
        if low and high and begins(high) < begins(low):
            return
        found = Application.current().accounts.query(createdAt=f"{opens}{low},{high}{closes}")

        def is_in(moment):
            written = moment.strftime("%Y-%m-%dT%H:%M")
            # Of texts of one length, the order is that of the times.
            above = not low or (written[: len(low)] >= low if opens == "[" else written[: len(low)] > low)
            return above and (
                not high or (written[: len(high)] <= high if closes == "]" else written[: len(high)] < high)
            )

        expected = sorted((a for a in everybody if is_in(a.created_at)), key=lambda a: (a.created_at, a.id))
        assert ids(found) == ids(expected)

    check()


def begins(stamp):
    return stamp + "0000-01-01T00:00"[len(stamp) :]


def test_the_index_of_texts_follows_every_change(crowd, way):
    _app, examples = crowd

    @examples
    @given(st.lists(st.tuples(st.sampled_from(GIVEN), st.sampled_from(SURNAMES)), min_size=1, max_size=3), WORDS)
    def check(changes, text):
        with contextlib.suppress(Undone), atomic():
            account = everyone()[0]
            for given_name, surname in changes:
                account.given_name, account.surname = given_name, surname
                account.save()
            found = ids(Application.current().accounts.search(text))
            assert (account.id in found) == has_text(account, text)
            raise Undone

    check()


class Undone(Exception):
    """Takes back what a test did to the crowd."""
