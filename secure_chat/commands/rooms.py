"""Being in rooms: JOIN, PART, TOPIC, INVITE, KICK."""

from __future__ import annotations

from dataclasses import replace

from secure_chat.chat.deliveries import ToRoom, ToSessions
from secure_chat.chat.effects import Append, Audited, Invited, MemberGone, MemberSet, RoomSet, RoomShown
from secure_chat.chat.errors import CommandError
from secure_chat.chat.messages import InRoom, Kind, NewMessage
from secure_chat.chat.rooms import TOPIC_LIMIT_BYTES, Role, Room, RoomRecord, Topic
from secure_chat.chat.views import joined, numeric, topic_lines
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Lists, Weight, command
from secure_chat.commands.welcome import KICK_LIMIT_BYTES
from secure_chat.protocol.message import LINE_LIMIT_BYTES
from secure_chat.protocol.names import InvalidName, check_room_name, fold
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.relay import Relayed


def store_event(ctx: Context, room: Room, kind: Kind, line: Relayed, subject_id: int | None = None) -> None:
    """Keep something that happened in a room. Raises 417 where its line is too long to be relayed."""
    if line.body_bytes() > LINE_LIMIT_BYTES:
        raise CommandError("Input line was too long; nothing was done", Numeric.ERR_INPUTTOOLONG)
    user = ctx.hub.presence[ctx.account.id].user
    message = NewMessage(InRoom(room.id), kind, ctx.account.id, user, line, subject_id=subject_id)
    ctx.add(Append(message))


@command("JOIN", min_params=1, usage="JOIN <room>[,...] [<key>,...]", lists=Lists.PAIRED, list_limit=10)
def join(ctx: Context, room_name: str, key: str | None = None) -> None:
    """Become a member of a room; a room that does not exist yet is made."""
    if room_name == "0":
        for room in ctx.hub.rooms_by_name(ctx.account.id):
            if not ctx.hub.is_lobby(room):
                _leave(ctx, room, None)
        return
    existing = ctx.hub.room_named(room_name)
    if existing is not None and ctx.account.id in existing.members:
        return
    rooms = [room for room in ctx.hub.rooms_by_name(ctx.account.id) if not ctx.hub.is_lobby(room)]
    if len(rooms) >= ctx.settings.rooms_per_account:
        text = f"You are in {ctx.settings.rooms_per_account} rooms already; leave one first"
        raise CommandError(text, Numeric.ERR_TOOMANYCHANNELS, (room_name,))
    if existing is None:
        _found(ctx, room_name)
    else:
        _check_may_join(ctx, existing, key)
        role = Role.FOUNDER if existing.record.founder_id == ctx.account.id else Role.MEMBER
        _enter(ctx, existing, role)


def _found(ctx: Context, room_name: str) -> None:
    try:
        name = check_room_name(room_name)
    except InvalidName as error:
        raise CommandError(str(error), Numeric.ERR_NOSUCHCHANNEL, (room_name,)) from None
    if not (ctx.settings.everyone_creates_rooms or ctx.account.administrator):
        text = "There is no such room, and only administrators may make one"
        raise CommandError(text, Numeric.ERR_NOSUCHCHANNEL, (room_name,))
    record = RoomRecord(ctx.ids.number(), name, fold(name), ctx.now_us, ctx.account.id)
    ctx.add(RoomSet(record))
    _enter(ctx, Room(record), Role.FOUNDER)


def _check_may_join(ctx: Context, room: Room, key: str | None) -> None:
    modes, name = room.record.modes, room.name
    if ctx.hub.is_lobby(room) or room.record.founder_id == ctx.account.id:
        return
    if room.bans_source(ctx.hub.source(ctx.account.id)):
        raise CommandError("You are banned from this room", Numeric.ERR_BANNEDFROMCHAN, (name,))
    if ctx.account.id in room.invited:
        return
    if room.has("i"):
        text = "This room is for who was invited; ask one of its members"
        raise CommandError(text, Numeric.ERR_INVITEONLYCHAN, (name,))
    if modes.key is not None and key != modes.key:
        raise CommandError("This room needs its key: JOIN <room> <key>", Numeric.ERR_BADCHANNELKEY, (name,))
    if modes.limit is not None and len(room.members) >= modes.limit:
        raise CommandError("This room is full", Numeric.ERR_CHANNELISFULL, (name,))


def _enter(ctx: Context, room: Room, role: Role) -> None:
    line = joined(ctx.hub, room, ctx.account.id, ctx.said_us, ctx.ids.msgid())
    # Others are told before the account is enrolled: its own sessions see JOIN with topic and names instead.
    ctx.add(ToRoom(room.id, line), MemberSet(room.id, ctx.account.id, role))
    store_event(ctx, room, Kind.JOIN, line)
    ctx.log("join", account=ctx.account.name, room=room.name)
    sessions = ctx.hub.sessions_of(ctx.account.id)
    ctx.add(*(RoomShown(session.id, room.id, ctx.said_us, line.msgid) for session in sessions))


