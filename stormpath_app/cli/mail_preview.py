"""What a mail says, before anybody gets it."""

from pathlib import Path

import click

from ..mail.preview import show, somebody
from ..mail.rendering import KINDS
from ..models import Application
from .command import command, find_account, find_directory
from .mail import mail


@command(mail, "preview")
@click.argument("kind", metavar="KIND", type=click.Choice([kind.replace("_", "-") for kind in KINDS]))
@click.option("--directory", "directory_name", help="Whose mail; the application's default account store if not given.")
@click.option("--to", "login", help="Who reads it: an e-mail address or username; somebody made up if not given.")
@click.option("--html", "part", flag_value="html", help="Print the HTML alone.")
@click.option("--text", "part", flag_value="text", help="Print the text alone.")
@click.option(
    "--open",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the HTML to a file, and open it in a browser.",
)
def preview_mail(kind: str, directory_name: str | None, login: str | None, part: str | None, file: Path | None) -> None:
    """Show what a mail says, as its reader would see it now. Nothing is sent, and its link opens nothing.

    KIND is reset, reset-success, verification, verification-success, welcome, email-change, email-changed,
    account-exists, password-changed, invitation or test.
    """
    if login:
        reader = find_account(login, directory_name)
    else:
        store = Application.current().default_account_store
        reader = somebody(find_directory(directory_name) if directory_name else store().home)
    kind = kind.replace("-", "_")
    found = show(kind, reader, application=Application.current())
    if file:
        file.write_text(_body(found.html, "HTML"), encoding="utf-8")
        click.launch(str(file))
    elif part:
        click.echo(_body(getattr(found, part), part))
    else:
        name, sender = found.sender
        click.echo(f"From: {name} <{sender}>\nTo: {found.to}")
        if found.reply_to:
            click.echo(f"Reply-To: {found.reply_to}")
        click.echo(f"Subject: {found.subject}\n")
        click.echo(found.text or found.html)


def _body(body: str | None, name: str) -> str:
    if body is None:
        raise click.ClickException(f"This mail has no {name}: the format of its template leaves it out.")
    return body
