"""Passwords that were used before: which of them a directory refuses, and for how long they are kept."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, hashers
from stormpath_app.database import session
from stormpath_app.errors import ChangedMeanwhile, OutOfRange, PasswordRefused, PasswordReused
from stormpath_app.models import FormerPassword
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD

A, B, C, D = PASSWORD, "Kessel12.Parsecs", "Bespin4.Clouds", "Endor3.Moons"


@pytest.fixture
def han(context):
    return Account.create("han@falcon.example", A, "Han", "Solo")


@pytest.fixture
def prevent(han):
    """Return a function that sets how many passwords cannot be used again."""

    def prevent(count):
        strength = han.directory.password_policy.strength
        strength.prevent_reuse = count
        strength.save()

    return prevent


def change(account, *passwords):
    """Change the password again and again; return the number of the first that is refused, or None."""
    for number, password in enumerate(passwords):
        account.password = password
        try:
            account.save()
        except PasswordReused:
            account.refresh()
            return number
    return None


def kept(account=None):
    found = sa.select(sa.func.count()).select_from(FormerPassword)
    return session.scalar(found.where(FormerPassword.account_id == account.id) if account else found)


def test_any_password_may_be_used_again_unless_the_directory_says_otherwise(han):
    assert han.directory.password_policy.strength.prevent_reuse == 0
    assert change(han, A, B, A, A) is None
    assert kept() == 0


@pytest.mark.parametrize(
    ("count", "passwords", "refused"),
    [
        (1, [A], 0),
        (1, [B, A, B], None),
        (2, [B, A], 1),
        (2, [B, C, A], None),
        (3, [B, C, A], 2),
        (3, [B, C, D, A], None),
        (25, [B, C, D, A], 3),
    ],
)
def test_the_last_passwords_are_refused_and_older_ones_are_not(han, prevent, count, passwords, refused):
    prevent(count)
    assert change(han, *passwords) == refused


def test_a_number_may_be_text_and_is_25_at_most(han):
    strength = han.directory.password_policy.strength
    strength.prevent_reuse = "10"
    assert strength.prevent_reuse == 10
    with pytest.raises(OutOfRange):
        strength.prevent_reuse = 26


def test_a_refusal_has_stormpaths_number_and_tells_of_how_many_it_is_one(han, prevent):
    told = []
    for count in (1, 5):
        prevent(count)
        han.password = A
        with pytest.raises(PasswordReused) as caught:
            han.save()
        told.append((caught.value.code, caught.value.last, *caught.value.violations))
    assert isinstance(caught.value, PasswordRefused)
    assert told == [
        (6401, 1, "The new password is the one in use: choose another."),
        (6401, 5, "The new password is one of the last 5: choose another."),
    ]
    han.check_password(A)


def test_what_breaks_a_rule_too_is_told_by_the_rule(han, prevent):
    prevent(1)
    han.password = "x"
    with pytest.raises(PasswordRefused) as caught:
        han.save()
    assert caught.value.code == 2007


def test_history_begins_when_it_is_asked_for_and_ends_with_the_next_password_after(han, prevent):
    change(han, B)
    prevent(25)
    assert change(han, A, C) is None  # nobody had kept that A was used
    assert kept(han) == 2
    prevent(0)
    assert change(han, A) is None
    assert kept() == 0


def test_no_more_than_25_are_kept_with_the_one_in_force(han, prevent):
    prevent(1)
    assert change(han, *(f"Parsecs{number}.Kessel" for number in range(30))) is None
    assert kept(han) == 24


def test_a_password_that_is_not_saved_is_none_that_was_used(han, prevent):
    prevent(5)
    han.password = "x"
    with pytest.raises(PasswordRefused):
        han.save()
    han.refresh()

    def fail():
        with atomic():
            han.password = B
            han.save()
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert kept() == 0


def test_a_change_from_an_old_copy_leaves_nothing_behind(app, han, prevent):
    prevent(5)
    with app.app_context():
        change(Account.find(han.href), B)
    assert kept() == 1
    han.password = C
    with pytest.raises(ChangedMeanwhile):
        han.save()
    assert kept() == 1


def test_others_passwords_are_their_own(han, prevent):
    prevent(5)
    leia = Account.create("leia@alderaan.example", B, "Leia", "Organa")
    assert change(han, B, C) is None
    assert change(leia, A) is None
    assert (kept(han), kept(leia)) == (2, 1)


def test_former_passwords_go_with_the_account(han, prevent):
    prevent(5)
    change(han, B, C)
    han.delete()
    assert kept() == 0


def test_an_account_without_a_password_has_none_that_was_used(han, prevent):
    prevent(5)
    session.execute(sa.update(Account).values(password_hash=None))
    session.commit()
    assert change(han, A) is None
    assert kept() == 0


def test_no_transaction_is_open_while_passwords_are_compared(han, prevent, monkeypatch):
    prevent(5)
    change(han, B, C)
    verify, open_then = hashers.verify, []

    def look(*given):
        open_then.append(session().in_transaction())
        return verify(*given)

    monkeypatch.setattr(hashers, "verify", look)
    han.choose_password(D)
    han.save()
    assert open_then == [False, False, False]
