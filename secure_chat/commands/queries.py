"""Questions: PING, MOTD, LUSERS, WHO, WHOIS, LIST, NAMES."""

from __future__ import annotations

from collections.abc import Iterator

from secure_chat.chat.accounts import Account
from secure_chat.chat.errors import CommandError, no_such_nick
from secure_chat.chat.rooms import Role, Room
from secure_chat.chat.views import knows_of, names_lines, numeric, packed
from secure_chat.commands.context import Context
from secure_chat.commands.registry import Lists, Weight, command
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.masks import matches
from secure_chat.protocol.message import LINE_LIMIT_BYTES, Message
from secure_chat.protocol.names import is_room
from secure_chat.protocol.numerics import Numeric

WHO_LIMIT = 500
"""People shown in answer to one WHO."""


@command("PING", usage="PING <token>", before_login=True)
def ping(ctx: Context, token: str = "") -> None:
    """Ask for a PONG; it comes after the answers to everything sent before."""
    if not token:
        raise CommandError("No origin specified", Numeric.ERR_NEEDMOREPARAMS, ("PING",))
    ctx.give_back(Message("PONG", (ctx.settings.server, token), ctx.settings.server))


@command("PONG", usage="PONG <token>", before_login=True, weight=Weight.FREE)
def pong(ctx: Context) -> None:
    """Answer to a PING of the server; nothing follows from it here."""
    del ctx


@command("MOTD", usage="MOTD")
def motd(ctx: Context) -> None:
    """Show the message of the day."""
    lines = ctx.settings.motd
    if not lines:
        ctx.reply(Numeric.ERR_NOMOTD, "There is no message of the day")
        return
    ctx.reply(Numeric.RPL_MOTDSTART, f"- {ctx.settings.server} Message of the day - ")
    for line in lines:
        ctx.reply(Numeric.RPL_MOTD, f"- {line}")
    ctx.reply(Numeric.RPL_ENDOFMOTD, "End of /MOTD command")


@command("LUSERS", usage="LUSERS")
def lusers(ctx: Context) -> None:
    """Show how many people are online and how many rooms there are."""
    hub, me = ctx.hub, ctx.account.id
    # Who is being greeted counts, too, but is not among the sessions of its account yet.
    is_new = ctx.session.id not in (hub.presence[me].sessions if me in hub.presence else ())
    online = len(hub.presence) + (me not in hub.presence)
    operators = sum(account_id in hub.presence or account_id == me for account_id in hub.administrators)
    ctx.reply(Numeric.RPL_LUSERCLIENT, f"There are {online} users and 0 invisible on 1 servers")
    ctx.reply(Numeric.RPL_LUSEROP, str(operators), "operator(s) online")
    unregistered = len(hub.sessions) - hub.attached - is_new
    ctx.reply(Numeric.RPL_LUSERUNKNOWN, str(unregistered), "unknown connection(s)")
    ctx.reply(Numeric.RPL_LUSERCHANNELS, str(len(hub.rooms)), "channels formed")
    ctx.reply(Numeric.RPL_LUSERME, f"I have {online} clients and 0 servers")
    for number in (Numeric.RPL_LOCALUSERS, Numeric.RPL_GLOBALUSERS):
        ctx.reply(number, str(online), str(online), f"Current users {online}, max {online}")


@command("NAMES", usage="NAMES <room>", lists=Lists.FIRST, list_limit=4)
def names(ctx: Context, room_name: str = "") -> None:
    """Show who is online in a room."""
    room = ctx.hub.room_named(room_name)
    if room is None or not knows_of(ctx.session, room):
        ctx.reply(Numeric.RPL_ENDOFNAMES, room_name or "*", "End of /NAMES list")
        return
    for line in names_lines(ctx.hub, ctx.session, room):
        ctx.tell(line)


@command("LIST", usage="LIST [<room>,...]", weight=Weight.LIST)
def list_(ctx: Context, filters: str = "") -> None:
    """Show the rooms: how many are online in each, and its topic."""
    wanted = [word for word in filters.split(",") if is_room(word)]
    ctx.reply(Numeric.RPL_LISTSTART, "Channel", "Users  Name")
    for room in sorted(ctx.hub.rooms.values(), key=lambda room: room.record.folded):
        if knows_of(ctx.session, room) and (not wanted or any(matches(mask, room.name) for mask in wanted)):
            topic = room.record.topic
            count = str(len(ctx.hub.online_members(room)))
            ctx.reply(Numeric.RPL_LIST, room.name, count, topic.text if topic else "")
    ctx.reply(Numeric.RPL_LISTEND, "End of /LIST")


@command("WHO", usage="WHO <room|name|mask>", weight=Weight.LIST)
def who(ctx: Context, mask: str = "*", fields: str = "") -> None:
    """Show who is online: in a room, by name, or by a mask."""
    for account_id, room in _who(ctx, mask):
        _who_line(ctx, ctx.hub.accounts[account_id], room, fields)
    ctx.reply(Numeric.RPL_ENDOFWHO, mask or "*", "End of WHO list")


