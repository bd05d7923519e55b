"""Peers that do what they can to keep others from being served, and a server that is asked to stop meanwhile."""

from __future__ import annotations

import contextlib
import threading

from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess

END_SECONDS = 10.0
BLOCK_LINES = 500


def flood(client: IrcClient) -> None:
    """Send what costs nothing and has no answer, without end, until the server closes."""
    with contextlib.suppress(OSError):
        while True:
            client.send(*["PONG :x"] * BLOCK_LINES)


def test_a_flood_does_not_keep_the_server_from_stopping(server: ServerProcess) -> None:
    clients = [log_in(server, name, capabilities="sasl") for name in ("alice", "bob", "carol")]
    floods = [threading.Thread(target=flood, args=(client,)) for client in clients]
    for thread in floods:
        thread.start()
    root = log_in(server, "root")
    assert server.stop() == 0
    root.expect("^ERROR :Server is shutting down")
    for thread in floods:
        thread.join(END_SECONDS)
        assert not thread.is_alive()
