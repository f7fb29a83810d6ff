"""Accounts that were deleted a short time ago: what comes back, what does not, and for how long."""

import dataclasses

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, origin, signals
from stormpath_app.database import metadata, session
from stormpath_app.errors import AccountAlreadyExists, ChangedMeanwhile, Conflict, ResourceNotFound
from stormpath_app.models import AccountSession, DeletedAccount, OneTimeToken, OutboxMessage
from stormpath_app.models.deleted_account import KEPT, OVER
from stormpath_app.providers import Identity

from ..conftest import PASSWORD
from .test_concurrency import at_once
from .test_event import events
from .test_linking import SOCIAL

EMAIL, OTHER = "han@falcon.example", "Kessel12.Parsecs"
#: What an account of these tests has, in each of our tables; an administrator, or who came by a provider, has one more.
HANGS_ON_ACCOUNTS = {
    "stormpath_account_links",
    "stormpath_accounts_custom_data",
    "stormpath_api_keys",
    "stormpath_custom_data_leaves",
    "stormpath_former_passwords",
    "stormpath_group_memberships",
    "stormpath_login_names",
}


@pytest.fixture
def here(context):
    return Application.current()


@pytest.fixture
def han(here):
    """Make an account with a row in each table that comes back."""
    strength = here.default_account_store().password_policy.strength
    strength.prevent_reuse = 3
    strength.save()
    han = Account.create(EMAIL, PASSWORD, "Han", "Solo", username="solo", custom_data={"ship": {"name": "Falcon"}})
    han.password = OTHER
    han.save()
    for name in ("crew", "pilots"):
        han.add_group(han.directory.groups.create(name=name))
    han.api_keys.create(name="Backup")
    han.account_links.create(right_account=in_rebels("captain@rebels.example"))
    return han


def in_rebels(email):
    rebels = Directory.named("Rebels") or Directory.create(name="Rebels")
    return rebels.find_account(email) or rebels.create_account(email=email, password=PASSWORD)


def rows(account_id):
    """Return all that is stored of an account: table -> rows."""
    found = {}
    for table in metadata.sorted_tables:
        keys = [key for key in table.foreign_keys if key.column.table.name == "stormpath_accounts"]
        if ends := [key.parent == account_id for key in keys if key.ondelete == "CASCADE"]:
            found[table.name] = sorted(map(tuple, session.execute(sa.select(table).where(sa.or_(*ends)))), key=repr)
    account = sa.select(Account.__table__).where(Account.id == account_id)
    return {**found, "stormpath_accounts": [tuple(row) for row in session.execute(account)]}


def kept():
    return session.scalar(sa.select(sa.func.count()).select_from(DeletedAccount))


# --- Coming back ---


def test_each_table_that_hangs_on_accounts_comes_back_or_is_known_to_be_over(han):
    of_some = {"stormpath_administrator_limits", "stormpath_provider_data"}
    assert rows(han.id).keys() - {"stormpath_accounts"} == HANGS_ON_ACCOUNTS | of_some | OVER


def test_a_restored_account_is_what_it_was_to_the_last_column(here, han):
    before, href = rows(han.id), han.href
    assert [name for name in HANGS_ON_ACCOUNTS if not before[name]] == []
    copied = DeletedAccount.take(han)
    assert not any(rows(copied.id).values())
    assert (here.find_account(EMAIL), copied.email) == (None, EMAIL)
    restored = copied.restore()
    assert (restored.account.href, restored.lost_groups, kept()) == (href, (), 0)
    assert rows(restored.account.id) == before


def test_its_owner_logs_in_with_the_same_password_and_their_program_with_its_key(here, han):
    key = han.api_keys.create()
    account = DeletedAccount.take(han).restore().account
    assert here.authenticate_account("solo", OTHER).account is account
    assert here.api_keys.authenticate(key.id, key.secret).account_id == account.id
    assert account.has_groups(["crew", "pilots"])
    assert account.custom_data["ship"] == {"name": "Falcon"}


def test_it_is_found_by_what_it_was_found_by(here, han):
    DeletedAccount.take(han).restore()
    for wanted in ("falcon", {"given_name": "ha*"}, {"custom_data.ship.name": "Falcon"}):
        assert [found.email for found in here.accounts.search(wanted)] == [EMAIL]


def test_it_can_be_changed_deleted_and_restored_again(han):
    account = DeletedAccount.take(han).restore().account
    account.surname = "Organa"
    account.save()
    account = DeletedAccount.take(account).restore().account
    assert account.full_name == "Han Organa"
    account.delete()
    assert kept() == 0


def test_its_logins_links_and_mails_are_over(here, han):
    AccountSession.start(han.id, here.id, remembered=True)
    session.commit()
    here.send_password_reset_email(EMAIL)
    account = DeletedAccount.take(han).restore().account
    assert account.sessions == []
    for table in (OneTimeToken, OutboxMessage):
        assert session.scalars(sa.select(table)).all() == []


