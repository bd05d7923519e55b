"""`secure-chat restore`: a server's home out of a backup."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from secure_chat.cli.archives import ask_passphrase, end_cleanly, passphrase_file_option, read_passphrase
from secure_chat.errors import SecureChatError
from secure_chat.protocol.message import Secret

if TYPE_CHECKING:
    from secure_chat.server.archive import ArchiveReader
    from secure_chat.server.restore import Restored


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="The server's new folder: one that is not there, or empty.",
)
@click.option(
    "--pepper",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The pepper, where it is not in the backup or the passphrase is lost; keys are then left out.",
)
@passphrase_file_option
def restore(file: Path, *, home: Path, pepper: Path | None, passphrase_file: Path | None) -> None:
    """Make the folder DIR, given with --home, out of the backup FILE.

    Everything is verified first: digests, passphrase, database, pepper. Nothing is overwritten.
    """
    from secure_chat.client.format import harmless
    from secure_chat.server.archive import SECRETS, ArchiveReader
    from secure_chat.server.restore import require_free_place
    from secure_chat.server.restore import restore as make_home

    if pepper and passphrase_file:
        raise click.UsageError("Give either the pepper or the passphrase, not both")
    place = home.absolute()
    end_cleanly()
    try:
        require_free_place(place)
        archive = ArchiveReader(file)
        try:
            passphrase: Secret | None = None
            if SECRETS in archive.manifest.members and pepper is None:
                passphrase = read_passphrase(passphrase_file) if passphrase_file else _ask()
            restored = make_home(archive, place, passphrase, pepper)
        finally:
            archive.close()
    except SecureChatError as error:
        raise click.ClickException(harmless(str(error))) from None
    click.echo("\n".join(map(harmless, _told(restored, archive, place))))


def _ask() -> Secret:
    passphrase = ask_passphrase("Passphrase of the backup")
    if passphrase is None:
        message = "Without the passphrase the pepper stays closed; if you have it as a file, use --pepper FILE"
        raise click.ClickException(message)
    return passphrase


def _told(restored: Restored, archive: ArchiveReader, place: Path) -> Iterator[str]:
    """What is there now, and what is to be done next."""
    from secure_chat.server.home import Home

    made = archive.manifest.made.replace("T", " ").removesuffix("Z")
    yield f"{place} is a server's home as it was at {made} UTC."
    yield f"Accounts: {restored.accounts}, with the passwords of then."
    if restored.config_error:
        yield f"Its configuration cannot be used as it is: {restored.config_error}"
    options = f" --home {shlex.quote(str(place))}"
    certs = place / "certs"
    other = Home(place).certs
    if restored.keys:
        yield "Certificates and keys are the old ones: nobody has to trust anything anew."
        if other != certs:
            options += f" --certs {shlex.quote(str(certs))}"
    elif other == certs:
        yield from _NEW_KEYS
    else:
        yield f"Certificates and keys were not in the backup; those of {other} will be used."
    yield f"Start it: secure-chat serve{options}"
    yield f"Look at it first, if you like: secure-chat check --home {shlex.quote(str(place))}"


_NEW_KEYS = (
    "Keys were not in the backup: the first start makes a new certificate with another fingerprint (or put the old",
    "files into certs there before). Clients then refuse the server until people trust the new key: give them the",
    "fingerprint that the start shows, and who used Secure Chat's client runs: secure-chat trust remove HOST",
)
