"""What a directory asks of passwords."""

import click

from ..models import Application, Directory, PasswordPolicy, PasswordStrength
from ..models.directory import KEEP, OLD_PASSWORDS
from ..models.password_rules import PRESETS
from ..models.policy_effects import of_passwords
from .command import as_json, command, find_directory, stormpath_commands, tell_json

where = click.option(
    "--directory", "directory_name", help="Of which directory; the application's default account store if not given."
)


@stormpath_commands.group("policy")
def policy() -> None:
    """What a directory asks of passwords."""


@command(policy, "show")
@where
@as_json
def show_policy(directory_name: str | None, in_json: bool) -> None:
    """Show the rules of a directory, and which preset they are."""
    directory = _directory(directory_name)
    rules, strength = directory.password_policy, directory.password_policy.strength
    if in_json:
        tell_json({"preset": rules.preset, **_plain(rules), **_plain(strength)})
        return
    click.echo(f"{directory.name}: {strength.describe()}")
    for name, value in {"preset": rules.preset, **_plain(rules), **_plain(strength)}.items():
        click.echo(f"  {name:28}{'-' if value is None else value}")


@command(policy, "preset")
@click.argument("name", metavar="PRESET", type=click.Choice(list(PRESETS)))
@where
@click.option(
    "--old",
    type=click.Choice(OLD_PASSWORDS),
    default=KEEP,
    help="What becomes of the passwords there are: keep leaves them; check looks at each when its owner next logs in;"
    " replace asks everybody for another, and ends their logins; stop ends what an earlier check or replace began.",
)
@click.option("--dry-run", is_flag=True, help="Tell what it would do, and save nothing.")
def set_preset(name: str, directory_name: str | None, old: str, dry_run: bool) -> None:
    """Ask what PRESET does of new passwords: stormpath, or nist-800-63b-4."""
    directory = _directory(directory_name)
    directory.password_policy.preset = name
    for effect in of_passwords(directory, old):
        click.echo(f"  {f'{effect.count} ' if effect.count else ''}{effect.sentence}")
    if dry_run:
        click.echo("Nothing was saved.")
        return
    directory.save_password_policy(old)
    click.echo(f"{directory.name}: {directory.password_policy.strength.describe()}")


def _plain(resource: PasswordPolicy | PasswordStrength) -> dict[str, object]:
    return {name: resource[name] for name in resource.readable}


def _directory(name: str | None) -> Directory:
    return find_directory(name) if name else Application.current().default_account_store().home
