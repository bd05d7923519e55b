"""What the command-line tool asks before it reads what was said out of the store: of what, by which rights."""

from __future__ import annotations

from typing import Any

from secure_chat.chat.effects import Audited
from secure_chat.chat.errors import CommandError
from secure_chat.commands.accounts import ACTOR
from secure_chat.commands.context import Context
from secure_chat.commands.registry import operation
from secure_chat.protocol.names import fold


@operation("export", "target")
def export(ctx: Context, request: dict[str, Any]) -> None:
    """A room, by a name with #, or an account, also one that was removed: that goes on record."""
    name = request["target"]
    ctx.answer["rights"] = ctx.settings.history_rights.value
    if name.startswith("#"):
        room = ctx.hub.room_named(name)
        if room is None:
            text = f"There is no room {name}"
            raise CommandError(text)
        name, ctx.answer["room_id"] = room.name, room.id
    else:
        account_id = ctx.hub.account_ids.get(fold(name))
        if account_id is None:
            text = (
                f"There is no account {name}; `secure-chat user list --removed` shows them (a room begins with #)"
            )
            raise CommandError(text)
        name, ctx.answer["reader_id"] = ctx.hub.accounts[account_id].name, account_id
    ctx.add(Audited(ACTOR, "export", name, "", ctx.now_us))
    ctx.log("export", actor=ACTOR, subject=name)
