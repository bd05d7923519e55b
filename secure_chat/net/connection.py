"""One connection: its socket, its TLS, its lines in and out. The owner worker's thread only."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto

from secure_chat.errors import ProtocolError
from secure_chat.net.bucket import Bucket
from secure_chat.net.limits import Limits
from secure_chat.net.receipts import Receipts
from secure_chat.net.tls import TlsChannel
from secure_chat.protocol.lines import LineBuffer
from secure_chat.protocol.message import Message, parse

RECEIVE_BYTES = 32_768
READ_BUDGET_BYTES = 32_768
LINE_OVERHEAD_BYTES = 256
"""What a parsed line costs beside its bytes: many short lines are not for free."""
EMPTY_LIMIT_BYTES = 65_536
"""What may come beyond EMPTY_PER_BYTE for each byte of lines. Two peers that only renewed their keys cost a worker
half its time, and everybody else 180 ms a line."""
EMPTY_PER_BYTE = 64
"""A record with one byte of a line in it is shorter."""
WRITE_BYTES = 65_536
ENCRYPT_BYTES = 8_192
"""What OpenSSL is given at once. Its buffer for what comes out never shrinks: given WRITE_BYTES, each of 300
clients held 70 KiB for good after a burst of 200 KB; now 17."""


class ConnectionGone(ProtocolError):
    """The connection is no more; the text says why."""


class Stage(Enum):
    """Where a connection stands."""

    HANDSHAKE = auto()
    OPEN = auto()
    CLOSING = auto()
    """What is pending goes out, then our goodbye; the peer's is awaited."""
    GONE = auto()
    """Nothing goes in or out; lines that had come may still be handed over."""


TRANSITIONS: Mapping[Stage, frozenset[Stage]] = {
    Stage.HANDSHAKE: frozenset({Stage.OPEN, Stage.GONE}),
    Stage.OPEN: frozenset({Stage.CLOSING, Stage.GONE}),
    Stage.CLOSING: frozenset({Stage.GONE}),
    Stage.GONE: frozenset(),
}


