"""IGNORE: not to see what somebody says, on all one's devices."""

from __future__ import annotations

from secure_chat.chat.effects import Ignored
from secure_chat.chat.errors import CommandError
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Weight, command

IGNORED_LIMIT = 200


@command("IGNORE", usage="IGNORE [[-]<name>]", weight=Weight.POST)
def ignore(ctx: Context, name: str = "") -> None:
    """See nothing more of what somebody says, on any of your devices; `-name` ends it, without a name it lists."""
    mine = ctx.account.id
    ignored = [other_id for other_id in ctx.hub.ignored_by if ctx.hub.ignores(mine, other_id)]
    if not name:
        names = sorted(ctx.hub.accounts[other_id].name for other_id in ignored)
        for one in names:
            ctx.note("IGNORE", "ONE", f"You ignore {one}", one)
        ctx.note("IGNORE", "END", f"You ignore {len(names)} people" if names else "You ignore nobody")
        return
    person = ctx.person(name.removeprefix("-"))
    if name.startswith("-"):
        ctx.add(Ignored(mine, person.id, ignored=False))
        ctx.note("IGNORE", "ENDED", f"You see again what {person.name} says", person.name)
        return
    if person.id == mine:
        raise CommandError("You cannot ignore yourself", code="CANNOT_IGNORE")
    if len(ignored) >= IGNORED_LIMIT and person.id not in ignored:
        text = f"You ignore {IGNORED_LIMIT} people already"
        raise CommandError(text, code="CANNOT_IGNORE")
    ctx.add(Ignored(mine, person.id))
    ctx.note("IGNORE", "DONE", f"You see nothing more of what {person.name} says", person.name)
