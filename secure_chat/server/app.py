"""The server, put together: threads started in order, and stopped in the opposite one."""

from __future__ import annotations

import gc
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from ipaddress import ip_network
from itertools import islice
from pathlib import Path

from secure_chat import config as configuration
from secure_chat.chat import deliveries
from secure_chat.chat.accounts import Account
from secure_chat.chat.settings import Reach
from secure_chat.commands.history import HistoryRead
from secure_chat.commands.login import PasswordChecked
from secure_chat.commands.missed import MissedRead
from secure_chat.commands.redeeming import PasswordHashed
from secure_chat.commands.registry import COMMANDS, Weight
from secure_chat.errors import CertificateError, StorageError
from secure_chat.net.admission import Admission
from secure_chat.net.bucket import Costs
from secure_chat.net.limits import Limits
from secure_chat.net.listener import Listener, listen
from secure_chat.net.operations import Adopt
from secure_chat.net.worker import Worker
from secure_chat.server import logs
from secure_chat.server.certificates import renew_if_due
from secure_chat.server.control import ControlSocket
from secure_chat.server.dispatcher import Dispatcher
from secure_chat.server.foundation import Foundation
from secure_chat.server.happenings import Asked
from secure_chat.server.history_pool import HistoryPool
from secure_chat.server.home import Home
from secure_chat.server.jobs import PasswordJob, no_place, work
from secure_chat.server.local import announce
from secure_chat.server.operations import prepared
from secure_chat.server.owner_code import CodeFile, forget_code_file
from secure_chat.server.password_pool import (
    Job,
    PasswordPool,
    Result,
    default_threads,
    estimated_seconds_per_hash,
)
from secure_chat.server.passwords import stored_rounds
from secure_chat.server.queue import COMMANDS_LIMIT, CommandQueue
from secure_chat.server.reach import reach_of
from secure_chat.server.tls_context import ServingContext
from secure_chat.storage.history import HistoryReader

WORKERS = 1
FREE_POINTS = 0.05
"""Even commands that cost nothing must not come without end."""
GOODBYE = "Server is shutting down"
STOP_SECONDS = 4.5
DISK_SECONDS = 6.0
"""How long the end waits for a disk that does not answer."""
LAST_SECONDS = 0.5
RENEWAL_SECONDS = 6 * 3600.0
EXIT_BUG = 70
EXIT_DISK = 74
SAMPLE_ACCOUNTS = 100
INBOX_LIMIT_BYTES = 64 * 1024 * 1024
log = logging.getLogger("secure_chat.server")


def limits_of(limits: configuration.Limits) -> Limits:
    """The limits of connections, from the owner's configuration."""
    return Limits(
        handshakes=limits.handshakes_connections,
        handshakes_per_address=limits.handshakes_per_address_connections,
        handshake_seconds=limits.handshake_seconds,
        unauthenticated_per_address=limits.unauthenticated_per_address_connections,
        authentication_seconds=limits.authentication_seconds,
        points_per_second=limits.points_per_second,
        points_burst=limits.burst_points,
        points_per_room=limits.joined_room_points,
        unread_bytes=limits.unread_bytes,
        pending_bytes=limits.pending_bytes,
        pending_seconds=limits.pending_seconds,
        pending_bytes_at_once=limits.pending_at_once_bytes,
        silence_seconds=limits.silence_seconds,
        pong_seconds=limits.pong_seconds,
        exempt_networks=tuple(ip_network(network) for network in limits.exempt_networks),
    )


def costs_of(limits: configuration.Limits) -> Costs:
    """How many points each command costs; an unknown one as much as a cheap query."""
    points: Mapping[Weight, float] = {
        Weight.FREE: FREE_POINTS,
        Weight.QUERY: limits.cheap_query_points,
        Weight.POST: limits.post_points,
        Weight.LIST: limits.list_points,
        Weight.HISTORY: limits.history_points,
        Weight.SEARCH: limits.search_points,
    }
    costs = {name: points[row.weight] for name, row in COMMANDS.items()}
    asking = (Weight.LIST, Weight.HISTORY, Weight.SEARCH)
    questions = frozenset(name for name, row in COMMANDS.items() if row.weight in asking)
    return Costs(lambda command: costs.get(command, limits.cheap_query_points), questions)


