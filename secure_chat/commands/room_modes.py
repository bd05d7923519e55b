"""MODE: what a room allows, and who operates it (Modern IRC, "MODE message")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from secure_chat.chat.accounts import Account
from secure_chat.chat.effects import BanGone, BanSet, Effect, MemberSet, RoomSet
from secure_chat.chat.errors import CommandError, no_such_nick
from secure_chat.chat.messages import Kind
from secure_chat.chat.rooms import BANS_LIMIT, KEY_LIMIT_BYTES, Ban, Role, Room, RoomModes
from secure_chat.chat.views import echoed
from secure_chat.commands.context import Context
from secure_chat.commands.registry import command
from secure_chat.commands.rooms import store_event
from secure_chat.protocol.modes import (
    CHANGES_LIMIT,
    FLAG_MODES,
    ROLE_MODES,
    ModeChange,
    format_changes,
    parse_changes,
)
from secure_chat.protocol.names import is_room
from secure_chat.protocol.numerics import Numeric

MEMBERS_LIMIT = 100_000
MASK_LIMIT_BYTES = 150
ROLE_OF_MODE = {"o": Role.OPERATOR, "v": Role.VOICED}
LOBBY_REFUSES = "ikls"
"""Modes that would keep people out of the lobby, or hide it."""


@command("MODE", min_params=1, usage="MODE <room> [<modes> [<argument>...]]")
def mode(ctx: Context, target: str, modes: str | None = None, *arguments: str) -> None:
    """Show or change the modes of a room."""
    if not is_room(target):
        _own_modes(ctx, target, modes)
        return
    room = ctx.room(target)
    if modes is None:
        member = ctx.account.id in room.members
        shown = format_changes(room.record.modes.changes(with_key=member))
        ctx.reply(Numeric.RPL_CHANNELMODEIS, room.name, *shown)
        ctx.reply(Numeric.RPL_CREATIONTIME, room.name, str(room.record.created_us // 1_000_000))
        return
    _change(ctx, room, list(parse_changes(modes, arguments))[:CHANGES_LIMIT])


def _own_modes(ctx: Context, target: str, modes: str | None) -> None:
    person = ctx.hub.account_named(target)
    if person is None:
        raise no_such_nick(target)
    if person.id != ctx.account.id:
        raise CommandError("Can't change mode for other users", Numeric.ERR_USERSDONTMATCH)
    if modes is None:
        ctx.reply(Numeric.RPL_UMODEIS, "+")
    else:
        raise CommandError("There are no user modes here", Numeric.ERR_UMODEUNKNOWNFLAG)


@dataclass
class _Changing:
    """A MODE command under way: what is set so far, and what others will be shown."""

    ctx: Context
    room: Room
    modes: RoomModes
    bans: set[str]
    shown: list[ModeChange] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


def _change(ctx: Context, room: Room, changes: list[ModeChange]) -> None:
    queries = [c for c in changes if c.letter == "b" and c.argument is None]
    if queries:
        _show_bans(ctx, room)
    changes = [c for c in changes if c not in queries]
    if not changes:
        return
    ctx.room_of_member(room.name)
    ctx.require_operator(room)
    changing = _Changing(ctx, room, room.record.modes, set(room.bans))
    for change in changes:
        try:
            _CHANGERS.get(change.letter, _unknown)(changing, change)
        except CommandError as error:
            ctx.refuse(error)
    if changing.shown:
        _finish(changing)


def _finish(changing: _Changing) -> None:
    ctx, room = changing.ctx, changing.room
    if changing.modes != room.record.modes:
        changing.effects.append(RoomSet(replace(room.record, modes=changing.modes)))
    line = ctx.relayed("MODE", room.name, *format_changes(changing.shown))
    store_event(ctx, room, Kind.MODE, line)
    ctx.add(*changing.effects)
    ctx.to_room(room, line)


def _show_bans(ctx: Context, room: Room) -> None:
    for ban in room.bans.values():
        ctx.reply(Numeric.RPL_BANLIST, room.name, ban.mask, ban.by, str(ban.time_us // 1_000_000))
    ctx.reply(Numeric.RPL_ENDOFBANLIST, room.name, "End of channel ban list")


def _unknown(changing: _Changing, change: ModeChange) -> None:
    del changing
    raise CommandError("is unknown mode char to me", Numeric.ERR_UNKNOWNMODE, (change.letter,))


def _check_lobby(changing: _Changing, change: ModeChange) -> None:
    if changing.ctx.hub.is_lobby(changing.room) and change.letter in LOBBY_REFUSES and change.adding:
        text = "Everybody is in the lobby: this mode is not for it"
        raise _invalid(changing, change, text)


def _invalid(changing: _Changing, change: ModeChange, text: str) -> CommandError:
    params = (changing.room.name, change.letter, change.argument or "*")
    return CommandError(text, Numeric.ERR_INVALIDMODEPARAM, params)


def _flag(changing: _Changing, change: ModeChange) -> None:
    _check_lobby(changing, change)
    flags = changing.modes.flags
    if (change.letter in flags) != change.adding:
        changing.modes = replace(changing.modes, flags=flags ^ {change.letter})
        changing.shown.append(ModeChange(change.adding, change.letter))


def _key(changing: _Changing, change: ModeChange) -> None:
    _check_lobby(changing, change)
    if not change.adding:
        if changing.modes.key is not None:
            changing.shown.append(ModeChange(False, "k", "*"))
            changing.modes = replace(changing.modes, key=None)
        return
    key = change.argument or ""
    if not key or "," in key or " " in key or key.startswith(":") or len(key.encode()) > KEY_LIMIT_BYTES:
        text = f"A key has 1 to {KEY_LIMIT_BYTES} bytes and no comma or space"
        raise CommandError(text, Numeric.ERR_INVALIDKEY, (changing.room.name,))
    if key != changing.modes.key:
        changing.modes = replace(changing.modes, key=key)
        changing.shown.append(ModeChange(True, "k", key))


def _limit(changing: _Changing, change: ModeChange) -> None:
    _check_lobby(changing, change)
    if not change.adding:
        if changing.modes.limit is not None:
            changing.modes = replace(changing.modes, limit=None)
            changing.shown.append(ModeChange(False, "l"))
        return
    text = change.argument or ""
    if not (text.isascii() and text.isdigit() and len(text) < 7 and 0 < int(text) <= MEMBERS_LIMIT):
        raise _invalid(changing, change, f"A limit is a number from 1 to {MEMBERS_LIMIT}")
    if int(text) != changing.modes.limit:
        changing.modes = replace(changing.modes, limit=int(text))
        changing.shown.append(ModeChange(True, "l", str(int(text))))


def _ban(changing: _Changing, change: ModeChange) -> None:
    mask = _whole_mask(change.argument or "")
    if change.argument != echoed(change.argument or "") or len(mask.encode()) > MASK_LIMIT_BYTES:
        raise _invalid(changing, change, f"A mask has 1 to {MASK_LIMIT_BYTES} bytes and no space")
    if change.adding == (mask in changing.bans):
        return
    if not change.adding:
        changing.effects.append(BanGone(changing.room.id, mask))
        changing.bans.remove(mask)
    elif len(changing.bans) >= BANS_LIMIT:
        text = f"A room has at most {BANS_LIMIT} bans"
        raise CommandError(text, Numeric.ERR_BANLISTFULL, (changing.room.name, mask))
    else:
        ban = Ban(mask, changing.ctx.account.name, changing.ctx.now_us)
        changing.effects.append(BanSet(changing.room.id, ban))
        changing.bans.add(mask)
    changing.shown.append(ModeChange(change.adding, "b", mask))


def _whole_mask(text: str) -> str:
    """`alice` means `alice!*@*`."""
    if "!" in text:
        return text if "@" in text else f"{text}@*"
    return f"*!{text}" if "@" in text else f"{text}!*@*"


def _role(changing: _Changing, change: ModeChange) -> None:
    ctx, room = changing.ctx, changing.room
    person = ctx.person(change.argument) if change.argument else None
    if person is None:
        raise CommandError("Whose role? Name a member", Numeric.ERR_NEEDMOREPARAMS, ("MODE",))
    current = _current_role(changing, person)
    wanted = ROLE_OF_MODE[change.letter]
    taken = Role.OPERATOR | Role.FOUNDER if change.letter == "o" else Role.VOICED
    if current & Role.FOUNDER and not change.adding and change.letter == "o" and person.id != ctx.account.id:
        text = "The founder of a room stays its operator"
        raise CommandError(text, Numeric.ERR_CHANOPRIVSNEEDED, (room.name,))
    has_it = current >= Role.OPERATOR if change.letter == "o" else bool(current & Role.VOICED)
    if change.adding != has_it:
        new = current | wanted if change.adding else current & ~taken
        changing.effects.append(MemberSet(room.id, person.id, new))
        changing.shown.append(ModeChange(change.adding, change.letter, person.name))


def _current_role(changing: _Changing, person: Account) -> Role:
    role = changing.room.members.get(person.id)
    if role is None:
        text = "is not in that room"
        raise CommandError(text, Numeric.ERR_USERNOTINCHANNEL, (person.name, changing.room.name))
    for effect in changing.effects:
        if isinstance(effect, MemberSet) and effect.account_id == person.id:
            role = effect.role
    return role


_CHANGERS: dict[str, Callable[[_Changing, ModeChange], None]] = {
    "b": _ban,
    "k": _key,
    "l": _limit,
    **dict.fromkeys(FLAG_MODES, _flag),
    **dict.fromkeys(ROLE_MODES, _role),
}
