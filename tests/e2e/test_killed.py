"""kill -9, again and again, at random moments and at the worst ones: the promise is judged by the clients' logs.

SECURE_CHAT_KILL_ROUNDS sets how often (30; about half a second each).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.fault_judge import faults, read_kept
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import ServerProcess, run_tool
from tests.e2e.storm import CAPABILITIES, Storm, history
from tests.e2e.waiting import wait_for

ROUNDS = int(os.environ.get("SECURE_CHAT_KILL_ROUNDS", "30"))
EVERY = 4
"""One of so many rounds is aimed."""
END_SECONDS = 20.0
RANDOM_SECONDS = 0.1
"""So long, at most, a server lives that all talk to."""
STARTING_SECONDS = 0.4
"""About as long as a start takes."""
pytestmark = [
    pytest.mark.once,
    pytest.mark.timeout(60 + 2 * ROUNDS),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt install strace)"),
]


def killed_at(call: str, when: str, *only: str) -> tuple[str, ...]:
    """What runs the server until the n-th such call of one of its threads; it is not carried out any more.

    `only`: strace's -P, which counts the calls on one file. (No --seccomp-bpf: with it no signal is delivered.)
    """
    command = ("strace", "-f", "-qq", "-o", "/dev/null", *only, "-e", f"trace={call}")
    return (*command, "-e", f"inject={call}:signal=KILL:when={when}")


def is_ready(server: ServerProcess) -> bool:
    """Wait until it is ready, or dead before that."""
    wait_for(lambda: "info ready" in server.text or server.process.poll() is not None, END_SECONDS)
    return server.process.poll() is None


def expect_killed(server: ServerProcess) -> None:
    """Wait for its end, which is a violent one."""
    server.process.wait(END_SECONDS)
    assert server.stop() == -signal.SIGKILL, server.text


def kill_at_random(storm: Storm, chance: random.Random) -> None:
    """While all talk."""
    server = ServerProcess(storm.home).wait_until_ready()
    with storm.raging(server):
        threading.Timer(chance.uniform(0, RANDOM_SECONDS), server.process.kill).start()
    expect_killed(server)


def kill_while_starting(storm: Storm, chance: random.Random) -> None:
    """At a random moment, too."""
    server = ServerProcess(storm.home)
    threading.Timer(chance.uniform(0, STARTING_SECONDS), server.process.kill).start()
    expect_killed(server)


def kill_at(storm: Storm, before: tuple[str, ...], *, stops_after: int = 0) -> None:
    """While all talk, at the call that `before` names; or while it stops, after so many posts."""
    server = ServerProcess(storm.home, before=before)
    if is_ready(server):
        with storm.raging(server):
            if stops_after and storm.wait_for_posts(server, stops_after):
                os.kill(server.server_id, signal.SIGTERM)
    expect_killed(server)


def in_commit(call: str, first: int, last: int) -> Callable[[Storm, random.Random], None]:
    """Some such call after the start."""
    return lambda storm, chance: kill_at(storm, killed_at(call, str(chance.randint(first, last))))


def in_checkpoint(storm: Storm, chance: random.Random) -> None:
    """The WAL is being moved into the database beside the writer: nobody else writes to its file."""
    kill_at(storm, killed_at("pwrite64", str(chance.randint(1, 60)), "-P", str(storm.home / "chat.db")))


def in_last_checkpoint(storm: Storm, chance: random.Random) -> None:
    """The same when the server stops."""
    when = f"{chance.randint(1, 30)}+"
    kill_at(storm, killed_at("pwrite64", when, "-P", str(storm.home / "chat.db")), stops_after=50)


def before_wal_is_removed(storm: Storm, _: random.Random) -> None:
    """All is in the database, and in the WAL still."""
    kill_at(storm, killed_at("unlink", "1+", "-P", str(storm.home / "chat.db-wal")), stops_after=1)


AIMED = (
    in_commit("pwrite64", 20, 200),  # some pages of the commit are written
    in_commit("fdatasync", 3, 12),  # all are, and nothing is synced
    in_checkpoint,
    in_commit("sendto", 30, 200),  # it is on the disk, and some were told
    in_last_checkpoint,
    before_wal_is_removed,
    kill_while_starting,
)


def test_nothing_echoed_is_lost_and_nothing_is_there_twice(home: Path, start: Start) -> None:
    storm, chance = Storm(home), random.Random()
    for number in range(ROUNDS):
        is_aimed = number % EVERY == 0
        (AIMED[number // EVERY % len(AIMED)] if is_aimed else kill_at_random)(storm, chance)
    server = start().wait_until_ready()
    storm.make_up(server)
    told = history(log_in(server, "alice", capabilities=CAPABILITIES))
    assert server.stop() == 0
    kept = read_kept(home / "chat.db")
    assert len(kept.posts) > ROUNDS
    assert faults(storm.logs, kept) == []
    assert told == kept.posts
    checked = run_tool("check", "--home", str(home))
    assert checked.returncode == 0, checked.stdout
