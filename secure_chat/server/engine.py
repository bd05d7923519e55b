"""The tick: what happened goes in, what is to be released comes out. No thread, no socket.

Each command is decided, staged in the store's transaction and applied; then the tick is committed. Released is
only what is on disk (design: a tick).
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from secure_chat.chat.apply import apply
from secure_chat.chat.deliveries import Job
from secure_chat.chat.effects import Effect, Stored, durable_of
from secure_chat.chat.errors import CommandError, Hopeless
from secure_chat.chat.history import SearchQuery
from secure_chat.chat.hub import Hub
from secure_chat.chat.ports import AlreadyPosted, Conflict, Ids, PostIdReused, Store, StoreFailed
from secure_chat.chat.sessions import Session
from secure_chat.commands.context import Context
from secure_chat.commands.forgetting import forget
from secure_chat.commands.history import NAME as CHATHISTORY
from secure_chat.commands.history import HistoryRead, history_answered
from secure_chat.commands.login import PasswordChecked, remember_login
from secure_chat.commands.messages import post_again
from secure_chat.commands.missed import MissedRead, missed_read, read_again, read_on
from secure_chat.commands.presence import connection_lost, lingering_ended, opened
from secure_chat.commands.receipts import keep_positions, receipt_proven
from secure_chat.commands.redeeming import PasswordHashed, hash_settled, password_hashed, redeemed
from secure_chat.commands.registration import password_checked, password_settled
from secure_chat.commands.registry import OPERATIONS
from secure_chat.commands.searching import NAME as SEARCH
from secure_chat.errors import StorageError
from secure_chat.net.operations import Close, Drained, Lost, Opened, Operation, Proven, Received, Release
from secure_chat.protocol.message import NO_TAGS
from secure_chat.server.due import RETRY_US, Due
from secure_chat.server.encoder import Encoder
from secure_chat.server.forgetting import ForgettingRounds
from secure_chat.server.happenings import Asked, ForgettingDue, Happening, LingeringDue, PositionsDue, ReadingDue
from secure_chat.server.lines import Line, Unit, units_of
from secure_chat.server.outcome import Outcome
from secure_chat.server.resumption import replays_resumed, rooms_agreed, rooms_shown, sayings
from secure_chat.server.said_clock import SaidClock, is_due
from secure_chat.server.store_failure import NOTHING_DONE, UNKNOWN, storage_error, with_cause

log = logging.getLogger("secure_chat.server")

Decide = Callable[[Context], None]


class Engine:
    """Owns the hub. One thread only: the dispatcher's (or the tool's, where no server runs)."""

    def __init__(self, hub: Hub, store: Store, ids: Ids, clock_us: Callable[[], int]) -> None:
        self.hub = hub
        self._store = store
        self._ids = ids
        self._clock_us = clock_us
        self._said_clock = SaidClock()
        self._look_at_clock()
        self._thread: int | None = None
        self._encoder = Encoder(hub)
        self._backlog: dict[int, deque[Line]] = {}
        self.forgetting = ForgettingRounds()
        self._due = Due(hub, self.forgetting)
        self._failure: StoreFailed | None = None
        self._store_down = False
        self._recovered = False
        self._unsure: list[Operation] = []
        """What people get of the tick of which nobody knows whether it is on disk, if it turns out to be."""
        self._rooms_lost: set[int] = set()
        """Rooms made in the tick that was lost."""
        self._retry_at_us = 0
        self._happens: dict[type, Callable[..., Iterable[Outcome]]] = {
            Opened: self._opened,
            Received: self._received,
            Lost: self._lost,
            Drained: self._drained,
            PasswordChecked: self._password_checked,
            PasswordHashed: self._password_hashed,
            HistoryRead: self._history_read,
            MissedRead: self._missed_read,
            Proven: self._proven,
            PositionsDue: lambda due: [self._alone(None, partial(keep_positions, keys=due.keys))],
            ReadingDue: lambda _: [self._done(replays_resumed(self.hub))],
            Asked: self._asked,
            LingeringDue: self._lingering_due,
            ForgettingDue: self._forgetting_due,
        }

    def tick(self, happenings: Sequence[Happening]) -> list[Outcome]:
        """Carry out what happened, in order; what comes back may be released."""
        self._thread = self._thread or threading.get_ident()
        assert self._thread == threading.get_ident(), "the hub belongs to one thread"
        self._look_at_clock()
        outcomes: list[Outcome] = []
        if self._store_down and is_due(self._retry_at_us, self._now_us, RETRY_US):
            outcomes = self._retry()
        self._failure = None
        due = self._due.happenings(self._now_us, idle=not happenings, store_down=self._store_down)
        for happening in (*due, *happenings):
            for outcome in self._happens[type(happening)](happening):
                self._encoder.finish(outcome)
                outcomes.append(outcome)
        self._commit(outcomes)
        outcomes += [*self.forgetting.settle(outcomes, self._now_us)]
        if self._recovered:
            self._recovered = False
            outcomes.append(self._done((*rooms_agreed(self.hub, self._rooms_lost), *replays_resumed(self.hub))))
            self._rooms_lost.clear()
        return outcomes

    def _commit(self, outcomes: list[Outcome]) -> None:
        """Put the tick on disk; where that fails, put right what its commands are told."""
        try:
            if self._failure is None:
                self._store.commit()
        except StoreFailed as error:
            self._failure = error
        if self._failure is not None:
            log.error("the store failed: %s", with_cause(self._failure))
            self._due.store_failed(self._now_us)
            self._after_failure(outcomes)

    def run_once(self, decide: Decide) -> Outcome:
        """Carry out one unit of the program itself, such as making the lobby, in a tick of its own.

        Raises StorageError where it could not be done.
        """
        self._look_at_clock()
        self._failure = None
        outcome = Outcome()
        self._unit(outcome, decide)
        self._commit([outcome])
        if "error" in outcome.answer:
            raise StorageError(str(outcome.answer["error"]))
        return outcome

    def _look_at_clock(self) -> None:
        self._now_us = self._clock_us()
        self._said_us = self._said_clock.at(self._now_us, self.hub.last_us)

    def next_due_us(self) -> int | None:
        """When something is due without anything happening, in µs since 1970 UTC."""
        return self._due.next_us(self._retry_at_us if self._store_down else None)

    # Failure of the store

    def _after_failure(self, outcomes: list[Outcome]) -> None:
        """The outcome of a failed commit is unknown; ask the disk, then answer accordingly."""
        if self._recover():
            return
        for outcome in outcomes:
            if outcome.durable:
                self._undo(outcome)

    def _recover(self) -> bool:
        """Reopen the store and load from it; whether the tick that failed is there."""
        try:
            kept = self._store.recover()
            rooms_before = set(self.hub.rooms)
            self.hub.load(self._store.load())
        except StoreFailed as error:
            if not self._store_down:
                log.error("the store cannot be used: %s; trying again each second", with_cause(error))
            self._store_down = True
            self._retry_at_us = self._now_us + RETRY_US
            return False
        log.warning("the store works again")
        self._store_down, self._recovered = False, True
        self._rooms_lost |= rooms_before - self.hub.rooms.keys()
        return kept

    def _retry(self) -> list[Outcome]:
        """Recover a store that was down. If the tick that was refused is on disk all the same, people get now what
        was said in it, and see the rooms they are in.
        """
        kept = self._recover()
        if self._store_down:
            return []
        unsure, self._unsure = self._unsure, []
        if not kept:
            return []
        shown = (*rooms_agreed(self.hub, self._rooms_lost), *rooms_shown(self.hub, self._now_us))
        return [Outcome(operations=unsure), self._done(shown)]

    def _done(self, effects: Iterable[Effect]) -> Outcome:
        outcome = Outcome()
        self._apply(list(effects), outcome)
        return outcome

    def _undo(self, outcome: Outcome) -> None:
        if self._store_down:
            self._unsure += sayings(outcome)
        kept: list[Operation] = [o for o in outcome.operations if isinstance(o, Close | Release)]
        outcome.operations, outcome.labelled, outcome.label_place, outcome.logs = [], [], None, []
        error = storage_error(outcome.command, UNKNOWN if self._store_down else NOTHING_DONE)
        outcome.answer = {"error": error.text}
        session = self.hub.sessions.get(outcome.session_id) if outcome.session_id is not None else None
        if session is not None and not outcome.if_lost:
            ctx = self._context(session, outcome.command)
            ctx.refuse(error)
            self._apply(ctx.effects, outcome)
        if session is not None or outcome.session_id is None:
            # What would put back a session that is gone makes a ghost of it.
            self._apply(outcome.if_lost, outcome)
        self._encoder.finish(outcome)
        outcome.operations += kept

    # What happens

    def _opened(self, report: Opened) -> Iterable[Outcome]:
        session = Session(report.connection_id, report.address, report.exempt)
        return [self._alone(session.id, lambda ctx: opened(ctx, session))]

    def _received(self, report: Received) -> Iterable[Outcome]:
        session = self.hub.sessions.get(report.connection_id)
        if session is None:
            return []
        if session.waiting:
            self._backlog.setdefault(session.id, deque()).append(report.line)
            return []
        return [self._line(session, report.line)]

    def _line(self, session: Session, line: Line) -> Outcome:
        unit = units_of(session, line)
        outcome = Outcome(session.id, unit.command, unit.label)
        for decide in unit.decisions:
            if session.id in self.hub.sessions:
                self._unit(outcome, decide, unit)
        return outcome

    def _lost(self, report: Lost) -> Iterator[Outcome]:
        self._backlog.pop(report.connection_id, None)
        self._encoder.forget(report.connection_id)
        if report.connection_id in self.hub.sessions:
            yield self._alone(report.connection_id, lambda ctx: connection_lost(ctx, report.reason))

    def _drained(self, report: Drained) -> Iterator[Outcome]:
        session = self.hub.sessions.get(report.connection_id)
        if session is not None and session.replay is not None and not self._store_down:
            yield self._alone(session.id, read_on)

    def _missed_read(self, answer: MissedRead) -> Iterator[Outcome]:
        session = self.hub.sessions.get(answer.job.session_id)
        if session is not None and session.replay is not None:
            # At its end it is given what others may have staged in this tick: it counts only with the tick.
            if answer.failed:
                self._due.read_again(self._now_us)
            decide = read_again if self._store_down else partial(missed_read, answer=answer)
            yield self._alone(session.id, decide, durable=not answer.later_ids)

    def _proven(self, report: Proven) -> Iterator[Outcome]:
        if report.connection_id in self.hub.sessions:
            yield self._alone(report.connection_id, partial(receipt_proven, message_id=report.message_id))

    def _password_checked(self, answer: PasswordChecked) -> Iterator[Outcome]:
        settle, check = partial(password_settled, answer=answer), partial(password_checked, answer=answer)
        yield from self._answer(answer.job, answer.job.purpose, answer.job.label, settle, check)
        if answer.job.session_id in self.hub.sessions:
            remembered = Outcome()
            self._unit(remembered, lambda ctx: remember_login(ctx, answer))
            yield remembered
        yield from self._catch_up(answer.job.session_id)

    def _password_hashed(self, answer: PasswordHashed) -> Iterator[Outcome]:
        steps = [partial(step, answer=answer) for step in (hash_settled, password_hashed, redeemed)]
        yield from self._answer(answer.job, answer.job.purpose, answer.job.label, *steps)
        yield from self._catch_up(answer.job.session_id)

    def _history_read(self, answer: HistoryRead) -> Iterator[Outcome]:
        # The lines carry the label themselves; a refusal does not.
        label = answer.job.label if answer.refusal is not None else None
        command = SEARCH if isinstance(answer.job.question, SearchQuery) else CHATHISTORY
        yield from self._answer(answer.job, command, label, partial(history_answered, answer=answer))
        yield from self._catch_up(answer.job.session_id)

    def _answer(self, job: Job, command: str, label: str | None, *steps: Decide) -> Iterator[Outcome]:
        """What a session waited for has come from another thread: it goes on."""
        session = self.hub.sessions.get(job.session_id)
        if session is not None and session.waiting:
            outcome = Outcome(job.session_id, command, label)
            outcome.operations.append(Release(job.session_id))
            for step in steps:
                self._unit(outcome, step)
            yield outcome

    def _catch_up(self, session_id: int) -> Iterator[Outcome]:
        """Go on with the lines that came while the session waited."""
        lines = self._backlog.pop(session_id, deque())
        while lines:
            session = self.hub.sessions.get(session_id)
            if session is None:
                return
            if session.waiting:
                self._backlog[session_id] = lines
                return
            yield self._line(session, lines.popleft())

    def _asked(self, asked: Asked) -> Iterator[Outcome]:
        outcome = Outcome(answered=asked.answer)
        operation = OPERATIONS.get(asked.operation)
        if operation is None:
            outcome.answer["error"] = f"There is no operation {asked.operation}"
        else:
            self._unit(outcome, lambda ctx: operation(ctx, asked.request))
        yield outcome

    def _lingering_due(self, due: LingeringDue) -> Iterator[Outcome]:
        yield self._alone(None, lambda ctx: lingering_ended(ctx, due.account_id))

    def _forgetting_due(self, due: ForgettingDue) -> Iterator[Outcome]:
        outcome = self._alone(None, partial(forget, round_us=self.forgetting.round_us(self._now_us)))
        yield outcome
        yield from self.forgetting.went_on(outcome, self._now_us, idle=due.idle)

    # One unit: decide, stage, apply

    def _alone(self, session_id: int | None, decide: Decide, *, durable: bool = False) -> Outcome:
        outcome = Outcome(session_id, durable=durable)
        self._unit(outcome, decide)
        return outcome

    def _context(self, session: Session | None, command: str, unit: Unit | None = None) -> Context:
        tags: Mapping[str, str] = unit.tags if unit is not None else NO_TAGS
        label = unit.label if unit is not None else None
        return Context(self.hub, self._store, self._ids, self._now_us, self._said_us, session, command, tags, label)

    def _unit(self, outcome: Outcome, decide: Decide, unit: Unit | None = None) -> None:
        session = self.hub.sessions.get(outcome.session_id) if outcome.session_id is not None else None
        ctx = self._context(session, outcome.command, unit)
        try:
            decide(ctx)
            self._stage(ctx, outcome)
        except AlreadyPosted as known:
            # The first may be of this very tick: its echo counts only with the tick.
            first, outcome.durable = known.first, True
            ctx = self._context(session, outcome.command, unit)
            post_again(ctx, first)
        except CommandError as error:
            ctx = self._refused(session, outcome, error)
        except PostIdReused:
            text = "This id was used for another post; nothing was sent"
            ctx = self._refused(session, outcome, CommandError(text, code="POST_ID_REUSED"))
        except Conflict as error:
            log.error("conflict in %s: %s", outcome.command, error, exc_info=error)
            ctx = self._refused(session, outcome, CommandError(str(error), code="CONFLICT"))
        except StoreFailed as error:
            # From here on the tick is lost for all that is durable in it.
            self._failure = self._failure or error
            outcome.durable = True
            outcome.if_lost += ctx.if_lost
            return
        except Exception as error:
            log.error("bug in %s", outcome.command, exc_info=error)
            text = "A fault in the server; this command was not carried out"
            ctx = self._refused(session, outcome, CommandError(text, code="INTERNAL_ERROR"))
        outcome.if_lost += ctx.if_lost
        outcome.answer.update(ctx.answer)
        self._apply(ctx.effects, outcome)

    def _stage(self, ctx: Context, outcome: Outcome) -> None:
        durable, outcome.message_id = durable_of(ctx.effects), 0
        if not durable:
            return
        if self._store_down:
            raise storage_error(outcome.command, NOTHING_DONE)
        if self._failure is not None:
            raise self._failure
        outcome.message_id = self._store.stage(durable)
        outcome.durable = True
        if outcome.message_id:
            ctx.effects.insert(0, Stored(outcome.message_id))

    def _refused(self, session: Session | None, outcome: Outcome, error: CommandError) -> Context:
        ctx = self._context(session, outcome.command)
        if session is None:
            ctx.answer["error"] = str(error)
            return ctx
        ctx.refuse(error)
        if isinstance(error, Hopeless):
            ctx.close(session, error.text)
        return ctx

    def _apply(self, effects: Sequence[Effect], outcome: Outcome) -> None:
        for delivery in apply(self.hub, effects):
            self._encoder.encode(delivery, outcome)
