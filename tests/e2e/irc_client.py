"""A small IRC client for tests: real TLS, lines as they come, deadlines everywhere."""

from __future__ import annotations

import re
import socket
import ssl
import time
import traceback
from itertools import count
from pathlib import Path

from secure_chat.protocol.message import Message, parse
from secure_chat.protocol.sasl import encode_plain
from tests.e2e.server_process import PASSWORD, ServerProcess

LINE_SECONDS = 10.0
CAPABILITIES = (
    "account-tag batch echo-message labeled-response message-tags sasl secure-chat.internal/post-id "
    "server-time standard-replies"
)
_TOKENS = count(1)
OPEN: list[IrcClient] = []
"""Every client of this test: closed when it ends."""


class IrcClient:
    """One connection. `expect` reads on until a line matches; what it passed over is in `seen`."""

    def __init__(self, port: int, ca: Path | None, *, context: ssl.SSLContext | None = None) -> None:
        trusting = context or ssl.create_default_context(cafile=str(ca))
        raw = socket.create_connection(("127.0.0.1", port), timeout=LINE_SECONDS)
        # Without it the first lines wait 40 ms for the acknowledgement of the handshake.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket = trusting.wrap_socket(raw, server_hostname="localhost")
        except OSError as error:
            raw.close()
            # Where the server is gone before it begins, Python leaves open what it has made of `raw`.
            for frame, _line in traceback.walk_tb(error.__traceback__):
                made = frame.f_locals.get("self")
                if isinstance(made, ssl.SSLSocket):
                    made.close()
            raise
        self._buffer = b""
        self.seen: list[str] = []
        OPEN.append(self)

    def send(self, *lines: str) -> None:
        """Send lines in one go."""
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def line(self) -> str | None:
        """The next line, without its end; None where the server has closed."""
        while b"\n" not in self._buffer:
            data = self.socket.recv(65_536)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        text = line.rstrip(b"\r").decode()
        self.seen.append(text)
        return text

    def expect(self, pattern: str) -> Message:
        """Read on until a line matches; fails with what came instead."""
        end, start = time.monotonic() + LINE_SECONDS, len(self.seen)
        while time.monotonic() < end:
            line = self.line()
            assert line is not None, f"closed before {pattern!r}; came:\n" + "\n".join(self.seen[start:])
            if re.search(pattern, line):
                return parse(line.encode())
        raise AssertionError(f"no {pattern!r}; came:\n" + "\n".join(self.seen[start:]))

    def expect_missed(self, pattern: str) -> None:
        """Read on until a line has matched since the beginning: what was missed comes before or after `log_in`."""
        if not any(re.search(pattern, line) for line in self.seen):
            self.expect(pattern)

    def barrier(self) -> list[str]:
        """Every line that came before the answer to everything sent so far."""
        token, start = f"barrier-{next(_TOKENS)}", len(self.seen)
        self.send(f"PING {token}")
        self.expect(rf"PONG \S+ {token}$")
        return self.seen[start:-1]

    def expect_end(self) -> None:
        """Until the server closes."""
        while self.line() is not None:
            continue

    def close(self) -> None:
        """Drop the connection, without a word."""
        self.socket.close()


def log_in(
    server: ServerProcess, name: str, password: str = PASSWORD, capabilities: str = CAPABILITIES
) -> IrcClient:
    """A client that is logged in and has seen the end of its welcome."""
    client = IrcClient(server.port, server.ca)
    client.send("CAP LS 302", f"NICK {name}", "USER tester 0 * :A tester", f"CAP REQ :{capabilities}")
    client.send("AUTHENTICATE PLAIN")
    client.expect(r"AUTHENTICATE \+")
    client.send(*(f"AUTHENTICATE {chunk}" for chunk in encode_plain(name, password)))
    client.expect(r" 903 ")
    client.send("CAP END")
    client.expect(r" (376|422) ")
    client.barrier()
    return client
