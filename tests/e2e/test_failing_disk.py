"""A disk that fails under the running server: what people are told is what is on it."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.injecting import injecting
from tests.e2e.irc_client import CAPABILITIES, IrcClient, log_in
from tests.e2e.server_process import ServerProcess
from tests.e2e.waiting import wait_for

DISK_BYTES = 4 * 1024 * 1024
BLOCK_BYTES = 4096
SMALL_DISK = (
    'cp -a "$0" "$0.whole" && mount -t tmpfs -o size=$1 tmpfs "$0" && cp -a "$0.whole/." "$0" && shift && exec "$@"'
)
"""What runs the server on a home that lies on a small disk, which only it sees."""
READING = f"{CAPABILITIES} draft/chathistory soju.im/search"
FAULTS = {
    "a sync fails": ("fdatasync,fsync", "EIO"),
    "writing fails": ("pwrite64", "EIO"),
    "read-only": ("pwrite64,ftruncate,fdatasync,fsync,unlink,unlinkat", "EROFS"),
}
pytestmark = pytest.mark.once  # nothing here depends on the Python


@contextmanager
def failing(server: ServerProcess, trace: Path, fault: str) -> Iterator[None]:
    """Meanwhile these system calls of the running server fail."""
    calls, error = FAULTS[fault]
    with injecting(server, trace, calls, f"error={error}"):
        yield


def post(client: IrcClient, text: str) -> str:
    """Post once, with an id made of the text; what came of it: "echo", or the code of the refusal."""
    client.send(f"@secure-chat.internal/post-id={text} PRIVMSG #lobby :it is {text}")
    answer = client.expect(rf" PRIVMSG #lobby :it is {text}$| FAIL PRIVMSG ")
    return "echo" if answer.command == "PRIVMSG" else answer.params[1]


def post_until_kept(client: IrcClient, text: str) -> None:
    """Say it again with the same id, as our client does, until the echo comes."""
    wait_for(lambda: post(client, text) == "echo", explain=lambda: "\n".join(client.seen))


def stored(database: Path) -> list[str]:
    """The texts of the posts in a database."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT text FROM message WHERE kind = 'post' ORDER BY id").fetchall()
    return [row[0] for row in rows]


def told(client: IrcClient) -> list[str]:
    """The texts of the posts that a client has got."""
    return [line.partition(" PRIVMSG #lobby :")[2] for line in client.seen if " PRIVMSG #lobby :" in line]


def expect_readable(client: IrcClient) -> None:
    """The history and the search answer."""
    client.send("CHATHISTORY LATEST #lobby * 1000", "SEARCH in=#lobby;text=first")
    for _ in range(2):
        client.expect(" PRIVMSG #lobby :it is first$")


def state(client: IrcClient) -> list[str]:
    """What the server says of rooms: by its memory, and so, once it was started again, by its store."""
    client.barrier()
    client.send("TOPIC #tea", "MODE #tea", "MODE #tea +b", "NAMES #tea", "NAMES #late", "MODE #late")
    return [line for line in client.barrier() if re.match(r":\S+ \d{3} ", line)]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt install strace)")
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_echoed_is_on_the_disk_that_fails(start: Start, tmp_path: Path, fault: str) -> None:
    server = start().wait_until_ready()
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    carol = log_in(server, "carol", capabilities=READING)
    assert post(alice, "first") == "echo"
    alice.send("JOIN #tea", "TOPIC #tea :hot")
    alice.expect(" TOPIC #tea")
    bob.barrier()
    with failing(server, tmp_path / "trace", fault):
        answers = {text: post(alice, text) for text in ("second", "third")}
        alice.send("TOPIC #tea :cold", "MODE #tea +m", "MODE #tea +b spam!*@*", "JOIN #late")
        assert set(answers.values()) <= {"echo", "STORAGE_ERROR"}
        # Who only asks is answered, and hears of nothing that nobody can be sure of.
        bob.send("NAMES #lobby")
        bob.expect(" 353 .*alice")
        bob.barrier()
        expect_readable(carol)
        said = [f"it is {text}" for text, answer in answers.items() if answer == "echo"]
        assert told(bob) == ["it is first", *said]
    server.wait_for_log("the store failed")
    for text in answers:
        post_until_kept(alice, text)
    assert post(bob, "last") == "echo"
    alice.expect("it is last")
    bob.barrier()
    before = state(alice)
    assert server.stop() == 0
    kept = stored(server.home / "chat.db")
    assert sorted(kept) == sorted(f"it is {text}" for text in ("first", "second", "third", "last"))
    assert told(bob) == kept
    assert state(log_in(start().wait_until_ready(), "alice")) == before


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt install strace)")
def test_a_server_whose_disk_is_read_only_says_goodbye(start: Start, tmp_path: Path) -> None:
    server = start().wait_until_ready()
    alice = log_in(server, "alice")
    with failing(server, tmp_path / "trace", "read-only"):
        assert post(alice, "lost") == "STORAGE_ERROR"
        assert server.stop() == 0, server.text
    alice.expect("^ERROR :Server is shutting down")


def on_small_disk(home: Path) -> tuple[str, ...]:
    """See SMALL_DISK; skips where mounting is not permitted."""
    alone = ("unshare", "--map-root-user", "--mount")
    tried = subprocess.run(
        [*alone, "mount", "-t", "tmpfs", "tmpfs", home], check=False, capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"mounting is not permitted here: {tried.stderr}")
    return (*alone, "sh", "-c", SMALL_DISK, str(home), str(DISK_BYTES))


def fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * BLOCK_BYTES):
            continue
    return filler


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed (apt install util-linux)")
def test_a_disk_that_is_full(start: Start, home: Path, tmp_path: Path) -> None:
    server = start(before=on_small_disk(home)).wait_until_ready()
    disk = Path(f"/proc/{server.server_id}/root{home}")
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    carol = log_in(server, "carol", capabilities=READING)
    assert post(alice, "first") == "echo"
    alice.send("JOIN #tea", "TOPIC #tea :hot")
    alice.expect(" TOPIC #tea")
    filler = fill(disk)
    answers: dict[str, str] = {}
    while "STORAGE_ERROR" not in answers.values():
        text = str(len(answers))
        answers[text] = post(alice, text)
    answers["more"] = post(alice, "more")
    alice.send("TOPIC #tea :cold", "MODE #tea +m", "MODE #tea +b spam!*@*", "JOIN #late")
    bob.barrier()
    said = [f"it is {text}" for text, answer in answers.items() if answer == "echo"]
    assert told(bob) == ["it is first", *said]
    server.wait_for_log("disk is full")
    expect_readable(carol)
    filler.unlink()
    for text in answers:
        post_until_kept(alice, text)
    bob.barrier()
    for name in ("chat.db", "chat.db-wal"):
        shutil.copy(disk / name, tmp_path / name)
    kept = stored(tmp_path / "chat.db")
    assert sorted(kept) == sorted(f"it is {text}" for text in ("first", *answers))
    assert told(bob) == kept
    before = state(alice)
    for name in ("chat.db", "chat.db-wal"):
        shutil.copy(disk / name, tmp_path / name)
    assert server.stop() == 0
    for name in ("chat.db", "chat.db-wal"):  # what was on the small disk is gone with the server
        shutil.copy(tmp_path / name, home / name)
    assert state(log_in(start().wait_until_ready(), "alice")) == before
