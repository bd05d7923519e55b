"""Keeping order: MUTE."""

from __future__ import annotations

import re
from dataclasses import replace

from secure_chat.chat.deliveries import ToSession
from secure_chat.chat.effects import AccountSet, Audited
from secure_chat.chat.errors import CommandError
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Weight, command
from secure_chat.commands.welcome import KICK_LIMIT_BYTES
from secure_chat.protocol.message import Message
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.relay import format_time

MUTE_LIMIT_SECONDS = 365 * 86_400
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


@command("MUTE", min_params=2, usage="MUTE <name> <duration|off> [:<reason>]", weight=Weight.POST)
def mute(ctx: Context, name: str, duration: str, reason: str = "") -> None:
    """Take somebody's voice for a while: in all rooms, and in private but to administrators."""
    ctx.require_administrator()
    person, seconds = ctx.person(name), parse_duration(duration)
    if person.administrator:
        raise CommandError("Administrators cannot be muted", code="CANNOT_MUTE")
    if len(reason.encode()) > KICK_LIMIT_BYTES:
        text = f"A reason can have at most {KICK_LIMIT_BYTES} bytes; nothing was done"
        raise CommandError(text, Numeric.ERR_INPUTTOOLONG)
    until_us = ctx.now_us + seconds * 1_000_000 if seconds else 0
    ctx.add(AccountSet(replace(person, muted_until_us=until_us)))
    act = "mute" if seconds else "unmute"
    ctx.add(Audited(ctx.account.name, act, person.name, f"{duration} {reason}".strip(), ctx.now_us))
    why = f": {reason}" if reason else ""
    state = f"muted until {format_time(until_us)}{why}" if seconds else "no longer muted"
    for session in ctx.hub.sessions_of(person.id):
        line = Message("NOTICE", (person.name, f"You are {state}"), ctx.settings.server)
        ctx.add(ToSession(session.id, line))
    ctx.note("MUTE", "DONE", f"{person.name} is {state}")
    ctx.log(act, actor=ctx.account.name, account=person.name, seconds=seconds)
