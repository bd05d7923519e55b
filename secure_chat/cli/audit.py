"""`secure-chat audit`: what administrators did."""

from __future__ import annotations

from pathlib import Path

import click

from secure_chat.cli.asking import ask, config_option, home_option
from secure_chat.client.format import harmless


@click.command()
@click.option("--since", metavar="TIME", help="Of the last so many hours or days: 12h, 30d.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The last so many.")
@home_option
@config_option
def audit(*, since: str | None, limit: int, home: Path | None, config_file: Path | None) -> None:
    """Show administrative acts: when, who, what, whom, and why. The record can only grow."""
    entries = ask((home, config_file), "audit", since=since or "", limit=limit)["entries"]
    if not entries:
        click.echo("Nothing was done.")
    for one in entries:
        detail = f"  {one['detail']}" if one["detail"] else ""
        click.echo(harmless(f"{one['time'][:19]}Z  {one['actor']}: {one['act']} {one['subject']}{detail}"))
