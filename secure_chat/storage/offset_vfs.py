"""A database that lies in another file, from some byte on: what SQLite needs to write and read it there.

So the copy in a backup is made and examined where it stays. (A copy beside it had to be written twice, needed the
room twice, and to delete it made a server's commits wait where the file system tells the disk what is free.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

_Name = str | apsw.URIFilename | None


class _Rest(apsw.VFSFile):
    """What stands in the file from `start` on; its locks stay where SQLite puts them."""

    def __init__(self, name: _Name, flags: list[int], start: int) -> None:
        super().__init__("", name, flags)
        self._start = start

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's names
        return super().xRead(amount, offset + self._start)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset + self._start)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        super().xTruncate(size + self._start)

    def xFileSize(self) -> int:  # noqa: N802
        return max(0, super().xFileSize() - self._start)

    def xFileControl(self, operation: int, pointer: int) -> bool:  # noqa: N802
        """Hints of sizes, which would be wrong by `start`, are not passed on."""
        return operation != apsw.SQLITE_FCNTL_SIZE_HINT and super().xFileControl(operation, pointer)


class _OffsetVFS(apsw.VFS):
    def __init__(self, name: str, start: int) -> None:
        super().__init__(name, "")
        self._start = start

    def xOpen(self, name: _Name, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        """Of temporary files, too, which are files of their own."""
        is_database = flags[0] & apsw.SQLITE_OPEN_MAIN_DB
        return _Rest(name, flags, self._start) if is_database else super().xOpen(name, flags)


@contextmanager
def database_at(start: int) -> Iterator[str | None]:
    """The name of a VFS for databases that begin at the byte `start` of their files, None for the usual one; until
    the end, any thread.
    """
    if start == 0:
        yield None
        return
    name = f"secure-chat-offset-{start}"
    vfs = _OffsetVFS(name, start)
    try:
        yield name
    finally:
        vfs.unregister()
