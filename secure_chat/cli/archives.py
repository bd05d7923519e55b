"""What `backup` and `restore` share: the passphrase, and ending cleanly when they are interrupted."""

from __future__ import annotations

import signal
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from secure_chat.protocol.message import Secret

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
PASSPHRASE_LEAST_CHARACTERS = 12
PASSPHRASE_LIMIT_BYTES = 1024


def passphrase_file_option(command: Decorated) -> Decorated:
    """The option --passphrase-file."""
    return click.option(
        "--passphrase-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Read the passphrase from the first line of this file instead of asking for it.",
    )(command)


def read_passphrase(path: Path) -> Secret:
    """The first line of the file. Raises ClickException."""
    try:
        with path.open("rb") as file:
            line = file.readline(PASSPHRASE_LIMIT_BYTES + 2).rstrip(b"\r\n")
        text = line.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "no answer") if isinstance(error, OSError) else "it is not UTF-8"
        message = f"The passphrase in {path} cannot be read: {reason}"
        raise click.ClickException(message) from None
    if not text or len(line) > PASSPHRASE_LIMIT_BYTES:
        message = f"The first line of {path} is {'too long' if text else 'empty'}: that is no passphrase"
        raise click.ClickException(message)
    return Secret(text)


def ask_passphrase(question: str) -> Secret | None:
    """What is typed at the terminal, without echo; None for nothing. Raises UsageError where there is none."""
    if not sys.stdin.isatty():
        message = "No terminal to ask for the passphrase on; use --passphrase-file"
        raise click.UsageError(message)
    text: str = click.prompt(question, default="", show_default=False, hide_input=True)
    return Secret(text) if text else None


def ask_new_passphrase() -> Secret | None:
    """A new passphrase, asked for twice; None where the owner wants none."""
    while True:
        passphrase = ask_passphrase("Passphrase for the pepper (nothing: leave the pepper out)")
        if passphrase is None:
            return None
        if (reason := too_weak(passphrase)) is not None:
            click.echo(reason)
        elif ask_passphrase("The same again") != passphrase:
            click.echo("These were two different ones.")
        else:
            return passphrase


def too_weak(passphrase: Secret) -> str | None:
    """What is to be said of a new passphrase that would not do."""
    if len(unicodedata.normalize("NFC", passphrase.reveal())) >= PASSPHRASE_LEAST_CHARACTERS:
        return None
    return (
        f"A passphrase has at least {PASSPHRASE_LEAST_CHARACTERS} characters; some words in a row make a good one. "
        "(Whoever gets the file can try as many as they like.)"
    )


def end_cleanly() -> None:
    """From here on SIGTERM and SIGHUP end the command like Ctrl-C: what is half done is taken away. Main thread."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _end)


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)
