"""What is handed to somebody who is invited: a slip with the link, and how to come in with each client."""

from __future__ import annotations

import html as markup
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from secure_chat.cli.asking import Place, ask
from secure_chat.cli.client_settings import client_settings

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 12pt/1.4 sans-serif; margin: 2em }}
section {{ border: 1px dashed; padding: 1em; margin: 0 0 1em; break-inside: avoid }}
code, pre {{ font: 10pt monospace; white-space: pre-wrap; overflow-wrap: anywhere }}
</style></head><body>
{sections}
</body></html>
"""


def people_options(command: Decorated) -> Decorated:
    """The options --expires and --html, of what invites people."""
    page = click.option(
        "--html",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the slips as a page for printing into this file instead.",
    )
    expires = click.option(
        "--expires", default="7d", show_default=True, metavar="TIME", help="How long they are valid: 12h, 7d."
    )
    return expires(page(command))


def read_names(file: TextIO) -> list[str]:
    """The names in a list, one a line; empty lines and what follows a # are left out. Raises ClickException."""
    try:
        names = [name for line in file if (name := line.partition("#")[0].strip())]
    except UnicodeDecodeError as error:
        message = f"{file.name} is not UTF-8"
        raise click.ClickException(message) from error
    if not names:
        message = f"{file.name} has no names"
        raise click.ClickException(message)
    return names


def invite_people(place: Place, names: Iterable[str], page: Path | None, **request: object) -> None:
    """Invite everybody (or, without names, anybody) and print a slip for each. Raises ClickException."""
    answer = ask(place, "invite", names=list(names) or [""], **request)
    if page is not None:
        _write_page(page, answer)
        click.echo(f"{len(answer['invitations'])} slips are in {page}; print it, and keep it from others.")
        return
    for made in answer["invitations"]:
        click.echo("\n".join(_slip(made, answer)))
        click.echo()
    click.echo("\n".join(client_settings(answer, _only_name(answer))))


def _slip(made: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    who = f" for {made['name']}" if made["name"] else ""
    return [
        f"Invitation to {answer['network']}{who}, valid until {made['expires'][:10]} (number {made['id']})",
        "",
        f"  {made['link']}",
        "",
        *_HOW,
    ]


_HOW = (
    "Start the Secure Chat client and paste the link where it asks for the server; then choose a password:",
    "  Linux, macOS:  python3 secure-chat.pyz connect",
    "  Windows:       py secure-chat.pyz connect",
    "  a checkout:    scripts/connect",
    "secure-chat.pyz is one file (scripts/build makes it, your host has it); it needs Python 3.11 or newer.",
)


def _only_name(answer: Mapping[str, Any]) -> str:
    """The name that settings are shown with: that of the only guest, else a place for one."""
    names = [str(made["name"]) for made in answer["invitations"]]
    return names[0] if len(names) == 1 and names[0] else "NAME"


def _write_page(page: Path, answer: Mapping[str, Any]) -> None:
    sections = []
    for made in answer["invitations"]:
        heading, *_rest = _slip(made, answer)
        link = markup.escape(made["link"])
        how = markup.escape("\n".join(_HOW))
        sections.append(
            f"<section><h2>{markup.escape(heading)}</h2><p><code>{link}</code></p><pre>{how}</pre></section>"
        )
    settings = markup.escape("\n".join(client_settings(answer, "NAME")))
    sections.append(f"<section><pre>{settings}</pre></section>")
    text = _PAGE.format(title=markup.escape(f"Invitations to {answer['network']}"), sections="\n".join(sections))
    try:
        page.touch(mode=0o600)
        page.chmod(0o600)
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{page} cannot be written ({error.strerror}); the invitations were made: secure-chat invite list"
        raise click.ClickException(message) from error
