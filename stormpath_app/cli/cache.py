"""What is kept of the database, and how often it spared a statement."""

import click

from .. import cache as kept
from ..cache import Stats
from .command import as_json, command, stormpath_commands, tell_json

#: The letters of a full bar.
_WIDTH = 20


@stormpath_commands.group("cache")
def cache() -> None:
    """What is kept of the database: how often it was of use; forget it."""


@command(cache, "stats")
@click.option("--hours", type=click.IntRange(1, 2160), default=24, show_default=True, help="Of the last so many hours.")
@as_json
def show_stats(hours: int, in_json: bool) -> None:
    """Show how often what was asked for was found, of all processes on all machines; up to a minute is missing."""
    found = kept.recent_stats(hours)
    if in_json:
        tell_json({name: {**one._asdict(), "hit_rate": one.hit_rate} for name, one in found.items()})
        return
    for name, one in found.items():
        click.echo(f"{name:14}{_bar(one)}  {one.hits:>12,} found  {one.misses:>12,} read")
    if not kept.is_kept():
        click.echo("Nothing is kept: the settings say so, the database is in memory, or memory is set beside a server.")


def _bar(stats: Stats) -> str:
    if stats.hit_rate is None:
        return f"{'nothing was asked for':{_WIDTH + 8}}"
    full = round(stats.hit_rate * _WIDTH)
    return f"{'█' * full}{'░' * (_WIDTH - full)}  {stats.hit_rate:6.1%}"


@command(cache, "clear")
def clear() -> None:
    """Forget all that any process keeps: after somebody changed rows past the app's engine, say."""
    kept.clear()
    click.echo("All that was kept is forgotten.")
