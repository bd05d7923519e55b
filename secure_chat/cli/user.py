"""`secure-chat user`: accounts, through the running server or on its store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from secure_chat.errors import SecureChatError

home_option = click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="The server's folder. Default: as for serve."
)
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="The server's configuration, as given to serve.",
)
stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


@click.group()
def user() -> None:
    """Add, list, disable and remove accounts."""


Place = tuple[Path | None, Path | None]
"""The home and the configuration, as given on the command line."""


def _ask(place: Place, operation: str, **request: object) -> dict[str, Any]:
    from secure_chat.server.home import Home, default_home
    from secure_chat.server.operations import ask

    home = Home(place[0] or default_home())
    if not home.database.exists() and operation not in ("user check", "user add"):
        message = f"There is no server's home at {home.path}; name it with --home"
        raise click.ClickException(message)
    try:
        return ask(home, operation, request, place[1])
    except SecureChatError as error:
        raise click.ClickException(str(error)) from error


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
@click.argument("name")
@click.option("--admin", is_flag=True, help="Make it an administrator.")
@stdin_option
@home_option
@config_option
def add(name: str, *, admin: bool, password_stdin: bool, home: Path | None, config_file: Path | None) -> None:
    """Add the account NAME."""
    checked = _ask((home, config_file), "user check", name=name)["name"]
    password = _read_password(checked, from_stdin=password_stdin)
    _ask((home, config_file), "user add", name=name, password=password, administrator=admin)
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
    answer = _ask((home, config_file), "user passwd", name=name, password=password)
    click.echo(f"The password of {answer['name']} is set; its sessions were ended.")


@user.command("list")
@click.option("--removed", is_flag=True, help="Show removed accounts, too.")
@home_option
@config_option
def list_(*, removed: bool, home: Path | None, config_file: Path | None) -> None:
    """List the accounts."""
    accounts = _ask((home, config_file), "user list", removed=removed)["accounts"]
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
    answer = _ask((home, config_file), "user disable", name=name)
    click.echo(f"{answer['name']} is disabled.")


@user.command()
@click.argument("name")
@home_option
@config_option
def enable(name: str, *, home: Path | None, config_file: Path | None) -> None:
    """Let NAME in again."""
    answer = _ask((home, config_file), "user enable", name=name)
    click.echo(f"{answer['name']} is enabled.")


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@config_option
def remove(name: str, *, yes: bool, home: Path | None, config_file: Path | None) -> None:
    """Remove NAME for good: the name stays reserved, what was said stays."""
    if not yes:
        click.confirm(f"Remove {name} for good? The name can never be used again", abort=True)
    answer = _ask((home, config_file), "user remove", name=name)
    click.echo(f"{answer['name']} is removed.")
