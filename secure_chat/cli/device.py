"""`secure-chat device`: the devices of an account, and their tokens."""

from __future__ import annotations

from pathlib import Path

import click

from secure_chat.cli.asking import ask, config_option, home_option


@click.group()
def device() -> None:
    """List the devices of an account, add and revoke them."""


@device.command(name="list")
@click.argument("name")
@home_option
@config_option
def list_(name: str, *, home: Path | None, config_file: Path | None) -> None:
    """List the devices of NAME that have a token."""
    answer = ask((home, config_file), "device list", name=name)
    if not answer["devices"]:
        click.echo(f"No device of {answer['name']} has a token.")
    for one in answer["devices"]:
        seen = f"last seen {one['seen'][:16]}Z from {one['address']}" if one["seen"] else "never seen"
        here = "  connected" if one["connected"] else ""
        click.echo(f"{one['name']}  since {one['made'][:10]}  {seen}{here}")


@device.command()
@click.argument("name")
@click.argument("device_name", metavar="DEVICE")
@home_option
@config_option
def add(name: str, device_name: str, *, home: Path | None, config_file: Path | None) -> None:
    """Make a token for DEVICE of NAME (a bot, irssi): it is printed once, and used as the password."""
    answer = ask((home, config_file), "device add", name=name, device=device_name)
    click.echo(answer["token"])
    click.echo(
        f"This is the token of {answer['device']}, shown only now. It is used as the password of {answer['name']}.",
        err=True,
    )


@device.command()
@click.argument("name")
@click.argument("device_name", metavar="DEVICE")
@home_option
@config_option
def revoke(name: str, device_name: str, *, home: Path | None, config_file: Path | None) -> None:
    """End the token of DEVICE of NAME, and what is connected with it."""
    answer = ask((home, config_file), "device revoke", name=name, device=device_name)
    click.echo(f"{answer['device']} of {answer['name']} is revoked.")
