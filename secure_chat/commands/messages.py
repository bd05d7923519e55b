"""What people say: PRIVMSG, NOTICE, TAGMSG."""

from __future__ import annotations

import hashlib
import re

from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import LogLine, ToRoom, ToSessions
from secure_chat.chat.effects import Append
from secure_chat.chat.errors import CommandError, no_such_nick
from secure_chat.chat.messages import (
    POST_ID_LIMIT_CHARACTERS,
    Between,
    Conversation,
    InRoom,
    Kind,
    NewMessage,
    PostId,
    StoredMessage,
)
from secure_chat.chat.ports import AlreadyPosted
from secure_chat.chat.rooms import Role, Room
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Lists, Weight, command
from secure_chat.protocol.capabilities import POST_ID_TAG, Capability
from secure_chat.protocol.message import LINE_LIMIT_BYTES
from secure_chat.protocol.names import fold, is_room
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.relay import Relayed, format_time

_POST_ID = re.compile(rf"[!-~]{{1,{POST_ID_LIMIT_CHARACTERS}}}")


@command("PRIVMSG", usage="PRIVMSG <room|name> :<text>", weight=Weight.POST, lists=Lists.FIRST, list_limit=4)
def privmsg(ctx: Context, target: str = "", text: str = "") -> None:
    """Say something in a room, or to somebody in private."""
    _post(ctx, Kind.POST, target, text)


@command("NOTICE", usage="NOTICE <room|name> :<text>", weight=Weight.POST, lists=Lists.FIRST, list_limit=4)
def notice(ctx: Context, target: str = "", text: str = "") -> None:
    """Say something that programs must not answer."""
    _post(ctx, Kind.NOTICE, target, text)


@command("TAGMSG", usage="TAGMSG <room|name>", weight=Weight.QUERY, lists=Lists.FIRST, list_limit=4)
def tagmsg(ctx: Context, target: str = "") -> None:
    """Send tags alone (IRCv3 `message-tags`): not kept, shown only to who is there."""
    if not ctx.session.has(Capability.MESSAGE_TAGS):
        raise CommandError("Unknown command", Numeric.ERR_UNKNOWNCOMMAND, ("TAGMSG",))
    if not target:
        raise CommandError("No recipient given (TAGMSG)", Numeric.ERR_NORECIPIENT)
    room, person = _place(ctx, target)
    line = ctx.relayed("TAGMSG", room.name if room else person.name)
    _show(ctx, room, person, line)


def _post(ctx: Context, kind: Kind, target: str, text: str) -> None:
    name = kind.command
    if not target:
        raise CommandError(f"No recipient given ({name})", Numeric.ERR_NORECIPIENT)
    if not text:
        raise CommandError("No text to send", Numeric.ERR_NOTEXTTOSEND)
    post_id = _post_id(ctx, name, target, text)
    try:
        room, person, line = _relayed(ctx, name, target, text)
    except CommandError:
        # What was posted before is answered, whatever has become of the right to it, or of the room for it, since.
        if post_id is not None and (first := ctx.store.posted(ctx.account.id, post_id)) is not None:
            raise AlreadyPosted(first) from None
        raise
    sender = ctx.account
    where: Conversation = InRoom(room.id) if room else Between(sender.id, person.id)
    user = ctx.hub.presence[sender.id].user
    ctx.add(Append(NewMessage(where, kind, sender.id, user, line, post_id, device=ctx.session.device)))
    _show(ctx, room, person, line)
    if room is None and kind is Kind.POST:
        _tell_away(ctx, person)
    place = room.name if room else "(private)"
    said = (("text", text),) if ctx.settings.log_messages else ()
    ctx.add(LogLine("message", (("sender", sender.name), ("place", place), ("characters", len(text)), *said)))


def _relayed(ctx: Context, name: str, target: str, text: str) -> tuple[Room | None, Account, Relayed]:
    """Where a post goes, and as what. Raises CommandError."""
    room, person = _place(ctx, target)
    line = ctx.relayed(name, room.name if room else person.name, text)
    if line.body_bytes() > LINE_LIMIT_BYTES:
        raise CommandError("Input line was too long; nothing was sent", Numeric.ERR_INPUTTOOLONG)
    return room, person, line


