"""The control socket: who keeps it waiting is not waited for, and what is asked there is looked at."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from secure_chat.chat.accounts import Account
from secure_chat.chat.settings import Settings
from secure_chat.server import control
from secure_chat.server.app import usual_rounds
from secure_chat.server.control import CLIENTS_LIMIT, ControlSocket
from secure_chat.server.home import Home
from secure_chat.server.operations import prepared
from secure_chat.server.passwords import Hasher

ANSWER_SECONDS = 10.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose control socket answers everything at once, with what it was asked."""
    home = Home(tmp_path)
    listening = ControlSocket(home, lambda request: request, lambda asked: asked.answer({"asked": asked.operation}))
    yield home
    listening.close()


def connected(home: Home) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(ANSWER_SECONDS)
    sock.connect(str(home.socket))
    return sock


def ask(home: Home, line: bytes) -> dict[str, object]:
    """What a request is answered."""
    with connected(home) as sock:
        sock.sendall(line + b"\n")
        answer: dict[str, object] = json.loads(sock.makefile("rb").readline())
        return answer


def test_half_requests_hold_nobody_up_for_long(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than are served at a time."""
    monkeypatch.setattr(control, "REQUEST_SECONDS", 0.2)
    with ExitStack() as stack:
        halves = [stack.enter_context(connected(home)) for _ in range(CLIENTS_LIMIT + 1)]
        halves[0].sendall(b'{"operation": "user')
        assert ask(home, b'{"operation": "user list"}') == {"done": True, "asked": "user list"}
        for sock in halves[:CLIENTS_LIMIT]:
            assert sock.recv(1) == b""


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"operation": 1}', b"\xff", b"[" * 60_000])
def test_what_is_no_request(home: Home, line: bytes) -> None:
    """It is said so, and others are answered."""
    assert ask(home, line) == {"error": "This is not a request"}
    assert ask(home, b'{"operation": "x"}')["done"] is True


@pytest.mark.parametrize("password", [["correct horse battery"], 5, None])
def test_a_password_is_a_text_and_a_hash_is_not_taken(password: object) -> None:
    """Neither what Python makes of other things, nor what nobody can log in with."""
    request = {"name": "zoë", "password": password, "password_hash": "x"}
    assert prepared(request, Hasher(bytes(32), 4), Settings()) == {"name": "zoë"}


def test_a_hash_that_cannot_be_read_is_passed_over() -> None:
    """Only that account cannot log in; the others set the cost."""
    hashes = ["x", Hasher(bytes(32), 4).hash("correct horse battery"), "$secure$x$"]
    accounts = [Account(number, f"n{number}", f"n{number}", stored) for number, stored in enumerate(hashes)]
    assert usual_rounds(accounts) == 4
    assert usual_rounds(accounts[:1]) is None
