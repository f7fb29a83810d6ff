"""The editor of custom data: nothing typed is lost, and nothing of others is replaced unseen."""

import json

import pytest

from stormpath_app import Account, Application

from ..together import together
from .test_account import flashed, path, soup

pytestmark = pytest.mark.sqlite

EDITOR = "custom-data"


@pytest.fixture
def data(app, ada):
    """Give the account some custom data; return its id."""
    with app.app_context():
        account = Account.find(ada)
        account.custom_data.update({"plan": "gold", "seats": 3, "address": {"city": "London", "lines": ["a", "b"]}})
        account.save()
    return ada


def opened(console, account_id, query=""):
    """Return what the editor has when it is opened: the text, and what it was like."""
    form = soup(console.get(path(account_id, EDITOR) + query)).select_one("main form[novalidate]")
    return form.textarea.text.removeprefix("\n"), form.select_one('[name="opened"]')["value"]


def save(console, account_id, text, was, query=""):
    text = text if isinstance(text, str) else json.dumps(text)
    return console.post(path(account_id, EDITOR) + query, text=text, opened=was)


def stored(app, account_id):
    with app.app_context():
        return dict(Account.find(account_id).custom_data)


def change(app, account_id, **values):
    with app.app_context():
        account = Account.find(account_id)
        account.custom_data.update(values)
        account.save()


def test_it_is_a_tree_and_a_text(owner, data):
    page = soup(owner.get(path(data, EDITOR)))
    assert [summary.text.split()[0] for summary in page.select("main summary") if "address" in summary.text] == [
        "address"
    ]
    assert json.loads(opened(owner, data)[0]) == {
        "plan": "gold",
        "seats": 3,
        "address": {"city": "London", "lines": ["a", "b"]},
    }


def test_what_was_changed_added_and_removed_is_saved_and_no_more(app, owner, data):
    text, was = opened(owner, data)
    typed = {**json.loads(text), "plan": "silver", "new": [1, None, True]}
    del typed["seats"]
    change(app, data, address={"city": "Paris"})  # somebody else, another key
    assert save(owner, data, typed, was).status_code == 303
    assert stored(app, data) == {"plan": "silver", "new": [1, None, True], "address": {"city": "Paris"}}


@together(
    ("text", "told"),
    [
        ('{"plan": ', "line 1, column 10"),
        ('{"plan": "gold",\n "seats": 03}', "line 2"),
        ("[1, 2]", "It begins with {"),
        ('"text"', "It begins with {"),
        ('{"plan": 1, "plan": 2}', "“plan” is there twice"),
        ('{"\\ud800": 1, "\\ud800": 2}', "no JSON that can be kept"),
        ("{" + "".join(f'"k{number}": 1, ' for number in range(20_000)) + '"k19999": 2}', "“k19999” is there twice"),
        ('{"a b": 1}', "characters A-Z"),
        ('{"href": 1}', "cannot be one of"),
        ('{"": 1}', "needs a key"),
        ('{"plan": NaN}', "wrong type"),
        ('{"plan": 1e999}', "wrong type"),
        ('{"plan": "\\u0000"}', "invalid format"),
        ('{"plan": "\\ud800"}', "invalid format"),
        ('{"plan": ' + "[" * 40 + "]" * 40 + "}", "levels deep"),
        ('{"plan": ' + "[" * 5000 + "]" * 5000 + "}", "no JSON that can be kept"),
        ('{"plan": ' + "9" * 5000 + "}", "no JSON that can be kept"),
    ],
)
def test_what_cannot_be_is_told_at_its_place_and_what_was_typed_stays(app, owner, data, text, told):
    before, was = stored(app, data), opened(owner, data)[1]
    answer = save(owner, data, text, was)
    assert answer.status_code == 200
    assert told.lower() in soup(answer).select_one("#text-error").text.lower()
    assert soup(answer).textarea.text.removeprefix("\n") == text
    assert stored(app, data) == before


@pytest.mark.parametrize("was", ["", "x", "[]", '{"plan": 1}', '{"plan": {"a": []}}'])
def test_what_was_opened_cannot_be_forged_into_an_error(app, owner, data, was):
    assert save(owner, data, {"plan": "gold"}, was).status_code in {200, 303}
    assert stored(app, data)["plan"] == "gold"


def test_a_key_that_somebody_else_changed_is_told_with_its_value_and_not_replaced(app, sign_in, data):
    first, second = sign_in("manager"), sign_in("owner")
    text, was = opened(second, data)
    mine, theirs = opened(first, data)
    save(first, data, {**json.loads(mine), "plan": "silver"}, theirs)
    typed = {**json.loads(text), "plan": "bronze", "seats": 4}
    answer = save(second, data, typed, was)
    assert answer.status_code == 200
    assert 'Somebody else changed “plan” since you opened it. It is now: "silver"' in flashed(answer)[0] + str(
        soup(answer).select_one("#text-error").text
    )
    assert stored(app, data)["plan"] == "silver"
    assert stored(app, data)["seats"] == 3
    form = soup(answer).select_one("main form[novalidate]")
    again = form.textarea.text.removeprefix("\n")
    assert json.loads(again) == typed
    assert save(second, data, again, form.select_one('[name="opened"]')["value"]).status_code == 303
    assert (stored(app, data)["plan"], stored(app, data)["seats"]) == ("bronze", 4)


def test_the_same_change_of_two_is_no_conflict(app, owner, data):
    text, was = opened(owner, data)
    change(app, data, plan="silver")
    assert save(owner, data, {**json.loads(text), "plan": "silver"}, was).status_code == 303


