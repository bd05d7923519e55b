"""What is done once when a server starts: the lobby exists, and everybody is in it."""

from __future__ import annotations

from secure_chat.chat.effects import MemberSet, RoomSet
from secure_chat.chat.rooms import Role, RoomRecord
from secure_chat.commands.context import Context
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
