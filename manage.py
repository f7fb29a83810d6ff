"""The command line of the runnable site: `python manage.py --help`."""

import errno
import os
import socket
import sys
from pathlib import Path

import click
from flask import Flask
from flask.cli import FlaskGroup, pass_script_info, shell_command
from werkzeug.serving import run_simple

from stormpath_app import database, entry_links, installation
from stormpath_app.app import create_app, protect_session_cookie
from stormpath_app.cli import stormpath_commands
from stormpath_app.mail import inbox
from stormpath_app.models import administrator

INSTANCE = str(Path(__file__).resolve().parent / "instance")


def _create_app():
    """Create the site without a check: the commands here are those that mend it."""
    return create_app(instance_path=os.environ.get("STORMPATH_INSTANCE_PATH", INSTANCE), check=False)


manage = FlaskGroup(
    create_app=_create_app,
    add_default_commands=False,
    add_version_option=False,
    help="Run and look after the site. Its data lives in instance/, or in STORMPATH_INSTANCE_PATH.",
)
for _command in stormpath_commands.commands.values():
    manage.add_command(_command)
manage.add_command(shell_command)


@manage.command("run")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=5000, show_default=True, help="The port to listen at.")
@click.option("--debug/--no-debug", default=False, help="Reload on changes, and show errors in the browser.")
@pass_script_info
def run(info, host: str, port: int, debug: bool) -> None:
    """Set up what is missing, then serve the site on this machine.

    For the public, let a WSGI server serve `stormpath_app.app:create_app()`: docs/deploy.md.
    """
    _refuse_a_taken_port(host, port)
    app = info.load_app()
    app.debug = debug
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host  # noqa: S104 - compared, not bound
    if app.config["STORMPATH_BASE_URL"] is None:
        app.config.update(STORMPATH_BASE_URL=f"http://{shown}:{port}", SESSION_COOKIE_SECURE=None)
        protect_session_cookie(app)
    # Whoever can reach the page that shows mails can follow the links in them.
    app.extensions["stormpath"].is_local = host in {"127.0.0.1", "localhost", "::1"}
    is_new = not installation.is_set_up(app)
    with app.app_context():
        if not app.secret_key:
            app.secret_key = installation.read_secret(app) or installation.make_secret(app)
        if database.is_our_own(app):  # one that somebody named is theirs to change
            installation.set_up(app)
        errors = [problem.sentence for problem in app.extensions["stormpath"].check() if problem.level == "error"]
    if errors:
        raise click.ClickException("\n       ".join(errors))
    click.echo(f"Data:  {app.instance_path} (database {installation.where(app)})")
    click.echo(f"Open:  http://{shown}:{port}/" + ("  and create an account." if is_new else ""))
    if inbox.is_open(app):
        click.echo(f"Mails: http://{shown}:{port}/stormpath/inbox, until MAIL_SERVER is set.")
    with app.app_context():
        if line := _first_administrator(app, f"http://{shown}:{port}"):
            click.echo(f"Admin: {line}")
    click.echo("Stop:  Ctrl-C. Nothing is lost; run it again.")
    run_simple(host, port, app, threaded=True, use_reloader=debug, use_debugger=debug)


def _first_administrator(app: Flask, site: str) -> str | None:
    """Return what to do for the console's first administrator; None: there is no console."""
    if app.config["STORMPATH_ADMIN_URL"] is None or administrator.missing():
        return None
    if administrator.exist():
        return f"{site}{app.config['STORMPATH_ADMIN_URL']}"
    if not app.extensions["stormpath"].is_local:
        return "the console has no owner yet: python manage.py create-admin EMAIL"
    link = entry_links.address(entry_links.make(is_first=True), site)
    return f"{link}\n       makes the console's first owner, on this machine, in the next 15 minutes."


def _refuse_a_taken_port(host: str, port: int) -> None:
    if os.environ.get("WERKZEUG_RUN_MAIN"):  # the reloader's child: its parent holds the port
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise click.ClickException(f"Cannot listen at {host}, port {port}: {error.strerror}.") from error
            with socket.socket(family) as free:
                free.bind((host, 0))
                other = free.getsockname()[1]
            raise click.ClickException(
                f"Port {port} is in use. Pick another: make run PORT={other}  (or: python manage.py run --port {other})"
            ) from error


if __name__ == "__main__":
    sys.exit(manage())