class Connection:
    """See the module. `now` is always seconds of the worker's monotonic clock."""

    __slots__ = (
        "_limits",
        "address",
        "authenticated",
        "bucket",
        "channel",
        "close_reason",
        "deadline",
        "empty_bytes",
        "exempt",
        "form",
        "goodbye_sent",
        "has_more",
        "heard_at",
        "held_since",
        "id",
        "lines",
        "pending",
        "pending_bytes",
        "pinged_at",
        "receipts",
        "refused_since",
        "slow_since",
        "socket",
        "stage",
        "tell_drained",
        "topics",
        "unread",
        "unread_bytes",
        "unsent",
        "watched",
    )

    def __init__(
        self,
        connection_id: int,
        sock: socket.socket,
        address: str,
        context: ssl.SSLContext,
        limits: Limits,
        now: float,
        *,
        exempt: bool,
    ) -> None:
        self.id = connection_id
        self.socket = sock
        self.address = address
        self.exempt = exempt
        self.channel = TlsChannel(context)
        self.lines = LineBuffer()
        self.stage = Stage.HANDSHAKE
        self._limits = limits
        self.bucket = Bucket(limits.points_per_second, limits.points_burst, limits.points_burst, now)
        self.form = 0
        self.topics: set[int] = set()
        self.pending: list[bytes | memoryview] = []
        self.pending_bytes = 0
        self.unsent: memoryview | None = None
        self.unread: deque[tuple[Message | ProtocolError, int]] = deque()
        self.unread_bytes = 0
        self.has_more = False
        self.empty_bytes = 0
        self.authenticated = False
        self.held_since: float | None = None
        self.refused_since: float | None = None
        self.heard_at = now
        self.pinged_at: float | None = None
        self.slow_since: float | None = None
        self.deadline: float | None = now + limits.handshake_seconds
        self.tell_drained = False
        self.receipts = Receipts()
        self.goodbye_sent = False
        self.close_reason = ""
        self.watched = 0

    def enter(self, stage: Stage) -> None:
        """Go on to another stage, as TRANSITIONS allows."""
        assert stage in TRANSITIONS[self.stage], (self.stage, stage)
        self.stage = stage

    @property
    def outstanding_bytes(self) -> int:
        """What has not been taken by the kernel yet."""
        return self.pending_bytes + (len(self.unsent) if self.unsent is not None else 0)

    @property
    def wants_to_read(self) -> bool:
        """Whether more may be read: lines that have come are handed over first."""
        if self.stage is Stage.OPEN:
            return self.held_since is None and not self.unread
        return self.stage is not Stage.GONE

    def receive(self, now: float) -> None:
        """Take what the kernel has for us, and go on with the handshake; `decrypt` comes next.

        Raises ConnectionGone, TlsFailed.
        """
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise ConnectionGone(f"connection lost ({error.strerror or type(error).__name__})") from None
        if self.stage is Stage.CLOSING:
            if not data:
                raise ConnectionGone(self.close_reason)
            return
        self.heard_at, self.pinged_at = now, None
        self.channel.feed(data)
        if not self.channel.established:
            self._shake_hands(ended=not data)
        else:
            self.empty_bytes += len(data)

    def _shake_hands(self, *, ended: bool) -> None:
        try:
            done = self.channel.handshake()
        finally:
            self._take_outgoing()
        if ended and not done:
            text = "connection lost during the handshake"
            raise ConnectionGone(text)

    def decrypt(self) -> None:
        """Turn what has come into lines, at most about READ_BUDGET_BYTES; `has_more` tells of a rest.

        A selector does not wake for bytes that are decrypted but not read. Raises TlsClosed, TlsFailed, and
        ConnectionGone where hardly anything of what comes is lines.
        """
        self.has_more = False
        taken = 0
        try:
            while self.channel.may_have_more and (data := self.channel.read()):
                taken += len(data)
                self.empty_bytes = max(0, self.empty_bytes - EMPTY_PER_BYTE * len(data))
                for line in self.lines.feed(data):
                    self._keep(line)
                if taken >= READ_BUDGET_BYTES or self.unread_bytes >= self._limits.unread_bytes:
                    self.has_more = True
                    return
        finally:
            self._take_outgoing()
        if self.empty_bytes > EMPTY_LIMIT_BYTES:
            text = "the peer sends TLS records with nothing in them"
            raise ConnectionGone(text)

    def _keep(self, line: bytes | ProtocolError) -> None:
        if isinstance(line, ProtocolError):
            self.unread.append((line, 0))
            return
        parsed: Message | ProtocolError
        try:
            parsed = parse(line)
        except ProtocolError as error:
            parsed = error
        size = len(line) + LINE_OVERHEAD_BYTES
        self.unread.append((parsed, size))
        self.unread_bytes += size

    def leave_out(self, questions: frozenset[str]) -> None:
        """Of the lines that wait, do not hand over those that only ask: nobody is there for the answers."""
        kept = [one for one in self.unread if not (isinstance(one[0], Message) and one[0].command in questions)]
        self.unread = deque(kept)
        self.unread_bytes = sum(size for _, size in kept)

    def add(self, data: bytes) -> None:
        """Put bytes behind what is pending."""
        self.pending.append(data)
        self.pending_bytes += len(data)

    def flush(self) -> bool:
        """Send what is pending; whether nothing is left of it. Raises ConnectionGone, TlsFailed."""
        while True:
            if self.unsent is not None and not self._send_unsent():
                return False
            if not self.pending:
                return True
            self._encrypt(self._take_pending())

    def _encrypt(self, data: bytes | memoryview) -> None:
        encrypted = []
        for start in range(0, len(data), ENCRYPT_BYTES):
            self.channel.write(data[start : start + ENCRYPT_BYTES])
            encrypted.append(self.channel.outgoing())
        self.unsent = memoryview(b"".join(encrypted))

    def _take_pending(self) -> bytes | memoryview:
        """At most WRITE_BYTES from the front. What is left stays in its pieces: megabytes are not joined again
        and again.
        """
        taken = length = 0
        for piece in self.pending:
            length += len(piece)
            taken += 1
            if length >= WRITE_BYTES:
                break
        data = self.pending[0] if taken == 1 else b"".join(self.pending[:taken])
        del self.pending[:taken]
        if length > WRITE_BYTES:
            view = memoryview(data)
            data = view[:WRITE_BYTES]
            self.pending.insert(0, view[WRITE_BYTES:])
        self.pending_bytes -= len(data)
        return data

    def _take_outgoing(self) -> None:
        data = self.channel.outgoing()
        if data:
            self.unsent = memoryview(data if self.unsent is None else bytes(self.unsent) + data)

    def _send_unsent(self) -> bool:
        assert self.unsent is not None
        try:
            sent = self.socket.send(self.unsent)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            raise ConnectionGone(f"connection lost ({error.strerror or type(error).__name__})") from None
        self.unsent = self.unsent[sent:] if sent < len(self.unsent) else None
        return self.unsent is None

    def say_goodbye(self) -> None:
        """After the last flush: close_notify, and no more from us; the peer may still be sending.

        Raises ConnectionGone.
        """
        if self.goodbye_sent:
            return
        self.goodbye_sent = True
        self.channel.close()
        self._take_outgoing()
        if self.unsent is None or self._send_unsent():
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)

    def waits_for_queue(self, now: float, *, waits: bool) -> None:
        """Note whether lines wait for a place with the dispatcher: meanwhile the deadline stands still.

        (Not while it is the client's own points that they wait for.)
        """
        if waits and self.refused_since is None:
            self.refused_since = now
        elif not waits and self.refused_since is not None:
            if self.deadline is not None:
                self.deadline += now - self.refused_since
            self.refused_since = None

    def hold(self, now: float) -> None:
        """Do not read on; deadlines stand still."""
        self.waits_for_queue(now, waits=False)
        if self.held_since is None:
            self.held_since = now

    def release(self, now: float) -> None:
        """Read again; deadlines move by the time that passed."""
        if self.held_since is None:
            return
        held = now - self.held_since
        self.held_since = None
        self.heard_at += held
        if self.deadline is not None:
            self.deadline += held
