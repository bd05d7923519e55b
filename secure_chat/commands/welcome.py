"""The end of registration: who is let in, and what the session sees first."""

from __future__ import annotations

from collections.abc import Iterator

from secure_chat.chat.deliveries import Reprofile, Welcomed
from secure_chat.chat.effects import Attached, Effect, LoginSucceeded, MemberGone, MemberSet
from secure_chat.chat.errors import Hopeless
from secure_chat.chat.rooms import BANS_LIMIT, TOPIC_LIMIT_BYTES, Role
from secure_chat.chat.sessions import Phase
from secure_chat.commands.context import Context
from secure_chat.commands.login import start_login
from secure_chat.commands.missed import begin_replay
from secure_chat.commands.queries import lusers, motd
from secure_chat.commands.receipts import find_position, tell_of_sharing
from secure_chat.protocol import modes
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import (
    NAME_LIMIT_CHARACTERS,
    ROOM_NAME_LIMIT_CHARACTERS,
    USER_LIMIT_CHARACTERS,
)
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.sasl import SaslError, parse_pass

AWAY_LIMIT_BYTES = 200
NO_USER_MODES = "-"
"""004 must say something, or its later parameters move."""
KICK_LIMIT_BYTES = 200
TOKENS_PER_LINE = 12
ACCOUNT_REQUIRED_TEXT = (
    "This server is for people with an account: log in with SASL, or with the server password account:password"
)


def complete_registration(ctx: Context) -> None:
    """Let the session in, where it has said all that is needed; else nothing. Raises Hopeless."""
    session = ctx.session
    if session.phase is not Phase.REGISTERING or session.negotiating or session.waiting:
        return
    if not session.nick or not session.user:
        return
    if session.account_id is None:
        if session.application is not None:
            return
        if session.password is None:
            raise Hopeless(ACCOUNT_REQUIRED_TEXT, Numeric.ERR_PASSWDMISMATCH, code="ACCOUNT_REQUIRED")
        try:
            credentials = parse_pass(session.password)
        except SaslError as error:
            raise Hopeless(str(error), Numeric.ERR_PASSWDMISMATCH) from None
        ctx.change_session(password=None)
        account = start_login(ctx, "PASS", credentials)
        if account is None:
            return
        ctx.add(LoginSucceeded(session.address, account.folded))
        ctx.change_session(account_id=account.id, epoch=account.epoch)
    _let_in(ctx)


def _let_in(ctx: Context) -> None:
    session, account = ctx.session, ctx.account
    if not account.usable or account.epoch != session.epoch:
        raise Hopeless("This account cannot be used now", Numeric.ERR_PASSWDMISMATCH)
    if session.token is not None and session.token not in ctx.hub.devices:
        raise Hopeless("Wrong name, or this token was revoked", Numeric.ERR_PASSWDMISMATCH)
    others = ctx.hub.sessions_of(account.id)
    if len(others) >= ctx.settings.sessions_per_account:
        raise Hopeless(
            "Too many devices of this account are connected; disconnect one first", code="TOO_MANY_SESSIONS"
        )
    asked_for, source = session.nick, f"{session.nick}!{session.user}@{ctx.settings.host}"
    ctx.change_session(phase=Phase.WELCOMED, nick=account.name, password=None)
    if asked_for != account.name:
        ctx.tell(Message("NICK", (account.name,), source))
    find_position(ctx)
    rooms = len(ctx.hub.rooms_of.get(account.id, ()))
    ctx.add(Reprofile(session.id, session.profile), Welcomed(session.id, rooms))
    _greet(ctx)
    ctx.log("login", session=session.id, account=account.name, address=session.address)
    ctx.if_lost += ctx.closing(ctx.session, "The server could not write to its disk; try again later")
    ctx.add(*lobby_membership(ctx, account.id), *_ended_by_bans(ctx), Attached(session.id, ctx.now_us))
    tell_of_sharing(ctx)
    begin_replay(ctx)


