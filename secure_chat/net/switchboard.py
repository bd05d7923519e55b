"""Which connections a worker has, what each is subscribed to, and what is put where.

Publishing is the hot path: a message to a room of 200 is 200 lines. Most connections get nothing of a batch but
what is published, so that a run of publications to one topic is joined once and put behind what is pending for
all of them as one piece. Only the few that a batch names (a sender, somebody who joins) are served line by line.
"""

from __future__ import annotations

from collections.abc import Sequence

from secure_chat.net import operations as op
from secure_chat.net.connection import Connection, Stage


class Switchboard:
    """A worker's connections by number, and their topics. `dirty` are those with something new to send.

    The owner worker's thread only.
    """

    def __init__(self) -> None:
        self.connections: dict[int, Connection] = {}
        self.dirty: dict[int, Connection] = {}
        self._topics: dict[int, dict[int, Connection]] = {}
        self._named: dict[int, None] = {}
        self._run: list[op.Publish] = []
        self._run_topic: int | None = None
        self._now = 0.0

    def open(self, connection_id: int) -> Connection | None:
        """The connection of this number, where lines can be sent to it."""
        connection = self.connections.get(connection_id)
        return connection if connection is not None and connection.stage is Stage.OPEN else None

    def begin(self, batch: Sequence[op.Operation], now: float) -> None:
        """Get ready for a batch: who is named in it is served line by line. `now`: seconds, monotonic."""
        self._now = now
        for operation in batch:
            if isinstance(operation, op.Publish):
                self._named.update(dict.fromkeys(operation.skip))
            elif isinstance(operation, op.SendEach):
                self._named.update(dict.fromkeys(operation.connection_ids))
            else:
                self._named[operation.connection_id] = None

    def end(self) -> None:
        """The batch is carried out."""
        self._end_run()
        self._named.clear()

    def send(self, operation: op.Send) -> None:
        """Put bytes behind what is pending for one connection."""
        self._put(self.open(operation.connection_id), operation.data, operation.message_id)

    def send_each(self, operation: op.SendEach) -> None:
        """The same for several connections, to each in its form."""
        for connection_id in operation.connection_ids:
            connection = self.open(connection_id)
            if connection is not None:
                self._put(connection, operation.variants.get(connection.form), operation.message_id)

    def publish(self, operation: op.Publish) -> None:
        """The same for all subscribers of a topic but one."""
        subscribers = self._topics.get(operation.topic)
        if subscribers is None:
            return
        for connection_id in self._named:
            connection = subscribers.get(connection_id)
            if connection is not None and connection_id not in operation.skip:
                self._put(connection, operation.variants.get(connection.form), operation.message_id)
        if operation.topic != self._run_topic:
            self._end_run()
            self._run_topic = operation.topic
        self._run.append(operation)

    def _put(self, connection: Connection | None, data: bytes | None, message_id: int) -> None:
        if connection is not None and data is not None:
            connection.add(data)
            self.dirty[connection.id] = connection
            if message_id:
                connection.receipts.deliver(message_id, self._now)

    def _end_run(self) -> None:
        """Put the run of publications behind what is pending for the subscribers that the batch does not name."""
        run, self._run = self._run, []
        subscribers = self._topics.get(self._run_topic, {}) if self._run_topic is not None else {}
        self._run_topic = None
        if not run:
            return
        joined: dict[int, bytes] = {}
        named, dirty, now = self._named, self.dirty, self._now
        message_id = max(operation.message_id for operation in run)
        for connection_id, connection in subscribers.items():
            if connection_id in named:
                continue
            data = joined.get(connection.form)
            if data is None:
                data = b"".join(operation.variants.get(connection.form, b"") for operation in run)
                joined[connection.form] = data
            if data:
                connection.pending.append(data)
                connection.pending_bytes += len(data)
                dirty[connection_id] = connection
                if message_id:
                    connection.receipts.deliver(message_id, now)

    def subscribe(self, operation: op.Subscribe) -> None:
        """From here on the connection gets what is published to the topic."""
        connection = self.open(operation.connection_id)
        if connection is not None:
            connection.topics.add(operation.topic)
            self._topics.setdefault(operation.topic, {})[connection.id] = connection

    def unsubscribe(self, operation: op.Unsubscribe) -> None:
        """From here on it does not."""
        connection = self.connections.get(operation.connection_id)
        if connection is not None:
            connection.topics.discard(operation.topic)
            self._leave(connection, operation.topic)

    def drop(self, connection: Connection) -> None:
        """The connection gets nothing more."""
        for topic in connection.topics:
            self._leave(connection, topic)
        connection.topics.clear()

    def _leave(self, connection: Connection, topic: int) -> None:
        subscribers = self._topics.get(topic, {})
        subscribers.pop(connection.id, None)
        if not subscribers:
            self._topics.pop(topic, None)
