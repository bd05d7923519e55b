"""irssi and WeeChat as they come from their package get what they missed, once, with no set-up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.terminal import Terminal
from tests.conformance.test_real_clients import irssi, needs, weechat
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess

pytestmark = pytest.mark.once

Launch = Callable[[ServerProcess, Path, str], Terminal]


def come(
    launch: Launch, server: ServerProcess, folder: Path, bob: IrcClient, terminals: list[Terminal]
) -> Terminal:
    """Alice's client, with the lobby's window in front."""
    alice = launch(server, folder, "alice")
    terminals.append(alice)
    bob.expect(r":alice!\S+ JOIN #lobby")
    if launch is irssi:
        alice.wait_for("Act: 2")
        alice.type("/window 2")
    bob.send("PRIVMSG #lobby :live")
    alice.wait_for("live")
    return alice


def leave(alice: Terminal, bob: IrcClient, missed: str) -> None:
    """Alice's client ends, and bob says something."""
    alice.type("/quit")
    bob.expect(r":alice!\S+ QUIT")
    alice.wait_until_ended()
    bob.send(f"PRIVMSG #lobby :{missed}")
    bob.barrier()


@pytest.mark.parametrize(
    "launch", [pytest.param(irssi, marks=needs("irssi")), pytest.param(weechat, marks=needs("weechat"))]
)
def test_missed_messages(server: ServerProcess, tmp_path: Path, terminals: list[Terminal], launch: Launch) -> None:
    """What was said while alice was away is there when she comes back, and not again the next time."""
    bob = log_in(server, "bob")
    folder = tmp_path / "alice"
    folder.mkdir()
    leave(come(launch, server, folder, bob, terminals), bob, "while you were away")
    alice = come(launch, server, folder, bob, terminals)
    alice.wait_for("while you were away")
    leave(alice, bob, "and once more")
    alice = come(launch, server, folder, bob, terminals)
    alice.wait_for("and once more")
    # WeeChat shows what it has logged itself above that line.
    assert "while you were away" not in alice.screen().rpartition("End of backlog")[2]
