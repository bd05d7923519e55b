"""`secure-chat user`: accounts, through the running server or on its store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

import click

from secure_chat.cli.asking import ask, config_option, home_option
from secure_chat.cli.slips import invite_people, people_options, read_names

stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


@click.group()
def user() -> None:
    """Add, list, disable and remove accounts."""


def _read_password(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        line = sys.stdin.readline()
        if not line.strip("\r\n"):
            raise click.ClickException("Standard input has no password")
        return line.rstrip("\r\n")
    if not sys.stdin.isatty():
        message = "No terminal to ask for the password on; use --password-stdin"
        raise click.UsageError(message)
    answer: str = click.prompt(f"Password for {name}", hide_input=True, confirmation_prompt="The same again")
    return answer


@user.command()
@click.argument("name", required=False)
@click.option("--admin", is_flag=True, help="Make it an administrator.")
@click.option(
    "--from-file",
    "names_file",
    type=click.File(encoding="utf-8-sig"),
    help="Invite everybody whose name is in this file, one a line, and print a slip for each.",
)
@stdin_option
@people_options
@home_option
@config_option
def add(
    name: str | None,
    *,
    admin: bool,
    names_file: TextIO | None,
    password_stdin: bool,
    html: Path | None,
    expires: str,
    home: Path | None,
    config_file: Path | None,
) -> None:
    """Add the account NAME; or, with --from-file, invite a whole class: everybody chooses a password alone."""
    if names_file is not None:
        if name is not None or admin or password_stdin:
            raise click.UsageError("--from-file stands alone: everybody on the list chooses the password alone")
        invite_people((home, config_file), read_names(names_file), html, expires=expires)
        return
    if name is None:
        raise click.UsageError("Give the NAME of the account, or --from-file LIST")
    checked = ask((home, config_file), "user check", name=name)["name"]
    password = _read_password(checked, from_stdin=password_stdin)
    ask((home, config_file), "user add", name=name, password=password, administrator=admin)
    kind = "administrator" if admin else "account"
    click.echo(f"Added the {kind} {checked}.")


@user.command()
@click.argument("name")
@stdin_option
@home_option
@config_option
def passwd(name: str, *, password_stdin: bool, home: Path | None, config_file: Path | None) -> None:
    """Set the password of NAME; its sessions end."""
    password = _read_password(name, from_stdin=password_stdin)
    answer = ask((home, config_file), "user passwd", name=name, password=password)
    click.echo(f"The password of {answer['name']} is set; its sessions were ended.")


@user.command("list")
@click.option("--removed", is_flag=True, help="Show removed accounts, too.")
@home_option
@config_option
def list_(*, removed: bool, home: Path | None, config_file: Path | None) -> None:
    """List the accounts."""
    accounts = ask((home, config_file), "user list", removed=removed)["accounts"]
    if not accounts:
        click.echo("There is no account yet; add one with: secure-chat user add NAME --admin")
    width = max((len(account["name"]) for account in accounts), default=0)
    for account in accounts:
        words = [word for word in ("administrator", "disabled", "removed") if account[word]]
        if account["online"]:
            words.append(f"online ({account['sessions']} sessions)")
        click.echo(f"{account['name']:{width}}  since {account['created'][:10]}  {', '.join(words)}".rstrip())


@user.command()
@click.argument("name")
@home_option
@config_option
def disable(name: str, *, home: Path | None, config_file: Path | None) -> None:
    """Let nobody in with the account NAME; its sessions end."""
    answer = ask((home, config_file), "user disable", name=name)
    click.echo(f"{answer['name']} is disabled.")


@user.command()
@click.argument("name")
@home_option
@config_option
def enable(name: str, *, home: Path | None, config_file: Path | None) -> None:
    """Let NAME in again."""
    answer = ask((home, config_file), "user enable", name=name)
    click.echo(f"{answer['name']} is enabled.")


@user.command()
@click.argument("name")
@click.option(
    "--messages",
    type=click.Choice(["keep", "erase"]),
    default="keep",
    show_default=True,
    help="What becomes of everything NAME said, in rooms and in private.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@config_option
def remove(name: str, *, messages: str, yes: bool, home: Path | None, config_file: Path | None) -> None:
    """Remove NAME for good: the name stays reserved, and what was said stays, too, unless it is to be erased.

    Erased is what NAME said and did: messages, topics, comings and goings, from the history, from the search and
    from the files. Backups, logs, the audit record, the name, and what others wrote to NAME are not touched. NAME
    may have been removed before.
    """
    if not yes:
        click.confirm(f"Remove {name} for good? The name can never be used again", abort=True)
        if messages == "erase":
            click.confirm(f"Erase everything {name} said? Nothing brings it back but a backup", abort=True)
    answer = ask((home, config_file), "user remove", name=name, messages=messages)
    click.echo(f"{answer['name']} is removed.")
    if answer.get("held_up"):
        text = f"What was said is not erased yet: {answer['held_up']}. That is tried again each minute"
        raise click.ClickException(text)
    if answer.get("erasing") == "ended":
        click.echo("What was said is erased.")
    elif answer.get("erasing"):
        click.echo("What was said is being erased; that goes on. Give the same command again to wait for the end.")


@user.command()
@click.argument("name")
@home_option
@config_option
def reset(name: str, *, home: Path | None, config_file: Path | None) -> None:
    """Make a one-time link with which NAME sets a new password, valid for 24 hours."""
    answer = ask((home, config_file), "user reset", name=name)
    click.echo(f"Give this to {answer['name']}, and to nobody else. It sets a new password once, within 24 hours:")
    click.echo(f"  {answer['link']}")
    click.echo("It is pasted into the client where that asks for the server: secure-chat connect")
