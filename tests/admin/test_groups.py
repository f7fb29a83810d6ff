"""Groups in the console: new ones, changes by two at once, members."""

import re

import pytest

from stormpath_app import Account, Directory
from stormpath_app.models import Group

from ..conftest import PASSWORD
from ..together import together


@pytest.fixture
def crew(app, home_directory):
    with app.app_context():
        return Directory.get(home_directory).create_group(name="crew", description="of the Falcon").id


def version(page):
    return re.search(r'name="version"[^>]*value="(\d+)"', page.text)[1]


def test_a_group_is_made_in_the_directory_that_was_chosen(app, owner, home_directory):
    page = owner.get(f"/groups/new?directory={home_directory}")
    assert f'<option selected value="{home_directory}">' in page.text
    answer = owner.post("/groups/new", name="crew", directory=home_directory, status="ENABLED", follow=True)
    assert "crew was created." in answer.text
    with app.app_context():
        assert [group.name for group in Directory.get(home_directory).groups] == ["crew"]


@together(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 300},
        {"name": "crew"},
        {"directory": "NONE"},
        {"directory": ""},
        {"status": "GONE"},
    ],
)
def test_a_group_that_cannot_be_is_told_at_its_field_and_what_was_typed_stays(owner, home_directory, crew, wrong):
    sent = {"name": "new", "directory": home_directory, "status": "ENABLED", "description": "kept", **wrong}
    page = owner.post("/groups/new", **sent)
    assert page.status_code == 200
    assert 'aria-invalid="true"' in page.text
    assert "kept" in page.text


def test_two_who_change_one_group_at_once_are_told_and_nothing_is_overwritten(app, owner, sign_in, crew):
    mine = version(owner.get(f"/groups/{crew}/"))
    other = sign_in("manager")
    sent = {"description": "theirs", "status": "ENABLED", "version": mine}
    assert other.post(f"/groups/{crew}/", name="crew", **sent).status_code == 303
    page = owner.post(f"/groups/{crew}/", name="mine", description="mine", status="ENABLED", version=mine)
    assert "Somebody else changed this since you opened it." in page.text
    assert "“theirs”" in page.text
    assert 'value="mine"' in page.text
    with app.app_context():
        assert Group.get(crew).description == "theirs"
    again = owner.post(f"/groups/{crew}/", name="mine", description="mine", status="ENABLED", version=version(page))
    assert again.status_code == 303
    with app.app_context():
        assert Group.get(crew).name == "mine"


def test_a_member_is_found_added_and_removed(app, owner, crew):
    with app.app_context():
        leia = Account.create("leia@alderaan.example", PASSWORD, "Leia", "Organa").id
    assert leia in owner.get(f"/groups/{crew}/?add=lei").text
    assert "is a member now" in owner.post(f"/groups/{crew}/members", do="add", account=leia, follow=True).text
    assert leia in owner.get(f"/groups/{crew}/?q=organa").text
    assert "No member is like" in owner.get(f"/groups/{crew}/?q=nobody").text
    assert "no member any more" in owner.post(f"/groups/{crew}/members", do="remove", account=leia, follow=True).text
    assert owner.post(f"/groups/{crew}/members", do="remove", account=leia).status_code == 303
    assert owner.post(f"/groups/{crew}/members", do="else", account=leia).status_code == 400
    with app.app_context():
        assert len(Group.get(crew).accounts) == 0


def test_support_changes_no_members(sign_in, crew, ada):
    assert sign_in("support").post(f"/groups/{crew}/members", do="add", account=ada).status_code == 403


def test_a_group_is_deleted_once_its_name_was_typed_and_its_members_stay(app, owner, crew, ada):
    owner.post(f"/groups/{crew}/members", do="add", account=ada)
    page = owner.get(f"/groups/{crew}/delete")
    assert "1 members lose what the group opens" in page.text or "1 member" in page.text
    assert owner.post(f"/groups/{crew}/delete", typed="").status_code == 200
    assert owner.post(f"/groups/{crew}/delete", typed="crew").status_code == 303
    with app.app_context():
        assert Group.find(crew) is None
        assert Account.find(ada)
