"""Coming and going: AWAY, QUIT, and connections that are lost."""

from __future__ import annotations

from secure_chat.chat.effects import LingeringEnded, SessionGone, SessionSet
from secure_chat.chat.sessions import Session
from secure_chat.commands.context import Context
from secure_chat.commands.receipts import leave_device
from secure_chat.commands.registry import Weight, command
from secure_chat.commands.welcome import AWAY_LIMIT_BYTES
from secure_chat.protocol.message import cut
from secure_chat.protocol.numerics import Numeric

QUIT_LIMIT_BYTES = 200


@command("AWAY", usage="AWAY [:<reason>]", before_login=True)
def away(ctx: Context, text: str = "") -> None:
    """Say that you are away from this device, or back."""
    ctx.change_session(away=cut(text, AWAY_LIMIT_BYTES) or None)
    if text:
        ctx.reply(Numeric.RPL_NOWAWAY, "You have been marked as being away")
    else:
        ctx.reply(Numeric.RPL_UNAWAY, "You are no longer marked as being away")


@command("QUIT", usage="QUIT [:<reason>]", before_login=True, weight=Weight.FREE)
def quit_(ctx: Context, reason: str = "") -> None:
    """Say good-bye."""
    session = ctx.session
    text = cut(reason, QUIT_LIMIT_BYTES)
    leave_device(ctx)
    ctx.close(session, f"Quit: {text}" if text else "Quit")


def opened(ctx: Context, session: Session) -> None:
    """A connection is there; its session begins."""
    ctx.add(SessionSet(session))


def connection_lost(ctx: Context, reason: str) -> None:
    """The session's connection is gone without QUIT: others are told when the grace has passed."""
    session = ctx.session
    grace_us = int(ctx.settings.grace_seconds * 1_000_000)
    lingers_until_us = ctx.now_us + grace_us if grace_us else None
    leave_device(ctx)
    ctx.add(SessionGone(session.id, "Connection lost", ctx.now_us, lingers_until_us))
    ctx.add(ctx.farewell(session, reason))


def lingering_ended(ctx: Context, account_id: int) -> None:
    """The grace of an account has passed without a new session."""
    ctx.add(LingeringEnded(account_id, ctx.now_us))