def _ended_by_bans(ctx: Context) -> Iterator[Effect]:
    """A ban ends membership when its member comes online (design: presence and membership)."""
    account_id = ctx.account.id
    if account_id not in ctx.hub.presence:
        source = ctx.hub.source_at(account_id, ctx.session.user)
        for room in ctx.hub.rooms_by_name(account_id):
            if ctx.hub.is_banned(room, account_id, source):
                yield MemberGone(room.id, account_id)


def lobby_membership(ctx: Context, account_id: int) -> tuple[Effect, ...]:
    """What makes an account a member of the lobby, where it is not."""
    lobby = ctx.hub.lobby
    if lobby is None or account_id in lobby.members:
        return ()
    return (MemberSet(lobby.id, account_id, Role.MEMBER),)


def _greet(ctx: Context) -> None:
    """001 to 005, LUSERS, MOTD (Modern IRC, "Connection Registration")."""
    settings, name = ctx.settings, ctx.account.name
    user = ctx.session.user
    ctx.reply(Numeric.RPL_WELCOME, f"Welcome to {settings.network}, {name}!{user}@{settings.host}")
    ctx.reply(Numeric.RPL_YOURHOST, f"Your host is {settings.server}, running {settings.version}")
    ctx.reply(Numeric.RPL_CREATED, f"This server was started {settings.created}")
    with_argument = modes.LIST_MODES + modes.KEY_MODES + modes.LIMIT_MODES + modes.ROLE_MODES
    channel_modes = "".join(sorted(with_argument + modes.FLAG_MODES))
    ctx.reply(Numeric.RPL_MYINFO, settings.server, settings.version, NO_USER_MODES, channel_modes, with_argument)
    tokens = isupport(ctx)
    for start in range(0, len(tokens), TOKENS_PER_LINE):
        ctx.reply(Numeric.RPL_ISUPPORT, *tokens[start : start + TOKENS_PER_LINE], "are supported by this server")
    lusers(ctx)
    motd(ctx)


def isupport(ctx: Context) -> list[str]:
    """The tokens of 005 (Modern IRC, "RPL_ISUPPORT Parameters")."""
    settings = ctx.settings
    tokens = {
        "AWAYLEN": str(AWAY_LIMIT_BYTES),
        "CASEMAPPING": "ascii",
        "CHANLIMIT": f"#:{settings.rooms_per_account + bool(settings.lobby)}",
        "CHANMODES": modes.CHANMODES,
        "CHANNELLEN": str(ROOM_NAME_LIMIT_CHARACTERS + 1),
        "CHANTYPES": "#",
        "CHATHISTORY": str(settings.history_messages),
        "ELIST": "M",
        "KICKLEN": str(KICK_LIMIT_BYTES),
        "MAXLIST": f"b:{BANS_LIMIT}",
        "MSGREFTYPES": "msgid,timestamp",
        "MODES": str(modes.CHANGES_LIMIT),
        "NETWORK": settings.network.replace(" ", "\\x20"),
        "NICKLEN": str(NAME_LIMIT_CHARACTERS),
        "PREFIX": f"({modes.ROLE_MODES}){modes.PREFIXES}",
        "SAFELIST": "",
        "TARGMAX": "JOIN:10,KICK:4,NAMES:4,NOTICE:4,PART:10,PRIVMSG:4,TAGMSG:4,WHOIS:1",
        "TOPICLEN": str(TOPIC_LIMIT_BYTES),
        "USERLEN": str(USER_LIMIT_CHARACTERS),
        "UTF8MAPPING": "rfc8265",
        "UTF8ONLY": "",
        "WHOX": "",
        "draft/ACCOUNTREQUIRED": "",
    }
    if settings.lobby:
        tokens["secure-chat.internal/LOBBY"] = settings.lobby
    return [f"{key}={value}" if value else key for key, value in tokens.items()]
