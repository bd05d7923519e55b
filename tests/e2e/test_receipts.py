"""Proof of receipt on the wire: who answers the PING behind a message is not given it again."""

from __future__ import annotations

import pytest

from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess

CAPABILITIES = "message-tags sasl server-time"
pytestmark = pytest.mark.once


def comes(server: ServerProcess) -> IrcClient:
    """Bob's client, which is given what it missed: it has no `draft/chathistory`."""
    return log_in(server, "bob", capabilities=CAPABILITIES)


@pytest.mark.parametrize("target", ["bob", "#lobby"])
def test_what_was_proven_does_not_come_again(server: ServerProcess, target: str) -> None:
    """What was not, does."""
    alice, bob = log_in(server, "alice"), comes(server)
    alice.send(f"PRIVMSG {target} :received")
    bob.expect(rf" PRIVMSG {target} :?received$")
    question = bob.expect("^PING :?secure-chat-receipt-")
    bob.send(f"PONG :{question.params[0]}")
    alice.send(f"PRIVMSG {target} :lost")
    bob.expect(rf" PRIVMSG {target} :?lost$")
    bob.close()
    bob = comes(server)
    bob.expect_missed(rf" PRIVMSG {target} :?lost$")
    bob.barrier()
    assert not any("received" in line for line in bob.seen)
