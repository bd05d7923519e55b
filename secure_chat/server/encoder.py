"""From deliveries to bytes and operations: once for each form that somebody sees, never once per recipient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from secure_chat.chat import deliveries as to
from secure_chat.chat.hub import Hub
from secure_chat.net import operations as op
from secure_chat.protocol.capabilities import Profile
from secure_chat.protocol.message import Message
from secure_chat.protocol.relay import Relayed
from secure_chat.server.outcome import Outcome

JOINED_BYTES = 4_096
"""So much for one session is put together before a new operation is begun."""


class Encoder:
    """Dispatcher thread only. It remembers which forms are in use, by what it was told with Reprofile."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._profiles: dict[int, Profile] = {}
        self._used: set[Profile] | None = None
        self._batches = count(1)
        self._encoders: dict[type, Callable[[Any, Outcome], None]] = {
            to.ToSession: self._to_session,
            to.ToSessions: self._to_sessions,
            to.ToRoom: self._to_room,
            to.Enrol: self._enrol,
            to.Withdraw: self._withdraw,
            to.Reprofile: self._reprofile,
            to.Welcomed: self._welcomed,
            to.Hangup: self._hangup,
            to.CheckPassword: self._ask_pool,
            to.HashPassword: self._ask_pool,
            to.ReadHistory: self._ask_pool,
            to.MoreTime: self._more_time,
            to.ReadMissed: lambda job, outcome: outcome.jobs.append(job),
            to.Encoded: lambda it, outcome: outcome.operations.append(
                op.Send(it.session_id, it.data, it.message_id)
            ),
            to.PageOnDrain: self._page_on_drain,
            to.LogLine: lambda delivery, outcome: outcome.logs.append(delivery),
        }

    def encode(self, delivery: to.Delivery, outcome: Outcome) -> None:
        """Add to the outcome what this delivery means."""
        self._encoders[type(delivery)](delivery, outcome)

    def forget(self, session_id: int) -> None:
        """A session is gone."""
        if self._profiles.pop(session_id, None) is not None:
            self._used = None

    def finish(self, outcome: Outcome) -> None:
        """Put the label on the answers to a labelled command (IRCv3 `labeled-response`)."""
        if outcome.label is None or outcome.session_id is None or outcome.jobs:
            return
        server, lines = self._hub.settings.server, outcome.labelled
        if not lines:
            framed = [Message("ACK", (), server, {"label": outcome.label})]
        elif len(lines) == 1:
            framed = [_tagged(lines[0], "label", outcome.label)]
        else:
            batch = f"r{next(self._batches)}"
            framed = [Message("BATCH", (f"+{batch}", "labeled-response"), server, {"label": outcome.label})]
            framed += [_tagged(line, "batch", batch) for line in lines]
            framed.append(Message("BATCH", (f"-{batch}",), server))
        data = b"".join(line.encode() for line in framed)
        place = len(outcome.operations) if outcome.label_place is None else outcome.label_place
        outcome.operations.insert(place, op.Send(outcome.session_id, data))
        outcome.labelled = []
        outcome.label_place = None

    def _to_session(self, delivery: to.ToSession, outcome: Outcome) -> None:
        session = self._hub.sessions.get(delivery.session_id)
        if session is None:
            return
        profile, lines = session.profile, delivery.lines
        if outcome.label is not None and delivery.session_id == outcome.session_id:
            if outcome.label_place is None:
                outcome.label_place = len(outcome.operations)
            outcome.labelled += [line if isinstance(line, Message) else line.message(profile) for line in lines]
            return
        encoded = [line.encode() if isinstance(line, Message) else line.encode(profile) for line in lines]
        if data := b"".join(encoded):
            message_id = 0 if session.replay is not None else outcome.message_id
            _send(outcome.operations, session.id, data, message_id)

    def _to_sessions(self, delivery: to.ToSessions, outcome: Outcome) -> None:
        ids = delivery.session_ids
        if ids:
            forms = {self._profiles.get(session_id, Profile.NONE) for session_id in ids}
            outcome.operations.append(op.SendEach(ids, _variants(delivery.line, forms), outcome.message_id))

    def _to_room(self, delivery: to.ToRoom, outcome: Outcome) -> None:
        if self._used is None:
            self._used = set(self._profiles.values())
        variants, skip = _variants(delivery.line, self._used), delivery.skip
        behind = self._behind(delivery) if outcome.message_id and self._hub.replaying else ()
        if behind:
            outcome.operations.append(op.SendEach(behind, variants))
            skip = frozenset((*skip, *behind))
        outcome.operations.append(op.Publish(delivery.room_id, variants, skip, outcome.message_id))

    def _behind(self, delivery: to.ToRoom) -> tuple[int, ...]:
        """The sessions in the room that see this before what they missed: to have it proves nothing of that."""
        members, sessions = self._hub.rooms[delivery.room_id].members, self._hub.sessions
        waiting = self._hub.replaying.difference(delivery.skip)
        return tuple(session_id for session_id in sorted(waiting) if sessions[session_id].account_id in members)

    def _enrol(self, delivery: to.Enrol, outcome: Outcome) -> None:
        outcome.operations.append(op.Subscribe(delivery.session_id, delivery.room_id))

    def _withdraw(self, delivery: to.Withdraw, outcome: Outcome) -> None:
        outcome.operations.append(op.Unsubscribe(delivery.session_id, delivery.room_id))

    def _reprofile(self, delivery: to.Reprofile, outcome: Outcome) -> None:
        self._profiles[delivery.session_id] = delivery.profile
        self._used = None
        outcome.operations.append(op.SetForm(delivery.session_id, int(delivery.profile)))

    def _welcomed(self, delivery: to.Welcomed, outcome: Outcome) -> None:
        outcome.operations.append(op.Authenticated(delivery.session_id, delivery.rooms))

    def _hangup(self, delivery: to.Hangup, outcome: Outcome) -> None:
        if outcome.session_id == delivery.session_id:
            self.finish(outcome)
            outcome.label = None
        outcome.operations.append(op.Close(delivery.session_id, delivery.reason))

    def _more_time(self, delivery: to.MoreTime, outcome: Outcome) -> None:
        outcome.operations.append(op.MoreTime(delivery.session_id, delivery.seconds))

    def _ask_pool(self, delivery: to.Job, outcome: Outcome) -> None:
        outcome.jobs.append(delivery)
        outcome.operations.append(op.Hold(delivery.session_id))

    def _page_on_drain(self, delivery: to.PageOnDrain, outcome: Outcome) -> None:
        outcome.operations.append(op.TellDrained(delivery.session_id))


def _send(operations: list[op.Operation], session_id: int, data: bytes, message_id: int) -> None:
    """Send to a session, in one with what was sent to it just before."""
    last = operations[-1] if operations else None
    if isinstance(last, op.Send) and last.connection_id == session_id and len(last.data) < JOINED_BYTES:
        operations[-1] = op.Send(session_id, last.data + data, max(last.message_id, message_id))
    else:
        operations.append(op.Send(session_id, data, message_id))


def _variants(line: Relayed, forms: Iterable[Profile]) -> dict[int, bytes]:
    return {int(form): data for form in forms if (data := line.encode(form))}


def _tagged(line: Message, key: str, value: str) -> Message:
    return Message(line.command, line.params, line.source, {key: value, **line.tags})
