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
    """Something that people are told of: a post, a join, a topic. Never changed: it is not `frozen` because one is
    made for each message, and that would take 1.3 of 1.6 µs.

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
    _bodies: dict[tuple[str, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lines: dict[int, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def message(self, profile: Profile) -> Message:
        """The message that a session of this profile sees."""
        bits = int(profile)
        return Message(self.command, self._params(bits), self.source, self._tags(bits))

    def encode(self, profile: Profile) -> bytes:
        """The same as it goes over the wire, with CR LF; made once for each form that is asked for."""
        bits = int(profile)  # plain numbers: this is the hot path, and flags are slow
        line = self._lines.get(bits)
        if line is None:
            line = f"{encode_tags(self._tags(bits))}{self._body(bits)}\r\n".encode()
            self._lines[bits] = line
        return line

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

    def _params(self, bits: int) -> tuple[str, ...]:
        return self.extended if self.extended is not None and bits & _EXTENDED_JOIN else self.params

    def _body(self, bits: int) -> str:
        """The line without tags and CR LF, checked as every message is."""
        params = self._params(bits)
        body = self._bodies.get(params)
        if body is None:
            check_body(self.source, self.command, params)
            body = self._bodies[params] = body_text(self.source, self.command, params)
        return body

    def is_for(self, profile: Profile) -> bool:
        """Whether sessions of this profile see it at all: TAGMSG is nothing but tags."""
        return self.command != "TAGMSG" or bool(profile & Profile.TAGS)

    def said_before(self) -> Relayed:
        """As it is told again later, when the host may have got a longer name: no line is too long even then."""
        if self.body_bytes() <= LINE_LIMIT_BYTES:
            return self
        return replace(self, source=self.source.partition("!")[0])

    def body_bytes(self) -> int:
        """The longest form's length without tags, CR LF counted."""
        return len(self._body(_EXTENDED_JOIN).encode()) + 2
