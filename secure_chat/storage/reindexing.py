"""Making the index for searching anew, from the messages."""

from __future__ import annotations

import apsw

from secure_chat.storage.chapters import index_rest
from secure_chat.storage.volumes import drop_tables


def rebuild_index(connection: apsw.Connection) -> None:
    """In one transaction of a connection that nobody else uses; takes some 5 s for a million messages. Errors of
    SQLite pass through.
    """
    with connection:
        drop_tables(connection)
        connection.execute("UPDATE tick SET indexed_id = 0")
        index_rest(connection)
