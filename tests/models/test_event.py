"""The audit log: what happened, to whom, by whom and from where."""

import pytest
import sqlalchemy as sa

from stormpath_app import Account, Application, Directory, clock, origin, user
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed
from stormpath_app.models import AuditEvent, Tenant, event
from stormpath_app.transactions import atomic

from ..conftest import PASSWORD
from ..together import together

HAN = origin.Origin(actor="0353QuDJUTzgm3zO2H0Sat", address="192.0.2.1", user_agent="Falcon/1.0", interface="cli")


def events(kind=None):
    """Return the events of a kind, or all, oldest first; not those of the console's own things, which set-up made."""
    ours = {None: False, **dict.fromkeys(session.scalars(OURS), True)}
    every = sa.select(AuditEvent).order_by(AuditEvent.at, AuditEvent.id)
    found = session.scalars(every.where(AuditEvent.kind == kind) if kind else every)
    return [event for event in found if not (ours.get(event.application_id) or ours.get(event.directory_id))]


OURS = sa.union_all(
    sa.select(Application.id).where(Application.name == "Stormpath"),
    sa.select(Directory.id).where(Directory.name == "Stormpath Administrators"),
)


def test_an_event_says_who_acted_from_where_and_when(context, held_clock):
    with origin.acting(HAN):
        account = Account.create("han@falcon.example", PASSWORD)
    (created,) = events("account.created")
    assert (created.actor_id, created.address, created.user_agent) == (HAN.actor, HAN.address, HAN.user_agent)
    assert (created.interface, created.at) == ("cli", held_clock.at)
    assert (created.account_id, created.directory_id) == (account.id, account.directory_id)
    assert created.application_id == Application.current().id


def test_an_event_of_plain_python_has_no_address(context):
    Account.create("han@falcon.example", PASSWORD)
    (created,) = events("account.created")
    assert (created.actor_id, created.address, created.user_agent, created.interface) == (None, None, None, "python")


def test_an_event_of_a_request_has_the_browsers_address(app, client, account, log_in):
    log_in(client, environ_base={"REMOTE_ADDR": "192.0.2.7"}, headers={"User-Agent": "Falcon/1.0"})
    with app.app_context():
        (succeeded,) = events("login.succeeded")
        assert (succeeded.address, succeeded.user_agent, succeeded.interface) == ("192.0.2.7", "Falcon/1.0", "web")


def test_an_event_outlives_the_account_it_tells_of(context):
    account = Account.create("han@falcon.example", PASSWORD)
    account.delete()
    assert [event.account_id for event in events("account.deleted")] == [account.id]
    assert [event.account_id for event in events("account.created")] == [account.id]


def test_an_event_is_undone_with_what_it_tells_of(context):
    def create_and_fail():
        with atomic():
            Account.create("han@falcon.example", PASSWORD)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        create_and_fail()
    assert events("account.created") == []


def test_details_come_back_as_they_were_written(context):
    with atomic():
        event.record("something.happened", text="漢字", number=5, pair=("before", None))
    assert events("something.happened")[0].data == {"text": "漢字", "number": 5, "pair": ["before", None]}


def everything(engine, instance):
    """Return all that is written: each row, and the files with what was deleted, where there are any."""
    tables = sa.MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        rows = [connection.execute(sa.select(table)).all() for table in tables.sorted_tables]
    return repr(rows).encode() + b"".join(file.read_bytes() for file in instance.glob("stormpath.db*"))


def test_no_secret_is_written_anywhere(app, instance, outside, client, account, log_in):
    log_in(client, password="Wrong1.CanarySecret")
    log_in(client)
    cookies = [cookie.value for cookie in client._cookies.values()]
    with app.app_context():
        han = Application.current().find_account("solo")
        han.password = "Another1.CanarySecret"
        han.save()
        with pytest.raises(LoginFailed):
            Application.current().authenticate_account("solo", "Third1.CanarySecret")
        assert len(events()) >= 5
    written = everything(outside, instance)
    assert b"han@falcon.example" in written
    assert cookies
    for secret in ("CanarySecret", PASSWORD, *(cookie.rpartition(".")[2] for cookie in cookies)):
        assert secret.encode() not in written


