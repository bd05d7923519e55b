"""A run of the client from its options to its exit code: the only place where its parts are wired together."""

from __future__ import annotations

import os
import platform
import secrets
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from secure_chat.client import known_servers, last_time, tokens
from secure_chat.client.address import Address, Target
from secure_chat.client.arrival import Arrival, CannotRegister, Credentials
from secure_chat.client.device_token import TokenRequest
from secure_chat.client.dial import CannotConnect, dialler
from secure_chat.client.echo import as_before
from secure_chat.client.format import Look, harmless
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.link import Link
from secure_chat.client.links import Invitation
from secure_chat.client.local_server import find_local_server
from secure_chat.client.outcome import ExitCode
from secure_chat.client.questions import ask_name, ask_server, ask_trust, check_identity
from secure_chat.client.secret_questions import NewRecoveryCodes
from secure_chat.client.standard_input import StandardInput
from secure_chat.client.state import Chat
from secure_chat.client.texts import _
from secure_chat.client.tokens import Tokens
from secure_chat.client.trust import Trust
from secure_chat.errors import SecureChatError, TrustError
from secure_chat.protocol.message import Secret


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
    except CannotRegister as error:
        code, text = ExitCode.LOGIN_REFUSED, str(error)
    except (KeyboardInterrupt, EOFError):
        print()
        return ExitCode.QUIT
    for line in text.split("\n"):
        print(harmless(line), file=sys.stderr)
    return code


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go, which key the server must have, and what is known of who comes."""

    address: Address
    fingerprint: str = ""
    name: str = ""
    code: Secret | None = field(default=None, repr=False)


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
        """The steps in their order: where, who, trust, password or token, chat."""
        place = self._where()
        ask = ask_trust if self._at_terminal else None
        known = KnownServers(known_servers.default_path())
        pin = self._options.fingerprint or place.fingerprint or None
        # Anybody can send a link, and with it a key: it does not silently take the place of the one we know.
        by_link = self._options.fingerprint is None and place.code is not None
        ca_file = self._options.ca_file
        trust = Trust(place.address, known, fingerprint=pin, ca_file=ca_file, ask=ask, replaces=not by_link)
        dial = dialler(place.address, trust)
        if not self._at_terminal:
            assert place.name
            credentials = Credentials(place.name, self._password_from_input())
            return self._talk(place.address, credentials, dial, dial())
        name = place.name or ask_name(self._last.name)
        arrival = Arrival(dial, name, place.code, lambda name: self._tokens(place.address, name))
        credentials, tls = arrival.come_in()
        trust.without_asking()
        code = self._talk(place.address, credentials, dial, tls)
        if code is ExitCode.LOGIN_REFUSED and credentials.by_token:
            self._tokens(place.address, credentials.name).forget()
            credentials, tls = arrival.come_in(ask_again=True)
            code = self._talk(place.address, credentials, dial, tls)
        return code

    def _where(self) -> Place:
        """The server, and what is known of who comes: given, found on this machine, or asked for. Raises
        UsageProblem where it cannot be asked.
        """
        target = self._options.target
        if not self._at_terminal and (target is None or target.name is None):
            raise UsageProblem(_("Without a terminal to ask at, write NAME@HOST[:PORT] and --password-stdin."))
        if target is not None:
            return Place(target.address, name=check_identity(target.name) if target.name else "")
        local = find_local_server()
        if local is not None and self._last.server in ("", str(local.address)):
            print(_("Found your server on this machine: {address}").format(address=local.address))
            return Place(local.address, local.fingerprint)
        answer = ask_server(self._last.server)
        if isinstance(answer, Invitation):
            name = ask_name(answer.name)
            return Place(answer.address, answer.fingerprint, name, answer.code)
        return Place(answer)

    def _tokens(self, address: Address, name: str) -> Tokens:
        known = KnownServers(known_servers.default_path())
        return Tokens(tokens.default_path(), address, name, lambda: known.fingerprint(address) or "")

    def _password_from_input(self) -> Secret:
        """The first line of standard input, kept until the server is trusted. Raises UsageProblem."""
        if not self._options.password_stdin:
            raise UsageProblem(_("Without a terminal to ask at, --password-stdin is needed."))
        if not (line := self._input.read_line()):
            raise UsageProblem(_("The first line of standard input must be the password; it is empty."))
        return Secret(line)

    def _talk(
        self, address: Address, credentials: Credentials, dial: Callable[[], ssl.SSLSocket], tls: ssl.SSLSocket
    ) -> ExitCode:
        request = None
        if self._at_terminal and not credentials.by_token:
            request = TokenRequest(platform.node(), self._tokens(address, credentials.name).keep)
        chat = Chat(
            credentials.name,
            credentials.password,
            new_id=lambda: secrets.token_urlsafe(16),
            scripted=self._plain,
            token_request=request,
        )
        answers = last_time.LastTime(str(address), credentials.name)
        first = [NewRecoveryCodes(credentials.password)] if credentials.wants_recovery else []
        return self._show(chat, dial, tls, first, lambda: last_time.write_last_time(self._last_path, answers))

    def _show(
        self,
        chat: Chat,
        dial: Callable[[], ssl.SSLSocket],
        tls: ssl.SSLSocket,
        first: Sequence[NewRecoveryCodes],
        on_ready: Callable[[], None],
    ) -> ExitCode:
        """Chat; `first` is asked for as soon as we are in."""
        look = Look(colours=not self._plain and not os.environ.get("NO_COLOR"), wall=_local_time)
        if self._plain:
            from secure_chat.client.link import Quit
            from secure_chat.client.plain_mode import PlainScreen, run_plain

            plain_screen = PlainScreen(look)
            link = Link(chat, dial, plain_screen.show, clock=time.monotonic)
            for item in first:
                link.put(item)
            plain_screen.gone = lambda: link.put(Quit())
            with as_before(sys.stdin.fileno()):
                return run_plain(link, tls, self._input, at_terminal=self._at_terminal, on_ready=on_ready)
        from secure_chat.client.line_mode import LineMode, LineScreen

        screen = LineScreen(look)
        link = Link(chat, dial, screen.show, clock=time.monotonic)
        for item in first:
            link.put(item)
        # The lines of whoever types ahead stood on the screen twice, and a password that was typed too soon.
        with as_before(sys.stdin.fileno(), echo=False):
            return LineMode(link, screen, look).run(tls, on_ready)


def _is_dumb() -> bool:
    """Whether the terminal can only show line after line. Windows names no terminals."""
    return os.environ.get("TERM", "" if os.name == "nt" else "dumb") == "dumb"


def _local_time() -> datetime:
    return datetime.now(UTC).astimezone()
