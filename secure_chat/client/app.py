"""A run of the client from its options to its exit code: the only place where its parts are wired together."""

from __future__ import annotations

import os
import secrets
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from secure_chat.client import known_servers, last_time
from secure_chat.client.address import Address, Target
from secure_chat.client.dial import CannotConnect, dialler
from secure_chat.client.echo import as_before
from secure_chat.client.format import Look, harmless
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.link import Link
from secure_chat.client.outcome import ExitCode
from secure_chat.client.questions import ask_name, ask_password, ask_server, ask_trust, check_identity
from secure_chat.client.standard_input import StandardInput
from secure_chat.client.state import Chat
from secure_chat.client.texts import _
from secure_chat.client.trust import Trust
from secure_chat.errors import SecureChatError, TrustError
from secure_chat.protocol.message import Secret

HELD_SECONDS = 15.0
"""A connection that waited longer for its user's password is made anew: servers do not wait long for a login."""


class UsageProblem(SecureChatError):
    """Something must be given that cannot be asked for here; the text says what."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    target: Target | None = None
    ca_file: Path | None = None
    fingerprint: str | None = None
    password_stdin: bool = False
    plain: bool = False


def run(options: Options) -> ExitCode:
    """Ask what is missing, decide on trust, log in, and chat. Main thread.

    Raises UsageProblem, and InvalidName for a name given that cannot be one.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _Run(options).go()
    except CannotConnect as error:
        code, text = ExitCode.CANNOT_CONNECT, str(error)
    except TrustError as error:
        code, text = ExitCode.NOT_TRUSTED, str(error)
    except (KeyboardInterrupt, EOFError):
        print()
        return ExitCode.QUIT
    for line in text.split("\n"):
        print(harmless(line), file=sys.stderr)
    return code


class _Run:
    """The steps of one run, and what they share."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._input = StandardInput(sys.stdin.fileno())
        self._at_terminal = sys.stdin.isatty() and not options.password_stdin
        self._plain = options.plain or not self._at_terminal or not sys.stdout.isatty() or _is_dumb()
        self._last_path = last_time.default_path()
        self._last = last_time.read_last_time(self._last_path)

    def go(self) -> ExitCode:
        """The steps in their order: where, who, trust, password, chat."""
        address, name = self._where_and_who()
        ask = ask_trust if self._at_terminal else None
        known = KnownServers(known_servers.default_path())
        trust = Trust(address, known, fingerprint=self._options.fingerprint, ca_file=self._options.ca_file, ask=ask)
        dial = dialler(address, trust)
        password = Secret() if self._at_terminal else self._password_from_input()
        tls = dial()
        trust.without_asking()
        if self._at_terminal:
            asked_at = time.monotonic()
            try:
                password = ask_password()
            except BaseException:
                tls.close()
                raise
            if time.monotonic() - asked_at > HELD_SECONDS:
                tls.close()
                tls = dial()
        chat = Chat(name, password, new_id=lambda: secrets.token_urlsafe(16), scripted=self._plain)
        answers = last_time.LastTime(str(address), name)
        return self._talk(chat, dial, tls, lambda: last_time.write_last_time(self._last_path, answers))

    def _where_and_who(self) -> tuple[Address, str]:
        """The server and the name, given or asked for. Raises UsageProblem where they cannot be."""
        target = self._options.target
        if target is not None and target.name is not None:
            return target.address, check_identity(target.name)
        if not self._at_terminal:
            raise UsageProblem(_("Without a terminal to ask at, write NAME@HOST[:PORT] and --password-stdin."))
        address = target.address if target else ask_server(self._last.server)
        return address, ask_name(self._last.name)

    def _password_from_input(self) -> Secret:
        """The first line of standard input, kept until the server is trusted. Raises UsageProblem."""
        if not self._options.password_stdin:
            raise UsageProblem(_("Without a terminal to ask at, --password-stdin is needed."))
        if not (line := self._input.read_line()):
            raise UsageProblem(_("The first line of standard input must be the password; it is empty."))
        return Secret(line)

    def _talk(
        self, chat: Chat, dial: Callable[[], ssl.SSLSocket], tls: ssl.SSLSocket, on_ready: Callable[[], None]
    ) -> ExitCode:
        look = Look(colours=not self._plain and not os.environ.get("NO_COLOR"), wall=_local_time)
        if self._plain:
            from secure_chat.client.link import Quit
            from secure_chat.client.plain_mode import PlainScreen, run_plain

            plain_screen = PlainScreen(look)
            link = Link(chat, dial, plain_screen.show, clock=time.monotonic)
            plain_screen.gone = lambda: link.put(Quit())
            with as_before(sys.stdin.fileno()):
                return run_plain(link, tls, self._input, at_terminal=self._at_terminal, on_ready=on_ready)
        from secure_chat.client.line_mode import LineMode, LineScreen

        screen = LineScreen(look)
        link = Link(chat, dial, screen.show, clock=time.monotonic)
        # The lines of whoever types ahead stood on the screen twice, and a password that was typed too soon.
        with as_before(sys.stdin.fileno(), echo=False):
            return LineMode(link, screen, look).run(tls, on_ready)


def _is_dumb() -> bool:
    """Whether the terminal can only show line after line. Windows names no terminals."""
    return os.environ.get("TERM", "" if os.name == "nt" else "dumb") == "dumb"


def _local_time() -> datetime:
    return datetime.now(UTC).astimezone()
