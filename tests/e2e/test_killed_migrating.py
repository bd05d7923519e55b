"""kill -9 while a database of the first version is brought up to date: the next start goes on, nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw
import pytest

from secure_chat.storage.database import APPLICATION_ID, schema_scripts
from tests.conftest import Start
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import run_tool
from tests.e2e.storm import CAPABILITIES, history
from tests.e2e.test_killed import expect_killed, is_ready, killed_at

MESSAGES = 2_000
SAY = (
    f"WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {MESSAGES})"
    " INSERT INTO message SELECT n, 1, n, 'msgid' || n, 'post', account.id, 'old', NULL, NULL,"
    " 'kettle-' || n, NULL, 1600000000000000 + n * 1000000 FROM number, account WHERE account.name = 'alice'"
)
ACCOUNT = "id, name, folded, password, administrator, created_us"
OLD = (
    f"INSERT INTO account ({ACCOUNT}) SELECT {ACCOUNT} FROM today.account",
    "INSERT INTO setting SELECT * FROM today.setting",
    "INSERT INTO room (id, name, folded, created_us, flags) VALUES (7, '#lobby', '#lobby', 5, 'nt')",
    f"INSERT INTO conversation (id, room_id, next_sequence) VALUES (1, 7, {MESSAGES + 1})",
    "INSERT INTO membership SELECT 7, id, 1, NULL, 0 FROM account",
    SAY,
)
"""A room of the first version with what alice said in it."""
MOMENTS = (("fdatasync", "2"), ("pwrite64", "30"), ("fdatasync", "4"), ("pwrite64", "15"))
"""Calls of a start, each of one that goes on from where the one before was killed."""
pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt install strace)"),
]


def make_old(database: Path) -> None:
    """Put a database of the first version, with the same accounts, in the place of today's."""
    today = database.with_suffix(".today")
    database.rename(today)
    connection = apsw.Connection(str(database))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(schema_scripts()[0])
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=1")
    connection.execute("ATTACH ? AS today", (str(today),))
    for statement in OLD:
        connection.execute(statement)
    connection.close()
    today.unlink()


def version_after(database: Path, folder: Path) -> int:
    """The version that a start would find: of a copy, so that looking changes nothing."""
    folder.mkdir()
    for file in database.parent.glob("chat.db*"):
        shutil.copy(file, folder)
    connection = apsw.Connection(str(folder / "chat.db"))
    (version,) = next(connection.execute("PRAGMA user_version"))
    connection.close()
    return int(version)


def test_it_goes_on_where_it_was_killed(home: Path, start: Start, tmp_path: Path) -> None:
    make_old(home / "chat.db")
    versions: list[int] = []
    for call, when in MOMENTS:
        server = start(before=killed_at(call, when))
        assert not is_ready(server), versions
        expect_killed(server)
        versions.append(version_after(home / "chat.db", tmp_path / f"{call}{when}"))
    assert versions[0] == 1
    assert versions == sorted(versions)
    assert len(set(versions)) >= 3, versions
    server = start().wait_until_ready()
    alice = log_in(server, "alice", capabilities=f"{CAPABILITIES} soju.im/search")
    assert [post.text for post in history(alice)] == [f"kettle-{n}" for n in range(1, MESSAGES + 1)]
    alice.send("SEARCH in=#lobby;text=kettle-77")
    alice.expect("PRIVMSG #lobby :?kettle-77$")
    alice.send("PRIVMSG #lobby :and on")
    alice.expect(":and on$")
    checked = run_tool("check", "--home", str(home))
    assert checked.returncode == 0, checked.stdout
