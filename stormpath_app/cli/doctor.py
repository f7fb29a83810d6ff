"""Why somebody cannot log in."""

import shlex
import sys
from typing import Any

import click

from ..mail.transport import one_line
from ..models import Account, Application, Client, Diagnosis, Group, Step
from ..models.diagnosis import ADD_TO_GROUP, ENABLE, FAILED, PASSED, RESET, UNKNOWN, UNLOCK, VERIFY, WARNED, Remedy
from ..translation import english
from .command import as_json, command, stormpath_commands, tell_json

#: How a step is told: its word and its colour.
_TOLD = {PASSED: ("ok", "green"), FAILED: ("FAILS", "red"), WARNED: ("MAY FAIL", "yellow"), UNKNOWN: ("?", "yellow")}
#: The commands that mend a step; of an account.
_COMMANDS = {UNLOCK: "unlock", RESET: "reset-link", VERIFY: "verify-account", ENABLE: "enable-account"}


@command(stormpath_commands, "doctor")
@click.argument("login")
@click.option("--application", "application_name", help="Where they log in; this app's own application if not given.")
@as_json
def doctor(login: str, application_name: str | None, in_json: bool) -> None:
    """Tell what a login with LOGIN, an e-mail address or username, would meet now. Nothing is tried or changed.

    Exit code 1: they cannot log in.
    """
    application = _application(application_name)
    found = application.diagnose(login)
    if in_json:
        tell_json(_known(found))
    else:
        _tell(found)
    if not found.can_log_in:
        sys.exit(1)


def _application(name: str | None) -> Application:
    if name is None:
        return Application.current()
    application = Application.named(name)
    if application is None:
        there_are = ", ".join(repr(other.name) for other in Client().applications[:20])
        raise click.ClickException(f"There is no application {name!r}; there are: {there_are}.")
    return application


def _tell(found: Diagnosis) -> None:
    click.secho(f"{one_line(english(found.verdict))}.", fg="green" if found.can_log_in else "red", bold=True)
    for step in found.steps:
        word, colour = _TOLD[step.state]
        shown = word if step.is_reached else f"({word})"
        click.echo(f"  {click.style(f'{shown:8}', fg=colour, dim=not step.is_reached)}  {_line(step.sentence)}")
        if step.detail:
            click.echo(f"            {_line(step.detail)}")
        for remedy in step.remedies:
            if mend := _mend(found, step, remedy):
                click.echo(f"            To mend it: {mend}")
    if found.failures:
        click.echo("The last failures:")
        for failure in found.failures:
            where = f"{failure.address or '-':15}  {_line(failure.device)}"
            click.echo(f"  {failure.at:%Y-%m-%d %H:%M:%S}  {_line(failure.why)}  {where}")
    if found.mails:
        click.echo("The last mails:")
        for mail in found.mails:
            why = one_line(mail.last_error or "")
            click.echo(f"  {mail.created_at:%Y-%m-%d %H:%M:%S}  {mail.status:6}  {mail.kind:20}  {why}".rstrip())


def _line(sentence: str) -> str:
    return one_line(english(sentence))


def _mend(found: Diagnosis, step: Step, remedy: Remedy) -> str | None:
    """Return the command that mends a step; None where there is none."""
    if not isinstance(found.account, Account):
        return None
    login = shlex.quote(found.login)
    if remedy.verb == ADD_TO_GROUP and isinstance(remedy.target, Group):
        words = ["add-to-group", login, shlex.quote(remedy.target.name)]
    elif remedy.target is found.account and remedy.verb in _COMMANDS:
        words = [_COMMANDS[remedy.verb], login]
    else:
        return None
    if any(other.kind == "account" and other.state == FAILED for other in found.steps) and remedy.verb != RESET:
        words += ["--directory", shlex.quote(found.account.directory.name)]
    return " ".join(["flask stormpath", *words])


def _known(found: Diagnosis) -> dict[str, Any]:
    return {
        "application": found.application.name,
        "login": found.login,
        "account": found.account and found.account.href,
        "can_log_in": found.can_log_in,
        "verdict": english(found.verdict),
        "steps": [_known_step(step) for step in found.steps],
        "failures": [
            {"at": failure.at, "address": failure.address, "device": failure.device, "why": english(failure.why)}
            for failure in found.failures
        ],
        "mails": [
            {"kind": mail.kind, "status": mail.status, "created_at": mail.created_at, "last_error": mail.last_error}
            for mail in found.mails
        ],
    }


def _known_step(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "state": step.state,
        "is_reached": step.is_reached,
        "sentence": english(step.sentence),
        "detail": english(step.detail),
        "code": step.error and step.error.code,
        "remedies": [{"verb": remedy.verb, "href": remedy.target.href} for remedy in step.remedies],
    }