@pytest.mark.parametrize(
    "told",
    [
        *("two\r\nlines", "a\x1b[31mred", "a\0b", "a\x7fb", "half \ud800", "x" * 1000, "漢" * 1000, "🗝" * 300),
        *("two\x85lines", "two\u2028lines", "two\u2029lines", "a\x9b31mred"),
    ],
    ids=lambda told: ascii(told[:12]),
)
def test_what_a_client_tells_of_itself_is_one_line_that_fits(context, told):
    with origin.acting(origin.Origin(user_agent=told, address=told)), atomic():
        event.record("something.happened")
    session.expire_all()
    (happened,) = events("something.happened")
    for kept, longest in ((happened.user_agent, 255), (happened.address, 45)):
        assert len(kept) <= longest
        assert kept.isprintable()


def test_ids_are_in_the_order_of_time(context, held_clock):
    ids = []
    for _ in range(50):
        held_clock.forward(milliseconds=1)
        with atomic():
            event.record("something.happened")
        ids.append(events("something.happened")[-1].id)
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {22}
    assert clock.now() == held_clock.at


# --- Who and what ---


def test_an_event_names_what_was_changed_and_who_did_it(context):
    lando = origin.Origin(actor="0353QuDJUTzgm3zO2H0Sat", actor_name="lando@cloud.example", interface="admin")
    group = Directory.create(name="Cloud City").groups.create(name="guests")
    with origin.acting(lando):
        group.delete()
    (deleted,) = events("group.deleted")
    assert (deleted.target_kind, deleted.target_id, deleted.target_name) == ("group", group.id, "guests")
    assert (deleted.actor_id, deleted.actor_name, deleted.interface) == (lando.actor, lando.actor_name, "admin")


def test_a_signed_in_person_is_named_in_what_they_do(app, client, account, log_in):
    log_in(client)
    client.post("/logout")
    client.get("/logout")
    with app.app_context():
        (out,) = events("logout")
        assert (out.actor_name, out.target_name) == ("han@falcon.example", "han@falcon.example")


def test_a_reason_is_kept_with_each_change_it_was_given_for(context):
    han = Account.create("han@falcon.example", PASSWORD)
    with origin.acting(HAN), origin.because("Asked for it\nby phone. " + "x" * 1000):
        han.status = "DISABLED"
        han.save()
    (updated,) = events("account.updated")
    assert updated.reason.startswith("Asked for it by phone. xxx")
    assert len(updated.reason) == event.LONGEST_REASON
    assert updated.actor_id == HAN.actor
    han.given_name = "Ben"
    han.save()
    assert events("account.updated")[-1].reason is None


# --- Before and after ---


def test_the_log_tells_both_values_though_nobody_had_read_the_first(context):
    Account.create("han@falcon.example", PASSWORD, "Han")
    han = Application.current().find_account("han@falcon.example")
    session.expire(han)  # as with a host's session, after each commit
    han.given_name, han.must_change_password = "Ben", True
    han.save()
    (updated,) = events("account.updated")
    assert updated.changes == {"given_name": ["Han", "Ben"], "must_change_password": [False, True]}


def test_of_a_new_resource_the_log_tells_what_it_was_given(context):
    han = Account.create("han@falcon.example", PASSWORD, "Han", custom_data={"plan": "a secret"})
    (created,) = events("account.created")
    assert created.changes == {
        "email": [None, "han@falcon.example"],
        "given_name": [None, "Han"],
        "must_change_password": [None, False],
        "status": [None, "ENABLED"],
    }
    assert han.custom_data["plan"] not in created.details


def test_of_a_long_text_the_log_tells_where_it_differs(context):
    template = Directory.create(name="Cloud City").password_policy.reset_email_templates[0]
    template.text_body = "a" * 5000 + " ${url} " + "b" * 5000
    template.save()
    template.text_body = "a" * 5000 + " Here: ${url} " + "b" * 5000
    template.save()
    before, after = events("email_template.updated")[-1].changes["text_body"]
    assert before.startswith("…aaaa")
    assert " ${url} bbb" in before
    assert " Here: ${url} bbb" in after
    assert max(len(before), len(after)) <= event.LONGEST_VALUE + 2


