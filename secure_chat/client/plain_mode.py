"""Plain lines in, plain lines out: for pipes, scripts and simple terminals."""

from __future__ import annotations

import contextlib
import errno
import getpass
import os
import signal
import ssl
import sys
import threading
from collections.abc import Callable

from secure_chat.client import slash
from secure_chat.client.events import Event, Told, Tone
from secure_chat.client.format import Look, render
from secure_chat.client.link import EndOfInput, Link, Quit, Typed
from secure_chat.client.outcome import ExitCode
from secure_chat.client.secret_questions import ask_for_secrets, asks_for_secrets
from secure_chat.client.signals import ENDING, WAIT_SECONDS, leaving_at
from secure_chat.client.standard_input import StandardInput


class PlainScreen:
    """Writes what is said to standard output and what went wrong to standard error, each line at once.

    `gone` is called when nobody reads any more.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self.gone: Callable[[], None] = lambda: None

    def show(self, events: list[Event]) -> None:
        """Write the events. The link's thread."""
        try:
            for event in events:
                diagnostic = isinstance(event, Told) and event.tone in (Tone.REFUSED, Tone.CONNECTION)
                stream = sys.stderr if diagnostic else sys.stdout
                stream.writelines(f"{line}\n" for line in render(event, self._look))
                stream.flush()
        except OSError as error:
            # Windows says of a closed pipe that the argument is invalid.
            if not isinstance(error, BrokenPipeError) and (os.name != "nt" or error.errno != errno.EINVAL):
                raise
            # What Python flushes at its end must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self.gone()


def run_plain(
    link: Link, tls: ssl.SSLSocket, source: StandardInput, *, at_terminal: bool, on_ready: Callable[[], None]
) -> ExitCode:
    """Chat until the input ends, a signal asks us to go, or the connection is lost for good. Main thread; starts
    two others.
    """
    outcome: list[ExitCode] = []
    over = threading.Event()

    def talk() -> None:
        try:
            outcome.append(link.run(tls))
        finally:
            over.set()

    typing = threading.Thread(target=_read, args=(link, source, at_terminal), name="keyboard", daemon=True)
    with leaving_at(signal.SIGINT, *ENDING, leave=lambda: link.put(Quit())):
        threading.Thread(target=talk, name="link", daemon=True).start()
        typing.start()
        with contextlib.suppress(KeyboardInterrupt):
            if link.wait_until_ready():
                on_ready()
            while not over.wait(WAIT_SECONDS):
                pass
    return outcome[0] if outcome else ExitCode.CONNECTION_LOST


def _read(link: Link, source: StandardInput, at_terminal: bool) -> None:
    """The keyboard's thread."""
    while (line := source.read_line()) is not None:
        name = slash.command_in(line)
        if at_terminal and name is not None and asks_for_secrets(name):
            if answer := ask_for_secrets(name, lambda question: getpass.getpass(f"{question}: ")):
                link.put(answer)
        else:
            link.put(Typed(line))
    link.put(EndOfInput())