def _place(ctx: Context, target: str) -> tuple[Room | None, Account]:
    """The room, or the person, that may be spoken to. Raises CommandError."""
    if is_room(target):
        room = ctx.hub.room_named(target)
        _check_may_speak(ctx, room, target)
        return room, ctx.account
    person, muted_us = ctx.hub.account_named(target), ctx.account.muted_until_us
    if person is None:
        raise no_such_nick(target)
    if muted_us > ctx.now_us and not person.administrator:
        text = f"You are muted until {format_time(muted_us)}; you can still write to administrators"
        raise CommandError(text, code="MUTED")
    return None, person


def _check_may_speak(ctx: Context, room: Room | None, target: str) -> None:
    me = ctx.account
    role = ctx.hub.role(room, me.id) if room is not None else None
    if room is None or (role is None and room.has("s")):
        text = "No such room"
        raise CommandError(text, Numeric.ERR_NOSUCHCHANNEL, (target,))
    has_voice = role is not None and role >= Role.VOICED
    text = ""
    if role is None and room.has("n"):
        text = "You are not in that room; join it first"
    elif not has_voice and room.has("m"):
        text = "Only who was given a voice may speak in this room now"
    elif not has_voice and room.bans and room.bans_source(ctx.hub.source(me.id)):
        text = "You are banned from this room"
    elif me.muted_until_us > ctx.now_us:
        text = f"You are muted until {format_time(me.muted_until_us)}"
    elif room.muted.get(me.id, 0) > ctx.now_us:
        text = f"You are muted in this room until {format_time(room.muted[me.id])}"
    if text:
        raise CommandError(text, Numeric.ERR_CANNOTSENDTOCHAN, (room.name,))


def _show(ctx: Context, room: Room | None, person: Account, line: Relayed) -> None:
    """Show it to whoever is to see it now; sessions that are being given what they missed get it after that."""
    session, replaying = ctx.session, ctx.hub.replaying
    if session.has(Capability.ECHO_MESSAGE):
        ctx.tell(line)
    if room is not None:
        # A set: after a restart everybody is being given something.
        ctx.add(ToRoom(room.id, line, frozenset((session.id, *ctx.hub.deaf_to(ctx.account.id), *replaying))))
        return
    # To oneself: the message comes beside the echo, and has no label (IRCv3 `labeled-response`, "Tags").
    told = []
    if not ctx.hub.ignores(person.id, ctx.account.id):
        told = [s.id for s in ctx.hub.sessions_of(person.id)]
    if person.id != ctx.account.id:
        own = ctx.hub.sessions_of(ctx.account.id)
        told += [s.id for s in own if s.id != session.id and ctx.hub.shows_own_private(s)]
    ctx.add(ToSessions(tuple(id_ for id_ in told if id_ not in replaying), line))


def _tell_away(ctx: Context, person: Account) -> None:
    away = ctx.hub.away_text(person.id)
    if away is not None:
        ctx.reply(Numeric.RPL_AWAY, person.name, away)


def _post_id(ctx: Context, name: str, target: str, text: str) -> PostId | None:
    given = ctx.tags.get(POST_ID_TAG)
    if given is None or not ctx.session.has(Capability.POST_ID):
        return None
    if not _POST_ID.fullmatch(given):
        raise CommandError("The post's id must be 1 to 64 printable characters", code="INVALID_POST_ID")
    content = "\0".join((name, fold(target), text)).encode()
    return PostId(given, hashlib.sha256(content).digest())


def post_again(ctx: Context, first: StoredMessage) -> None:
    """Answer a repeated post: its sender alone gets the echo of the first (design: posting exactly once)."""
    if ctx.session.has(Capability.ECHO_MESSAGE):
        ctx.tell(relayed_again(ctx, first))


def relayed_again(ctx: Context, stored: StoredMessage) -> Relayed:
    """A stored post as it was relayed when it was new."""
    where = stored.conversation
    if isinstance(where, InRoom):
        target = ctx.hub.rooms[where.room_id].name
    else:
        target = ctx.hub.accounts[where.recipient_id].name
    return Relayed(
        ctx.hub.source_at(stored.sender_id, stored.user),
        stored.kind.command,
        (target, stored.text),
        stored.time_us,
        ctx.hub.accounts[stored.sender_id].name,
        stored.msgid,
        stored.client_tags,
    ).said_before()