def test_an_event_of_the_first_logs_says_what_was_changed_and_not_how(context):
    with atomic():
        event.record("account.updated", changed=["email", "status"])
    assert events("account.updated")[-1].changes == {"email": None, "status": None}


def test_changes_of_the_tenant_are_in_the_log(context):
    tenant = Tenant.current()
    tenant.name = "The Alliance"
    tenant.save()
    tenant.custom_data["plan"] = "a secret"
    tenant.save()
    tenant.save()
    renamed, stored = events("tenant.updated")
    assert renamed.changes == {"name": ["My Tenant", "The Alliance"]}
    assert (stored.target_kind, stored.target_id, stored.target_name) == ("tenant", tenant.id, "The Alliance")
    assert stored.data == {"custom_data": ["plan"]}


# --- A host's own ---


def test_a_host_adds_events_of_its_own_to_an_accounts_timeline(app, context):
    manager = app.extensions["stormpath"].manager
    han = Account.create("han@falcon.example", PASSWORD)
    manager.log_event(han, "invoice.paid", {"number": 17, "items": ["fuel", None]})
    manager.log_event(None, "backup.done")
    paid, done = events("app.invoice.paid")[0], events("app.backup.done")[0]
    assert paid.data == {"data": {"number": 17, "items": ["fuel", None]}}
    assert (paid.account_id, paid.directory_id, paid.target_name) == (han.id, han.directory_id, "han@falcon.example")
    assert (done.account_id, done.data) == (None, {"data": {}})


def test_an_event_of_a_hosts_is_written_with_the_rest_or_not_at_all(app, context):
    manager = app.extensions["stormpath"].manager

    def pay_and_fail():
        with manager.atomic():
            manager.log_event(None, "invoice.paid")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        pay_and_fail()
    assert events("app.invoice.paid") == []


def test_no_event_of_a_hosts_passes_for_one_of_ours(app, context):
    manager = app.extensions["stormpath"].manager
    manager.log_event(None, "login.succeeded")
    assert events("login.succeeded") == []
    assert len(events("app.login.succeeded")) == 1


@together("kind", ["", "paid", "Invoice.Paid", "invoice..paid", "a.b\n", "in voice.paid", "x." * 40, 5, None])
def test_a_kind_that_is_none_is_refused_with_the_way_to_write_it(app, context, kind):
    with pytest.raises(ValueError, match=r"write it like 'invoice\.paid'"):
        app.extensions["stormpath"].manager.log_event(None, kind)


@together(
    "data",
    [
        ["a list"],
        "text",
        {"at": clock.now()},
        {5: 5},
        {"a": float("nan")},
        {"a": {"b": object()}},
        {"a": "\0"},
    ],
)
def test_data_that_are_no_json_are_refused(app, context, data):
    with pytest.raises(TypeError, match="dictionary of what JSON knows"):
        app.extensions["stormpath"].manager.log_event(None, "invoice.paid", data)


def test_too_much_data_are_refused(app, context):
    with pytest.raises(ValueError, match="more than 8000 bytes"):
        app.extensions["stormpath"].manager.log_event(None, "invoice.paid", {"a": "漢" * 4000})


def test_an_event_is_about_an_account_or_nobody(app, context):
    with pytest.raises(TypeError, match="about an Account"):
        app.extensions["stormpath"].manager.log_event("han@falcon.example", "invoice.paid")


def test_a_page_logs_an_event_of_whoever_is_signed_in(app, client, account, log_in):
    manager = app.extensions["stormpath"].manager

    @app.get("/pay")
    def pay():
        manager.log_event(user, "invoice.paid")
        return "Paid"

    client.get("/pay")
    log_in(client)
    client.get("/pay")
    with app.app_context():
        by_nobody, by_han = events("app.invoice.paid")
        assert (by_nobody.account_id, by_nobody.actor_id) == (None, None)
        assert by_han.account_id == by_han.actor_id
        assert (by_han.target_name, by_han.actor_name) == ("han@falcon.example", "han@falcon.example")