def test_a_key_that_somebody_else_removed_is_told(app, owner, data):
    text, was = opened(owner, data)
    with app.app_context():
        account = Account.find(data)
        del account.custom_data["plan"]
        account.save()
    answer = save(owner, data, {**json.loads(text), "plan": "silver"}, was)
    assert "It is now: gone" in soup(answer).select_one("#text-error").text


def test_more_than_a_page_holds_is_edited_key_by_key(app, owner, data):
    change(app, data, long="x" * 100_000, longer="y" * 300_000)
    page = owner.get(path(data, EDITOR))
    assert (len(page.data) < 150_000, soup(page).textarea) == (True, None)
    assert owner.post(path(data, EDITOR), text="{}", opened="{}").status_code == 400
    text, was = opened(owner, data, "?key=plan")
    assert json.loads(text) == {"plan": "gold"}
    assert save(owner, data, {"plan": "silver"}, was, "?key=plan").status_code == 303
    refused = save(owner, data, {"plan": "silver", "seats": 9}, was, "?key=plan")
    assert "one key alone" in soup(refused).select_one("#text-error").text
    assert owner.get(path(data, EDITOR) + "?key=long").status_code == 200
    for key in ("longer", "nothing", "", "%00"):
        assert owner.get(path(data, EDITOR) + f"?key={key}").status_code == 404
    found = stored(app, data)
    assert (found["plan"], found["seats"], len(found["longer"])) == ("silver", 3, 300_000)


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_who_may_not_edit_sees_the_tree_alone(app, sign_in, data, role):
    console = sign_in(role)
    page = soup(console.get(path(data, EDITOR)))
    assert (page.textarea, "gold" in page.text) == (None, True)
    assert save(console, data, {}, "{}").status_code == 403
    assert stored(app, data)["plan"] == "gold"


def test_a_key_that_opens_nothing_any_more_is_no_500(app, owner, data):
    app.config["STORMPATH_ENCRYPTION_KEYS"] = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    change(app, data, secret="x")
    app.config["STORMPATH_ENCRYPTION_KEYS"] = ["eHl6MzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    answer = owner.get(path(data, EDITOR))
    assert (answer.status_code, "None of STORMPATH_ENCRYPTION_KEYS" in answer.text) == (200, True)


# --- Of what is no account ---


@pytest.fixture(params=["applications", "directories", "groups"])
def other(app, request):
    """Return where a resource of another kind is, with some custom data, and what reads that."""
    with app.app_context():
        application = Application.current()
        directory = application.default_account_store().home
        found = {
            "applications": application,
            "directories": directory,
            "groups": directory.groups.create(name="crew"),
        }[request.param]
        found.custom_data["plan"] = {"name": "gold"}
        found.save()
        kind, found_id = type(found), found.id

    def read():
        with app.app_context():
            return dict(kind.get(found_id).custom_data)

    return f"/{request.param}/{found_id}/", read


def test_the_page_of_each_leads_to_its_custom_data_and_back(owner, other):
    address, _read = other
    link = soup(owner.get(address)).find("a", href=f"/admin{address}{EDITOR}")
    assert link.text.strip() == "Custom data"
    page = soup(owner.get(f"{address}{EDITOR}"))
    assert page.select_one("main").find("a", href=f"/admin{address}") is not None
    assert json.loads(page.textarea.text) == {"plan": {"name": "gold"}}


def test_that_of_each_is_saved_key_by_key_and_the_log_names_the_keys(owner, other):
    address, read = other
    was = soup(owner.get(f"{address}{EDITOR}")).select_one('[name="opened"]')["value"]
    typed = {"plan": {"name": "gold"}, "seats": 3}
    answer = owner.post(f"{address}{EDITOR}", text=json.dumps(typed), opened=was)
    assert (answer.status_code, answer.location) == (303, f"/admin{address}{EDITOR}")
    assert read() == typed
    assert flashed(owner.get(answer.location.removeprefix("/admin"))) == ["The custom data was saved."]
    history = soup(owner.get(address)).select_one('.sp-head a[href^="/admin/log/"]')["href"]
    assert "seats" in owner.browser.get(history).text


def test_a_conflict_and_a_refusal_are_told_of_each_and_nothing_is_written(sign_in, other):
    address, read = other
    first, second = sign_in("owner"), sign_in("owner", email="second@console.example")
    was = soup(first.get(f"{address}{EDITOR}")).select_one('[name="opened"]')["value"]
    assert second.post(f"{address}{EDITOR}", text='{"plan": "silver"}', opened=was).status_code == 303
    for text, told in (
        ('{"plan": "bronze"}', "Somebody else changed “plan”"),
        ('{"plan": "silver", "href": 1}', "cannot be one of"),
    ):
        answer = first.post(f"{address}{EDITOR}", text=text, opened=was)
        assert (answer.status_code, told in soup(answer).select_one("#text-error").text) == (200, True)
    assert read() == {"plan": "silver"}


@pytest.mark.parametrize("role", ["viewer", "support", "manager"])
def test_whoever_may_not_change_one_reads_its_custom_data_and_no_more(sign_in, other, role):
    address, read = other
    console, may = sign_in(role), address.startswith("/groups/") and role == "manager"
    page = soup(console.get(f"{address}{EDITOR}"))
    assert ("gold" in page.text, page.textarea is not None) == (True, may)
    answer = console.post(f"{address}{EDITOR}", text="{}", opened="{}")
    assert answer.status_code == (303 if may else 403)
    assert read() == {"plan": {"name": "gold"}}
