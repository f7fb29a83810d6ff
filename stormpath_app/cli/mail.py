"""The mails that wait, and those that left or never will."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .. import clock, current
from ..database import session
from ..mail import delivery, rendering, transport
from ..mail.delivery import Outcome
from ..mail.transport import MailNotSent, one_line
from ..models import OutboxMessage
from ..models.base import new_id
from ..models.message import FAILED, QUEUED, SENT, TEST
from .command import as_json, command, stormpath_commands, tell_json

#: How often a worker looks for new mails, in seconds.
_GLANCE = 5.0
#: How many mails are a backlog, of which a terminal is shown how far it is.
_BACKLOG = 10


@stormpath_commands.group("mail")
def mail() -> None:
    """The mails to people: send them, try them, see what became of them."""


# --- Sending ---


@command(mail, "send")
@click.option("--once", is_flag=True, help="End when no mail is due, as for cron; without it, wait for the next.")
def send_mails(once: bool) -> None:
    """Send the mails that wait: a worker beside the app, for STORMPATH_MAIL_DELIVERY = "command" or any other.

    Several may run at once. Ctrl-C ends it after the mail that is being sent.
    """
    with _until_interrupted() as ending:
        if not once:
            click.echo("Sending mails as they come. Ctrl-C ends.")
        while True:
            try:
                _send_due(ending)
            except SQLAlchemyError as error:
                if once:
                    raise
                click.echo(f"The database does not answer: {getattr(error, 'orig', None) or error}", err=True)
                session.rollback()
            if once or ending.wait(_GLANCE):
                return


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Give what is set by Ctrl-C, or by whoever ends the process; a second one ends it at once."""
    ending = threading.Event()
    before: dict[int, Any] = {}

    def end(number: int, _frame: object) -> None:
        ending.set()
        signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, end)
    try:
        yield ending
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)


def _send_due(ending: threading.Event) -> None:
    """Send what is due, and tell of each mail; on a terminal, of many how far it is and of those that failed."""
    backlog = delivery.count_due()
    session.rollback()  # what was read is no reason to hold a connection
    outcomes = _until(ending, delivery.deliver_due())
    if backlog <= _BACKLOG or not sys.stdout.isatty():
        for outcome in outcomes:
            click.echo(_line(outcome))
        return
    with click.progressbar(outcomes, length=backlog, label="Sending", item_show_func=_address) as shown:
        failures = [outcome for outcome in shown if outcome.status != SENT]
    for outcome in failures:
        click.echo(_line(outcome))


def _until(ending: threading.Event, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        yield outcome
        if ending.is_set():
            return


def _address(outcome: Outcome | None) -> str:
    return outcome.address if outcome else ""


def _line(outcome: Outcome) -> str:
    line = f"{clock.now():%Y-%m-%d %H:%M:%S}  {outcome.status:6}  {outcome.kind:20}  {outcome.address}"
    if outcome.status == QUEUED:
        return f"{line}  {_sentence(outcome.error)} It is tried again at {outcome.due_at:%H:%M}."
    return f"{line}  {outcome.error}" if outcome.error else line


def _sentence(error: object) -> str:
    """Return what went wrong with an end to it: a server's words have none."""
    return f"{error}".removesuffix(".") + "."


@command(mail, "test")
@click.argument("address")
def test_mail(address: str) -> None:
    """Send a mail to ADDRESS at once, and tell what the server says."""
    waiting = OutboxMessage(id=new_id(), kind=TEST, address=address, parameters="{}")
    try:
        answer = transport.send(rendering.render(waiting), waiting.id)
    except MailNotSent as error:
        raise click.ClickException(f"{_sentence(error)} {error.fix}".strip()) from error
    state = transport.joined(current.app())
    click.echo(f"A mail to {address} was handed over ({state.server}:{state.port}): {answer}")


# --- Looking ---


@command(mail, "list")
@click.option("--failed", is_flag=True, help="Those alone that were given up.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many at most.")
@as_json
def list_mails(failed: bool, limit: int, in_json: bool) -> None:
    """List mails, the newest first: which wait, which were sent, and why others were not."""
    statement = sa.select(OutboxMessage).order_by(OutboxMessage.created_at.desc(), OutboxMessage.id.desc()).limit(limit)
    if failed:
        statement = statement.where(OutboxMessage.status == FAILED)
    found = session.scalars(statement).all()
    if in_json:
        tell_json([_known(message) for message in found])
        return
    for message in found:
        what = f"{message.status:6}  {message.kind:20}  {one_line(message.address)}  {message.last_error or ''}"
        click.echo(f"{message.id}  {message.created_at:%Y-%m-%d %H:%M}  {what}".rstrip())


def _known(message: OutboxMessage) -> dict[str, Any]:
    names = ("id", "kind", "address", "status", "attempts", "created_at", "due_at", "sent_at", "last_error")
    return {name: getattr(message, name) for name in names}


@command(mail, "retry")
@click.argument("message_id", metavar="ID", required=False)
@click.option("--failed", is_flag=True, help="All that were given up.")
def retry_mails(message_id: str | None, failed: bool) -> None:
    """Let the mail ID, or all that failed, be tried again at once. A link in one that failed is gone."""
    if failed == bool(message_id):
        raise click.UsageError("Name one mail, or --failed.")
    given_up = sa.select(OutboxMessage.id).where(OutboxMessage.status == FAILED)
    wanted = list(session.scalars(given_up).all()) if failed else [str(message_id)]
    again = delivery.retry(wanted)
    if not again and not failed:
        raise click.ClickException(_why_not(str(message_id)))
    left = (
        f"; {len(wanted) - again} are not, as their links are gone: people ask for new ones"
        if again < len(wanted)
        else ""
    )
    click.echo(f"Tried again: {again}{left}.")


@command(mail, "prune")
def prune_mails() -> None:
    """Forget the mails that were sent or given up longer ago than STORMPATH_MESSAGE_RETENTION."""
    click.echo(f"Forgotten: {delivery.prune()}.")


def _why_not(message_id: str) -> str:
    message = session.get(OutboxMessage, message_id)
    if message is None:
        return f"There is no mail {message_id!r}; `flask stormpath mail list` has those there are."
    if message.status == SENT:
        return f"It was sent at {message.sent_at:%Y-%m-%d %H:%M} UTC."
    if message.status == QUEUED:
        return "It is being sent now."
    return f"The link in it is gone: {message.address} has to ask for a new one."