def history_reader(home: Home, foundation: Foundation) -> HistoryReader:
    """What reads history, by the owner's configuration."""
    settings, seconds = foundation.settings, foundation.config.limits.search_seconds
    return HistoryReader(home.database, settings.host, settings.history_rights, seconds)


class Server:
    """A running server. Made, started and stopped by one thread, which holds the home's lock."""

    def __init__(
        self,
        home: Home,
        foundation: Foundation,
        certs: Path,
        addresses: list[tuple[str, int]],
        *,
        queue_commands: int = COMMANDS_LIMIT,
        inbox_bytes: int = INBOX_LIMIT_BYTES,
    ) -> None:
        """Bind the addresses and get everything ready. Raises OSError, CertificateError, HomeUnusable.

        `queue_commands` and `inbox_bytes` limit what waits for the dispatcher and for a worker.
        """
        self._home = home
        self._foundation = foundation
        self.certs = certs
        now = datetime.now(UTC)
        renew_if_due(certs, now)
        self.context = ServingContext(certs / "server.pem", certs / "server.key", now)
        limits = limits_of(foundation.config.limits)
        self._queue = CommandQueue(queue_commands, on_place=self._wake_workers)
        admission = Admission(limits)
        self._workers = [self._worker(number, limits, admission) for number in range(WORKERS)]
        rounds = foundation.config.passwords.bcrypt_rounds
        self._pool = PasswordPool(default_threads(), estimated_seconds_per_hash(rounds), self._password_done)
        reader = history_reader(home, foundation)
        self._history = HistoryPool(reader, foundation.settings.server, self._history_read)
        self._dispatcher = Dispatcher(
            foundation.engine, self._queue, self._workers, self._take_job, self._forget_job, inbox_bytes, die
        )
        self.sockets: list[socket.socket] = []
        try:
            for host, port in addresses:
                self.sockets += listen(host, port)
            self._control = ControlSocket(home, self._prepare, self._put)
        except BaseException:
            for sock in self.sockets:
                sock.close()
            raise
        self._listener = Listener(self.sockets, limits, admission, self._adopt, die)
        self._ending = threading.Event()
        self._renewal = threading.Thread(target=self._renew, name="renewal", daemon=True)

    def _worker(self, number: int, limits: Limits, admission: Admission) -> Worker:
        return Worker(
            f"worker-{number}",
            limits,
            admission,
            lambda: self.context.current,
            self._queue.put,
            costs_of(self._foundation.config.limits),
            lambda: self._queue.stands_still,
            die,
        )

    def start(self) -> None:
        """Let people in."""
        # What is there by now stays. The collector would look at it again and again: 6 ms for the program alone, in
        # which nobody is answered.
        gc.collect()
        gc.freeze()
        for worker in self._workers:
            worker.start()
        self._dispatcher.start()
        self._listener.start()
        self._renewal.start()
        if self._home.owner_code.exists():
            CodeFile(self._home, self._put, self._ending).start()

    def stop(self) -> None:
        """Accept nobody more, finish the tick, flush to clients, say goodbye: at most STOP_SECONDS, and what the
        disk takes.

        If the disk hangs the dispatcher does not come to an end, and the store is in use: the process ends at once,
        with EXIT_DISK. What was echoed is on the disk already.
        """
        self._ending.set()
        self._listener.close()
        self._control.close()
        self._dispatcher.stop(GOODBYE)
        self._dispatcher.join(DISK_SECONDS)
        ends_at = time.monotonic() + STOP_SECONDS
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.thread.join(ends_at - time.monotonic())
        self._pool.close(wait_seconds=LAST_SECONDS)
        self._history.close(wait_seconds=LAST_SECONDS)
        if self._dispatcher.is_alive:
            log.critical("the disk does not answer; ending without closing the database, which repairs itself")
            logs.flush()
            os._exit(EXIT_DISK)
        forget_code_file(self._home)

    def reload(self) -> bool:
        """Serve the certificate that is on disk now, and tell who asks for its key; whether that was done.

        A bad one changes nothing and is logged.
        """
        try:
            self.context.reload()
        except CertificateError as error:
            log.error("certificate not reloaded, the old one goes on serving: %s", error)
            return False
        log.info("certificate reloaded")
        announce(self._home, self)
        self._queue.put(Asked("reach", asdict(self.reach()), lambda _: None), always=True)
        for warning in self.context.warnings:
            log.warning("%s", warning)
        return True

    def reach(self) -> Reach:
        """How people reach the server, by the certificate that is on disk now."""
        host, port = self.sockets[0].getsockname()[:2]
        everywhere = host in ("0.0.0.0", "::")  # noqa: S104 - only compared
        return reach_of(self._foundation.config, self.certs, "" if everywhere else host, port)

    def _renew(self) -> None:
        """Renew our own certificate 30 days ahead (design §7)."""
        while not self._ending.wait(RENEWAL_SECONDS):
            try:
                if renew_if_due(self.certs, datetime.now(UTC)) is not None:
                    log.info("certificate renewed")
                    self.reload()
            except (CertificateError, OSError) as error:
                log.error("certificate not renewed: %s", error)

    def _wake_workers(self) -> None:
        for worker in self._workers:
            worker.inbox.wake()

    def _adopt(self, adopt: Adopt) -> None:
        worker = self._workers[adopt.connection_id % len(self._workers)]
        worker.inbox.post([adopt], 0)
        log.info("connect", extra={"facts": {"session": adopt.connection_id, "address": adopt.address}})

    def _put(self, asked: Asked) -> None:
        self._queue.put(asked, always=True)

    def _prepare(self, request: dict[str, object]) -> dict[str, object]:
        return prepared(request, self._foundation.hasher, self._foundation.settings)

    def _history_read(self, answer: HistoryRead | MissedRead) -> None:
        self._queue.put(answer, always=True)

    def _take_job(self, job: deliveries.Job) -> None:
        if isinstance(job, deliveries.ReadHistory | deliveries.ReadMissed):
            self._history.ask(job)
        else:
            self._check_password(job)

    def _forget_job(self, session_id: int) -> None:
        self._pool.cancel(session_id)
        self._history.forget(session_id)

    def _check_password(self, job: PasswordJob) -> None:
        hasher, settings = self._foundation.hasher, self._foundation.settings
        self._pool.cancel(job.session_id)
        rounds = usual_rounds(self._foundation.engine.hub.accounts.values())
        place = Job(job.session_id, job.address, job.known, lambda: work(hasher, settings, job, rounds))
        if not self._pool.submit(place):
            self._queue.put(no_place(job), always=True)

    def _password_done(self, result: Result) -> None:
        """Hand the pool's answer to the dispatcher. Pool threads."""
        assert isinstance(result.value, PasswordChecked | PasswordHashed)
        self._queue.put(result.value, always=True)


def usual_rounds(accounts: Iterable[Account]) -> int | None:
    """The commonest cost of stored hashes, looked up in a sample; None where there are none.

    What is no hash of ours is passed over: only that account cannot log in.
    """
    sample = islice((account.password for account in accounts if account.password), SAMPLE_ACCOUNTS)
    costs: Counter[int] = Counter()
    for password in sample:
        with suppress(StorageError):
            costs[stored_rounds(password)] += 1
    return costs.most_common(1)[0][0] if costs else None


def die(error: BaseException) -> None:
    """A thread that everything depends on died of a bug: say so and end at once (design §3)."""
    log.critical("the server ends because of a bug", exc_info=error)
    log.critical("where its threads were\n%s", logs.where_all_threads_are())
    logs.flush()
    os._exit(EXIT_BUG)
