"""From a stream of bytes to lines, with limits (Modern IRC, "Message Format"; IRCv3 `message-tags`)."""

from __future__ import annotations

from collections.abc import Iterator

from secure_chat.errors import ProtocolError
from secure_chat.protocol.message import CLIENT_TAGS_LIMIT_BYTES, LINE_LIMIT_BYTES


class LineTooLong(ProtocolError):
    """A line, or its tags, is longer than allowed; the line is dropped whole."""


class LineBuffer:
    """Collects bytes and gives whole lines. Not for use from two threads.

    A line ends in LF; CRs right before it are not part of it; empty lines are not given (Modern IRC, "Empty
    messages"). Memory is bounded by the limits: the rest of an over-long line is skipped as it comes.
    """

    def __init__(
        self, *, tags_limit_bytes: int = CLIENT_TAGS_LIMIT_BYTES, line_limit_bytes: int = LINE_LIMIT_BYTES
    ) -> None:
        self._tags_limit_bytes = tags_limit_bytes
        self._line_limit_bytes = line_limit_bytes
        self._pending = bytearray()
        self._skipping = False

    @property
    def pending_bytes(self) -> int:
        """How much of an unfinished line is held."""
        return len(self._pending)

    def feed(self, data: bytes) -> Iterator[bytes | LineTooLong]:
        """Add what has arrived; give each whole line, or LineTooLong in the place of one that was too long."""
        *whole, rest = data.split(b"\n")
        for part in whole:
            line = bytes(self._pending) + part
            self._pending.clear()
            if self._skipping:
                self._skipping = False
                yield LineTooLong("Input line was too long")
                continue
            line = line.rstrip(b"\r")
            if line:
                yield line if self._fits(line) else LineTooLong("Input line was too long")
        self._keep(rest)

    def _keep(self, rest: bytes) -> None:
        if self._skipping:
            return
        self._pending += rest
        if len(self._pending) > self._tags_limit_bytes + self._line_limit_bytes:
            self._skipping = True
            self._pending.clear()

    def _fits(self, line: bytes) -> bool:
        tags_bytes = 0
        if line.startswith(b"@"):
            tags_bytes = line.find(b" ") + 1 or len(line)
        return tags_bytes <= self._tags_limit_bytes and len(line) - tags_bytes + 2 <= self._line_limit_bytes
