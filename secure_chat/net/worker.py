"""An I/O worker: a thread with a selector loop that alone owns its connections."""

from __future__ import annotations

import logging
import selectors
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from secure_chat.errors import ProtocolError
from secure_chat.net import operations as op
from secure_chat.net.admission import Admission
from secure_chat.net.bucket import Costs
from secure_chat.net.connection import Connection, Stage
from secure_chat.net.deadlines import KEEP_ALIVE_TOKEN, next_trouble
from secure_chat.net.inbox import Inbox
from secure_chat.net.limits import Limits
from secure_chat.net.switchboard import Switchboard
from secure_chat.protocol.message import Message

SWEEP_SECONDS = 0.5
RETRY_SECONDS = 0.05
"""How often lines that had to wait are tried again."""
STOP_SECONDS = 3.0
HANG_UP_SECONDS = 1.0
"""How long a stopping server waits for a peer that has been told everything."""
log = logging.getLogger("secure_chat.net")

Submit = Callable[[op.Report, bool], bool]
"""Hands a report to the dispatcher without blocking: whether it was taken. With True it is always taken."""


class Worker:
    """See the module. `inbox` and `stop` are for any thread; everything else is its own."""

    def __init__(
        self,
        name: str,
        limits: Limits,
        admission: Admission,
        context: Callable[[], ssl.SSLContext],
        submit: Submit,
        costs: Costs,
        stands_still: Callable[[], bool],
        on_death: Callable[[BaseException], None],
    ) -> None:
        self._limits = limits
        self._admission = admission
        self._context = context
        self._submit = submit
        self._costs = costs
        self._stands_still = stands_still
        self._on_death = on_death
        self.inbox = Inbox()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.inbox.receiver, selectors.EVENT_READ)
        self._board = Switchboard()
        self._undecrypted: dict[int, Connection] = {}
        self._not_taken: dict[int, Connection] = {}
        self._carry_out: dict[type, Callable[[Any, float], None]] = {
            op.Adopt: self._adopt,
            op.Send: lambda operation, _: self._board.send(operation),
            op.SendEach: lambda operation, _: self._board.send_each(operation),
            op.Publish: lambda operation, _: self._board.publish(operation),
            op.Subscribe: lambda operation, _: self._board.subscribe(operation),
            op.Unsubscribe: lambda operation, _: self._board.unsubscribe(operation),
            op.SetForm: self._set_form,
            op.Authenticated: self._authenticated,
            op.MoreTime: self._more_time,
            op.Hold: self._hold,
            op.Release: self._release,
            op.TellDrained: self._tell_drained,
            op.Close: self._close,
        }
        self._swept_at = time.monotonic()
        self._stop_at: float | None = None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self) -> None:
        """Send what is pending for at most STOP_SECONDS, say goodbye, end."""
        self._stop_at = time.monotonic() + STOP_SECONDS
        self.inbox.wake()

    def _run(self) -> None:
        try:
            while self._stop_at is None or not self._finished():
                self._turn()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process must not live on half-dead
            self._on_death(error)
        finally:
            for connection in self._board.connections.values():
                connection.socket.close()
            self._selector.close()
            self.inbox.close()

    def _finished(self) -> bool:
        assert self._stop_at is not None
        for connection in list(self._board.connections.values()):
            if connection.stage is Stage.OPEN and not connection.outstanding_bytes:
                self._begin_close(connection, "server stopped")
            elif connection.stage is Stage.HANDSHAKE:
                self._lose(connection, "server stopped")
            elif connection.goodbye_sent and not connection.outstanding_bytes and connection.deadline is not None:
                # All is said; a peer that does not hang up does not hold up the end.
                connection.deadline = min(connection.deadline, time.monotonic() + HANG_UP_SECONDS)
        return not self._board.connections or time.monotonic() >= self._stop_at

    def _turn(self) -> None:
        """One turn of the loop."""
        waiting = RETRY_SECONDS if self._not_taken else SWEEP_SECONDS
        events = self._selector.select(0 if self._undecrypted else waiting)
        now = time.monotonic()
        for batch in self.inbox.take():
            self._board.begin(batch, now)
            for operation in batch:
                self._carry_out[type(operation)](operation, now)
            self._board.end()
        self._decrypt_rests(now)
        for key, mask in events:
            connection: Connection | None = key.data
            if connection is not None and mask & selectors.EVENT_READ and connection.stage is not Stage.GONE:
                self._receive(connection, now)
            if connection is not None and mask & selectors.EVENT_WRITE:
                self._board.dirty[connection.id] = connection
        for connection in list(self._not_taken.values()):
            self._hand_over(connection, now)
        self._flush_dirty()
        self.inbox.done()
        if now >= self._swept_at + SWEEP_SECONDS:
            self._sweep(now)
            self._swept_at = now

    # Reading

    def _decrypt_rests(self, now: float) -> None:
        """Go on with what was left for fairness; the selector does not wake for it."""
        rests, self._undecrypted = self._undecrypted, {}
        for connection in rests.values():
            if connection.wants_to_read and self._guard(connection, connection.decrypt):
                self._hand_over(connection, now)

    def _receive(self, connection: Connection, now: float) -> None:
        if not self._guard(connection, lambda: connection.receive(now)):
            return
        if connection.stage is Stage.HANDSHAKE and connection.channel.established:
            self._open(connection, now)
        # After that: the handshake's last bytes may have come with the first lines, and with the goodbye.
        if connection.stage is Stage.OPEN and not self._guard(connection, connection.decrypt):
            return
        if connection.unsent is not None:
            self._board.dirty[connection.id] = connection
        self._hand_over(connection, now)

    def _open(self, connection: Connection, now: float) -> None:
        self._admission.handshake_ended(connection.address)
        connection.enter(Stage.OPEN)
        connection.deadline = now + self._limits.authentication_seconds
        log.debug("secured", extra={"facts": {"session": connection.id, "tls": connection.channel.version}})
        self._submit(op.Opened(connection.id, connection.address, connection.exempt), True)

    def _guard(self, connection: Connection, action: Callable[[], object]) -> bool:
        """Do something with a connection; an error ends the connection, and nothing else."""
        try:
            action()
        except ProtocolError as error:
            self._lose(connection, str(error))
            return False
        return True

    def _hand_over(self, connection: Connection, now: float) -> None:
        """Give lines to the dispatcher, as far as the connection's points and the queue allow."""
        bucket, unread, refused = connection.bucket, connection.unread, False
        bucket.fill(now)
        while unread and connection.held_since is None:
            if bucket.empty and not connection.exempt:
                break
            line, size = unread[0]
            ours = _is_own_pong(line) or self._is_receipt(connection, line)
            if not ours and not self._submit(op.Received(connection.id, line), False):
                refused = True
                break
            unread.popleft()
            connection.unread_bytes -= size
            bucket.take(self._costs.of(line.command) if isinstance(line, Message) else 1.0)
        connection.waits_for_queue(now, waits=refused)
        if unread and connection.held_since is None:
            self._not_taken[connection.id] = connection
        else:
            self._not_taken.pop(connection.id, None)
        if connection.stage is Stage.GONE and not unread:
            self._forget(connection)
        elif connection.has_more and connection.wants_to_read:
            self._undecrypted[connection.id] = connection
        self._watch(connection)

    def _is_receipt(self, connection: Connection, line: Message | ProtocolError) -> bool:
        """Whether a line answers our question for a receipt. A QUIT may tell that all was received, too."""
        receipts = connection.receipts
        answered = receipts.answered(line)
        left = isinstance(line, Message) and line.command == "QUIT"
        if answered or (left and receipts.parted(connection.socket, connection.outstanding_bytes)):
            self._submit(op.Proven(connection.id, receipts.proven_id), True)
        return answered

    # Writing

    def _flush_dirty(self) -> None:
        dirty, self._board.dirty = self._board.dirty, {}
        for connection in dirty.values():
            if connection.stage is Stage.GONE:
                continue
            if connection.outstanding_bytes > self._limits.pending_bytes_at_once:
                self._lose(connection, "too much was pending for a slow client")
            elif self._guard(connection, connection.flush):
                if connection.stage is Stage.CLOSING and not connection.outstanding_bytes:
                    self._guard(connection, connection.say_goodbye)
                if connection.tell_drained and connection.outstanding_bytes < self._limits.replay_pending_bytes:
                    connection.tell_drained = False
                    self._submit(op.Drained(connection.id), True)
                self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Tell the selector what to wake us for."""
        if connection.stage is Stage.GONE:
            return
        wanted = selectors.EVENT_READ if connection.wants_to_read else 0
        if connection.unsent is not None and connection.id not in self._board.dirty:  # else it is sent in this turn
            wanted |= selectors.EVENT_WRITE
        if wanted == connection.watched:
            return
        if not wanted:
            self._selector.unregister(connection.socket)
        elif not connection.watched:
            self._selector.register(connection.socket, wanted, connection)
        else:
            self._selector.modify(connection.socket, wanted, connection)
        connection.watched = wanted

    # Ending

    def _begin_close(self, connection: Connection, reason: str) -> None:
        if connection.stage is not Stage.OPEN:
            return
        connection.enter(Stage.CLOSING)
        connection.close_reason = reason
        connection.deadline = time.monotonic() + self._limits.close_seconds
        connection.held_since = connection.refused_since = None
        connection.unread.clear()
        connection.unread_bytes = 0
        self._board.drop(connection)
        self._board.dirty[connection.id] = connection

    def _lose(self, connection: Connection, reason: str) -> None:
        """The connection is at its end; lines that came before are handed over first."""
        if connection.stage is Stage.GONE:
            return
        if connection.stage is Stage.HANDSHAKE:
            self._admission.handshake_ended(connection.address)
            log.info("connection refused", extra={"facts": {"address": connection.address, "reason": reason}})
        if connection.watched:
            self._selector.unregister(connection.socket)
            connection.watched = 0
        connection.close_reason = connection.close_reason or reason
        connection.enter(Stage.GONE)
        connection.receipts.end(connection.socket, connection.outstanding_bytes)
        connection.socket.close()
        self._board.drop(connection)
        connection.leave_out(self._costs.questions)
        if not connection.unread:
            self._forget(connection)
        elif connection.held_since is None:
            self._not_taken[connection.id] = connection

    def _forget(self, connection: Connection) -> None:
        if self._board.connections.pop(connection.id, None) is None:
            return
        self._not_taken.pop(connection.id, None)
        if not connection.authenticated:
            self._admission.authenticated(connection.address)
        if connection.channel.established:
            self._submit(op.Lost(connection.id, connection.close_reason), True)

    def _sweep(self, now: float) -> None:
        # Who logs in while the dispatcher waits for its disk is not to blame for the time that takes.
        lost_seconds = now - self._swept_at if self._stands_still() else 0.0
        for connection in list(self._board.connections.values()):
            if connection.stage is Stage.OPEN and connection.deadline is not None:
                connection.deadline += lost_seconds
            trouble = next_trouble(connection, self._limits, now)
            if trouble is None:
                self._ask_receipt(connection, now)
                continue
            if trouble.ping:
                connection.pinged_at = now
                connection.add(f"PING :{KEEP_ALIVE_TOKEN}\r\n".encode())
            elif trouble.farewell and connection.stage is Stage.OPEN:
                connection.add(f"ERROR :{trouble.reason}\r\n".encode())
                self._begin_close(connection, trouble.reason)
            else:
                self._lose(connection, trouble.reason)
                continue
            self._board.dirty[connection.id] = connection
        self._flush_dirty()

    def _ask_receipt(self, connection: Connection, now: float) -> None:
        ping = connection.receipts.ask(now) if connection.stage is Stage.OPEN else b""
        if ping:
            connection.add(ping)
            self._board.dirty[connection.id] = connection

    # Operations

    def _adopt(self, operation: op.Adopt, now: float) -> None:
        connection = Connection(
            operation.connection_id,
            operation.socket,
            operation.address,
            self._context(),
            self._limits,
            now,
            exempt=operation.exempt,
        )
        self._board.connections[connection.id] = connection
        self._watch(connection)

    def _set_form(self, operation: op.SetForm, _now: float) -> None:
        connection = self._board.connections.get(operation.connection_id)
        if connection is not None:
            connection.form = operation.form

    def _authenticated(self, operation: op.Authenticated, _now: float) -> None:
        connection = self._board.connections.get(operation.connection_id)
        if connection is not None and connection.stage is not Stage.GONE:
            if connection.stage is Stage.OPEN:
                connection.deadline = None
            connection.bucket.points += operation.rooms * self._limits.points_per_room
            connection.authenticated = True
            self._admission.authenticated(connection.address)

    def _more_time(self, operation: op.MoreTime, now: float) -> None:
        connection = self._board.open(operation.connection_id)
        if connection is not None and not connection.authenticated:
            connection.deadline = now + operation.seconds

    def _hold(self, operation: op.Hold, now: float) -> None:
        connection = self._board.open(operation.connection_id)
        if connection is not None:
            connection.hold(now)
            self._watch(connection)

    def _release(self, operation: op.Release, now: float) -> None:
        connection = self._board.connections.get(operation.connection_id)
        if connection is not None:
            connection.release(now)
            self._hand_over(connection, now)

    def _tell_drained(self, operation: op.TellDrained, _now: float) -> None:
        connection = self._board.open(operation.connection_id)
        if connection is not None:
            connection.tell_drained = True
            self._board.dirty[connection.id] = connection

    def _close(self, operation: op.Close, _now: float) -> None:
        connection = self._board.connections.get(operation.connection_id)
        if connection is not None and connection.stage is Stage.GONE:
            self._forget(connection)
        elif connection is not None:
            self._begin_close(connection, operation.reason)


def _is_own_pong(line: Message | ProtocolError) -> bool:
    return isinstance(line, Message) and line.command == "PONG" and line.params[-1:] == (KEEP_ALIVE_TOKEN,)
