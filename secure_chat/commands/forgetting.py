"""Forgetting messages that are too old, and those of people whose messages are erased: a step at a time."""

from __future__ import annotations

from dataclasses import replace

from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import ToRoom
from secure_chat.chat.effects import ErasureBegun, Forgot, Ignored, Invited, RoomMuted, RoomSet
from secure_chat.chat.forgetting import Forgetting, Progress
from secure_chat.commands.context import Context
from secure_chat.protocol.names import fold
from secure_chat.protocol.relay import Relayed

DAY_US = 86_400_000_000
BEGINS, GOES_ON, ENDED = "begins", "goes on", "ended"
"""How the erasure stands that an operation has begun: `answer["erasing"]`. It is answered when that ends."""


def forget(ctx: Context, round_us: int) -> None:
    """The next step, if one is left; `answer["progress"]` says how things are then.

    What is too old is judged by when the round of steps began (`round_us`, in µs since 1970 UTC): something becomes
    too old all the time, and each time a part of the index would have to be made anew.
    """
    keep_days = ctx.settings.keep_days
    before_us = round_us - keep_days * DAY_US if keep_days else 0
    what = ctx.store.to_forget(before_us, round_us)
    ctx.answer["progress"] = Progress.DONE if what is None else Progress.GOES_ON
    is_clean = what is not Forgetting.FILES or ctx.store.files_are_clean()
    if what is not None and not (is_clean and ctx.store.keeps_up()):
        ctx.answer["progress"] = Progress.WAITS
    elif what is not None:
        ctx.add(Forgot(what, before_us, ctx.now_us))


def erase_messages(ctx: Context, account: Account) -> None:
    """Begin to erase what an account that is being removed said and did, and what is kept of it alone.

    Rooms lose a topic that stands by it, too. Its name, what others said of it, and the audit record stay.
    """
    ctx.add(ErasureBegun(account.id))
    for other_id, ignoring in ctx.hub.ignored_by.items():
        if account.id in ignoring:
            ctx.add(Ignored(account.id, other_id, ignored=False))
    for room in ctx.hub.rooms.values():
        if account.id in room.invited:
            ctx.add(Invited(room.id, account.id, invited=False))
        if account.id in room.muted:
            ctx.add(RoomMuted(room.id, account.id, 0))
        if room.record.topic is not None and fold(room.record.topic.by) == account.folded:
            ctx.add(RoomSet(replace(room.record, topic=None)))
            ctx.add(ToRoom(room.id, Relayed(ctx.settings.server, "TOPIC", (room.name, ""), ctx.now_us)))
    ctx.answer["erasing"] = BEGINS
