"""Peers that do what they can to keep others from being served: the server goes on, and stops when asked to."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess
from tests.e2e.waiting import wait_for

END_SECONDS = 10.0
BLOCK_LINES = 500
PIPE_BYTES = 65_536
"""What a pipe holds."""
LINE_BYTES = 60
"""Fewer than a line of the log has for a message."""

pytestmark = pytest.mark.once  # nothing here depends on the Python


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


RUBBISH = (
    b"rubbish",
    b"[]",
    b"1",
    b"{}",
    b"\xff",
    b"[" * 60_000,
    b'{"operation": null}',
    b'{"operation": ["user list"]}',
    b'{"operation": {"a": 1}}',
)


def test_rubbish_on_the_control_socket_is_refused_and_harms_nobody(server: ServerProcess) -> None:
    for line in RUBBISH:
        with socket.socket(socket.AF_UNIX) as tool:
            tool.settimeout(END_SECONDS)
            tool.connect(str(server.home / "control.sock"))
            tool.sendall(line + b"\n")
            assert json.loads(tool.recv(65_536)) == {"error": "This is not a request"}, line[:40]
    log_in(server, "alice")


def test_who_goes_while_the_password_is_checked_harms_nobody(home: Path, start: Start) -> None:
    """Not read from meanwhile, its going is noticed only by what is sent to it: ERROR, then the TLS goodbye."""
    config = home / "config.toml"
    config.write_text(config.read_text().replace("bcrypt_rounds = 4", "bcrypt_rounds = 11"))
    server = start().wait_until_ready()
    alice = log_in(server, "alice")
    for count in range(1, 4):
        client = IrcClient(server.port, server.ca)
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send("PASS nobody:wrong password", "NICK nobody", "USER tester 0 * :A tester")
        for _ in range(2):
            alice.barrier()
        client.close()
        wait_for(lambda count=count: server.text.count("info disconnect") == count)  # type: ignore[misc]
    alice.barrier()


def test_the_control_socket_outlives_a_want_of_descriptors(start: Start) -> None:
    server = start(before=("bash", "-c", 'ulimit -n 40; exec "$0" "$@"')).wait_until_ready()
    peers = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(40)]
    server.wait_for_log("cannot accept")
    with socket.socket(socket.AF_UNIX) as tool:
        tool.settimeout(END_SECONDS)
        tool.connect(str(server.home / "control.sock"))
        server.wait_for_log("control socket: cannot accept")
        for peer in peers:
            peer.close()
        tool.sendall(b'{"operation": "user list"}\n')
        assert b"alice" in tool.recv(65_536)


def test_who_comes_and_goes_does_not_fill_the_password_pool(home: Path, start: Start) -> None:
    """More work than a login has time for, of peers that do not wait for it."""
    config = home / "config.toml"
    config.write_text(config.read_text().replace("bcrypt_rounds = 4", "bcrypt_rounds = 13"))
    server = start().wait_until_ready()
    for count in range(40):
        client = IrcClient(server.port, server.ca)
        client.send(f"PASS nobody{count}:wrong password", "NICK nobody", "USER tester 0 * :A tester")
        client.close()
    wait_for(lambda: server.text.count("info disconnect") >= 35, 5.0)
    log_in(server, "alice")


class PausedServer(ServerProcess):
    """A server whose output nobody reads once it is ready, as with `serve | less`."""

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if " info ready" in line:
                return


def test_a_log_that_nobody_reads_holds_up_nobody(home: Path) -> None:
    server = PausedServer(home, "--log-level", "debug").wait_until_ready()
    try:
        alice, bob = log_in(server, "alice"), log_in(server, "bob")
        for n in range(PIPE_BYTES // LINE_BYTES):
            alice.send(f"PRIVMSG #lobby :{n}")
            bob.expect(rf" PRIVMSG #lobby :?{n}$")
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed (apt install openssl)")
def test_a_flood_of_new_keys_ends_with_its_connection(server: ServerProcess) -> None:
    """TLS 1.3 lets a peer renew its keys at any time, and each costs us more than it."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_3"]
    peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert peer.stdin is not None
    with contextlib.suppress(OSError), peer.stdin:
        while peer.poll() is None:
            peer.stdin.write(b"K\n")
            peer.stdin.flush()
    peer.wait(END_SECONDS)
    server.wait_for_log('reason="the peer sends TLS records with nothing in them"')
