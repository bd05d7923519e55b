"""`secure-chat backup`: all that a server keeps, in one file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from secure_chat.cli.archives import (
    ask_new_passphrase,
    end_cleanly,
    passphrase_file_option,
    read_passphrase,
    too_weak,
)
from secure_chat.cli.asking import config_option, home_option
from secure_chat.errors import SecureChatError
from secure_chat.protocol.message import Secret

if TYPE_CHECKING:
    from secure_chat.server.backup import Made


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-keys", is_flag=True, help="Put the TLS keys and certificates in, too, under the passphrase.")
@passphrase_file_option
@click.option("--no-passphrase", is_flag=True, help="Do not ask for one: leave the pepper out.")
@home_option
@click.option("--certs", type=click.Path(path_type=Path), help="The certificates, as given to serve.")
@config_option
def backup(
    file: Path,
    *,
    with_keys: bool,
    passphrase_file: Path | None,
    no_passphrase: bool,
    home: Path | None,
    certs: Path | None,
    config_file: Path | None,
) -> None:
    """Make the new file FILE: accounts, rooms and everything said as they are at one moment, and the configuration.

    A server may run meanwhile. The pepper, without which no password can be verified, goes in under a passphrase;
    without a terminal or --passphrase-file it is left out. FILE is readable by you alone; everything said stands
    in it unencrypted. Restore it with: secure-chat restore FILE --home DIR
    """
    from secure_chat.server.backup import Wanted, make_backup
    from secure_chat.server.home import Home, default_home
    from secure_chat.server.precedence import go_second

    if no_passphrase and (passphrase_file or with_keys):
        message = (
            "--no-passphrase leaves pepper and keys out: it goes with neither --passphrase-file nor --with-keys"
        )
        raise click.UsageError(message)
    place, target = Home(home or default_home()), file.absolute()
    end_cleanly()
    try:
        passphrase = None if no_passphrase else _passphrase(passphrase_file)
        if with_keys and passphrase is None:
            message = "Keys go into a backup under a passphrase only; use --passphrase-file, or type one"
            raise click.UsageError(message)
        go_second()
        wanted = Wanted(config_file or place.config, certs or place.certs, passphrase, with_keys)
        made = make_backup(place, target, wanted, now=datetime.now(UTC))
    except SecureChatError as error:
        raise click.ClickException(str(error)) from None
    click.echo("\n".join(_told(made, place.path, target, asked_for_keys=with_keys)))


def _passphrase(path: Path | None) -> Secret | None:
    if path is not None:
        passphrase = read_passphrase(path)
        if (reason := too_weak(passphrase)) is not None:
            raise click.ClickException(reason)
        return passphrase
    return ask_new_passphrase() if sys.stdin.isatty() else None


def _told(made: Made, home: Path, target: Path, *, asked_for_keys: bool) -> Iterator[str]:
    """What is in it, what is not, and what is to be done with it."""
    from secure_chat.server.archive import CONFIG
    from secure_chat.server.backup import PEPPER

    at = made.manifest.made.replace("T", " ").removesuffix("Z")
    yield f"{target} is the backup of {home} as it was at {at} UTC ({made.size_bytes / 1e6:.1f} MB)."
    plural = "" if made.accounts == 1 else "s"
    yield "In it:"
    yield f"  chat.db        {made.accounts} account{plural}, rooms, everything said: who has the file can read it"
    if CONFIG in made.manifest.members:
        yield "  config.toml    the settings"
    if PEPPER in made.sealed:
        yield "  pepper         under the passphrase"
    if asked_for_keys:
        yield "  keys           the certificates and their keys, under the passphrase"
    yield "Not in it:"
    if PEPPER not in made.sealed:
        yield f"  pepper         without it no password can be verified: keep a copy of {home / 'pepper'} elsewhere"
    if not asked_for_keys:
        yield "  keys           a restored server makes new ones, which people have to trust anew (--with-keys)"
    yield "  logs"
    options = "" if PEPPER in made.sealed or not made.accounts else " --pepper PEPPERFILE"
    yield f"To restore it: secure-chat restore {shlex.quote(str(target))} --home DIR{options}"
    if made.sealed:
        yield "That asks for the passphrase. Keep it elsewhere: nobody can get it out of the file."
