"""What a server answers before anybody has logged in: its capabilities, and perhaps its clock."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from secure_chat.errors import ProtocolError
from secure_chat.protocol.lines import LineBuffer
from secure_chat.protocol.message import SERVER_TAGS_LIMIT_BYTES, Message, parse

READ_BYTES = 4096
ANSWER_SECONDS = 10.0
"""For all of it: servers of others look up names before they answer."""
TOKEN = "doctor"  # noqa: S105 - what a PING carries


@dataclass(slots=True)
class Greeting:
    """Capabilities with their values ("" for none), the ERROR if there was one, and the server's clock (aware)."""

    capabilities: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    clock: datetime | None = None
    is_irc: bool = False


def ask_greeting(tls: ssl.SSLSocket) -> Greeting:
    """Ask for the capabilities, and for times on lines; says goodbye. Blocks for ANSWER_SECONDS at most.

    Raises OSError where the connection ends or no answer comes. Nothing about the user is sent.
    """
    greeting = Greeting()
    tls.sendall(b"CAP LS 302\r\n")
    messages = _messages(tls)
    for message in messages:
        _note(greeting, message)
        if greeting.error is not None:
            return greeting
        if _is_reply(message, "LS") and "*" not in message.params[2:-1]:
            break
    if "server-time" in greeting.capabilities:
        tls.sendall(f"CAP REQ :server-time\r\nPING {TOKEN}\r\n".encode())
        for message in messages:
            _note(greeting, message)
            if message.command in ("PONG", "451", "ERROR"):
                break
    tls.sendall(b"QUIT\r\n")
    return greeting


def _messages(tls: ssl.SSLSocket) -> Iterator[Message]:
    buffer = LineBuffer(tags_limit_bytes=SERVER_TAGS_LIMIT_BYTES)
    end = time.monotonic() + ANSWER_SECONDS
    while (left := end - time.monotonic()) > 0:
        tls.settimeout(left)
        data = tls.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError
        for raw in buffer.feed(data):
            try:
                yield parse(raw if isinstance(raw, bytes) else b"")
            except ProtocolError:
                continue
    raise TimeoutError


def _note(greeting: Greeting, message: Message) -> None:
    if _is_reply(message, "LS"):
        greeting.is_irc = True
        for word in message.params[-1].split():
            name, _equals, value = word.partition("=")
            greeting.capabilities[name] = value
    elif message.command == "ERROR":
        greeting.is_irc = True
        greeting.error = message.params[-1] if message.params else ""
    if stamp := message.tags.get("time"):
        try:
            greeting.clock = datetime.fromisoformat(stamp).astimezone(UTC)
        except ValueError:
            return


def _is_reply(message: Message, subcommand: str) -> bool:
    return message.command == "CAP" and len(message.params) > 2 and message.params[1] == subcommand
