"""Devices and their tokens: bots, the command line, our own client, and the system's key ring."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.e2e.guest import Come
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import PASSWORD, ServerProcess, run_tool
from tests.e2e.waiting import wait_for

TOKENS = ".local/state/secure-chat/tokens.json"
REVOKED_WITHIN_SECONDS = 1.0
KEY_RING = """
import json, pathlib
FILE = pathlib.Path.home() / "ring.json"
class Ring:
    priority = 5
def get_keyring():
    return Ring()
def read():
    return json.loads(FILE.read_text()) if FILE.exists() else {}
def get_password(service, name):
    return read().get(f"{service} {name}")
def set_password(service, name, secret):
    FILE.write_text(json.dumps({**read(), f"{service} {name}": secret}))
def delete_password(service, name):
    FILE.write_text(json.dumps({key: kept for key, kept in read().items() if key != f"{service} {name}"}))
"""
pytestmark = pytest.mark.once


def tool(server: ServerProcess, *arguments: str) -> str:
    """What `secure-chat` with these arguments prints."""
    done = run_tool(*arguments, "--home", str(server.home))
    assert done.returncode == 0, done.stderr
    return done.stdout


def where(server: ServerProcess) -> list[str]:
    """Arguments for alice's client."""
    return [f"alice@localhost:{server.port}", "--ca", str(server.ca)]


def ends_within(client: IrcClient, seconds: float) -> None:
    """The server says why and closes, so soon."""
    client.socket.settimeout(seconds)
    client.expect("^ERROR :?This device was revoked")
    client.expect_end()


def test_a_token_from_the_chat_is_the_password_of_a_bot(server: ServerProcess, come: Come) -> None:
    alice = come("alice", *where(server))
    alice.answers_hidden("Enter your password: ", PASSWORD)
    alice.is_in("alice")
    alice.says("/device add bot")
    token = alice.matches(r"The token of bot, shown only now; it is used as the password: (\S+)")[1]
    bot = log_in(server, "alice", token)
    alice.says("/devices")
    alice.matches(r"bot: since \S+, last seen \S+ from 127\.0\.0\.1, connected")
    alice.matches(r"last seen \S+ from 127\.0\.0\.1, this device")
    alice.sees("2 devices have a token")
    begun = time.monotonic()
    alice.says("/device revoke bot")
    ends_within(bot, REVOKED_WITHIN_SECONDS)
    assert time.monotonic() - begun < REVOKED_WITHIN_SECONDS
    alice.says("still here")
    alice.matches(r"alice\S*> still here")
    assert token not in server.text


def test_the_command_line_revokes_within_a_second(server: ServerProcess) -> None:
    token = tool(server, "device", "add", "alice", "bot").strip()
    bot, other = log_in(server, "alice", token), log_in(server, "alice")
    assert re.search(r"^bot +since .* from 127\.0\.0\.1 +connected$", tool(server, "device", "list", "alice"), re.M)
    tool(server, "device", "revoke", "alice", "bot")
    ends_within(bot, REVOKED_WITHIN_SECONDS)
    other.barrier()
    assert "No device" in tool(server, "device", "list", "alice")
    assert re.search(r": device add alice +bot$(?s:.)*: device revoke alice +bot$", tool(server, "audit"), re.M)


def test_a_revoked_client_of_ours_asks_for_the_password(server: ServerProcess, come: Come) -> None:
    first = come("alice", *where(server))
    first.answers_hidden("Enter your password: ", PASSWORD)
    first.is_in("alice")
    server.wait_for_log("info device add")
    name = tool(server, "device", "list", "alice").split()[0]
    tool(server, "device", "revoke", "alice", name)
    assert first.end() == 5
    assert "This device was revoked" in first.text
    second = come("alice", *where(server))
    second.sees("this token was revoked")
    second.answers_hidden("Enter your password: ", PASSWORD)
    second.is_in("alice")
    assert second.leaves() == 0
    third = come("alice", *where(server))
    third.is_in("alice")
    assert "password" not in third.text


def test_the_key_ring_is_used_where_there_is_one(server: ServerProcess, come: Come, tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "keyring.py").write_text(KEY_RING)
    ring = {"PYTHONPATH": str(tmp_path / "modules")}
    first = come("alice", *where(server), **ring)
    first.answers_hidden("Enter your password: ", PASSWORD)
    first.is_in("alice")
    wait_for((tmp_path / "alice" / "ring.json").exists)
    assert first.leaves() == 0
    kept = json.loads((tmp_path / "alice" / "ring.json").read_text())
    assert list(kept) == [f"secure-chat alice@localhost:{server.port}"]
    assert not (tmp_path / "alice" / TOKENS).exists()
    second = come("alice", *where(server), **ring)
    second.is_in("alice")
    assert "password" not in second.text
