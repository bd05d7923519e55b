"""`secure-chat export`: what was said, for who asks for it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from secure_chat.cli.asking import ask, config_option, home_option
from secure_chat.client.format import harmless
from secure_chat.errors import SecureChatError
from secure_chat.protocol.relay import format_time

if TYPE_CHECKING:
    from secure_chat.storage.exporting import Exported


@click.command()
@click.argument("target", metavar="ROOM|NAME")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="Lines for people, or a JSON object a line.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="A new file. Default: standard output."
)
@home_option
@config_option
def export(target: str, *, form: str, out: Path | None, home: Path | None, config_file: Path | None) -> None:
    """Write out all of the history of a ROOM (its name begins with #), or all that the account NAME may read.

    NAME's is what it said and was told in private, and of rooms what `[history] rights` lets it see; it may be the
    name of an account that was removed. It is on record who was exported (`secure-chat audit`).
    """
    from secure_chat.chat.history import Rights
    from secure_chat.server.home import Home, default_home
    from secure_chat.storage.exporting import ExportQuery, read_everything

    file = _open(out) if out is not None else None
    try:
        answer = ask((home, config_file), "export", target=target)
        query = ExportQuery(answer.get("room_id"), answer.get("reader_id"), Rights(answer["rights"]))
        # Read here: a long answer costs the server nothing, and it need not run.
        messages = read_everything(Home(home or default_home()).database, query)
        shown: Callable[[Exported], str] = _as_text if form == "text" else _as_json
        _write(messages, shown, file or sys.stdout.buffer)
        if file is not None:
            file.close()
    except BaseException as error:
        if out is not None:
            out.unlink(missing_ok=True)
        if isinstance(error, SecureChatError):
            raise click.ClickException(str(error)) from error
        raise


def _open(path: Path) -> IO[bytes]:
    """A new file that only its owner can read. Raises ClickException."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except FileExistsError:
        raise click.ClickException(f"{path} is there already; name another file") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be made ({error.strerror})") from error


def _write(messages: Iterable[Exported], shown: Callable[[Exported], str], file: IO[bytes]) -> None:
    for message in messages:
        file.write(f"{shown(message)}\n".encode())
    file.flush()


def _as_json(message: Exported) -> str:
    place = {"room": message.room} if message.room is not None else {"to": message.recipient}
    values = {
        "msgid": message.msgid,
        "time": format_time(message.time_us),
        **place,
        "from": message.sender,
        "kind": message.kind.value,
        **({"subject": message.subject} if message.subject is not None else {}),
        "text": message.text,
        **({"tags": dict(message.client_tags)} if message.client_tags else {}),
    }
    return json.dumps(values, ensure_ascii=False)


def _as_text(message: Exported) -> str:
    time = format_time(message.time_us)[:19].replace("T", " ")
    place = message.room if message.room is not None else f"{message.sender} -> {message.recipient}"
    match message.kind.value:
        case "post":
            said = f"<{message.sender}> {message.text}"
        case "notice":
            said = f"-{message.sender}- {message.text}"
        case event:
            words = (message.sender, event, message.subject, message.text)
            said = f"* {' '.join(word for word in words if word)}"
    return harmless(f"{time} {place} {said}")
