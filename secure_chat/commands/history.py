"""CHATHISTORY and MARKREAD: what was said before, and what of it was read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from secure_chat.chat.deliveries import Encoded, ReadHistory
from secure_chat.chat.effects import MarkerShown, ReadMarked
from secure_chat.chat.errors import CommandError
from secure_chat.chat.history import End, HistoryQuery, Point, Question, SearchQuery, TargetsQuery
from secure_chat.chat.messages import Between, Conversation, InRoom, other_end
from secure_chat.chat.views import marker_line
from secure_chat.commands.context import Context
from secure_chat.commands.registry import COMMANDS, Weight, command
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.names import fold, is_room
from secure_chat.protocol.numerics import Numeric

NAME = "CHATHISTORY"
NO_ROOM = InRoom(0)
_MSGID = re.compile(r"[\w-]{1,64}")
_POINTS = {"LATEST": 1, "BEFORE": 1, "AFTER": 1, "AROUND": 1, "BETWEEN": 2}
"""How many points each subcommand has, between the target and the limit."""


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """A reader's answer to a ReadHistory: lines ready to be sent; or, where there are none, why."""

    job: ReadHistory
    data: bytes
    refusal: CommandError | None = None


@command(
    NAME,
    usage="CHATHISTORY <LATEST|BEFORE|AFTER|AROUND|BETWEEN|TARGETS> [<target>] <point> [<point>] <limit>",
    weight=Weight.HISTORY,
)
def chathistory(ctx: Context, *words: str) -> None:
    """Get what was said before in a room, or with somebody; a point is `timestamp=…` or `msgid=…`."""
    if not ctx.session.has(Capability.CHATHISTORY):
        raise CommandError("Unknown command", Numeric.ERR_UNKNOWNCOMMAND, (NAME,))
    act = words[0].upper() if words else ""
    if act == "TARGETS":
        question: Question = _targets(ctx, words)
    elif act in _POINTS:
        question = _query(ctx, act, words)
    else:
        raise _failed("UNKNOWN_COMMAND" if act else "NEED_MORE_PARAMS", act or "*", "This is no way to ask")
    ctx.change_session(waiting=True)
    batch = ctx.session.has(Capability.BATCH)
    ctx.add(ReadHistory(ctx.session.id, question, ctx.session.profile, batch, ctx.label))


def _query(ctx: Context, act: str, words: tuple[str, ...]) -> HistoryQuery:
    wanted = 3 + _POINTS[act]
    if len(words) < wanted:
        raise _failed("NEED_MORE_PARAMS", act, "Missing parameters")
    query = _place(ctx, act, words[1], _limit(ctx, act, words[wanted - 1]))
    first = None if act == "LATEST" and words[2] == "*" else _point(act, words[2])
    match act:
        case "LATEST":
            return replace(query, end=End.NEWEST, after=first)
        case "BEFORE":
            return replace(query, end=End.NEWEST, before=first)
        case "AFTER":
            return replace(query, end=End.OLDEST, after=first)
        case "AROUND":
            return replace(query, end=End.MIDDLE, after=first)
    assert first is not None
    second = _point(act, words[3])
    if _is_earlier(first, second):
        return replace(query, end=End.OLDEST, after=first, before=second)
    return replace(query, end=End.NEWEST, after=second, before=first)


def _is_earlier(first: Point, second: Point) -> bool:
    """Whether BETWEEN goes forward. Of message ids only the store knows: it turns them round (`End.OLDEST`)."""
    return bool(first.msgid or second.msgid) or first.time_ms <= second.time_ms


def _targets(ctx: Context, words: tuple[str, ...]) -> TargetsQuery:
    if len(words) < 4:
        raise _failed("NEED_MORE_PARAMS", "TARGETS", "Missing parameters")
    points = [_point("TARGETS", word).time_ms for word in words[1:3] if word.startswith("timestamp=")]
    if len(points) < 2:
        raise _failed("INVALID_PARAMS", "TARGETS", "Conversations are found by two times", *words[1:3])
    # As with BETWEEN: the first point says from which end the limit counts.
    end = End.OLDEST if points[0] <= points[1] else End.NEWEST
    return TargetsQuery(ctx.account.id, min(points), max(points), _limit(ctx, "TARGETS", words[3]), end)


def _limit(ctx: Context, act: str, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 10 and int(word)):
        raise _failed("INVALID_PARAMS", act, "The limit is a number of messages", word)
    return min(int(word), ctx.settings.history_messages)


