"""What has surely reached a device: proofs of receipt, and keeping where each device is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from secure_chat.chat.effects import PositionGone, PositionMoved, PositionSet
from secure_chat.chat.positions import POSITIONS_LIMIT, WRITTEN_AT_ONCE, Position, device_key
from secure_chat.commands.context import Context
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.message import Message


def find_position(ctx: Context) -> None:
    """Let a session that comes go on from where its device is.

    A new device begins where that of the account is which has received most: what nobody got is still to be given.
    """
    session, account_id = ctx.session, ctx.account.id
    token = ctx.hub.devices.get(session.token) if session.token is not None else None
    device = device_key(token, session.named_device, session.user, session.capabilities)
    positions = ctx.hub.positions.get(account_id, {})
    known = positions.get(device)
    if known is None:
        newest = max(positions.values(), key=lambda position: position.message_id, default=Position(0, 0))
        known = Position(newest.message_id, ctx.now_us)
        # Written in the next tick: where the disk fails people still get in.
        ctx.add(PositionMoved(account_id, device, known))
    ctx.change_session(device=device, proven_id=known.message_id)


def tell_of_sharing(ctx: Context) -> None:
    """Say how to name a device, where another session that is here looks the same."""
    session, name = ctx.session, ctx.account.name
    sharing = any(other.device == session.device for other in ctx.hub.sessions_of(ctx.account.id))
    if sharing and not session.has(Capability.CHATHISTORY):
        text = (
            "Another of your clients looks the same from here, so that what one has not received may come twice to"
            f" the other, or be lost; give each a name of its own: log in as {name}@laptop, {name}@phone and so on"
        )
        ctx.tell(Message("NOTICE", (name, text), ctx.settings.server))


def receipt_proven(ctx: Context, message_id: int) -> None:
    """A session has received everything up to this message. Of those that share a device the slowest counts."""
    session = ctx.session
    if session.device is None or message_id <= session.proven_id:
        return
    ctx.change_session(proven_id=message_id)
    _move_position(ctx)


def leave_device(ctx: Context) -> None:
    """A session goes. Where a slower one that went before held its device back, that is now where the session is:
    the other may have been its own old connection.
    """
    if ctx.session.device is not None:
        _move_position(ctx)


def _move_position(ctx: Context) -> None:
    session, account_id, device = ctx.session, ctx.account.id, ctx.session.device
    assert device is not None
    others = [one for one in ctx.hub.sessions_of(account_id) if one.device == device and one.id != session.id]
    slowest = min([session.proven_id, *(one.proven_id for one in others)])
    known = ctx.hub.positions.get(account_id, {}).get(device)
    if known is None or slowest > known.message_id:
        ctx.add(PositionMoved(account_id, device, Position(slowest, ctx.now_us)))


def keep_positions(ctx: Context, keys: Sequence[tuple[int, str]] | None = None) -> None:
    """Write these positions, or those that moved first, where they have moved; forget an account's where they are
    too many.
    """
    wanted = islice(ctx.hub.unwritten, WRITTEN_AT_ONCE) if keys is None else keys
    moved = [key for key in wanted if key in ctx.hub.unwritten]
    for account_id, device in moved:
        position = ctx.hub.positions[account_id][device]
        ctx.add(PositionSet(account_id, device, position))
        ctx.if_lost.append(PositionMoved(account_id, device, position))
    for account_id in dict.fromkeys(account_id for account_id, _ in moved):
        positions = ctx.hub.positions[account_id]
        longest_still = sorted(positions, key=lambda device: positions[device].time_us)
        ctx.add(*(PositionGone(account_id, device) for device in longest_still[:-POSITIONS_LIMIT]))
