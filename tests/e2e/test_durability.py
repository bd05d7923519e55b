"""Echoed means on disk: what the system calls of the real server say."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.irc_client import log_in
from tests.e2e.waiting import wait_for

SYNC = re.compile(r"\b(fsync|fdatasync)\(")
SENT = re.compile(r"\bsendto\(\d+, .*, (\d{2,}), ")
"""What goes to clients; a single byte only wakes a thread."""
pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt install strace)"),
]


def traced(trace: Path) -> tuple[str, ...]:
    """What runs the server under strace, from its first call on."""
    return ("strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,sendto", "-o", str(trace))


def calls(trace: Path) -> list[str]:
    return trace.read_text().splitlines()


def test_the_echo_leaves_after_the_sync_and_idle_posts_cost_one_sync_each(start: Start, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    server = start(before=traced(trace)).wait_until_ready()
    alice = log_in(server, "alice")
    alice.barrier()
    begun = len(calls(trace))
    posts = 10
    for n in range(posts):
        alice.send(f"PRIVMSG #lobby :post {n}")
        alice.expect(f"post {n}")
    # One PING at the end: its PONG is the only other thing that is sent.
    alice.barrier()
    wait_for(lambda: len(SENT.findall("\n".join(calls(trace)[begun:]))) >= posts + 1)
    order = "".join(
        "S" if SYNC.search(call) else "e" for call in calls(trace)[begun:] if SYNC.search(call) or SENT.search(call)
    )
    assert order == "Se" * posts + "e", order


def test_under_load_one_sync_serves_many_posts(start: Start, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    server = start(before=traced(trace)).wait_until_ready()
    people = [log_in(server, name) for name in ("alice", "bob", "carol", "Иван")]
    begun = len(calls(trace))
    each = 250
    for client in people:
        client.send(*(f"PRIVMSG #lobby :{n}" for n in range(each)))
    for client in people:
        client.barrier()
    syncs = sum(bool(SYNC.search(call)) for call in calls(trace)[begun:] if "resumed" not in call)
    assert syncs < len(people) * each / 5, syncs
