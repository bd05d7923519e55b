"""The disk fails, or the server is asked to stop, while eight people talk: judged by their own logs."""

from __future__ import annotations

import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.fault_judge import Kept, faults, read_kept
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import ServerProcess, run_tool
from tests.e2e.storm import WITH_REPLAY, Storm
from tests.e2e.waiting import wait_for

STOP_SECONDS = 5.0
LAST = "the-last"
SMALL_BYTES, POSTS, POSTS_AT_ONCE = 4_096, 13_000, 500
pytestmark = pytest.mark.once
needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed (apt install strace)"
)


def settle(storm: Storm, server: ServerProcess) -> Kept:
    """Everybody gets the echoes that are missing, the listener all that it missed; what is kept then."""
    with ThreadPoolExecutor(1) as pool:
        # What it missed and what is said meanwhile come one after the other.
        listening = pool.submit(storm.listener.listen, server, storm.context, LAST)
        storm.make_up(server)
        log_in(server, "alice").send(f"PRIVMSG #lobby :{LAST}")
        listening.result()
    assert server.stop() == 0
    return read_kept(storm.home / "chat.db")


def test_what_was_echoed_when_it_stops_was_delivered_or_is_replayed(home: Path, start: Start) -> None:
    with (home / "config.toml").open("a") as file:
        file.write("[history]\nreplay_messages = 10000\n")
    storm = Storm(home, listener_capabilities=WITH_REPLAY)
    server = start().wait_until_ready()
    with storm.raging(server):
        assert storm.wait_for_posts(server, 300)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < STOP_SECONDS
    kept = settle(storm, start().wait_until_ready())
    assert faults(storm.logs, kept) == []
    shown = {seen.post for seen in storm.listener.log.seen()}
    first = kept.posts.index(storm.listener.log.connections[0][0].post)
    assert [post for post in kept.posts[first:] if post not in shown] == []


def test_it_stops_in_time_though_somebody_does_not_read(server: ServerProcess) -> None:
    """What is pending for him is more than the system takes."""
    deaf, alice = log_in(server, "bob"), log_in(server, "alice", capabilities="sasl")
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
    for _ in range(POSTS // POSTS_AT_ONCE):
        alice.send(*[f"PRIVMSG #lobby :{'x' * 420}"] * POSTS_AT_ONCE)
        alice.barrier()
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < STOP_SECONDS


def rage(storm: Storm, start: Start, injected: str, failures: int) -> ServerProcess:
    """All talk while this happens to system calls, in strace's words, until the server was asked to stop, which it
    is when its store has failed so often.
    """
    trace = f"trace={injected.partition(':')[0]}"
    strace = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", trace, "-e", f"inject={injected}")
    server = start(before=strace).wait_until_ready()
    with storm.raging(server):
        assert storm.wait_for_posts(server, 400)
        wait_for(lambda: server.text.count("the store failed") >= failures)
        server.stop()
    return server


@needs_strace
@pytest.mark.parametrize("injected", ["fdatasync:error=EIO:when=10+7", "pwrite64:error=EIO:when=150+301"])
def test_a_disk_that_fails_now_and_then(home: Path, start: Start, injected: str) -> None:
    storm = Storm(home)
    rage(storm, start, injected, 2)
    assert sum(person.refusals for person in storm.people) > 0
    kept = settle(storm, start().wait_until_ready())
    assert faults(storm.logs, kept) == []
    checked = run_tool("check", "--home", str(home))
    assert checked.returncode == 0, checked.stdout


@needs_strace
def test_a_write_that_survives_the_failure_is_echoed(home: Path, start: Start) -> None:
    """The sync of a commit fails, and the one by which SQLite would take it back: it is there after reopening."""
    storm = Storm(home)
    rage(storm, start, "fdatasync:error=EIO:when=10..11", 1)
    assert sum(person.refusals for person in storm.people) == 0
    kept = settle(storm, start().wait_until_ready())
    assert faults(storm.logs, kept) == []
