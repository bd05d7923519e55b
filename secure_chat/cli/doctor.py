"""`secure-chat doctor`: what is wrong with a server, seen from here or from its home, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from secure_chat.client import doctor as of_server
from secure_chat.client import known_servers
from secure_chat.client.address import Address, BadAddress, parse_address
from secure_chat.client.format import harmless
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.texts import _, choose_language
from secure_chat.findings import Finding, Level

# The help is made when this module is imported.
choose_language(None)


def _parse_server(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Address | None:
    try:
        return None if value is None else parse_address(value)
    except BadAddress as error:
        raise click.BadParameter(harmless(str(error))) from None


@click.command(
    help=_("Examine the server at HOST as seen from here, or the server's own folder; changes nothing.")
    + "\n\n"
    + _("Without arguments: the folder that secure-chat serve uses. Exit code 0 if there is no problem, else 1.")
)
@click.argument("server", callback=_parse_server, required=False, metavar="[HOST[:PORT]]")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("Trust servers that this CA certificate vouches for."),
)
@click.option("--home", type=click.Path(path_type=Path), help=_("The folder of the server, as given to serve."))
@click.option("--certs", type=click.Path(path_type=Path), help=_("Its certificates, as given to serve."))
@click.option("--config", "config_file", type=click.Path(path_type=Path), help=_("Its configuration, likewise."))
@click.pass_context
def doctor(
    ctx: click.Context,
    server: Address | None,
    ca_file: Path | None,
    home: Path | None,
    certs: Path | None,
    config_file: Path | None,
) -> None:
    """Run the checks; exit code 1 where one of them found a problem."""
    if server is None:
        if ca_file is not None:
            raise click.UsageError(_("--ca goes with a server: secure-chat doctor HOST --ca FILE"))
        findings = _of_home(ctx, home, certs, config_file)
    elif home or certs or config_file:
        raise click.UsageError(_("Name either a server or its folder, not both."))
    else:
        known = KnownServers(known_servers.default_path())
        findings = of_server.examine_server(server, known, now=datetime.now(UTC), ca_file=ca_file)
    ctx.exit(report(findings))


def _of_home(
    ctx: click.Context, home: Path | None, certs: Path | None, config_file: Path | None
) -> Iterator[Finding]:
    if os.name == "nt":
        raise click.UsageError(_("Name a server: secure-chat doctor HOST[:PORT]"))
    from secure_chat.server.doctor import examine_home
    from secure_chat.server.home import Home, default_home

    place = Home(home or default_home())
    if home is None and not place.path.exists():
        text = _("There is no server's folder at {path}. Name one with --home, or a server: HOST[:PORT]")
        raise click.UsageError(text.format(path=place.path), ctx)
    # What is said about a home is English, like the server's log and the other commands of its owner.
    choose_language("en")
    return examine_home(place, certs or place.certs, config_file, now=datetime.now(UTC))


def report(findings: Iterator[Finding]) -> int:
    """Print the findings as they come, then what to do; the exit code."""
    words = {Level.OK: _("ok"), Level.WARNING: _("warning"), Level.PROBLEM: _("problem")}
    width = max(map(len, words.values()))
    bad = []
    for finding in findings:
        click.echo(f"{words[finding.level]:{width}}  {_one_line(finding.text)}")
        if finding.level is not Level.OK:
            bad.append(finding)
    if not bad:
        click.echo(_("All is well."))
        return 0
    click.echo("\n" + _("What to do:"))
    for finding in bad:
        click.echo(f"- {_one_line(finding.text)}\n  {_one_line(finding.remedy)}")
    return int(any(finding.level is Level.PROBLEM for finding in bad))


def _one_line(text: str) -> str:
    return harmless(" ".join(line.strip() for line in text.split("\n")))
