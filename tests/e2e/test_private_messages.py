"""Private messages that come while nobody is at the terminal: the real server, and our client at a terminal."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import Start
from tests.e2e.guest import Come, Guest
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import PASSWORD, ServerProcess

pytestmark = pytest.mark.once
PRIVATE = r"\[private {} {}\]\S* {}"


def alice_comes(come: Come, server: ServerProcess, *, again: bool = False) -> Guest:
    """Alice's client is started, on the same machine each time."""
    alice = come("alice", f"alice@localhost:{server.port}", "--ca", str(server.ca))
    if not again:
        alice.answers_hidden("Enter your password: ", PASSWORD)
    alice.is_in("alice")
    return alice


def write(server: ServerProcess, sender: str, target: str, *texts: str) -> None:
    """Somebody writes in private with another client, and goes when that is on the disk."""
    client = log_in(server, sender, PASSWORD)
    client.send(*(f"PRIVMSG {target} :{text}" for text in texts), "PING written")
    client.expect("PONG .*written")
    client.close()


def test_what_came_while_the_client_was_closed(server: ServerProcess, come: Come) -> None:
    assert alice_comes(come, server).leaves() == 0
    write(server, "bob", "alice", "are you there?", "I have the keys")
    alice = alice_comes(come, server, again=True)
    alice.sees("bob: 2 unread messages")
    alice.matches(PRIVATE.format("from", "bob", r"are you there\?"))
    alice.matches(PRIVATE.format("from", "bob", "I have the keys"))
    alice.says("/r thank you")
    alice.matches(PRIVATE.format("to", "bob", "thank you"))
    assert alice.leaves() == 0
    # They are read now; what bob writes next is not.
    write(server, "bob", "alice", "one more")
    alice = alice_comes(come, server, again=True)
    alice.matches(PRIVATE.format("from", "bob", "one more"))
    alice.says("/unread")
    alice.sees("nothing unread")
    alice.says("/history bob 2")
    alice.matches(PRIVATE.format("to", "bob", "thank you"))
    alice.matches(PRIVATE.format("from", "bob", "one more"))
    assert "I have the keys" not in alice.text


def test_what_came_after_the_server_was_killed(start: Start, come: Come) -> None:
    first = start().wait_until_ready()
    alice = alice_comes(come, first)
    write(first, "bob", "alice", "before")
    alice.matches(PRIVATE.format("from", "bob", "before"))
    # Like a laptop whose lid is closed: it does not see that the server goes, nor that it is back.
    alice.terminal.kill(signal.SIGSTOP)
    first.kill()
    back = start(port=first.port).wait_until_ready()
    write(back, "bob", "alice", "meanwhile 1")
    write(back, "alice", "bob", "from my telephone")
    write(back, "bob", "alice", "meanwhile 2")
    write(back, "carol", "alice", "we never spoke")
    alice.terminal.kill(signal.SIGCONT)
    alice.sees("is lost")
    alice.sees("bob: what was said while you were away:")
    alice.matches(PRIVATE.format("from", "bob", "meanwhile 1"))
    alice.matches(PRIVATE.format("to", "bob", "from my telephone"))
    alice.matches(PRIVATE.format("from", "bob", "meanwhile 2"))
    alice.sees("carol: what was said while you were away:")
    alice.matches(PRIVATE.format("from", "carol", "we never spoke"))
    write(back, "bob", "alice", "after")
    alice.matches(PRIVATE.format("from", "bob", "after"))
    assert alice.leaves() == 0
    for text in ("meanwhile 1", "meanwhile 2", "from my telephone", "we never spoke", "] after"):
        assert alice.text.count(text) == 1, text
