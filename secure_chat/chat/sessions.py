"""Sessions: one connection each, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, auto
from operator import attrgetter
from typing import Any

from secure_chat.chat.positions import Replay
from secure_chat.protocol.capabilities import Capability, Profile, profile_of
from secure_chat.protocol.message import Secret
from secure_chat.protocol.sasl import Chunks


class Phase(Enum):
    """Where a session stands."""

    REGISTERING = auto()
    WELCOMED = auto()
    CLOSING = auto()


TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.REGISTERING: frozenset({Phase.WELCOMED, Phase.CLOSING}),
    Phase.WELCOMED: frozenset({Phase.CLOSING}),
    Phase.CLOSING: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Application:
    """A registration under way: it reserves nothing, and is hashed only with a valid code.

    `digest` is that of the code given, None before there is one (or where none is needed).
    """

    name: str
    password: Secret = field(repr=False)
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A session. A value: `but` gives the next state, and `chat.apply` puts it in place of the last.

    `nick` is the one asked for; from WELCOMED on the account's name counts. `account_id` and `epoch` are set
    once it has authenticated. `password` waits from PASS to the end of registration. `sasl` and
    `new_password` hold the chunks of an AUTHENTICATE or PASSWORD under way. `waiting`: an answer from another
    thread is due, and no line is processed before. `replay`: missed messages are still being given, and what is
    said now waits for its turn. `named_device` is what the login calls the device, `device` what it is known by
    (its `device_key`), from WELCOMED on. `proven_id`: everything up to this message has been received.
    `token` is the digest of the device's token that it logged in with, or was given; None without one.
    """

    id: int
    address: str
    exempt: bool = False
    phase: Phase = Phase.REGISTERING
    capabilities: frozenset[Capability] = frozenset()
    negotiating: bool = False
    cap_version: int = 301
    nick: str = ""
    user: str = ""
    realname: str = ""
    account_id: int | None = None
    epoch: int = 0
    named_device: str | None = None
    device: str | None = None
    password: Secret | None = field(default=None, repr=False)
    sasl: Chunks | None = field(default=None, repr=False)
    new_password: Chunks | None = field(default=None, repr=False)
    application: Application | None = field(default=None, repr=False)
    token: bytes | None = field(default=None, repr=False)
    waiting: bool = False
    away: str | None = None
    replay: Replay | None = None
    proven_id: int = 0

    def but(self, **changes: Any) -> Session:
        """The same session with these fields changed; a phase only along TRANSITIONS."""
        phase = changes.get("phase", self.phase)
        assert phase is self.phase or phase in TRANSITIONS[self.phase], (self.phase, phase)
        # Not `dataclasses.replace`, which takes twice as long: a login changes its session nine times.
        values = list(_values(self))
        for name, value in changes.items():
            values[_PLACES[name]] = value
        return Session(*values)

    def has(self, capability: Capability) -> bool:
        """Whether the client asked for this capability."""
        return capability in self.capabilities

    @property
    def profile(self) -> Profile:
        """Which form of relayed messages it sees."""
        return profile_of(self.capabilities)

    @property
    def welcomed(self) -> bool:
        """Whether it has got 001 and is not going away."""
        return self.phase is Phase.WELCOMED


_PLACES = {field.name: place for place, field in enumerate(fields(Session))}
_values = attrgetter(*_PLACES)


@dataclass(slots=True)
class Presence:
    """An account that is online: its sessions in the order they came.

    `user` is the USER name of the session that brought it online. With no session left it is online until
    `lingers_until_us`, so that a short break of the network is not seen by others.
    """

    user: str
    realname: str
    since_us: int
    sessions: list[int] = field(default_factory=list)
    lingers_until_us: int | None = None
    active_us: int = 0
