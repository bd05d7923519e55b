"""A database in another file: SQLite finds it there, and what stands before it is left as it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from secure_chat.storage.offset_vfs import database_at
from secure_chat.storage.snapshot import copy_database

START = 5_120
BEFORE = bytes(range(256)) * (START // 256)
ROWS = 20_000
"""Two megabytes: more than SQLite sorts in memory, so that it makes temporary files."""
TALK_SECONDS = 10.0
pytestmark = pytest.mark.once


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    """A database of which the last is in its WAL."""
    path = tmp_path / "chat.db"
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE said(text)").fetchall()
    with writer:
        writer.executemany("INSERT INTO said VALUES (hex(randomblob(50)))", [()] * ROWS)
    yield path
    writer.close()


def contents(path: Path, start: int) -> tuple[object, ...]:
    """What SQLite says of it: that it is whole, and everything sorted."""
    with database_at(start) as vfs:
        flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READONLY
        reader = apsw.Connection(f"{path.as_uri()}?mode=ro&immutable=1", flags=flags, vfs=vfs)
        reader.execute("PRAGMA temp_store=FILE; PRAGMA cache_size=10")
        rows = (*reader.execute("PRAGMA integrity_check"), *reader.execute("SELECT text FROM said ORDER BY text"))
        reader.close()
    return rows


def test_a_copy_within_a_file(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "archive"
    file.write_bytes(BEFORE)
    copy_database(source, file, START)
    alone = tmp_path / "alone.db"
    copy_database(source, alone)
    written = file.read_bytes()
    assert written[:START] == BEFORE
    assert written[START:] == alone.read_bytes()
    assert alone.stat().st_mode & 0o777 == 0o600
    assert contents(file, START) == contents(alone, 0)
    assert (contents(file, START)[0], len(contents(file, START))) == (("ok",), ROWS + 1)
    assert file.read_bytes() == written


def test_it_is_of_one_moment(source: Path, tmp_path: Path) -> None:
    """SQLite begins anew where somebody writes meanwhile, and there is always somebody who does."""
    begun, ended = threading.Event(), threading.Event()
    commits = 0

    def talk() -> None:
        nonlocal commits
        writer = apsw.Connection(str(source))
        end = time.monotonic() + TALK_SECONDS
        while not ended.is_set() and time.monotonic() < end:
            writer.execute("INSERT INTO said VALUES ('later')")
            commits += 1
            begun.set()
        writer.close()

    talking = threading.Thread(target=talk)
    talking.start()
    assert begun.wait(TALK_SECONDS)
    before = commits
    copy_database(source, tmp_path / "copy.db")
    assert talking.is_alive()
    ended.set()
    talking.join()
    reader = apsw.Connection(str(tmp_path / "copy.db"))
    ((later,),) = reader.execute("SELECT count(*) FROM said WHERE text = 'later'")
    reader.close()
    assert before <= later < commits


def test_it_is_cut_at_its_end_only(tmp_path: Path) -> None:
    """A database that grows smaller."""
    file = tmp_path / "archive"
    file.write_bytes(BEFORE)
    with database_at(START) as vfs:
        writer = apsw.Connection(str(file), vfs=vfs)
        writer.execute("CREATE TABLE said(text); INSERT INTO said VALUES (zeroblob(100000))")
        large = file.stat().st_size
        writer.execute("DELETE FROM said; VACUUM")
        assert writer.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        writer.close()
    assert START < file.stat().st_size < large - 90_000
    assert file.read_bytes()[:START] == BEFORE
