"""Queues of two slots, flooded both ways: everything arrives, in order, within the test's deadline."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from secure_chat.commands.startup import ensure_lobby
from secure_chat.server.app import Server
from secure_chat.server.foundation import open_foundation
from secure_chat.server.home import Home
from tests.e2e.irc_client import IrcClient
from tests.e2e.server_process import PASSWORD

POSTS = 300
PEOPLE = ("alice", "bob", "carol")


@pytest.mark.once
def test_tiny_queues_flooded_both_ways_make_progress(home: Path) -> None:
    place = Home(home)
    foundation = open_foundation(place, None)
    foundation.engine.run_once(ensure_lobby)
    server = Server(place, foundation, place.certs, [("127.0.0.1", 0)], queue_commands=2, inbox_bytes=200)
    server.start()
    try:
        port = server.sockets[0].getsockname()[1]
        clients = [member(port, place.certs / "ca.pem", name) for name in PEOPLE]
        heard: dict[str, list[str]] = {}
        senders = [threading.Thread(target=flood, args=(client,)) for client in clients]
        readers = [
            threading.Thread(target=listen, args=(client, heard, name))
            for client, name in zip(clients, PEOPLE, strict=True)
        ]
        for thread in (*senders, *readers):
            thread.start()
        for thread in (*senders, *readers):
            thread.join(50)
            assert not thread.is_alive(), {name: len(lines) for name, lines in heard.items()}
    finally:
        for client in clients:
            client.close()
        server.stop()
        foundation.close()
    assert heard["alice"] == heard["bob"] == heard["carol"]
    for name in PEOPLE:
        assert [line for line in heard["alice"] if line.startswith(name)] == [f"{name} {n}" for n in range(POSTS)]


def member(port: int, ca: Path, name: str) -> IrcClient:
    client = IrcClient(port, ca)
    client.send("CAP REQ echo-message", f"PASS {name}:{PASSWORD}", f"NICK {name}", "USER u 0 * :u", "CAP END")
    client.expect(" 366 ")
    client.barrier()
    return client


def flood(client: IrcClient) -> None:
    client.send(*(f"PRIVMSG #lobby :{n}" for n in range(POSTS)))


def listen(client: IrcClient, heard: dict[str, list[str]], name: str) -> None:
    lines = heard[name] = []
    while len(lines) < POSTS * len(PEOPLE):
        message = client.expect(" PRIVMSG #lobby ")
        lines.append(f"{message.nick} {message.params[-1]}")
