"""The threads that read history, so that a long answer does not hold up who talks (design: threads)."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import overload

from secure_chat.chat.deliveries import ReadHistory, ReadMissed
from secure_chat.chat.history import HistoryQuery, SearchQuery, TargetsQuery
from secure_chat.chat.ports import StoreFailed
from secure_chat.commands.history import HistoryRead, history_failed, no_such_message, no_such_target
from secure_chat.commands.missed import PAGE_MESSAGES, MissedRead, missed_lines
from secure_chat.commands.searching import NAME as SEARCH
from secure_chat.commands.searching import search_too_slow
from secure_chat.protocol.capabilities import Capability
from secure_chat.protocol.message import NO_TAGS, Message
from secure_chat.protocol.names import fold
from secure_chat.protocol.relay import Relayed, format_time
from secure_chat.storage.history import HistoryReader, NoSuchMessage, TooSlow
from secure_chat.storage.visibility import NoSuchPlace

TARGETS_BATCH = "draft/chathistory-targets"
log = logging.getLogger("secure_chat.server")


READERS = 2
"""So that one long search does not hold up everybody's missed messages."""


class HistoryPool:
    """Answers questions, one of each account in turn. `ask` is for any thread; a session has at most one."""

    def __init__(
        self, reader: HistoryReader, server: str, on_read: Callable[[HistoryRead | MissedRead], None]
    ) -> None:
        """Start the threads. `on_read` is called on them."""
        self._answerer = HistoryAnswerer(reader, server)
        self._on_read = on_read
        self._jobs: dict[int, deque[ReadHistory | ReadMissed]] = {}
        """By account; whose turn it is comes first."""
        self._changed = threading.Condition()
        self._ending = False
        self._threads = [
            threading.Thread(target=self._run, name=f"history-{number}", daemon=True) for number in range(READERS)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, job: ReadHistory | ReadMissed) -> None:
        """Queue a question."""
        with self._changed:
            question = job.query if isinstance(job, ReadMissed) else job.question
            self._jobs.setdefault(question.reader_id, deque()).append(job)
            self._changed.notify()

    def forget(self, session_id: int) -> None:
        """Nobody waits for the answer any more."""
        with self._changed:
            left = {id_: deque(j for j in jobs if j.session_id != session_id) for id_, jobs in self._jobs.items()}
            self._jobs = {account_id: jobs for account_id, jobs in left.items() if jobs}

    def close(self, wait_seconds: float) -> None:
        """Answer no more."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(wait_seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._ending)
                if self._ending:
                    return
                job = self._take()
            self._on_read(self._answerer.answer(job))

    def _take(self) -> ReadHistory | ReadMissed:
        account_id = next(iter(self._jobs))
        jobs = self._jobs.pop(account_id)
        job = jobs.popleft()
        if jobs:
            self._jobs[account_id] = jobs  # behind all others
        return job


class HistoryAnswerer:
    """Turns questions into lines. Any thread."""

    def __init__(self, reader: HistoryReader, server: str) -> None:
        self._reader = reader
        self._server = server
        self._batches = count(1)

    @overload
    def answer(self, job: ReadHistory) -> HistoryRead: ...
    @overload
    def answer(self, job: ReadMissed) -> MissedRead: ...
    def answer(self, job: ReadHistory | ReadMissed) -> HistoryRead | MissedRead:
        """The answer, encoded; never raises."""
        return self._missed(job) if isinstance(job, ReadMissed) else self._asked(job)

    def _missed(self, job: ReadMissed) -> MissedRead:
        try:
            page = self._reader.missed(job.query, job.ids, PAGE_MESSAGES)
            reader, server = job.query.reader, self._server
            missed = page.messages if job.query.until_id is not None else []
            lines = missed_lines(missed, page.passed_over, reader, job.profile, server, batch=job.batch)
            data = b"".join(line.encode() for line in lines)
            if not missed:
                # Said while the session is there: it looks as what is said now.
                data += b"".join(relayed.encode(job.profile) for relayed in page.messages)
        except (TooSlow, StoreFailed) as error:
            log.error("what was missed cannot be read: %s", error or "it takes too long")
        except Exception as error:
            log.error("bug in reading what was missed", exc_info=error)
        else:
            return MissedRead(job, data, page.through_id, page.later_ids)
        return MissedRead(job, failed=True)

    def _asked(self, job: ReadHistory) -> HistoryRead:
        try:
            return self._answer(job)
        except TooSlow:
            if isinstance(job.question, SearchQuery):
                return HistoryRead(job, b"", search_too_slow())
            log.error("history cannot be read: it takes too long")
        except NoSuchMessage:
            assert isinstance(job.question, HistoryQuery)
            return HistoryRead(job, b"", no_such_message(job.question))
        except NoSuchPlace:
            # Folded: how the room's name is really written is not to be learnt either.
            assert isinstance(job.question, HistoryQuery | SearchQuery)
            act = job.question.act if isinstance(job.question, HistoryQuery) else SEARCH
            return HistoryRead(job, b"", no_such_target(act, fold(job.question.target)))
        except StoreFailed as error:
            log.error("history cannot be read: %s", error)
        except Exception as error:
            log.error("bug in reading history", exc_info=error)
        return HistoryRead(job, b"", history_failed(job.question))

    def _answer(self, job: ReadHistory) -> HistoryRead:
        question = job.question
        batch = f"h{next(self._batches)}"
        if isinstance(question, SearchQuery):
            found = self._history(job, batch, self._reader.search(question))
            lines = self._framed(job, batch, (str(Capability.SEARCH),), found)
        elif isinstance(question, HistoryQuery):
            messages = self._reader.messages(question)
            lines = self._framed(job, batch, ("chathistory", question.target), self._history(job, batch, messages))
        else:
            lines = self._framed(job, batch, (TARGETS_BATCH,), self._targets(job, batch))
        return HistoryRead(job, b"".join(line.encode() for line in lines))

    def _history(self, job: ReadHistory, batch: str, messages: list[Relayed]) -> Iterator[Message]:
        for relayed in messages:
            line = relayed.message(job.profile)
            tags = {"batch": batch, **line.tags} if job.batch else line.tags
            yield Message(line.command, line.params, line.source, tags)

    def _targets(self, job: ReadHistory, batch: str) -> Iterator[Message]:
        assert isinstance(job.question, TargetsQuery)
        for name, time_us in self._reader.targets(job.question):
            tags = {"batch": batch} if job.batch else NO_TAGS
            yield Message("CHATHISTORY", ("TARGETS", name, format_time(time_us)), self._server, tags)

    def _framed(
        self, job: ReadHistory, batch: str, kind: tuple[str, ...], lines: Iterator[Message]
    ) -> Iterator[Message]:
        if not job.batch:
            yield from lines
            return
        tags = {"label": job.label} if job.label is not None else NO_TAGS
        yield Message("BATCH", (f"+{batch}", *kind), self._server, tags)
        yield from lines
        yield Message("BATCH", (f"-{batch}",), self._server)
