"""A real SQLite VFS whose disk can be made to fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import apsw


@dataclass
class Disk:
    """What fails, if anything, and how many times (for ever where `times` is 0). Counts the syncs of the WAL."""

    fails: str = ""
    times: int = 1
    wal_syncs: int = 0

    def touch(self, what: str) -> None:
        """Fail if this is what fails now. Raises apsw.IOError, apsw.FullError."""
        if what in self.fails.split():
            self.times -= 1
            if self.times == 0:
                self.fails = ""
            if what == "full":
                raise apsw.FullError("disk full")
            raise apsw.IOError(f"{what} failed")


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._is_wal = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._is_wal:
            self._disk.touch("write")
            self._disk.touch("full")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if self._is_wal:
            self._disk.wal_syncs += 1
            self._disk.touch("sync")
        super().xSync(flags)

    def xLock(self, level: int) -> None:  # noqa: N802
        if level == apsw.SQLITE_LOCK_EXCLUSIVE:
            self._disk.touch("lock")
        super().xLock(level)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.touch("read")
        return super().xRead(amount, offset)


class _System(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        self._disk.touch("open")
        return _File(self._disk, name, flags)


@contextmanager
def failing_disk() -> Iterator[Disk]:
    """While this lasts, all databases are opened on this disk.

    `fails` is of: `write`, `full`, `sync` (all of the WAL), `lock` (to tidy up at the end), `read`, `open`. A
    commit whose sync fails once is taken back when SQLite closes and tidies the WAL; where it cannot (`lock`), it
    is there after reopening.
    """
    disk = Disk()
    system = _System(disk)
    try:
        yield disk
    finally:
        system.unregister()