def test_encrypted_custom_data_is_copied_as_it_is_stored(app, here, han):
    app.config["STORMPATH_ENCRYPTION_KEYS"] = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]
    han.custom_data["secret"] = "a door code"
    han.save()
    copied = DeletedAccount.take(han)
    assert "a door code" not in copied.content
    assert copied.restore().account.custom_data["secret"] == "a door code"


def test_groups_that_are_gone_are_left_out_and_named(han):
    copied = DeletedAccount.take(han)
    han.directory.groups.search({"name": "crew"})[0].delete()
    restored = copied.restore()
    assert restored.lost_groups == ("crew",)
    assert [group.name for group in restored.account.groups] == ["pilots"]


# --- Its links ---


def test_a_link_comes_back_as_it_was_and_both_accounts_are_told(han):
    (link,) = han.account_links
    link.confirm()
    captain, confirmed_at = link.other(han), link.confirmed_at
    copied = DeletedAccount.take(han)
    assert list(captain.account_links) == []
    restored = copied.restore()
    (back,) = captain.account_links
    assert (back.href, back.confirmed_at, back.other(captain)) == (link.href, confirmed_at, restored.account)
    told = [event.kind for event in events() if event.account_id == captain.id and "linked" in event.kind]
    assert told[-2:] == ["account.unlinked", "account.linked"]


def test_a_link_of_two_that_are_both_deleted_comes_back_with_the_second(han):
    copies = DeletedAccount.take(in_rebels("captain@rebels.example")), DeletedAccount.take(han)
    assert copies[1].restore().lost_links == ()  # it had none any more
    assert copies[0].restore().lost_links == ()
    assert [account.email for account in Account.get(copies[1].id).linked_accounts] == ["captain@rebels.example"]


def test_a_link_whose_other_account_is_gone_is_left_out_and_named(han):
    copied = DeletedAccount.take(han)
    in_rebels("captain@rebels.example").delete()
    restored = copied.restore()
    assert (restored.lost_links, list(restored.account.account_links)) == (("captain@rebels.example",), [])
    assert events("account.restored")[0].data["lost_links"] == ["captain@rebels.example"]


def test_a_link_whose_other_account_has_another_by_now_is_left_out_and_named(here, han):
    copied, captain = DeletedAccount.take(han), in_rebels("captain@rebels.example")
    chewie = Account.create("chewie@falcon.example", PASSWORD, "Chewbacca")
    captain.account_links.create(right_account=chewie)
    restored = copied.restore()
    assert (restored.lost_links, list(restored.account.account_links)) == (("captain@rebels.example",), [])
    assert list(captain.linked_accounts) == [chewie]


# --- Who came by a provider ---

LANDO = Identity("1977", email="lando@cloud.example", is_email_verified=True, user_info={"cape": "blue"})
by_google = pytest.mark.settings(STORMPATH_ENABLE_GOOGLE=True, STORMPATH_SOCIAL=SOCIAL)


@by_google
def test_who_came_by_a_provider_comes_by_it_again(here):
    lando = here.enter("google", LANDO)
    before = rows(lando.id)
    restored = DeletedAccount.take(lando).restore().account
    assert rows(restored.id)["stormpath_provider_data"] == before["stormpath_provider_data"] != []
    assert restored.provider_data.user_info == {"cape": "blue"}
    assert here.enter("google", LANDO) is restored


@by_google
def test_who_came_again_meanwhile_is_told_and_the_copy_stays(here):
    copied = DeletedAccount.take(here.enter("google", LANDO))
    again = here.enter("google", dataclasses.replace(LANDO, email="calrissian@cloud.example"))
    with pytest.raises(Conflict, match="has another account by now"):
        DeletedAccount.find(copied.id).restore()
    again.delete()
    assert DeletedAccount.find(copied.id).restore().account.email == LANDO.email


# --- Told ---


def test_a_host_is_told_of_both(app, han):
    told = []

    def note(_app, user, account):
        told.append((user["email"], account.id))

    with signals.user_deleted.connected_to(note), signals.user_created.connected_to(note):
        restored = DeletedAccount.take(han).restore().account
    assert told == [(EMAIL, restored.id)] * 2


def test_both_are_in_the_log_with_who_did_it(han):
    with origin.acting(origin.Origin(actor="0353QuDJUTzgm3zO2H0Sat", interface="admin")):
        restored = DeletedAccount.take(han).restore().account
    for kind in ("account.deleted", "account.restored"):
        (event,) = events(kind)
        assert (event.account_id, event.actor_id) == (restored.id, "0353QuDJUTzgm3zO2H0Sat")
        assert EMAIL not in event.details


# --- What keeps it from coming back ---