def _who(ctx: Context, mask: str) -> Iterator[tuple[int, Room | None]]:
    if is_room(mask):
        room = ctx.hub.room_named(mask)
        if room is None or not knows_of(ctx.session, room):
            return
        quiet = ctx.hub.is_quiet(room)
        for account_id in ctx.hub.online_members(room):
            operates = (ctx.hub.role(room, account_id) or Role.MEMBER) >= Role.OPERATOR
            if not quiet or operates or account_id == ctx.account.id:
                yield account_id, room
        return
    account = ctx.hub.account_named(mask)
    if account is not None:
        found = [account.id] if account.id in ctx.hub.presence else []
    else:
        found = [i for i in ctx.hub.presence if matches(mask, ctx.hub.accounts[i].name)]
    for account_id in found[:WHO_LIMIT]:
        yield account_id, None


def _who_line(ctx: Context, account: Account, room: Room | None, fields: str) -> None:
    presence, settings = ctx.hub.presence[account.id], ctx.settings
    role = ctx.hub.role(room, account.id) if room is not None else None
    several = ctx.session.has(Capability.MULTI_PREFIX)
    flags = "H" if ctx.hub.away_text(account.id) is None else "G"
    flags += ("*" if account.administrator else "") + (
        role.prefixes(all_of_them=several) if role is not None else ""
    )
    room_name = room.name if room is not None else "*"
    if not fields.startswith("%"):
        ctx.reply(
            Numeric.RPL_WHOREPLY,
            room_name,
            presence.user,
            settings.host,
            settings.server,
            account.name,
            flags,
            f"0 {presence.realname}",
        )
        return
    wanted, _, token = fields[1:].partition(",")
    values = {
        "t": token or "0",
        "c": room_name,
        "u": presence.user,
        "i": "255.255.255.255",
        "h": settings.host,
        "s": settings.server,
        "n": account.name,
        "f": flags,
        "d": "0",
        "l": "0",
        "a": account.name,
        "o": "n/a",
        "r": presence.realname,
    }
    ctx.reply(Numeric.RPL_WHOSPCRPL, *(value for letter, value in values.items() if letter in wanted))


@command("WHOIS", usage="WHOIS <name>", weight=Weight.QUERY)
def whois(ctx: Context, first: str = "", second: str = "") -> None:
    """Show who somebody is, and since when and in which rooms they are online."""
    name = (second or first).partition(",")[0]
    if not name:
        raise CommandError("No nickname given", Numeric.ERR_NONICKNAMEGIVEN)
    account = ctx.hub.account_named(name)
    try:
        if account is None or account.id not in ctx.hub.presence:
            ctx.refuse(_absent(name, account))
            return
        _show_person(ctx, account)
    finally:
        ctx.reply(Numeric.RPL_ENDOFWHOIS, account.name if account else name, "End of /WHOIS list")


def _absent(name: str, account: Account | None) -> CommandError:
    if account is None:
        return no_such_nick(name)
    text = "Not online now; a private message will be delivered later"
    return CommandError(text, Numeric.ERR_NOSUCHNICK, (account.name,))


def _show_person(ctx: Context, account: Account) -> None:
    hub, presence, name = ctx.hub, ctx.hub.presence[account.id], account.name
    host = ctx.settings.host
    ctx.reply(Numeric.RPL_WHOISUSER, name, presence.user, host, "*", presence.realname or name)
    start = numeric(hub, ctx.session, Numeric.RPL_WHOISCHANNELS, name, "").body_bytes()
    several = ctx.session.has(Capability.MULTI_PREFIX)
    shown = [
        (hub.role(room, account.id) or Role.MEMBER).prefixes(all_of_them=several) + room.name
        for room in hub.rooms_by_name(account.id)
        if knows_of(ctx.session, room)
    ]
    for line in packed(shown, LINE_LIMIT_BYTES - start):
        ctx.reply(Numeric.RPL_WHOISCHANNELS, name, line)
    ctx.reply(Numeric.RPL_WHOISSERVER, name, ctx.settings.server, ctx.settings.network)
    if account.administrator:
        ctx.reply(Numeric.RPL_WHOISOPERATOR, name, "is an administrator of this server")
    away = hub.away_text(account.id)
    if away is not None:
        ctx.reply(Numeric.RPL_AWAY, name, away)
    ctx.reply(Numeric.RPL_WHOISACCOUNT, name, name, "is logged in as")
    ctx.reply(Numeric.RPL_WHOISSECURE, name, "is using a secure connection")
    if ctx.account.administrator:
        for address in dict.fromkeys(session.address for session in hub.sessions_of(account.id)):
            ctx.reply(Numeric.RPL_WHOISACTUALLY, name, address, "is connecting from")
    idle = max(0, (ctx.now_us - presence.active_us) // 1_000_000)
    times = (str(idle), str(presence.since_us // 1_000_000))
    ctx.reply(Numeric.RPL_WHOISIDLE, name, *times, "seconds idle, signon time")
