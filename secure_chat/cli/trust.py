"""`secure-chat trust list | remove`: the servers whose keys the client remembers."""

from __future__ import annotations

import click

from secure_chat.client import known_servers
from secure_chat.client.address import BadAddress, parse_address
from secure_chat.client.format import harmless
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.texts import _, choose_language
from secure_chat.errors import TrustError

# The help is made when this module is imported.
choose_language(None)


@click.group(help=_("List and remove the servers whose keys the client remembers."))
def trust() -> None:
    """Group of what can be done with the known-servers file."""


@trust.command("list", help=_("List the remembered servers and the fingerprints of their keys."))
def list_() -> None:
    """Print a line for each server. Exit code 1 where the file cannot be read or understood."""
    known = KnownServers(known_servers.default_path())
    try:
        entries = known.entries()
    except TrustError as error:
        raise _failed(error) from None
    if not entries:
        click.echo(_("No server's key is remembered in {path}.").format(path=known.path), err=True)
    shown = [(harmless(str(address)), fingerprint) for address, fingerprint in entries]
    width = max((len(address) for address, _fingerprint in shown), default=0)
    for address, fingerprint in shown:
        click.echo(f"{address:{width}}  {fingerprint}")


@trust.command(help=_("Forget the key of the server HOST; the client then asks about it as the first time."))
@click.argument("server", metavar="HOST[:PORT]")
def remove(server: str) -> None:
    """Take one server out. Exit code 1 where it is not in the file, or that cannot be read or written."""
    known = KnownServers(known_servers.default_path())
    try:
        address = parse_address(server)
        known.forget(address)
    except BadAddress as error:
        raise click.BadParameter(harmless(str(error))) from None
    except TrustError as error:
        raise _failed(error) from None
    click.echo(_("The key of {address} is forgotten.").format(address=harmless(str(address))))


def _failed(error: TrustError) -> click.ClickException:
    return click.ClickException("\n".join(map(harmless, str(error).split("\n"))))
