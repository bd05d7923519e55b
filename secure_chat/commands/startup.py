"""What is done once when a server starts: the lobby is there, old codes are forgotten, links say where we are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from secure_chat.chat.effects import CodeGone, MemberSet, RoomSet, SettingsSet
from secure_chat.chat.rooms import Role, RoomRecord
from secure_chat.chat.settings import Reach
from secure_chat.commands.context import Context
from secure_chat.commands.registry import operation
from secure_chat.protocol.names import check_room_name, fold


def ensure_lobby(ctx: Context) -> None:
    """Make the lobby where there is none, and everybody a member. Raises InvalidName."""
    if not ctx.settings.lobby:
        return
    lobby = ctx.hub.lobby
    if lobby is None:
        name = check_room_name(ctx.settings.lobby)
        record = RoomRecord(ctx.ids.number(), name, fold(name), ctx.now_us)
        ctx.add(RoomSet(record))
        room_id, members = record.id, frozenset[int]()
    else:
        room_id, members = lobby.id, frozenset(lobby.members)
    for account in ctx.hub.accounts.values():
        if account.id not in members and not account.removed:
            ctx.add(MemberSet(room_id, account.id, Role.MEMBER))


def forget_codes(ctx: Context) -> None:
    """Forget codes that have been dead for long."""
    ctx.add(*(CodeGone(code.digest) for code in ctx.hub.codes.values() if code.is_forgotten(ctx.now_us)))


def set_reach(ctx: Context, reach: Reach) -> None:
    """From here on links say this of how people reach the server."""
    ctx.add(SettingsSet(replace(ctx.settings, reach=reach)))


@operation("reach")
def reach_changed(ctx: Context, request: dict[str, Any]) -> None:
    """The server asks this of itself when it serves another certificate."""
    set_reach(ctx, Reach(**request))
