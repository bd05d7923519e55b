"""`secure-chat invite`: who is let in."""

from __future__ import annotations

from pathlib import Path

import click

from secure_chat.cli.asking import ask, config_option, home_option
from secure_chat.cli.slips import invite_people, people_options


@click.group(invoke_without_command=True)
@click.option("--for", "names", multiple=True, metavar="NAME", help="Only for this name; may be repeated.")
@click.option("--uses", type=click.IntRange(1, 1000), default=1, show_default=True, help="For so many people.")
@click.option("--room", metavar="ROOM", help="They are in this room, too.")
@people_options
@home_option
@config_option
@click.pass_context
def invite(
    ctx: click.Context,
    *,
    names: tuple[str, ...],
    uses: int,
    room: str | None,
    html: Path | None,
    expires: str,
    home: Path | None,
    config_file: Path | None,
) -> None:
    """Invite somebody: print a link, and how to come in with it. Whoever has the link gets an account."""
    ctx.obj = (home, config_file)
    if ctx.invoked_subcommand is not None:
        return
    if names and uses > 1:
        raise click.UsageError("--uses is for invitations that are not for somebody by name")
    invite_people((home, config_file), names, html, uses=uses, room=room or "", expires=expires)


@invite.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Also those that are used, revoked or expired.")
@home_option
@config_option
@click.pass_context
def list_(ctx: click.Context, *, everything: bool, home: Path | None, config_file: Path | None) -> None:
    """List invitations. The codes themselves are kept nowhere."""
    shown = ask((home or ctx.obj[0], config_file or ctx.obj[1]), "invite list", all=everything)["invitations"]
    if not shown:
        click.echo("There is no open invitation; make one with: secure-chat invite")
    for one in shown:
        who = one["name"] or "anybody"
        left = f"{one['uses_left']} of {one['uses']} uses left"
        state = "" if one["state"] == "open" else f"  {one['state']}"
        click.echo(f"{one['id']}  for {who}  {left}  until {one['expires'][:16]}Z  by {one['made_by']}{state}")


@invite.command()
@click.argument("number", metavar="ID")
@home_option
@config_option
@click.pass_context
def revoke(ctx: click.Context, number: str, *, home: Path | None, config_file: Path | None) -> None:
    """Revoke the invitation ID (as `invite list` shows it): it lets nobody in any more."""
    answer = ask((home or ctx.obj[0], config_file or ctx.obj[1]), "invite revoke", id=number)
    click.echo(f"The invitation {answer['id']} is revoked.")
