"""Applying effects to the hub: the only place that changes it. Nothing here can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from secure_chat.chat import effects as fx
from secure_chat.chat.deliveries import (
    Delivery,
    Enrol,
    LogLine,
    ToRoom,
    ToSession,
    ToSessions,
    Withdraw,
)
from secure_chat.chat.hub import Hub
from secure_chat.chat.messages import InRoom, other_end
from secure_chat.chat.rooms import Room
from secure_chat.chat.sessions import Presence
from secure_chat.chat.views import joined, marker_line, names_lines, topic_lines
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.message import Message
from secure_chat.protocol.relay import Relayed

E = TypeVar("E")
Applier = Callable[[Hub, Any], Iterable[Delivery]]
_APPLIERS: dict[type, Applier] = {}


def apply(hub: Hub, effects: Iterable[fx.Effect]) -> Iterator[Delivery]:
    """Change the hub by these effects, while what follows from them for sessions is read: read all of it.

    A delivery passes through.
    """
    for effect in effects:
        applier = _APPLIERS.get(type(effect))
        if applier is None:
            yield effect  # type: ignore[misc]
        else:
            yield from applier(hub, effect)


def _applies(kind: type[E]) -> Callable[[Callable[[Hub, E], Iterable[Delivery]]], Applier]:
    def register(function: Callable[[Hub, E], Iterable[Delivery]]) -> Applier:
        _APPLIERS[kind] = function
        return function

    return register


@_applies(fx.Append)
def _append(hub: Hub, effect: fx.Append) -> Iterable[Delivery]:
    presence = hub.presence.get(effect.message.sender_id)
    if presence is not None:
        presence.active_us = effect.message.relayed.time_us
    return ()


@_applies(fx.AccountSet)
def _account_set(hub: Hub, effect: fx.AccountSet) -> Iterable[Delivery]:
    hub.accounts[effect.account.id] = effect.account
    hub.account_ids[effect.account.folded] = effect.account.id
    (hub.administrators.add if effect.account.administrator else hub.administrators.discard)(effect.account.id)
    return ()


@_applies(fx.RoomSet)
def _room_set(hub: Hub, effect: fx.RoomSet) -> Iterable[Delivery]:
    record = effect.record
    if record.id in hub.rooms:
        hub.rooms[record.id].record = record
    else:
        hub.rooms[record.id] = Room(record)
        hub.room_ids[record.folded] = record.id
    return ()


@_applies(fx.MemberSet)
def _member_set(hub: Hub, effect: fx.MemberSet) -> Iterator[Delivery]:
    room = hub.rooms[effect.room_id]
    is_new = effect.account_id not in room.members
    room.members[effect.account_id] = effect.role
    hub.rooms_of.setdefault(effect.account_id, set()).add(room.id)
    if is_new:
        room.invited.discard(effect.account_id)
        for session in hub.sessions_of(effect.account_id):
            yield Enrol(session.id, room.id)


@_applies(fx.MemberGone)
def _member_gone(hub: Hub, effect: fx.MemberGone) -> Iterator[Delivery]:
    hub.rooms[effect.room_id].members.pop(effect.account_id, None)
    hub.rooms_of.get(effect.account_id, set()).discard(effect.room_id)
    for session in hub.sessions_of(effect.account_id):
        yield Withdraw(session.id, effect.room_id)


@_applies(fx.BanSet)
def _ban_set(hub: Hub, effect: fx.BanSet) -> Iterable[Delivery]:
    hub.rooms[effect.room_id].bans[effect.ban.mask] = effect.ban
    return ()


@_applies(fx.BanGone)
def _ban_gone(hub: Hub, effect: fx.BanGone) -> Iterable[Delivery]:
    hub.rooms[effect.room_id].bans.pop(effect.mask, None)
    return ()


@_applies(fx.Invited)
def _invited(hub: Hub, effect: fx.Invited) -> Iterable[Delivery]:
    invited = hub.rooms[effect.room_id].invited
    (invited.add if effect.invited else invited.discard)(effect.account_id)
    return ()


@_applies(fx.CodeSet)
def _code_set(hub: Hub, effect: fx.CodeSet) -> Iterable[Delivery]:
    hub.codes[effect.code.digest] = effect.code
    return ()


@_applies(fx.CodeGone)
def _code_gone(hub: Hub, effect: fx.CodeGone) -> Iterable[Delivery]:
    hub.codes.pop(effect.digest, None)
    return ()


@_applies(fx.DeviceSet)
def _device_set(hub: Hub, effect: fx.DeviceSet) -> Iterable[Delivery]:
    hub.take_device(effect.device)
    return ()


@_applies(fx.DeviceGone)
def _device_gone(hub: Hub, effect: fx.DeviceGone) -> Iterable[Delivery]:
    hub.devices.pop(effect.device.digest, None)
    hub.devices_of.get(effect.device.account_id, {}).pop(effect.device.folded, None)
    return ()


@_applies(fx.Ignored)
def _ignored(hub: Hub, effect: fx.Ignored) -> Iterable[Delivery]:
    by = hub.ignored_by.setdefault(effect.other_id, set())
    (by.add if effect.ignored else by.discard)(effect.account_id)
    if not by:
        del hub.ignored_by[effect.other_id]
    return ()


@_applies(fx.RoomMuted)
def _room_muted(hub: Hub, effect: fx.RoomMuted) -> Iterable[Delivery]:
    muted = hub.rooms[effect.room_id].muted
    muted.pop(effect.account_id, None)
    if effect.until_us:
        muted[effect.account_id] = effect.until_us
    return ()


@_applies(fx.ReadMarked)
def _read_marked(hub: Hub, effect: fx.ReadMarked) -> Iterable[Delivery]:
    hub.markers.setdefault(effect.account_id, {})[other_end(effect.account_id, effect.place)] = effect.time_ms
    return ()


@_applies(fx.ErasureBegun)
def _erasure_begun(hub: Hub, effect: fx.ErasureBegun) -> Iterable[Delivery]:
    hub.markers.pop(effect.account_id, None)
    for device in hub.positions.pop(effect.account_id, ()):
        hub.settle_position(effect.account_id, device)
    return ()


@_applies(fx.Registered)
def _registered(hub: Hub, effect: fx.Registered) -> Iterable[Delivery]:
    hub.registrations.used(effect.address, effect.now_us)
    return ()


@_applies(fx.SettingsSet)
def _settings_set(hub: Hub, effect: fx.SettingsSet) -> Iterable[Delivery]:
    hub.settings = effect.settings
    return ()


@_applies(fx.LoginRemembered)
@_applies(fx.Audited)
@_applies(fx.Forgot)
def _kept_in_store_only(hub: Hub, effect: object) -> Iterable[Delivery]:
    del hub, effect
    return ()


@_applies(fx.PositionSet)
def _position_set(hub: Hub, effect: fx.PositionSet) -> Iterable[Delivery]:
    hub.positions.setdefault(effect.account_id, {})[effect.device] = effect.position
    hub.settle_position(effect.account_id, effect.device)
    return ()


@_applies(fx.PositionMoved)
def _position_moved(hub: Hub, effect: fx.PositionMoved) -> Iterable[Delivery]:
    positions = hub.positions.setdefault(effect.account_id, {})
    known = positions.get(effect.device)
    # What is put back because its tick was lost may have been overtaken in that tick.
    if known is None or known.message_id < effect.position.message_id:
        positions[effect.device] = effect.position
    hub.unwritten[effect.account_id, effect.device] = None
    if known is None:
        hub.never_written[effect.account_id, effect.device] = None
    return ()


@_applies(fx.PositionGone)
def _position_gone(hub: Hub, effect: fx.PositionGone) -> Iterable[Delivery]:
    hub.positions.get(effect.account_id, {}).pop(effect.device, None)
    hub.settle_position(effect.account_id, effect.device)
    return ()


@_applies(fx.Stored)
def _stored(hub: Hub, effect: fx.Stored) -> Iterable[Delivery]:
    hub.last_id = effect.message_id
    return ()


@_applies(fx.SessionSet)
def _session_set(hub: Hub, effect: fx.SessionSet) -> Iterable[Delivery]:
    hub.sessions[effect.session.id] = effect.session
    (hub.replaying.discard if effect.session.replay is None else hub.replaying.add)(effect.session.id)
    return ()


@_applies(fx.LoginFailed)
def _login_failed(hub: Hub, effect: fx.LoginFailed) -> Iterable[Delivery]:
    hub.throttle.failed(effect.address, effect.folded, effect.now_us)
    return ()


@_applies(fx.LoginSucceeded)
def _login_succeeded(hub: Hub, effect: fx.LoginSucceeded) -> Iterable[Delivery]:
    hub.throttle.succeeded(effect.address, effect.folded)
    return ()


@_applies(fx.RoomShown)
def _room_shown(hub: Hub, effect: fx.RoomShown) -> Iterator[Delivery]:
    session, room = hub.sessions[effect.session_id], hub.rooms[effect.room_id]
    assert session.account_id is not None
    lines: list[Message | Relayed] = [joined(hub, room, session.account_id, effect.time_us, effect.msgid)]
    if session.has(Capability.READ_MARKER):
        lines.append(marker_line(hub, session.account_id, InRoom(room.id), room.name))
    yield ToSession(session.id, [*lines, *topic_lines(hub, session, room), *names_lines(hub, session, room)])


@_applies(fx.MarkerShown)
def _marker_shown(hub: Hub, effect: fx.MarkerShown) -> Iterator[Delivery]:
    for session in hub.sessions_of(effect.account_id):
        if session.has(Capability.READ_MARKER):
            yield ToSession(session.id, [marker_line(hub, effect.account_id, effect.place, effect.target)])


@_applies(fx.Attached)
def _attached(hub: Hub, effect: fx.Attached) -> Iterator[Delivery]:
    session = hub.sessions[effect.session_id]
    account_id = session.account_id
    assert account_id is not None
    presence = hub.presence.get(account_id)
    comes_online = presence is None
    if presence is None:
        presence = Presence(session.user, session.realname, effect.now_us, active_us=effect.now_us)
        hub.presence[account_id] = presence
    presence.lingers_until_us = None
    hub.lingering.discard(account_id)
    presence.sessions.append(session.id)
    hub.attached += 1
    for room in hub.rooms_by_name(account_id):
        if comes_online and not hub.is_quiet(room):
            yield from _shown_coming(hub, room, account_id, effect.now_us)
        yield Enrol(session.id, room.id)
        yield from _room_shown(hub, fx.RoomShown(session.id, room.id, effect.now_us))
    if comes_online:
        yield LogLine("online", (("account", hub.accounts[account_id].name),))


def _shown_coming(hub: Hub, room: Room, account_id: int, now_us: int) -> Iterator[Delivery]:
    yield ToRoom(room.id, joined(hub, room, account_id, now_us))
    role = hub.role(room, account_id)
    if role is not None and role.modes:
        change = (room.name, f"+{role.modes}", *[hub.accounts[account_id].name] * len(role.modes))
        yield ToRoom(room.id, Relayed(hub.settings.server, "MODE", change, now_us))


@_applies(fx.SessionGone)
def _session_gone(hub: Hub, effect: fx.SessionGone) -> Iterator[Delivery]:
    session = hub.sessions.pop(effect.session_id)
    hub.replaying.discard(session.id)
    presence = None if session.account_id is None else hub.presence.get(session.account_id)
    if presence is None or session.account_id is None or session.id not in presence.sessions:
        return
    hub.attached -= 1
    if len(presence.sessions) == 1 and effect.lingers_until_us is None:
        yield from _goes_offline(hub, session.account_id, effect.quit_text, effect.now_us)
        return
    presence.sessions.remove(session.id)
    if not presence.sessions:
        presence.lingers_until_us = effect.lingers_until_us
        hub.lingering.add(session.account_id)


@_applies(fx.LingeringEnded)
def _lingering_ended(hub: Hub, effect: fx.LingeringEnded) -> Iterator[Delivery]:
    presence = hub.presence.get(effect.account_id)
    if presence is not None and not presence.sessions:
        yield from _goes_offline(hub, effect.account_id, "Connection lost", effect.now_us)


def _goes_offline(hub: Hub, account_id: int, text: str, now_us: int) -> Iterator[Delivery]:
    name = hub.accounts[account_id].name
    quit_line = Relayed(hub.source(account_id), "QUIT", (text,), now_us, name)
    yield ToSessions(tuple(hub.neighbours(account_id)), quit_line)
    del hub.presence[account_id]
    hub.lingering.discard(account_id)
    yield LogLine("offline", (("account", name),))
