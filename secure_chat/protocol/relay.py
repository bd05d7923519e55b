"""What the server relays from one person to others, and how each kind of session sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from secure_chat.protocol.capabilities import Profile
from secure_chat.protocol.message import LINE_LIMIT_BYTES, NO_TAGS, Message, body_text, check_body, encode_tags

_TAGS, _TIME = int(Profile.TAGS), int(Profile.TIME)
_ACCOUNT, _EXTENDED_JOIN = int(Profile.ACCOUNT), int(Profile.EXTENDED_JOIN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def format_time(time_us: int) -> str:
    """A time in µs since 1970 UTC as `server-time` writes it: `2026-11-21T12:00:00.000Z`."""
    moment = _EPOCH + timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@dataclass(slots=True)
class Relayed:
    """Something that people are told of: a post, a join, a topic. To build one of which a line would be another one
    when it is read raises ValueError. Never changed: it is not `frozen` because one is made for each message, and
    that would take longer than all the rest of making it.

    `time_us` is in µs since 1970 UTC. `account` is the name of the account that did it; `msgid` is None where
    nothing is stored; `client_tags` are the sender's `+` tags; `extended` replaces `params` for sessions with
    `extended-join`.
    """

    source: str
    command: str
    params: tuple[str, ...]
    time_us: int
    account: str | None = None
    msgid: str | None = None
    client_tags: Mapping[str, str] = field(default_factory=lambda: NO_TAGS)
    extended: tuple[str, ...] | None = None
    _body: str = field(init=False, repr=False, compare=False)
    _extended_body: str = field(init=False, repr=False, compare=False)
    """As `extended` has it, or the same."""
    _lines: dict[int, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_body(self.source, self.command, self.params)
        self._body = self._extended_body = body_text(self.source, self.command, self.params)
        if self.extended is not None:
            check_body(self.source, self.command, self.extended)
            self._extended_body = body_text(self.source, self.command, self.extended)

    def message(self, profile: Profile) -> Message:
        """The message that a session of this profile sees."""
        bits = int(profile)
        params = self.extended if self.extended is not None and bits & _EXTENDED_JOIN else self.params
        return Message(self.command, params, self.source, self._tags(bits))

    def encode(self, profile: Profile) -> bytes:
        """The same as it goes over the wire, with CR LF; made once for each form that is asked for.

        Nothing where sessions of this profile do not see it at all: TAGMSG is nothing but tags.
        """
        bits = int(profile)  # plain numbers: this is the hot path, and flags are slow
        line = self._lines.get(bits)
        if line is None:
            line = self._lines[bits] = b"" if self.command == "TAGMSG" and not bits & _TAGS else self._line(bits)
        return line

    def _line(self, bits: int) -> bytes:
        body = self._extended_body if bits & _EXTENDED_JOIN else self._body
        return f"{encode_tags(self._tags(bits))}{body}\r\n".encode()

    def _tags(self, bits: int) -> dict[str, str]:
        tags: dict[str, str] = {}
        if bits & _TIME:
            tags["time"] = format_time(self.time_us)
        if bits & _ACCOUNT and self.account is not None:
            tags["account"] = self.account
        if bits & _TAGS:
            if self.msgid is not None:
                tags["msgid"] = self.msgid
            tags.update(self.client_tags)
        return tags

    def said_before(self) -> Relayed:
        """As it is told again later, when the host may have got a longer name: no line is too long even then."""
        if self.body_bytes() <= LINE_LIMIT_BYTES:
            return self
        return replace(self, source=self.source.partition("!")[0])

    def body_bytes(self) -> int:
        """The longest form's length without tags, CR LF counted."""
        return len(self._extended_body.encode()) + 2
