"""Links between accounts: which two can be linked, how often, and what is told of it."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Directory
from stormpath_app.database import session
from stormpath_app.errors import (
    AccountLinkMalformed,
    AccountsAlreadyLinked,
    ChangedMeanwhile,
    LinkedElsewhere,
    LinkedInOneDirectory,
    LinkedWithItself,
    ReadOnly,
    ResourceNotFound,
    TooManyAccountLinks,
    UnknownProperty,
)
from stormpath_app.models import AccountLink, account_link
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..together import together
from .test_event import events


def make(directory, email="han@falcon.example"):
    """Return a new account in the directory with this name."""
    place = Directory.named(directory) or Directory.create(name=directory)
    return place.accounts.create(email=email, password=PASSWORD)


@pytest.fixture
def han(context):
    return make("Smugglers")


@pytest.fixture
def captain(context):
    return make("Rebels", "captain@rebels.example")


def count():
    return session.scalar(sa.select(sa.func.count()).select_from(AccountLink))


# --- Two that are linked ---


def test_each_account_knows_its_link_and_the_other(han, captain, held_clock):
    link = AccountLink.create({"left_account": han, "right_account": captain})
    assert (link.left_account, link.right_account) == (han, captain)
    assert (link.created_at, link.confirmed_at) == (held_clock.at, None)
    for one, other in ((han, captain), (captain, han)):
        assert list(one.account_links) == [link]
        assert list(one.linked_accounts) == [other]
        assert link.other(one) is other
    assert (list(han["account_links"]), list(han["linked_accounts"])) == ([link], [captain])


def test_a_link_is_found_by_its_href_and_reads_like_a_dictionary(han, captain):
    link = AccountLink.create(left_account=han.href, right_account=captain.href)
    assert AccountLink.get(link.href) is link
    assert dict(link).keys() == {"href", "confirmed_at", "created_at", "modified_at"}
    assert link["left_account"] is han


def test_an_account_links_itself_with_another_at_either_end(han, captain):
    link = han.account_links.create(right_account=captain)
    assert (link.left_account, link.right_account) == (han, captain)
    link.delete()
    link = han.account_links.create({"left_account": captain.href})
    assert (link.left_account, link.right_account) == (captain, han)


def test_a_deleted_link_leaves_both_accounts_which_can_be_linked_again(han, captain):
    AccountLink.create(left_account=han, right_account=captain).delete()
    assert (count(), list(han.linked_accounts), list(captain.account_links)) == (0, [], [])
    assert han.account_links.create(right_account=captain)


def test_an_account_has_a_link_into_each_of_several_directories(han, captain):
    others = [captain, make("Empire"), make("Jawas")]
    for other in others:
        han.account_links.create(right_account=other)
    assert list(han.linked_accounts) == others
    captain.account_links.create(right_account=others[1])
    assert list(others[1].linked_accounts) == [han, captain]


def test_a_link_goes_with_either_of_its_accounts(han, captain):
    han.account_links.create(right_account=captain)
    captain.delete()
    assert (count(), list(han.linked_accounts)) == (0, [])
    assert [event.account_id for event in events("account.unlinked")] == [han.id]


def test_links_go_with_a_directory(han, captain):
    han.account_links.create(right_account=captain)
    captain.directory.delete()
    assert count() == 0


def test_linked_accounts_are_one_statement(app, han, captain):
    han.account_links.create(right_account=captain)
    with statements(app) as seen:
        assert [account.email for account in han.linked_accounts] == ["captain@rebels.example"]
    assert len(seen) == 1


# --- Two that cannot be ---


def refused(error, code, status, **given):
    with pytest.raises(error) as caught:
        AccountLink.create(given)
    assert (caught.value.code, caught.value.status, count()) == (code, status, 0)


def test_an_account_is_not_linked_with_itself(han):
    refused(LinkedWithItself, 7501, 400, left_account=han, right_account=han.href)
    with pytest.raises(LinkedWithItself):
        han.account_links.create()


def test_accounts_of_one_directory_are_not_linked(han):
    refused(LinkedInOneDirectory, 7504, 400, left_account=han, right_account=make("Smugglers", "lando@cloud.example"))


@together("other", [None, "", "/v1/accounts/0353QuDJUTzgm3zO2H0Sat", "%00\0", 5, {}, object()])
def test_a_link_needs_two_accounts_that_are_there(han, other):
    refused(AccountLinkMalformed, 7502, 400, left_account=han, right_account=other)
    refused(AccountLinkMalformed, 7502, 400, right_account=han)


def test_a_directory_is_no_end_of_a_link(han):
    refused(AccountLinkMalformed, 7502, 400, left_account=han.directory, right_account=han)


def test_an_account_does_not_link_two_others(han, captain):
    with pytest.raises(AccountLinkMalformed):
        make("Empire").account_links.create(left_account=han, right_account=captain)


@pytest.mark.parametrize(("name", "error"), [("confirmed_at", ReadOnly), ("middle_account", UnknownProperty)])
def test_a_link_takes_nothing_but_its_ends(han, captain, name, error):
    with pytest.raises(error):
        AccountLink.create({"left_account": han, "right_account": captain, name: None})


def test_linked_accounts_are_not_linked_again_either_way_round(han, captain):
    link = han.account_links.create(right_account=captain)
    for left, right in ((han, captain), (captain, han)):
        with pytest.raises(AccountsAlreadyLinked, match=r"^These accounts are already linked\.$") as caught:
            AccountLink.create(left_account=left, right_account=right)
        assert (caught.value.code, caught.value.status, caught.value.link) == (7500, 409, link)
    assert count() == 1


def test_an_account_has_one_link_into_each_other_directory(han, captain):
    han.account_links.create(right_account=captain)
    pilot = make("Rebels", "pilot@rebels.example")
    for left, right in ((han, pilot), (pilot, han)):
        with pytest.raises(LinkedElsewhere) as caught:
            AccountLink.create(left_account=left, right_account=right)
        assert (caught.value.code, caught.value.status, caught.value.account_id) == (7505, 409, han.id)
    assert list(pilot.linked_accounts) == []


def test_an_account_has_so_many_links_and_no_more(han, captain, monkeypatch):
    monkeypatch.setattr(account_link, "MOST", 2)
    for name in ("Empire", "Jawas"):
        han.account_links.create(right_account=make(name))
    with pytest.raises(TooManyAccountLinks) as caught:
        captain.account_links.create(right_account=han)
    assert caught.value.code == 7503


def test_an_account_that_was_deleted_meanwhile_is_not_linked(han, captain, outside):
    with outside.begin() as connection:
        connection.execute(sa.delete(Account.__table__).where(Account.id == captain.id))
    with pytest.raises(ResourceNotFound):
        han.account_links.create(right_account=captain)
    assert count() == 0


def test_the_ends_of_a_link_stay(han, captain):
    link = han.account_links.create(right_account=captain)
    with pytest.raises(ReadOnly):
        link.right_account = make("Empire")
    with pytest.raises(ReadOnly):
        link["left_account"] = captain


def test_a_link_is_not_deleted_twice(han, captain, outside):
    link = han.account_links.create(right_account=captain)
    with outside.begin() as connection:
        connection.execute(sa.delete(AccountLink.__table__))
    with pytest.raises(ChangedMeanwhile):
        link.delete()
    assert events("account.unlinked") == []


def test_what_is_refused_undoes_what_was_with_it(han, captain):
    han.account_links.create(right_account=captain)
    jawa = make("Jawas")

    def link_both():
        with atomic():
            jawa.account_links.create(right_account=han)
            captain.account_links.create(right_account=han)

    with pytest.raises(AccountsAlreadyLinked):
        link_both()
    assert (count(), list(jawa.linked_accounts)) == (1, [])


# --- Confirmed ---


def test_a_link_is_confirmed_once(han, captain, held_clock):
    link = AccountLink.join(han, captain)
    held_clock.forward(minutes=1)
    link.confirm()
    first = link.confirmed_at
    held_clock.forward(minutes=1)
    link.confirm()
    assert AccountLink.get(link.href).confirmed_at == first == link.modified_at
    assert [event.data["confirmed"] for event in events("account.linked")] == [False, False, True, True]


def test_a_link_can_be_made_confirmed(han, captain):
    assert AccountLink.join(han, captain, is_confirmed=True).confirmed_at is not None


# --- Told ---


def test_the_log_tells_both_accounts(han, captain):
    link = han.account_links.create(right_account=captain)
    link.delete()
    for kind in ("account.linked", "account.unlinked"):
        told = {event.account_id: event for event in events(kind)}
        assert told.keys() == {han.id, captain.id}
        of_han, of_captain = told[han.id], told[captain.id]
        assert (of_han.target_name, of_han.directory_id) == (han.email, han.directory_id)
        assert (of_han.data["other"], of_han.data["other_directory"]) == (captain.email, "Rebels")
        assert of_captain.data["other_id"] == han.id
