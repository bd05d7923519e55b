"""`secure-chat connect`: the terminal client."""

from __future__ import annotations

from pathlib import Path

import click

from secure_chat.client.address import BadAddress, Target, parse_target
from secure_chat.client.app import Options, UsageProblem, run
from secure_chat.client.fingerprint import check_fingerprint
from secure_chat.client.links import is_link
from secure_chat.client.texts import LANGUAGES, _, choose_language
from secure_chat.protocol.names import InvalidName

# The help is made when this module is imported, before --lang is read: it follows the locale.
choose_language(None)


def _parse_target(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Target | None:
    if value is not None and is_link(value):
        message = _("A link holds a secret. Start without it, and paste it where you are asked for the server.")
        raise click.BadParameter(message)
    try:
        return None if value is None else parse_target(value)
    except BadAddress as error:
        raise click.BadParameter(str(error)) from None


def _check_fingerprint(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else check_fingerprint(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _set_language(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        choose_language(value)
    return value


@click.command(help=_("Chat on the server HOST. What is missing is asked for."))
@click.argument("target", callback=_parse_target, required=False, metavar="[NAME@]HOST[:PORT]")
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=_("Trust servers that this CA certificate vouches for."),
)
@click.option(
    "--fingerprint", callback=_check_fingerprint, metavar="SHA256:…", help=_("Trust the server with this key.")
)
@click.option(
    "--password-stdin", is_flag=True, help=_("The first line of standard input is the password, the rest is said.")
)
@click.option("--plain", is_flag=True, help=_("Plain lines in, plain lines out; nothing is drawn."))
@click.option(
    "--lang", type=click.Choice(LANGUAGES), is_eager=True, callback=_set_language, help=_("Language of the texts.")
)
@click.pass_context
def connect(
    ctx: click.Context,
    target: Target | None,
    ca_file: Path | None,
    fingerprint: str | None,
    password_stdin: bool,
    plain: bool,
    lang: str | None,  # noqa: ARG001 - its callback has set it already
) -> None:
    """Run the client; its exit code says how it ended (see `ExitCode`)."""
    options = Options(target, ca_file, fingerprint, password_stdin, plain)
    try:
        code = run(options)
    except (UsageProblem, InvalidName) as error:
        raise click.UsageError(str(error), ctx) from None
    ctx.exit(int(code))
