"""What is erased or too old leaves the files of a running server, whatever came between."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from secure_chat.chat import effects as fx
from secure_chat.chat.messages import Between, InRoom, Kind, NewMessage
from secure_chat.protocol.relay import Relayed
from secure_chat.storage.sqlite import SqliteStore
from tests.conftest import Start
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import ServerProcess, run_tool
from tests.e2e.waiting import wait_for
from tests.storage.test_raw_files import MARK, found

pytestmark = pytest.mark.once
KILLED_MESSAGES = 5_000
OLD_US = 1_600_000_000_000_000
CHANCE = random.Random(7)


def words() -> str:
    """Some that are told from all others by their ends."""
    return " ".join("".join(CHANCE.choices("abcdefghiklmnoprstuv", k=7)) + MARK for _ in range(6))


def fill(home: Path, messages: int, *effects: fx.Durable) -> None:
    """Let Alice have said something long ago, in the lobby and in private, and then do something more."""
    store = SqliteStore(home / "chat.db")
    snapshot = store.load()
    alice, bob = (next(a for a in snapshot.accounts if a.name == name) for name in ("alice", "bob"))
    lobby = snapshot.rooms[0] if snapshot.rooms else None
    for number in range(messages):
        place = InRoom(lobby.id) if lobby and number % 2 else Between(alice.id, bob.id)
        line = Relayed("alice!a@h", "PRIVMSG", ("x", words()), OLD_US + number, "alice", f"old{number}")
        store.stage([fx.Append(NewMessage(place, Kind.POST, alice.id, "a", line))])
    store.stage([*effects] or [fx.ErasureBegun(alice.id)])
    store.commit()
    store.close()


def is_clean(home: Path) -> bool:
    """Whether none of the marked words is in the files."""
    return not sum(found(home / "chat.db").values())


def test_an_erased_account(server: ServerProcess) -> None:
    """When the tool has answered, while the server runs; and when it has ended."""
    home = server.home
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    for _ in range(50):
        alice.send(f"PRIVMSG #lobby :{words()}", f"PRIVMSG bob :{words()}")
    alice.send("JOIN #tea", f"TOPIC #tea :{words()}", f"PART #tea :{words()}")
    bob.send("PRIVMSG #lobby :what stays", "PRIVMSG alice :this, too")
    alice.barrier()
    bob.barrier()
    assert not is_clean(home)
    done = run_tool("user", "remove", "alice", "--messages", "erase", "--yes", "--home", str(home))
    assert (done.stdout, done.stderr) == ("alice is removed.\nWhat was said is erased.\n", "")
    assert is_clean(home), found(home / "chat.db")
    bob.send("PRIVMSG #lobby :and goes on")
    bob.barrier()
    assert server.stop() == 0
    assert is_clean(home)
    data = (home / "chat.db").read_bytes()
    assert all(text in data for text in (b"what stays", b"this, too", b"and goes on"))


def test_without_a_server(home: Path) -> None:
    """The tool does it all itself, and asks first."""
    fill(home, 300, fx.Audited("a", "b", "c", "d", 1))
    arguments = ("user", "remove", "alice", "--messages", "erase", "--home", str(home))
    asked = run_tool(*arguments, stdin="y\nn\n")
    assert asked.returncode == 1
    assert "Erase everything alice said?" in asked.stdout
    assert not is_clean(home)
    done = run_tool(*arguments, stdin="y\ny\n")
    assert "What was said is erased." in done.stdout
    assert is_clean(home)
    shown = run_tool("audit", "--home", str(home)).stdout
    assert "user remove alice  messages erased" in shown


def progress(home: Path) -> list[apsw.SQLiteValue]:
    """How far the erasure is; nothing where it has ended."""
    with apsw.Connection(str(home / "chat.db"), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        connection.set_busy_timeout(5_000)  # a server that starts has it for itself for a moment
        found = connection.execute("SELECT erasing_from FROM account WHERE erasing_from IS NOT NULL").fetchall()
    connection.close()
    return [value for (value,) in found]


def test_an_erasure_that_is_killed(home: Path, start: Start) -> None:
    """Again and again: the next start goes on with it."""
    fill(home, KILLED_MESSAGES)
    for number in range(3):
        before = progress(home)
        server = start()
        wait_for(lambda before=before: progress(home) != before)  # type: ignore[misc]
        server.kill()
        assert number or not is_clean(home)
    server = start().wait_until_ready()
    wait_for(lambda: is_clean(home) and not progress(home), explain=lambda: str(found(home / "chat.db")))
    server.kill()
    assert is_clean(home)
    assert run_tool("check", "--home", str(home)).returncode == 0


def test_messages_that_are_too_old(home: Path, start: Start) -> None:
    """With `keep_days` they go at the start, while people talk."""
    fill(home, 300, fx.Audited("a", "b", "c", "d", 1))
    with (home / "config.toml").open("a") as file:
        file.write("[history]\nkeep_days = 365\n")
    server = start().wait_until_ready()
    bob = log_in(server, "bob")
    bob.send("PRIVMSG #lobby :young")
    bob.barrier()
    wait_for(lambda: is_clean(home), explain=lambda: str(found(home / "chat.db")))
    server.kill()
    assert is_clean(home)
