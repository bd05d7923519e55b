"""`secure-chat certs create | renew | show`: the server's certificates, and what to hand to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from secure_chat.errors import CertificateError
from secure_chat.server import certificates as files
from secure_chat.server.home import Home, default_home

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def default_directory() -> Path:
    """The `certs` folder of the default home."""
    return Home(default_home()).certs


def options_of_making(command: Decorated) -> Decorated:
    """The options --host and --days, shared with `scripts/gen_certs.py`."""
    days = click.option(
        "--days",
        type=click.IntRange(1, files.LEAF_DAYS),
        default=files.LEAF_DAYS,
        show_default=True,
        metavar="N",
        help="Days until the server's certificate ends.",
    )
    host = click.option(
        "--host",
        "hosts",
        multiple=True,
        metavar="NAME",
        help="A name or address people connect to, beside this machine's own; may be repeated.",
    )
    return host(days(command))


def option_out(command: Decorated) -> Decorated:
    """The option --out, by default the `certs` folder of the default home."""
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_directory,
        metavar="DIR",
        help="The folder of the certificates (default: certs in the server's home).",
    )(command)


def make(out: Path, hosts: tuple[str, ...], days: int, *, force: bool = False, renew: bool = False) -> None:
    """Create or renew the set in `out` and print what was made. Raises click.ClickException (exit code 1)."""
    now = datetime.now(UTC)
    try:
        if renew:
            made = files.renew(out, hosts, now=now, days=days)
        else:
            made = files.create(out, hosts, now=now, days=days, force=force)
    except CertificateError as error:
        raise click.ClickException(str(error)) from error
    if renew:
        click.echo(f"Renewed {out / files.LEAF_CERTIFICATE}; its key and fingerprint are the same as before.")
        click.echo("A running server serves it after a SIGHUP.")
    else:
        click.echo(f"Made {', '.join(files.FILES)} in {out}")
    _print(made)


@click.group()
def certs() -> None:
    """Make, renew and show the server's certificates."""


@certs.command()
@option_out
@options_of_making
@click.option("--force", is_flag=True, help="Replace an existing set; all members then need the new fingerprint.")
def create(out: Path, hosts: tuple[str, ...], days: int, *, force: bool) -> None:
    """Make a new CA and a server certificate."""
    make(out, hosts, days, force=force)


@certs.command()
@option_out
@options_of_making
def renew(out: Path, hosts: tuple[str, ...], days: int) -> None:
    """Renew the server certificate; its key, and so the fingerprint, stay."""
    make(out, hosts, days, renew=True)


@certs.command()
@option_out
def show(out: Path) -> None:
    """Show the certificate's names, fingerprint and end."""
    try:
        found = files.describe(out)
    except CertificateError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Certificates in {out}")
    _print(found)


def _print(found: files.CertificateSet) -> None:
    click.echo(f"  names        {', '.join(found.names)}")
    click.echo(f"  fingerprint  {found.fingerprint}")
    click.echo(f"  valid until  {found.valid_until:%Y-%m-%d %H:%M} UTC")
    if found.ca_valid_until is None:
        click.echo("Hand the fingerprint to the members. The key file is for nobody but the server.")
        return
    click.echo(f"  CA until     {found.ca_valid_until:%Y-%m-%d}")
    click.echo(
        f"Hand {files.CA_CERTIFICATE} or the fingerprint to the members, on a way they trust. "
        f"{files.CA_KEY} and {files.LEAF_KEY} are for nobody but the server."
    )
