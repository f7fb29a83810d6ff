"""Passwords that are forgotten, and addresses to be confirmed: what an application does by mail."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, errors, hashers, origin, signals, throttle
from stormpath_app.database import session
from stormpath_app.mail.delivery import retry
from stormpath_app.models import AccountSession, Client, OneTimeToken, OutboxMessage, one_time_token
from stormpath_app.models.message import REQUESTS
from stormpath_app.models.one_time_token import VERIFICATION
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD, statements
from ..together import together
from .test_concurrency import at_once
from .test_event import events

OTHER = "Kessel12.Parsecs"
EMAIL = "han@falcon.example"
NO_TOKENS = ["", None, "null", "x" * 43, "é" * 43, 5, [], {}, "\0" * 43, "x" * 10_000]


@pytest.fixture
def here(context):
    return Application.current()


@pytest.fixture
def han(here):
    return Account.create(EMAIL, PASSWORD, "Han", "Solo", username="solo")


@pytest.fixture
def verifying(here):
    """Let the directory confirm the addresses of new accounts."""
    policy = here.default_account_store().account_creation_policy
    policy.verification_email_status = "ENABLED"
    policy.save()
    return policy


def messages(kind=None):
    """Return the mails that were written, the oldest first."""
    found = session.scalars(sa.select(OutboxMessage).order_by(OutboxMessage.id)).all()
    return [message for message in found if kind in {None, message.kind}]


def kinds():
    return [message.kind for message in messages()]


def tokens():
    return session.scalar(sa.select(sa.func.count()).select_from(OneTimeToken))


def mailed(kind):
    """Return the token that the newest mail of a kind has in its link."""
    return one_time_token.raw(messages(kind)[-1].nonce)


def reset(here, password=OTHER):
    return here.reset_account_password(here.send_password_reset_email(EMAIL).token, password)


# --- A forgotten password ---


def test_a_reset_writes_a_mail_and_a_token_that_no_table_has(here, han):
    asked = here.send_password_reset_email("HAN@falcon.EXAMPLE ")
    (message,) = messages()
    assert (message.kind, message.address, message.status, message.attempts) == ("reset", EMAIL, "QUEUED", 0)
    assert (message.account, message.application, message.directory) == (han, here, han.directory)
    assert (asked.account, asked.email, len(asked.token)) == (han, EMAIL, 43)
    assert mailed("reset") == asked.token
    assert asked.href == f"{here.href}/passwordResetTokens/{asked.token}"
    assert asked.token not in repr(asked)
    for table in ("stormpath_one_time_tokens", "stormpath_outbox_messages", "stormpath_audit_events"):
        assert asked.token not in str(session.execute(sa.text(f"SELECT * FROM {table}")).all())
    assert [event.account_id for event in events("password_reset.requested")] == [han.id]


def test_a_token_is_looked_at_as_often_as_one_likes_and_used_once(here, han):
    token = here.send_password_reset_email(EMAIL).token
    for _ in range(3):
        assert here.verify_password_reset_token(token) == han
    assert here.reset_account_password(token, OTHER) == han
    for use in (here.verify_password_reset_token, lambda token: here.reset_account_password(token, PASSWORD)):
        with pytest.raises(errors.TokenRefused, match="This link does not work any more"):
            use(token)
    assert here.authenticate_account(EMAIL, OTHER).account == han
    assert kinds() == ["reset", "reset_success"]
    assert tokens() == 0


@pytest.mark.parametrize("token", NO_TOKENS, ids=ascii)
def test_what_never_was_a_token_is_refused(here, han, token):
    here.send_password_reset_email(EMAIL)
    uses = (here.verify_password_reset_token, lambda token: here.reset_account_password(token, OTHER))
    for use in (*uses, Client().accounts.verify_email_token, Account.confirm_email_change):
        with pytest.raises(errors.TokenRefused):
            use(token)


def test_a_newer_link_kills_the_older_one(here, han):
    older, newer = (here.send_password_reset_email(EMAIL).token for _ in range(2))
    with pytest.raises(errors.TokenRefused):
        here.verify_password_reset_token(older)
    assert here.verify_password_reset_token(newer) == han


def test_a_link_dies_with_its_time(here, han, held_clock):
    policy = han.directory.password_policy
    policy.reset_token_ttl = 2
    policy.save()
    token = here.send_password_reset_email(EMAIL).token
    assert messages()[0].expires_at == held_clock.at.replace(hour=14)
    held_clock.forward(minutes=119)
    assert here.verify_password_reset_token(token) == han
    held_clock.forward(minutes=1)
    with pytest.raises(errors.TokenRefused):
        here.reset_account_password(token, OTHER)
    assert one_time_token.raw(messages()[0].nonce) is None


@pytest.mark.parametrize(
    "change",
    [
        {"password": OTHER},
        {"email": "solo@falcon.example"},
        {"status": "DISABLED"},
        {"status": "UNVERIFIED"},
    ],
    ids=str,
)
def test_a_link_dies_with_a_new_password_address_or_status(here, han, change):
    token = here.send_password_reset_email(EMAIL).token
    for name, value in change.items():
        setattr(han, name, value)
    han.save()
    with pytest.raises(errors.TokenRefused):
        here.reset_account_password(token, "Third3.Password")


def test_a_link_survives_other_changes(here, han):
    token = here.send_password_reset_email(EMAIL).token
    han.given_name = "Hans"
    han.custom_data["ship"] = "Falcon"
    han.save()
    assert here.verify_password_reset_token(token) == han


def test_a_status_written_behind_our_back_counts_too(here, han):
    token = here.send_password_reset_email(EMAIL).token
    session.execute(sa.text("UPDATE stormpath_accounts SET status = 'DISABLED'"))
    session.commit()
    session.expire_all()
    with pytest.raises(errors.TokenRefused):
        here.reset_account_password(token, OTHER)


def test_a_weak_password_is_refused_and_the_link_stays_good(here, han):
    token = here.send_password_reset_email(EMAIL).token
    with pytest.raises(errors.PasswordRefused):
        here.reset_account_password(token, "weak")
    han.given_name = "Hans"
    han.save()  # nothing of the refused password is left in it
    here.authenticate_account(EMAIL, PASSWORD)
    assert here.reset_account_password(token, OTHER) == han


def test_a_reset_ends_all_logins_and_forgets_wrong_passwords(here, han):
    with atomic():
        AccountSession.start(han.id, here.id, remembered=True)
    for _ in range(3):
        with pytest.raises(errors.LoginFailed):
            here.authenticate_account(EMAIL, "wrong")
    reset(here)
    assert session.scalars(sa.select(AccountSession.id)).all() == []
    assert session.execute(sa.select(throttle.attempts)).all() == []
    assert [event.account_id for event in events("password_reset.completed")] == [han.id]


def test_a_reset_changes_no_status(here, han):
    han.status = "UNVERIFIED"
    han.save()
    assert reset(here).status == "UNVERIFIED"
    assert (han.email_verification_status, kinds()) == ("UNVERIFIED", ["reset", "reset_success"])


def test_nobody_and_the_disabled_get_no_mail(here, han):
    han.status = "DISABLED"
    han.save()
    with pytest.raises(errors.AccountDisabled):
        here.send_password_reset_email(EMAIL)
    for email in ("chewie@falcon.example", "", None, 5, ["a"], {"email": EMAIL}, "\0", "x" * 5000):
        with pytest.raises((errors.NoSuchAccount, errors.PropertyRequired)) as caught:
            here.send_password_reset_email(email)
        assert caught.value.code in {2016, 2000}
    assert (kinds(), tokens()) == ([], 0)


def test_an_account_of_another_application_is_nobody(here):
    elsewhere = Directory.create(name="Elsewhere")
    elsewhere.create_account(email=EMAIL, password=PASSWORD)
    with pytest.raises(errors.NoSuchAccount):
        here.send_password_reset_email(EMAIL)


def test_one_account_store_alone_is_asked(here, han):
    second = Directory.create(name="Second")
    other = second.create_account(email=EMAIL, password=PASSWORD)
    here.add_account_store(second)
    for store in (second, second.href, "Second"):
        assert here.send_password_reset_email(EMAIL, account_store=store).account == other
        session.execute(sa.delete(OutboxMessage))
    assert here.send_password_reset_email(EMAIL).account == han


def test_a_token_is_good_at_the_application_that_mailed_it_while_it_has_the_account(here, han):
    token = here.send_password_reset_email(EMAIL).token
    other = Application.create(name="Other")
    other.add_account_store(han.directory)
    with pytest.raises(errors.TokenRefused):
        other.verify_password_reset_token(token)
    here.account_store_mappings[0].delete()
    with pytest.raises(errors.TokenRefused):
        here.verify_password_reset_token(token)


def test_the_app_may_send_the_link_itself(here, han):
    policy = han.directory.password_policy
    policy.reset_email_status = policy.reset_success_email_status = "DISABLED"
    policy.save()
    assert reset(here) == han
    assert kinds() == []


def test_mails_of_one_kind_are_few_and_the_last_link_stays_good(here, han, held_clock):
    last = [here.send_password_reset_email(EMAIL).token for _ in range(3)][-1]
    with pytest.raises(errors.MailQuotaExceeded) as caught:
        here.send_password_reset_email(EMAIL)
    assert caught.value.status == 429
    assert here.verify_password_reset_token(last) == han
    for most in (3, 3, 1):  # ten a day
        held_clock.forward(minutes=61)
        for _ in range(most):
            here.send_password_reset_email(EMAIL)
    with pytest.raises(errors.MailQuotaExceeded):
        here.send_password_reset_email(EMAIL)


def test_the_quota_follows_an_account_to_its_next_address(here, han):
    for _ in range(3):
        here.send_password_reset_email(EMAIL)
    han.email = "other@falcon.example"
    han.save()
    with pytest.raises(errors.MailQuotaExceeded):
        here.send_password_reset_email("other@falcon.example")


@pytest.mark.settings(STORMPATH_MAIL_QUOTA={})
def test_an_empty_quota_is_none(here, han):
    for _ in range(20):
        here.send_password_reset_email(EMAIL)


def test_a_link_of_the_key_before_stays_good(app, here, han):
    here.send_password_reset_email(EMAIL)
    nonce = messages()[0].nonce
    token = one_time_token.raw(nonce)
    app.config["SECRET_KEY_FALLBACKS"], app.secret_key = [app.secret_key], "another secret of these tests, long enough"
    assert one_time_token.raw(nonce) == token
    assert here.verify_password_reset_token(token) == han
    app.config["SECRET_KEY_FALLBACKS"] = []
    assert one_time_token.raw(nonce) is None


def test_what_is_rolled_back_was_never_asked(here, han):
    heard = []
    with signals.message_queued.connected_to(lambda *_, **payload: heard.append(payload["kind"])):
        with pytest.raises(ZeroDivisionError), atomic():  # noqa: PT012 - one change, then a failure
            here.send_password_reset_email(EMAIL)
            raise ZeroDivisionError
        assert (kinds(), tokens(), heard) == ([], 0, [])
        here.send_password_reset_email(EMAIL)
        assert heard == ["reset"]


def test_of_fifty_uses_at_once_one_wins(app):
    with app.app_context():
        Account.create(EMAIL, PASSWORD)
        token = Application.current().send_password_reset_email(EMAIL).token
    passwords = [f"Kessel12.Parsecs{number}" for number in range(50)]
    came = at_once(app, lambda password: Application.current().reset_account_password(token, password), *passwords)
    assert came == ["TokenRefused"] * 49 + ["done"]
    with app.app_context():
        assert kinds() == ["reset", "reset_success"]


def test_of_many_requests_at_once_as_many_mails_are_written_as_there_may_be(app):
    with app.app_context():
        Account.create(EMAIL, PASSWORD)
    came = at_once(app, lambda _: Application.current().send_password_reset_email(EMAIL), *range(12))
    assert came == ["MailQuotaExceeded"] * 9 + ["done"] * 3
    with app.app_context():
        assert (kinds(), tokens()) == (["reset"] * 3, 1)


# --- What strangers may ask for ---


def answer():
    """Do what whoever sends mails does with requests."""
    for asked in messages():
        if asked.kind in REQUESTS:
            Application.current().answer(asked)


@pytest.mark.parametrize("ask", ["request_password_reset", "request_verification"])
def test_somebody_and_nobody_cost_the_same_statements(app, here, han, verifying, ask):
    seen = {}
    for email in (EMAIL, "nobody@falcon.example", "", "\0", "x" * 5000, EMAIL):
        with statements(app) as sent:
            assert getattr(here, ask)(email) is None
        seen[email] = sent
    assert len({tuple(sent) for sent in seen.values()}) == 1
    assert not any("stormpath_accounts" in statement for statement in seen[EMAIL])


def test_a_mail_is_written_where_there_is_somebody_to_mail_to(here, han):
    for email in (EMAIL, "nobody@falcon.example", "", "\0"):
        here.request_password_reset(email)
        here.request_verification(email)
    answer()
    assert kinds() == ["reset"]
    assert [event.data["code"] for event in events("reset_request.refused")] == [2016, 2000, 2000]
    assert [event.data["code"] for event in events("verification_request.refused")] == [6101, 2016, 2000, 2000]


def test_a_request_is_answered_once(here, han):
    here.request_password_reset(EMAIL)
    (asked,) = messages()
    for _ in range(2):
        here.answer(asked)
    assert kinds() == ["reset"]


def test_more_mails_than_there_may_be_are_not_written(here, han):
    for _ in range(5):
        here.request_password_reset(EMAIL)
    answer()
    assert kinds() == ["reset"] * 3


def test_the_log_tells_where_it_was_asked_from(here, han):
    with origin.acting(origin.Origin(address="203.0.113.7", user_agent="Fire\r\nfox", interface="web")):
        here.request_password_reset(EMAIL)
    answer()
    (event,) = events("password_reset.requested")
    assert (event.address, event.user_agent, event.interface) == ("203.0.113.7", "Fire  fox", "web")


@pytest.mark.settings(STORMPATH_THROTTLE={"network_failures": 4})
def test_a_network_may_not_ask_without_end(here, han):
    with origin.acting(origin.Origin(address="203.0.113.7")):
        for email in (EMAIL, "a@x.example", EMAIL, "b@x.example"):
            here.request_password_reset(email)
        with pytest.raises(errors.TooManyAttempts):
            here.request_password_reset(EMAIL)
    here.request_password_reset(EMAIL)  # from elsewhere


# --- Confirming an address ---


def test_a_new_account_waits_until_its_address_is_confirmed(here, verifying):
    leia = here.accounts.create(email="leia@alderaan.example", password=PASSWORD, status="ENABLED")
    assert (leia.status, leia.email_verification_status) == ("UNVERIFIED", "UNVERIFIED")
    with pytest.raises(errors.AccountNotVerified):
        here.authenticate_account("leia@alderaan.example", PASSWORD)
    token = mailed("verification")
    assert leia.email_verification_token == token
    assert Client().accounts.verify_email_token(token) == leia
    assert (leia.status, leia.email_verification_status) == ("ENABLED", "VERIFIED")
    assert here.authenticate_account("leia@alderaan.example", PASSWORD).account == leia
    with pytest.raises(errors.TokenRefused):
        Client().accounts.verify_email_token(token)
    assert kinds() == ["verification"]


def test_a_disabled_account_stays_disabled_and_gets_no_mail(here, verifying):
    leia = here.accounts.create(email="leia@alderaan.example", password=PASSWORD, status="DISABLED")
    leia.send_verification_email()
    assert (leia.status, kinds()) == ("DISABLED", [])


@pytest.mark.parametrize(
    "more", [{"registration_workflow_enabled": False}, {"email_verification_status": "VERIFIED"}], ids=str
)
def test_who_need_not_confirm_is_let_in_at_once(here, verifying, more):
    leia = here.accounts.create(email="leia@alderaan.example", password=PASSWORD, **more)
    assert (leia.status, kinds()) == ("ENABLED", [])


def test_a_group_creates_accounts_by_the_same_rules(here, verifying):
    pilots = here.groups.create(name="pilots")
    assert pilots.create_account(email="a@x.example", password=PASSWORD).status == "UNVERIFIED"
    free = pilots.create_account(email="b@x.example", password=PASSWORD, registration_workflow_enabled=False)
    assert free.status == "ENABLED"


def test_the_mails_that_are_on_are_written_when_they_are_due(here, verifying):
    verifying.verification_success_email_status = verifying.welcome_email_status = "ENABLED"
    verifying.save()
    here.accounts.create(email="leia@alderaan.example", password=PASSWORD)
    assert kinds() == ["verification"]
    Client().accounts.verify_email_token(mailed("verification"))
    assert kinds() == ["verification", "verification_success", "welcome"]
    verifying.verification_email_status = "DISABLED"
    verifying.save()
    here.accounts.create(email="luke@tatooine.example", password=PASSWORD)
    assert kinds() == ["verification", "verification_success", "welcome", "welcome"]


def test_a_link_is_mailed_again_and_the_last_one_works(here, verifying):
    leia = here.accounts.create(email="leia@alderaan.example", password=PASSWORD, username="leia")
    first = leia.email_verification_token
    here.send_verification_email("leia")
    with pytest.raises(errors.TokenRefused):
        Account.verify_email(first)
    assert Account.verify_email(mailed("verification")) == leia
    here.send_verification_email("leia")  # confirmed already
    assert kinds() == ["verification"] * 2


def test_why_no_link_is_mailed(here, han, verifying):
    with pytest.raises(errors.NoSuchAccount) as caught:
        here.send_verification_email("nobody")
    assert caught.value.code == 2016
    with pytest.raises(errors.PropertyRequired, match="login"):
        here.send_verification_email("")
    verifying.verification_email_status = "DISABLED"
    verifying.save()
    with pytest.raises(errors.VerificationDisabled) as caught:
        here.send_verification_email(EMAIL)
    assert caught.value.code == 6101


def test_tokens_of_one_purpose_serve_no_other(here, verifying):
    here.accounts.create(email="leia@alderaan.example", password=PASSWORD)
    verification = mailed("verification")
    reset_token = here.send_password_reset_email("leia@alderaan.example").token
    with pytest.raises(errors.TokenRefused):
        here.reset_account_password(verification, OTHER)
    for use in (Account.verify_email, Account.confirm_email_change):
        with pytest.raises(errors.TokenRefused):
            use(reset_token)


def test_of_fifty_confirmations_at_once_one_wins(app):
    with app.app_context():
        policy = Application.current().default_account_store().account_creation_policy
        policy.verification_email_status = policy.welcome_email_status = "ENABLED"
        policy.save()
        token = Account.create(EMAIL, PASSWORD).email_verification_token
    assert at_once(app, lambda _: Account.verify_email(token), *range(50)) == ["TokenRefused"] * 49 + ["done"]
    with app.app_context():
        assert kinds() == ["verification", "welcome"]


# --- Registering ---


def test_where_addresses_are_not_confirmed_a_taken_one_is_told(here, han):
    with pytest.raises(errors.AccountAlreadyExists):
        here.register({"email": EMAIL, "password": PASSWORD})
    assert kinds() == []


def test_where_they_are_its_owner_is_told_and_nobody_else(here, han, verifying):
    assert here.register({"email": "HAN@falcon.example", "password": PASSWORD}) is None
    answer()
    assert [(one.kind, one.address, one.account) for one in messages()] == [("account_exists", EMAIL, han)]
    for _ in range(5):
        here.register({"email": EMAIL, "password": PASSWORD})
    answer()
    assert kinds() == ["account_exists"] * 3
    assert len(here.accounts) == 1
    assert here.register({"email": "new@falcon.example", "password": PASSWORD}).status == "UNVERIFIED"


def test_a_taken_address_and_a_free_one_hear_the_same_of_a_weak_password(here, han, verifying):
    said = []
    for email in (EMAIL, "new@falcon.example"):
        with pytest.raises(errors.PasswordRefused) as caught:
            here.register({"email": email, "password": "weak"})
        said.append(caught.value.violations)
    assert said[0] == said[1]
    assert kinds() == []


def test_a_taken_address_costs_the_work_of_a_free_one(app, here, han, verifying, monkeypatch):
    hashed, work = [], []
    hash_ = hashers.hash
    monkeypatch.setattr(hashers, "hash", lambda *given: hashed.append(1) or hash_(*given))
    for email in ("new@falcon.example", EMAIL):
        with statements(app) as sent:
            here.register({"email": email, "password": PASSWORD, "given_name": "Han"})
        work.append(sorted(one for one in sent if one.startswith("INSERT INTO stormpath_acc")))
    assert (len(hashed), work[0], bool(work[0])) == (2, work[1], True)
    assert [event.kind for event in events("account.created")] == ["account.created"] * 2  # Han, and the free one


@pytest.mark.parametrize("password", [EMAIL, "falcon.example", "Hannah1Hannah"], ids=str)
def test_a_password_is_looked_at_beside_the_address_that_was_asked_for(here, han, verifying, password):
    said = []
    for email in (EMAIL, "free-han@falcon.example"):
        given = {"email": email, "password": f"{email}" if password == EMAIL else password, "given_name": "Hannah"}
        try:
            here.register(given)
        except errors.PasswordRefused as error:
            said.append(error.violations)
        else:
            said.append(None)
    assert said[0] == said[1]


def test_a_taken_username_is_told(here, han, verifying):
    with pytest.raises(errors.AccountAlreadyExists, match="username"):
        here.register({"email": "new@falcon.example", "password": PASSWORD, "username": "solo"})


def test_the_owner_of_a_disabled_account_is_told_nothing(here, han, verifying):
    han.status = "DISABLED"
    han.save()
    assert here.register({"email": EMAIL, "password": PASSWORD}) is None
    answer()
    assert kinds() == []


# --- Another address ---

NEW = "captain@falcon.example"


def test_a_new_address_counts_once_it_is_confirmed(here, han):
    han.request_email_change(NEW)
    (message,) = messages()
    assert (message.kind, message.address, han.email) == ("email_change", NEW, EMAIL)
    assert Account.confirm_email_change(mailed("email_change")) == han
    assert (han.email, han.email_verification_status) == (NEW, "VERIFIED")
    assert [(one.kind, one.address, one.data) for one in messages()[1:]] == [
        ("email_changed", EMAIL, {"new_address": NEW})
    ]
    assert here.authenticate_account(NEW, PASSWORD).account == han


def test_a_link_confirms_the_address_it_was_mailed_to_and_no_other(here, han):
    han.request_email_change(NEW)
    first = mailed("email_change")
    han.request_email_change("pirate@falcon.example")
    with pytest.raises(errors.TokenRefused):
        Account.confirm_email_change(first)
    assert Account.confirm_email_change(mailed("email_change")).email == "pirate@falcon.example"


def test_the_owner_of_a_taken_address_is_told_and_nobody_else(here, han):
    lando = Account.create("lando@cloud.example", PASSWORD)
    han.request_email_change("LANDO@cloud.example")
    withheld, told = messages()
    assert (withheld.kind, withheld.account, withheld.status, withheld.nonce) == ("email_change", han, "FAILED", None)
    assert (told.kind, told.account, told.status) == ("account_exists", lando, "QUEUED")
    assert retry([withheld.id]) == 0


@pytest.mark.parametrize("address", ["nobody@cloud.example", "lando@cloud.example"])
def test_who_asks_for_an_address_cannot_tell_by_quota_or_older_link_whether_it_is_taken(here, han, address):
    Account.create("lando@cloud.example", PASSWORD)
    han.request_email_change(NEW)
    older = mailed("email_change")
    for _time in range(2):
        han.request_email_change(address)
    with pytest.raises(errors.TokenRefused):
        Account.confirm_email_change(older)
    with pytest.raises(errors.MailQuotaExceeded):
        han.request_email_change(NEW)


def test_an_address_that_was_taken_meanwhile_is_told_at_last(here, han):
    han.request_email_change(NEW)
    Account.create(NEW, PASSWORD)
    with pytest.raises(errors.AccountAlreadyExists):
        Account.confirm_email_change(mailed("email_change"))
    assert han.email == EMAIL


@together(
    ("address", "error"),
    [
        ("nowhere", errors.InvalidFormat),
        ("", errors.PropertyRequired),
        (None, errors.PropertyRequired),
        ([NEW], errors.WrongType),
        (f"{NEW}\r\nBcc: x@y.example", errors.InvalidFormat),
        (EMAIL, errors.AccountAlreadyExists),
        ("x@evil.example", errors.EmailDomainBlacklisted),
    ],
)
def test_what_is_no_new_address_is_refused(here, han, address, error):
    policy = han.directory.account_creation_policy
    policy.email_domain_blacklist = ["evil.example"]
    policy.save()
    with pytest.raises(error):
        han.request_email_change(address)
    assert kinds() == []


def test_an_account_cannot_mail_to_many_strangers(here, han):
    for number in range(3):
        han.request_email_change(f"stranger{number}@x.example")
    with pytest.raises(errors.MailQuotaExceeded):
        han.request_email_change("one-more@x.example")


def test_of_two_parallel_requests_the_link_that_lives_is_of_its_own_address(app):
    with app.app_context():
        whose = Account.create(EMAIL, PASSWORD).id
    new = [f"a{number}@x.example" for number in range(3)]
    assert at_once(app, lambda address: Account.get(whose).request_email_change(address), *new) == ["done"] * 3
    with app.app_context():
        alive = {one.address: one_time_token.raw(one.nonce) for one in messages()}
        ((address, token),) = [(address, token) for address, token in alive.items() if token]
        assert Account.confirm_email_change(token).email == address


@pytest.mark.parametrize("known", ["UNKNOWN", "UNVERIFIED", "VERIFIED"])
def test_a_new_address_is_verified_whatever_was_known_of_the_one_before(here, han, known):
    han.email_verification_status = known
    han.save()
    han.request_email_change(NEW)
    assert Account.confirm_email_change(mailed("email_change")).email_verification_status == "VERIFIED"
    assert session.scalar(sa.select(Account.email_verification_status)) == "VERIFIED"


# --- Tokens ---


def test_a_token_goes_with_its_account(here, han):
    here.send_password_reset_email(EMAIL)
    han.delete()
    assert (kinds(), tokens()) == ([], 0)


def test_a_token_is_found_by_its_digest_alone(here, han, verifying):
    here.send_password_reset_email(EMAIL)
    row = session.scalar(sa.select(OneTimeToken))
    assert here.find_reset_token(row.token_hash).id == row.id
    with pytest.raises(errors.TokenRefused):
        here.find_reset_token("")
    assert one_time_token.find(VERIFICATION, row.token_hash) is None


# --- The hard stop ---


def guess(here, login, times, held_clock):
    """Try a wrong password so often, waiting as long as one must."""
    for _ in range(times):
        with pytest.raises(errors.WrongPassword if login == EMAIL else errors.AccountNotFound):
            here.authenticate_account(login, "Not.the.1.word")
        held_clock.forward(minutes=16)


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True, STORMPATH_THROTTLE={"hard_stop": 8})
@pytest.mark.parametrize("login", [EMAIL, "nobody@falcon.example"])
def test_after_so_many_wrong_passwords_in_a_row_none_is_looked_at_whoever_has_the_login(here, han, held_clock, login):
    guess(here, login, 8, held_clock)
    for _ in range(3):
        held_clock.forward(hours=12)
        with pytest.raises(errors.TooManyAttempts, match="Set a new password by mail"):
            here.authenticate_account(login, PASSWORD)


@pytest.mark.settings(STORMPATH_ENABLE_FORGOT_PASSWORD=True, STORMPATH_THROTTLE={"hard_stop": 8})
def test_a_new_password_by_mail_ends_the_stop(here, han, held_clock):
    guess(here, EMAIL, 8, held_clock)
    assert reset(here) == han
    assert here.authenticate_account(EMAIL, OTHER).account == han


@pytest.mark.settings(STORMPATH_THROTTLE={"hard_stop": 8})
def test_where_no_mail_resets_a_password_there_is_no_stop(here, han, held_clock):
    guess(here, EMAIL, 10, held_clock)
    assert here.authenticate_account(EMAIL, PASSWORD).account == han


# --- A link to be handed over ---


def test_a_link_can_be_made_that_is_mailed_to_nobody(here, han):
    made = here.create_password_reset_token(han)
    assert (made.account, made.email, messages()) == (han, EMAIL, [])
    assert here.reset_account_password(made.token, OTHER) == han
    with pytest.raises(errors.TokenRefused):
        here.reset_account_password(made.token, PASSWORD)
    (event,) = events("password_reset.link_created")
    assert event.account_id == han.id
    assert made.token not in event.details


def test_it_takes_the_place_of_a_link_that_was_mailed_and_the_other_way_round(here, han):
    mailed_link = here.send_password_reset_email(EMAIL).token
    handed = here.create_password_reset_token(han).token
    with pytest.raises(errors.TokenRefused):
        here.verify_password_reset_token(mailed_link)
    here.mail_password_reset(han)
    with pytest.raises(errors.TokenRefused):
        here.verify_password_reset_token(handed)
    assert tokens() == 1


def test_it_is_made_however_often_mails_were_asked_for(here, han):
    for _ in range(3):
        here.mail_password_reset(han)
    with pytest.raises(errors.MailQuotaExceeded):
        here.mail_password_reset(han)
    assert here.create_password_reset_token(han).token


def test_the_account_is_meant_and_not_whichever_has_its_address_first(here, han):
    rebels = Directory.create(name="Rebels")
    other = rebels.create_account(email=EMAIL, password=PASSWORD)
    here.add_account_store(rebels, list_index=0)
    assert here.send_password_reset_email(EMAIL).account == other
    assert here.mail_password_reset(han).account == han
    assert here.create_password_reset_token(han).account == han


def test_who_could_not_use_it_gets_none(here, han):
    stranger = Directory.create(name="Rebels").create_account(email="leia@alderaan.example", password=PASSWORD)
    for make in (here.create_password_reset_token, here.mail_password_reset):
        with pytest.raises(errors.NoSuchAccount):
            make(stranger)
    han.status = "DISABLED"
    han.save()
    for make in (here.create_password_reset_token, here.mail_password_reset):
        with pytest.raises(errors.AccountDisabled):
            make(han)
    assert (tokens(), messages()) == (0, [])