def _point(act: str, word: str) -> Point:
    kind, equals, value = word.partition("=")
    if kind == "msgid" and _MSGID.fullmatch(value):
        return Point(msgid=value)
    if kind == "timestamp":
        time_ms = time_ms_of(value)
        if time_ms is not None:
            return Point(time_ms=time_ms)
    elif equals and kind != "msgid":
        raise _failed("INVALID_MSGREFTYPE", act, "A point is timestamp=… or msgid=…", kind)
    raise _failed("INVALID_PARAMS", act, "A point is timestamp=YYYY-MM-DDThh:mm:ss.sssZ or msgid=…", word)


def _place(ctx: Context, act: str, target: str, limit: int) -> HistoryQuery:
    place, name = place_of(ctx, act, target)
    events = ctx.session.has(Capability.EVENT_PLAYBACK)
    return HistoryQuery(ctx.account.id, place, name, End.NEWEST, limit, events=events, act=act)


def place_of(ctx: Context, act: str, target: str) -> tuple[Conversation, str]:
    """The conversation that a target names, and its name. Raises CommandError for a person that there is not.

    For a room that there is not: NO_ROOM. It is refused where a room is that this person was never in, in the same
    words and after as long a wait; else the answer would tell that there is such a room.
    """
    if is_room(target):
        room = ctx.hub.room_named(target)
        return (NO_ROOM, target) if room is None else (InRoom(room.id), room.name)
    # Of somebody who was removed: what was said stays.
    other_id = ctx.hub.account_ids.get(fold(target))
    if other_id is None:
        raise no_such_target(act, target)
    return Between(ctx.account.id, other_id), ctx.hub.accounts[other_id].name


def time_ms_of(text: str) -> int | None:
    """A time as `server-time` writes it, in ms since 1970 UTC; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000 + 0.5)


def no_such_target(act: str, target: str) -> CommandError:
    """There is none, or none that this person may know of."""
    return _failed("INVALID_TARGET", act, "Messages could not be retrieved", target)


def no_such_message(query: HistoryQuery) -> CommandError:
    """The message that a point names is not there, or not to be seen."""
    return _failed("MESSAGE_ERROR", query.act, "There is no such message here", query.target)


def history_failed(question: Question) -> CommandError:
    """The store could not be read."""
    text = "Messages could not be retrieved; try again later"
    if isinstance(question, HistoryQuery):
        return _failed("MESSAGE_ERROR", question.act, text, question.target)
    if isinstance(question, SearchQuery):
        return CommandError(text, code="INTERNAL_ERROR")
    return _failed("MESSAGE_ERROR", "*", text)


def _failed(code: str, act: str, text: str, *facts: str) -> CommandError:
    """`act`: the form of CHATHISTORY that failed, which is told; or another command, which FAIL names anyway."""
    return CommandError(text, code=code, params=facts if act in COMMANDS else (act, *facts))


def history_answered(ctx: Context, answer: HistoryRead) -> None:
    """The session no longer waits: it gets the lines, or hears why there are none."""
    ctx.change_session(waiting=False)
    if answer.refusal is not None:
        ctx.refuse(answer.refusal)
    else:
        ctx.add(Encoded(ctx.session.id, answer.data))


@command("MARKREAD", usage="MARKREAD <target> [timestamp=<time>]")
def markread(ctx: Context, target: str = "", point: str = "") -> None:
    """Say up to when you have read a conversation, or ask (IRCv3 `draft/read-marker`)."""
    if not ctx.session.has(Capability.READ_MARKER):
        raise CommandError("Unknown command", Numeric.ERR_UNKNOWNCOMMAND, ("MARKREAD",))
    if not target:
        raise CommandError("Missing parameters", code="NEED_MORE_PARAMS")
    me = ctx.account.id
    query = _place(ctx, "MARKREAD", target, 1)
    if isinstance(query.place, InRoom):
        room = ctx.hub.rooms.get(query.place.room_id)
        if room is None or me not in room.members:
            raise no_such_target("MARKREAD", target)
    if point:
        time_ms = min(_point("MARKREAD", point).time_ms, ctx.said_us // 1000)
        known = ctx.hub.markers.get(me, {}).get(other_end(me, query.place), -1)
        if not time_ms:
            raise _failed("INVALID_PARAMS", "MARKREAD", "A time is timestamp=YYYY-MM-DDThh:mm:ss.sssZ", point)
        if time_ms > known:
            ctx.add(ReadMarked(me, query.place, time_ms), MarkerShown(me, query.place, query.target))
            return
    ctx.tell(marker_line(ctx.hub, me, query.place, query.target))
