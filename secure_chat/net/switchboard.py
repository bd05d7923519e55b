"""Which connections a worker has, what each is subscribed to, and what is put where."""

from __future__ import annotations

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

    def open(self, connection_id: int) -> Connection | None:
        """The connection of this number, where lines can be sent to it."""
        connection = self.connections.get(connection_id)
        return connection if connection is not None and connection.stage is Stage.OPEN else None

    def send(self, operation: op.Send) -> None:
        """Put bytes behind what is pending for one connection."""
        connection = self.open(operation.connection_id)
        if connection is not None:
            connection.add(operation.data)
            self.dirty[connection.id] = connection

    def send_each(self, operation: op.SendEach) -> None:
        """The same for several connections, to each in its form."""
        for connection_id in operation.connection_ids:
            connection = self.open(connection_id)
            data = operation.variants.get(connection.form) if connection is not None else None
            if connection is not None and data is not None:
                connection.add(data)
                self.dirty[connection_id] = connection

    def publish(self, operation: op.Publish) -> None:
        """The same for all subscribers of a topic but one: the hot path, so `add` is written out."""
        variants, skip, dirty = operation.variants, operation.skip, self.dirty
        for connection_id, connection in self._topics.get(operation.topic, {}).items():
            data = variants.get(connection.form)
            if data is not None and connection_id != skip:
                connection.pending.append(data)
                connection.pending_bytes += len(data)
                dirty[connection_id] = connection

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