@pytest.mark.parametrize(
    ("taken", "which"),
    [
        ({"email": "HAN@falcon.example"}, "email"),
        ({"email": "new@falcon.example", "username": "Solo"}, "username"),
    ],
)
def test_a_name_that_was_taken_meanwhile_is_named_and_the_copy_stays(here, han, taken, which):
    copied = DeletedAccount.take(han)
    other = here.accounts.create(password=PASSWORD, given_name="Leia", surname="Organa", **taken)
    with pytest.raises(AccountAlreadyExists) as caught:
        DeletedAccount.find(copied.id).restore()
    assert (caught.value.property, Account.find(copied.id)) == (which, None)
    other.delete()
    assert DeletedAccount.find(copied.id).restore().account.email == EMAIL


def test_after_a_day_it_is_gone_for_good(han, held_clock):
    copied = DeletedAccount.take(han)
    assert copied.forgotten_at == held_clock.at + KEPT
    held_clock.forward(seconds=KEPT.total_seconds() - 1)
    assert DeletedAccount.find(copied.id).id == copied.id
    found = DeletedAccount.find(copied.id)
    held_clock.forward(seconds=1)
    assert DeletedAccount.find(copied.id) is None
    with pytest.raises(ResourceNotFound):
        found.restore()
    assert kept() == 1  # until `prune`


def test_it_is_restored_once(han):
    copied = DeletedAccount.take(han)
    same = DeletedAccount.find(copied.id)
    copied.restore()
    with pytest.raises(ResourceNotFound):
        same.restore()


@pytest.mark.parametrize("nothing", ["", "\0", "x" * 1000, "0353QuDJUTzgm3zO2H0Sat"])
def test_what_was_never_deleted_is_not_found(context, nothing):
    assert DeletedAccount.find(nothing) is None


def test_a_directory_takes_the_copies_of_its_accounts_along(han):
    DeletedAccount.take(in_rebels("leia@alderaan.example"))
    DeletedAccount.take(han)
    Directory.named("Rebels").delete()
    assert kept() == 1


def test_final_stays_final(han):
    han.delete()
    assert (kept(), DeletedAccount.find(han.id)) == (0, None)


def test_what_was_deleted_already_is_not_copied(han):
    same = session.get(Account, han.id)
    with session.connection().engine.begin() as connection:
        connection.execute(sa.delete(Account.__table__).where(Account.id == han.id))
    with pytest.raises(ChangedMeanwhile):
        DeletedAccount.take(same)
    assert kept() == 0


# --- A host's rows ---


@pytest.mark.parametrize(
    ("then", "stays", "changes"),
    [("", ["wishes"], []), (" ON DELETE CASCADE", [], ["wishes"]), (" ON DELETE SET NULL", [], ["wishes"])],
)
def test_a_hosts_tables_are_named_by_what_becomes_of_their_rows(app, outside, han, then, stays, changes):
    with outside.begin() as connection:
        key = f"account_id VARCHAR(22) REFERENCES stormpath_accounts(id){then}"
        connection.exec_driver_sql(f"CREATE TABLE wishes (id INTEGER PRIMARY KEY, {key})")
    try:
        assert DeletedAccount.tables_of_host(han) == ([], [])
        session.execute(sa.text("INSERT INTO wishes VALUES (1, :whose)"), {"whose": han.id})
        session.commit()
        assert DeletedAccount.tables_of_host(han) == (stays, changes)
    finally:
        session.rollback()
        with outside.begin() as connection:
            connection.exec_driver_sql("DROP TABLE wishes")


# --- Many at once ---


@pytest.fixture
def deleted(app):
    """Return the id of an account that was deleted; no app context is open."""
    with app.app_context():
        return DeletedAccount.take(Account.create(EMAIL, PASSWORD, "Han", "Solo")).id


def restore(account_id):
    found = DeletedAccount.find(account_id)
    if found is None:
        raise ResourceNotFound
    found.restore()


def test_of_many_who_restore_it_at_once_one_does(app, deleted):
    assert at_once(app, restore, *[deleted] * 8) == ["ResourceNotFound"] * 7 + ["done"]
    with app.app_context():
        assert Application.current().authenticate_account(EMAIL, PASSWORD)


def test_of_many_who_delete_it_at_once_one_does_and_one_copy_is_kept(app):
    with app.app_context():
        account_id = Account.create(EMAIL, PASSWORD, "Han", "Solo").id

    def take(_number):
        account = Account.find(account_id)
        if account is None:
            raise ChangedMeanwhile
        DeletedAccount.take(account)

    assert at_once(app, take, *range(8)) == ["ChangedMeanwhile"] * 7 + ["done"]
    with app.app_context():
        assert kept() == 1


def test_who_restores_it_and_who_takes_its_name_at_once_are_not_both_served(app, deleted):
    def work(number):
        if number % 2:
            restore(deleted)
        else:
            Account.create(EMAIL, PASSWORD, "Leia", "Organa")

    outcomes = at_once(app, work, *range(8))
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "AccountAlreadyExists", "ResourceNotFound"}
    with app.app_context():
        assert len(Application.current().accounts) == 1
