"""Lines that show state: names, topic, who somebody is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from secure_chat.chat.errors import CommandError, Hopeless
from secure_chat.chat.hub import Hub
from secure_chat.chat.messages import Conversation, other_end
from secure_chat.chat.rooms import Role, Room
from secure_chat.chat.sessions import Session
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.message import LINE_LIMIT_BYTES, Message
from secure_chat.protocol.numerics import Numeric
from secure_chat.protocol.relay import Relayed, format_time

ECHO_LIMIT_BYTES = 200
"""Longest parameter of a client's that a reply repeats: longer than any name or mask can be."""

ALWAYS_FAIL = frozenset({"CHATHISTORY", "MARKREAD", "REGISTER", "SEARCH", "VERIFY"})
"""Commands whose extension defines FAIL as the refusal, whatever the session asked for."""


def nick_of(hub: Hub, session: Session) -> str:
    """What a session is called in replies to it: `*` before it has a name."""
    if session.account_id is not None:
        return hub.accounts[session.account_id].name
    return session.nick or "*"


def echoed(text: str) -> str:
    """A parameter that may hold what a client sent, as it can stand before others in a reply; else `*`."""
    fits = text and " " not in text and not text.startswith(":") and len(text.encode()) <= ECHO_LIMIT_BYTES
    return text if fits else "*"


def numeric(hub: Hub, session: Session, number: Numeric, *params: str) -> Message:
    """A numeric reply to a session. Its last parameter is text; those before may hold what a client sent."""
    nick = nick_of(hub, session)
    return Message(number, (nick, *map(echoed, params[:-1]), *params[-1:]), hub.settings.server)


def joined(hub: Hub, room: Room, account_id: int, time_us: int, msgid: str | None = None) -> Relayed:
    """The JOIN that others, and oneself, see."""
    account = hub.accounts[account_id]
    presence = hub.presence.get(account_id)
    realname = presence.realname if presence else account.name
    return Relayed(
        hub.source(account_id),
        "JOIN",
        (room.name,),
        time_us,
        account.name,
        msgid,
        extended=(room.name, account.name, realname),
    )


def marker_line(hub: Hub, account_id: int, place: Conversation, target: str) -> Message:
    """MARKREAD: up to where an account has read (IRCv3 `draft/read-marker`)."""
    time_ms = hub.markers.get(account_id, {}).get(other_end(account_id, place))
    shown = "*" if time_ms is None else f"timestamp={format_time(time_ms * 1000)}"
    return Message("MARKREAD", (target, shown), hub.settings.server)


def topic_lines(hub: Hub, session: Session, room: Room) -> Iterator[Message]:
    """332 and 333; nothing where no topic is set."""
    topic = room.record.topic
    if topic is not None:
        yield numeric(hub, session, Numeric.RPL_TOPIC, room.name, topic.text)
        seconds = str(topic.time_us // 1_000_000)
        yield numeric(hub, session, Numeric.RPL_TOPICWHOTIME, room.name, topic.by, seconds)


def names_lines(hub: Hub, session: Session, room: Room) -> Iterator[Message]:
    """353 for who is online, and 366."""
    symbol = "@" if room.has("s") else "="
    start = numeric(hub, session, Numeric.RPL_NAMREPLY, symbol, room.name, "").body_bytes()
    for names in packed(_shown_names(hub, session, room), LINE_LIMIT_BYTES - start):
        yield numeric(hub, session, Numeric.RPL_NAMREPLY, symbol, room.name, names)
    yield numeric(hub, session, Numeric.RPL_ENDOFNAMES, room.name, "End of /NAMES list")


def _shown_names(hub: Hub, session: Session, room: Room) -> list[str]:
    accounts, presence, administrators = hub.accounts, hub.presence, hub.administrators
    all_of_them, quiet = session.has(Capability.MULTI_PREFIX), hub.is_quiet(room)
    names = []
    for account_id, role in room.members.items():
        if account_id not in presence:
            continue
        name = accounts[account_id].name
        # Most are plain members, and a login to a full lobby asks for all of them.
        if role is not Role.MEMBER or account_id in administrators:
            role = hub.role(room, account_id) or role  # noqa: PLW2901
            name = role.prefixes(all_of_them=all_of_them) + name
        if not quiet or role >= Role.OPERATOR or account_id == session.account_id:
            names.append(name)
    return names


def packed(words: Iterable[str], room_bytes: int) -> Iterator[str]:
    """Words joined by spaces into as few texts of at most `room_bytes` as they fit into. No word is longer."""
    text = " ".join(words).encode()
    start = 0
    while len(text) - start > room_bytes:
        end = text.rfind(b" ", start, start + room_bytes + 1)
        assert end > start, "a word is longer than a line"
        yield text[start:end].decode()
        start = end + 1
    if start < len(text):
        yield text[start:].decode()


def knows_of(session: Session, room: Room) -> bool:
    """Whether a session may know that this room exists: secret rooms are for members."""
    return not room.has("s") or session.account_id in room.members


def refusal_lines(hub: Hub, session: Session, command: str, error: CommandError) -> Iterator[Message]:
    """What a session is told when its command is refused (design: refusals)."""
    told = False
    if error.code is not None and (session.has(Capability.STANDARD_REPLIES) or command in ALWAYS_FAIL):
        name = "*" if isinstance(error, Hopeless) else command
        yield Message("FAIL", (name, error.code, *map(echoed, error.params), error.text), hub.settings.server)
        told = True
    if error.numeric is not None:
        yield numeric(hub, session, error.numeric, *error.params, error.text)
        told = True
    if not told:
        yield Message("NOTICE", (nick_of(hub, session), f"{command}: {error.text}"), hub.settings.server)