@command("PART", min_params=1, usage="PART <room>[,...] [:<reason>]", lists=Lists.FIRST, list_limit=10)
def part(ctx: Context, room_name: str, reason: str | None = None) -> None:
    """Leave a room."""
    room = ctx.room_of_member(room_name)
    if ctx.hub.is_lobby(room):
        text = "Everybody is in the lobby; it cannot be left"
        raise CommandError(text, Numeric.ERR_UNKNOWNERROR, ("PART", room.name), "CANNOT_LEAVE")
    _leave(ctx, room, reason)


def _leave(ctx: Context, room: Room, reason: str | None) -> None:
    line = ctx.relayed("PART", room.name, *(() if reason is None else (reason,)))
    store_event(ctx, room, Kind.PART, line)
    ctx.to_room(room, line)
    ctx.add(MemberGone(room.id, ctx.account.id))
    ctx.log("leave", account=ctx.account.name, room=room.name)


@command("TOPIC", min_params=1, usage="TOPIC <room> [:<text>]", weight=Weight.QUERY)
def topic(ctx: Context, room_name: str, text: str | None = None) -> None:
    """Show or set a room's topic."""
    if text is None:
        room = ctx.room(room_name)
        if room.record.topic is None:
            ctx.reply(Numeric.RPL_NOTOPIC, room.name, "No topic is set")
        for line in topic_lines(ctx.hub, ctx.session, room):
            ctx.tell(line)
        return
    room = ctx.room_of_member(room_name)
    if room.has("t"):
        ctx.require_operator(room)
    if len(text.encode()) > TOPIC_LIMIT_BYTES:
        limit = f"A topic can have at most {TOPIC_LIMIT_BYTES} bytes; nothing was changed"
        raise CommandError(limit, Numeric.ERR_INPUTTOOLONG)
    change = ctx.relayed("TOPIC", room.name, text)
    store_event(ctx, room, Kind.TOPIC, change)
    new = Topic(text, ctx.account.name, ctx.now_us) if text else None
    ctx.add(RoomSet(replace(room.record, topic=new)))
    ctx.to_room(room, change)


@command("INVITE", min_params=2, usage="INVITE <name> <room>", weight=Weight.POST)
def invite(ctx: Context, name: str, room_name: str) -> None:
    """Let somebody into a room, whatever its modes are."""
    room, person = ctx.room_of_member(room_name), ctx.person(name)
    if room.has("i"):
        ctx.require_operator(room)
    if person.id in room.members:
        text = "is already in that room"
        raise CommandError(text, Numeric.ERR_USERONCHANNEL, (person.name, room.name))
    ctx.add(Invited(room.id, person.id))
    line = ctx.relayed("INVITE", person.name, room.name, msgid=False)
    if not ctx.hub.ignores(person.id, ctx.account.id):
        ctx.add(ToSessions(tuple(session.id for session in ctx.hub.sessions_of(person.id)), line))
    # 341 has no text: its last parameter is the room.
    ctx.tell(numeric(ctx.hub, ctx.session, Numeric.RPL_INVITING, person.name, room.name))
    away = ctx.hub.away_text(person.id)
    if away is not None:
        ctx.reply(Numeric.RPL_AWAY, person.name, away)


@command(
    "KICK",
    min_params=2,
    usage="KICK <room> <name> [:<reason>]",
    weight=Weight.POST,
    lists=Lists.SECOND,
    list_limit=4,
)
def kick(ctx: Context, room_name: str, name: str, reason: str | None = None) -> None:
    """Take somebody out of a room."""
    room = ctx.room_of_member(room_name)
    if ctx.hub.is_lobby(room):
        text = "Everybody is in the lobby; to silence somebody use MUTE <name> 10m"
        raise CommandError(text, Numeric.ERR_UNKNOWNERROR, ("KICK", room.name), "CANNOT_KICK")
    ctx.require_operator(room)
    person = ctx.hub.account_named(name)
    role = room.members.get(person.id) if person is not None else None
    if person is None or role is None:
        text = "is not in that room"
        raise CommandError(text, Numeric.ERR_USERNOTINCHANNEL, (name, room.name))
    if role & Role.FOUNDER and person.id != ctx.account.id:
        text = "The founder of a room cannot be taken out of it"
        raise CommandError(text, Numeric.ERR_CHANOPRIVSNEEDED, (room.name,))
    text = reason if reason is not None else ctx.account.name
    if len(text.encode()) > KICK_LIMIT_BYTES:
        limit = f"A reason can have at most {KICK_LIMIT_BYTES} bytes; nothing was done"
        raise CommandError(limit, Numeric.ERR_INPUTTOOLONG)
    line = ctx.relayed("KICK", room.name, person.name, text)
    store_event(ctx, room, Kind.KICK, line, subject_id=person.id)
    ctx.to_room(room, line)
    ctx.add(MemberGone(room.id, person.id))
    why = f"in {room.name} {reason or ''}".strip()
    ctx.add(Audited(ctx.account.name, "kick", person.name, why, ctx.now_us))
    ctx.log("kick", actor=ctx.account.name, account=person.name, room=room.name)
