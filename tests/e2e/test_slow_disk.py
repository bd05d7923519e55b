"""A disk that takes five seconds for a sync: everybody stays, nothing is lost, and the log says so.

SECURE_CHAT_SLOW_SYNCS says how many syncs in succession take so long, at most (usually one).
"""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from secure_chat.protocol.sasl import encode_plain
from tests.conftest import Start
from tests.e2e.injecting import injecting
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import PASSWORD
from tests.e2e.test_failing_disk import stored, told
from tests.e2e.waiting import wait_for

SYNC_SECONDS = 5
SYNCS = int(os.environ.get("SECURE_CHAT_SLOW_SYNCS", "1"))
CAROL_COMES = "(^| ):carol!.* JOIN "
LIMITS = "[limits]\nsilence_seconds = 1.0\npong_seconds = 1.0\nauthentication_seconds = 3.0\n"
"""Shorter than the sync: who waits for it is not taken for somebody who is gone, or is slow to log in."""
pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt install strace)"),
]


def expect(client: IrcClient, *patterns: str) -> None:
    """Read on until a line matches, and one for the next pattern, and answer keep-alive as every client does."""
    end = time.monotonic() + (SYNCS + 1) * SYNC_SECONDS
    for pattern in patterns:
        while (found := client.expect(f"^PING |{pattern}")).command == "PING":
            assert time.monotonic() < end, "\n".join(client.seen)
            client.send(f"PONG :{found.params[0]}")


def begin_login(client: IrcClient, name: str) -> None:
    """Everything that a login needs, in one go."""
    chunks = [f"AUTHENTICATE {chunk}" for chunk in encode_plain(name, PASSWORD)]
    client.send("CAP REQ :sasl", "AUTHENTICATE PLAIN", *chunks, f"NICK {name}", "USER t 0 * :T", "CAP END")


def test_nobody_is_disconnected_and_nothing_is_lost(home: Path, start: Start, tmp_path: Path) -> None:
    with (home / "config.toml").open("a") as file:
        file.write(LIMITS)
    server = start().wait_until_ready()
    alice, bob, carol = log_in(server, "alice"), log_in(server, "bob"), IrcClient(server.port, server.ca)
    wal = home / "chat.db-wal"
    written_bytes, begun = wal.stat().st_size, time.monotonic()
    fault = f"delay_enter={SYNC_SECONDS * 1_000_000}:when=1..{SYNCS}"
    with injecting(server, tmp_path / "trace", "fdatasync", fault):
        alice.send("PRIVMSG #lobby :it is slow")
        wait_for(lambda: wal.stat().st_size > written_bytes)
        begin_login(carol, "carol")
        bob.send("PRIVMSG #lobby :it is later")
        with ThreadPoolExecutor(3) as pool:
            # The last line comes to all in the same tick: nobody stops reading before.
            awaited = [(alice, [" later$", CAROL_COMES]), (bob, [" later$", CAROL_COMES]), (carol, [CAROL_COMES])]
            for done in [pool.submit(expect, client, *patterns) for client, patterns in awaited]:
                done.result()
    assert time.monotonic() - begun >= SYNC_SECONDS
    for client in (alice, bob, carol):
        client.barrier()
    assert "info disconnect" not in server.text
    server.wait_for_log("is the disk slow?")
    assert told(alice) == told(bob) == ["it is slow", "it is later"]
    assert server.stop() == 0
    assert stored(home / "chat.db") == ["it is slow", "it is later"]
