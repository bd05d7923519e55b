"""Who has a home, without touching its lock: it is only looked at, never taken."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from secure_chat.server.home import Home

LOCKS = Path("/proc/locks")
SAID_BYTES = 200


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has the home, and what it says it is (`secure-chat serve`)."""

    process: int
    purpose: str


def holder_of(home: Home) -> Holder | None:
    """Who holds the lock on `home`, None if nobody does. (After a crash the file still names somebody.)"""
    try:
        with home.lock.open("rb") as file:
            said = re.match(rb"process (\d+) \(([^)]*)\)", file.read(SAID_BYTES))
            inode = os.fstat(file.fileno()).st_ino
    except OSError:
        return None
    if said is None or not _is_alive(process := int(said[1])) or not _is_locked(inode):
        return None
    return Holder(process, said[2].decode(errors="replace"))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_locked(inode: int) -> bool:
    """Whether anybody has a lock on the file (proc(5), /proc/locks); True where the system does not tell."""
    try:
        text = LOCKS.read_text()
    except OSError:
        return True
    return re.search(rf" FLOCK .*:{inode} ", text) is not None
