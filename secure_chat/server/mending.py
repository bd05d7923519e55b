"""Mending what can be made anew from the rest of a home: the index for searching."""

from __future__ import annotations

import apsw

from secure_chat.errors import SecureChatError
from secure_chat.server.home import Home, HomeLock
from secure_chat.storage.database import open_database
from secure_chat.storage.reindexing import rebuild_index


class CannotMend(SecureChatError):
    """Nothing was changed; the text says why."""


def mend(home: Home) -> None:
    """Make the index for searching anew. Raises CannotMend, HomeInUse, HomeUnusable, DatabaseUnusable."""
    if not home.database.is_file():
        text = f"There is no server's home at {home.path}; name it with --home"
        raise CannotMend(text)
    lock = HomeLock(home, purpose="secure-chat check")
    try:
        connection = open_database(home.database)
        try:
            rebuild_index(connection)
        finally:
            connection.close(True)
    except apsw.Error as error:
        text = f"The index of {home.database} cannot be made anew ({error}); nothing was changed"
        raise CannotMend(text) from error
    finally:
        lock.release()
