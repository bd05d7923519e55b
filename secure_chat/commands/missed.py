"""What a session missed: given when it comes, page by page, before it gets what is said now (design §3: replay).

A client with `draft/chathistory` asks for it itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from secure_chat.chat.deliveries import Encoded, PageOnDrain, ReadMissed
from secure_chat.chat.effects import SessionSet
from secure_chat.chat.history import MissedQuery
from secure_chat.chat.positions import CAUGHT_UP_LIMIT_MESSAGES, COUNTED_MESSAGES, LAST_PAGE_MESSAGES, Replay
from secure_chat.commands.context import Context
from secure_chat.protocol.capabilities import Capability, Profile
from secure_chat.protocol.message import LINE_LIMIT_BYTES, Message
from secure_chat.protocol.names import is_room
from secure_chat.protocol.relay import Relayed, format_time

PAGE_MESSAGES = 200
ACTION = "\x01ACTION"
FAILURES_LIMIT = 10
"""How often in succession a page may fail to be read; a second lies between."""
FAILED_TEXT = "The server could not read what you missed; connect again to get it"


@dataclass(frozen=True, slots=True)
class MissedRead:
    """A reader's answer to a ReadMissed: lines ready to be sent, with which the session has everything up to
    `through_id`; the ids that come later. `failed`: it could not be read.
    """

    job: ReadMissed
    data: bytes = b""
    through_id: int = 0
    later_ids: tuple[int, ...] = ()
    failed: bool = False


def begin_replay(ctx: Context) -> None:
    """Let a session that has just come be given what its device missed, where there can be anything."""
    session = ctx.session
    if not session.has(Capability.CHATHISTORY) and session.proven_id < ctx.hub.last_id:
        ctx.change_session(replay=Replay(session.proven_id, ctx.hub.last_id))
        ctx.add(PageOnDrain(session.id))


def read_on(ctx: Context) -> None:
    """Ask for the next page: little is pending for the session."""
    session, replay = ctx.session, ctx.session.replay
    if replay is None or replay.asked:
        return
    query = _query(ctx, CAUGHT_UP_LIMIT_MESSAGES if replay.late else ctx.settings.replay_messages)
    ctx.change_session(replay=replace(replay, asked=True))
    ctx.add(ReadMissed(session.id, query, replay.ids, session.profile, session.has(Capability.BATCH)))


def read_again(ctx: Context) -> None:
    """Give up the page that was asked for: it is asked for again a little later."""
    replay = ctx.session.replay
    assert replay is not None
    ctx.change_session(replay=replace(replay, asked=False, failures=replay.failures + 1))


def missed_read(ctx: Context, answer: MissedRead) -> None:
    """Give a page; after the last one, and what came since, the session gets what is said now.

    Where the tick is lost the page comes again.
    """
    replay = ctx.session.replay
    assert replay is not None
    ctx.if_lost.append(SessionSet(ctx.session.but(replay=replace(replay, asked=False))))
    if answer.failed and replay.failures >= FAILURES_LIMIT:
        ctx.close(ctx.session, FAILED_TEXT)
        return
    if answer.failed:
        read_again(ctx)
        return
    if answer.data:
        ctx.add(Encoded(ctx.session.id, answer.data, answer.through_id))
    if answer.later_ids:
        ctx.change_session(replay=Replay(answer.through_id, replay.until_id, answer.later_ids, replay.late))
        ctx.add(PageOnDrain(ctx.session.id))
        return
    ctx.change_session(replay=Replay(max(answer.through_id, replay.until_id), late=True))
    _give_the_last(ctx)


def _give_the_last(ctx: Context) -> None:
    """Where few have come since the last page they are given now, those of this very tick among them."""
    session, replay = ctx.session, ctx.session.replay
    assert replay is not None
    if replay.after_id < ctx.hub.last_id:
        messages = ctx.store.missed(_query(ctx, CAUGHT_UP_LIMIT_MESSAGES), LAST_PAGE_MESSAGES)
        if messages is None:
            ctx.add(PageOnDrain(session.id))
            return
        data = b"".join(one.encode(session.profile) for one in messages)
        ctx.add(Encoded(session.id, data, ctx.hub.last_id))
    ctx.change_session(replay=None)


def _query(ctx: Context, limit: int) -> MissedQuery:
    session, settings, replay = ctx.session, ctx.settings, ctx.session.replay
    assert replay is not None
    assert session.device is not None
    return MissedQuery(
        ctx.account.id,
        ctx.account.name,
        session.device,
        replay.after_id,
        limit,
        settings.history_rights,
        settings.host,
        None if replay.late else replay.until_id,
        own_private=ctx.hub.shows_own_private(session),
    )


def missed_lines(
    messages: Sequence[Relayed],
    passed_over: Sequence[tuple[str, int]],
    reader: str,
    profile: Profile,
    server: str,
    *,
    batch: bool,
) -> Iterator[Message]:
    """Missed messages as a session sees them, conversation by conversation, each in a batch where it knows batches.

    First comes of which conversations how many older ones are `passed_over`. `reader` is the account's name.
    """
    for name, count in passed_over:
        yield _of_passed_over(name, count, reader, server)
    conversations: dict[str, list[Relayed]] = {}
    for relayed in messages:
        conversations.setdefault(_conversation_of(relayed, reader), []).append(relayed)
    for number, (name, said) in enumerate(conversations.items()):
        if batch:
            yield Message("BATCH", (f"+m{number}", "chathistory", name), server)
        for relayed in said:
            line = relayed.message(profile)
            if batch:
                line = Message(line.command, line.params, line.source, {"batch": f"m{number}", **line.tags})
            yield from [line] if profile & Profile.TIME else _with_time(line, relayed.time_us)
        if batch:
            yield Message("BATCH", (f"-m{number}",), server)


def _of_passed_over(name: str, count: int, reader: str, server: str) -> Message:
    more = f"{count} more messages" if count <= COUNTED_MESSAGES else f"More than {COUNTED_MESSAGES} messages"
    where, of_whom = (name, "") if is_room(name) else (reader, f" with {name}")
    text = f"{more}{of_whom} were missed before these; a client that can ask for history shows them"
    return Message("NOTICE", (where, text), server)


def _conversation_of(relayed: Relayed, reader: str) -> str:
    """What the reader knows the conversation of a message by."""
    target, sender = relayed.params[0], relayed.account
    assert sender is not None
    return target if is_room(target) or sender == reader else sender


def _with_time(line: Message, time_us: int) -> Iterator[Message]:
    """A line for a client that has no `server-time`: when it was said stands in the text; before it where both
    together would be too long.
    """
    target, text = line.params
    when = f"[{format_time(time_us)[:16].replace('T', ' ')} UTC]"
    action, rest = text[: len(ACTION)], text[len(ACTION) :]
    timed = f"{ACTION} {when}{rest}" if action.upper() == ACTION else f"{when} {text}"
    whole = Message(line.command, (target, timed), line.source, line.tags)
    if whole.body_bytes() <= LINE_LIMIT_BYTES:
        yield whole
        return
    yield Message(line.command, (target, when), line.source, line.tags)
    yield line
