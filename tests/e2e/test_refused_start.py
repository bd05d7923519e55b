"""A home that the server must not go on with: it says what to do, and leaves every byte as it is."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.server_process import run_tool

PAGE_BYTES = 4096
NEWER = "PRAGMA user_version=99"
SAID = "INSERT INTO setting VALUES ('said', 'last')"
UNKEPT = {"lock", "chat.db-shm"}
"""Who has the home, and what SQLite makes anew from the other two files."""
Damage = Callable[[Path], object]
pytestmark = pytest.mark.once


def execute(*statements: str) -> Damage:
    """Statements on its database."""

    def damage(home: Path) -> None:
        with closing(sqlite3.connect(home / "chat.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    return damage


def in_wal(statement: str, damage: Damage = lambda _: None) -> Damage:
    """What it does was never moved into the database, as after kill -9, and then comes the damage."""

    def leave(home: Path) -> None:
        with closing(sqlite3.connect(home / "chat.db")) as connection:
            connection.execute(statement)
            connection.commit()
            shutil.copytree(home, home.with_name("killed"))
        shutil.rmtree(home)
        home.with_name("killed").rename(home)
        assert (home / "chat.db-wal").stat().st_size
        damage(home)

    return leave


def exchange_pepper(home: Path) -> None:
    """It is that of another database."""
    (home / "pepper").write_text("ab" * 32)


def cut(share: float) -> Damage:
    """Only so much of the file is left."""

    def damage(home: Path) -> None:
        data = (home / "chat.db").read_bytes()
        (home / "chat.db").write_bytes(data[: int(len(data) * share)])

    return damage


def damage_pages(home: Path) -> None:
    """But for the first one, so that opening goes well."""
    path = home / "chat.db"
    path.write_bytes(path.read_bytes()[:PAGE_BYTES] + b"\xff" * (path.stat().st_size - PAGE_BYTES))


def everything(home: Path) -> dict[str, bytes]:
    """All files, but for UNKEPT."""
    files = {str(path.relative_to(home)): path for path in home.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name not in UNKEPT}


@pytest.mark.parametrize(
    ("damage", "reason", "what_to_do"),
    [
        (execute(NEWER), "newer Secure Chat", "update the program"),
        (execute("PRAGMA journal_mode=DELETE", NEWER), "newer Secure Chat", "update the program"),
        (in_wal(NEWER), "newer Secure Chat", "update the program"),
        (execute("PRAGMA application_id=5"), "another program", "name another home"),
        (lambda home: (home / "chat.db").write_text("a poem\n" * 999), "not a sound", "restore a backup"),
        (damage_pages, "not a sound", "restore a backup"),
        (cut(0.5), "not a sound", "restore a backup"),
        (cut(0), "is empty", "restore a backup"),
        (lambda home: (home / "chat.db").unlink(), "is missing", "restore a backup"),
        (lambda home: (home / "pepper").unlink(), "pepper is missing", "from a backup"),
        (in_wal(SAID, damage_pages), "not a sound", "restore a backup"),
        (exchange_pepper, "not the pepper of this database", "same backup"),
        (in_wal(SAID, exchange_pepper), "not the pepper of this database", "same backup"),
        (lambda home: (home / "pepper").write_text("ab"), "pepper is damaged", "from a backup"),
    ],
    ids=(
        *("newer", "newer without WAL", "newer in the WAL", "another program's", "a poem", "damaged pages"),
        *("half", "empty", "no database", "no pepper", "a WAL, damaged pages"),
        *("foreign pepper", "a WAL, foreign pepper", "short pepper"),
    ),
)
def test_it_is_left_as_it_is(home: Path, damage: Damage, reason: str, what_to_do: str) -> None:
    damage(home)
    before = everything(home)
    refused = run_tool("serve", "--home", str(home), "--listen", "127.0.0.1:0")
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert what_to_do.lower() in refused.stderr.lower()
    assert "Traceback" not in refused.stderr
    assert everything(home) == before
