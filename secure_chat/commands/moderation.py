"""Keeping order: MUTE, and the record of what administrators did."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any

from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import ToSession
from secure_chat.chat.effects import AccountSet, Audited, RoomMuted
from secure_chat.chat.errors import CommandError, need_more_params
from secure_chat.chat.rooms import Role
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Weight, command, operation
from secure_chat.commands.welcome import KICK_LIMIT_BYTES
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import is_room
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.relay import format_time

MUTE_LIMIT_SECONDS = 365 * 86_400
AUDIT_ENTRIES = 100
AUDIT_LIMIT = 10_000
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> int:
    """Seconds in `30s`, `10m`, `2h`, `1d`; 0 for `off`. Raises CommandError."""
    if text.lower() in ("off", "0"):
        return 0
    match = _DURATION.fullmatch(text.lower())
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else 0
    if not 0 < seconds <= MUTE_LIMIT_SECONDS:
        wanted = "A duration is a number and s, m, h or d, at most a year (10m, 2h, 1d), or off"
        raise CommandError(wanted, code="INVALID_DURATION")
    return seconds


@command("MUTE", min_params=2, usage="MUTE [<room>] <name> <duration|off> [:<reason>]", weight=Weight.POST)
def mute(ctx: Context, *words: str) -> None:
    """Take somebody's voice for a while: an operator in the room, an administrator everywhere.

    (In private somebody who is muted everywhere can still write to administrators.)
    """
    if not is_room(words[0]):
        _mute_everywhere(ctx, *words[:3])
    elif len(words) > 2:
        _mute_in_room(ctx, *words[:4])
    else:
        raise need_more_params("MUTE", "MUTE <room> <name> <duration|off> [:<reason>]")


def _mute_in_room(ctx: Context, room_name: str, name: str, duration: str, reason: str = "") -> None:
    room = ctx.room_of_member(room_name)
    ctx.require_operator(room)
    person, seconds = ctx.person(name), parse_duration(duration)
    _check_reason(reason)
    if seconds and (ctx.hub.role(room, person.id) or Role.MEMBER) >= Role.OPERATOR:
        raise CommandError("Operators of the room cannot be muted in it", code="CANNOT_MUTE")
    until_us = ctx.now_us + seconds * 1_000_000 if seconds else 0
    ctx.add(RoomMuted(room.id, person.id, until_us))
    _tell_and_record(ctx, person, until_us, reason, f" in {room.name}")


def _mute_everywhere(ctx: Context, name: str, duration: str, reason: str = "") -> None:
    ctx.require_administrator()
    person, seconds = ctx.person(name), parse_duration(duration)
    if seconds and person.administrator:
        raise CommandError("Administrators cannot be muted", code="CANNOT_MUTE")
    _check_reason(reason)
    until_us = ctx.now_us + seconds * 1_000_000 if seconds else 0
    ctx.add(AccountSet(replace(person, muted_until_us=until_us)))
    _tell_and_record(ctx, person, until_us, reason, "")


def _check_reason(reason: str) -> None:
    if len(reason.encode()) > KICK_LIMIT_BYTES:
        text = f"A reason can have at most {KICK_LIMIT_BYTES} bytes; nothing was done"
        raise CommandError(text, Numeric.ERR_INPUTTOOLONG)


def _tell_and_record(ctx: Context, person: Account, until_us: int, reason: str, where: str) -> None:
    act = "mute" if until_us else "unmute"
    until = f" until {format_time(until_us)}" if until_us else ""
    detail = f"{until}{where} {reason}".strip()
    ctx.add(Audited(ctx.account.name, act, person.name, detail, ctx.now_us))
    why = f": {reason}" if reason else ""
    state = f"muted{where}{until}{why}" if until_us else f"no longer muted{where}"
    for session in ctx.hub.sessions_of(person.id):
        line = Message("NOTICE", (person.name, f"You are {state}"), ctx.settings.server)
        ctx.add(ToSession(session.id, [line]))
    ctx.note("MUTE", "DONE", f"{person.name} is {state}")
    ctx.log(act, actor=ctx.account.name, account=person.name, place=where.removeprefix(" in ") or "everywhere")


@operation("audit")
def audit(ctx: Context, request: dict[str, Any]) -> None:
    """The last administrative acts: who, what, whom, when, and what else was said."""
    limit = request.get("limit")
    limit = max(1, min(limit, AUDIT_LIMIT)) if isinstance(limit, int) else AUDIT_ENTRIES
    seconds = parse_duration(str(request["since"])) if request.get("since") else 0
    since_us = ctx.now_us - seconds * 1_000_000 if seconds else 0
    entries = ctx.store.audited(limit, since_us)
    ctx.answer["entries"] = [{**asdict(entry), "time": format_time(entry.time_us)} for entry in entries]
