"""Asking for an operation on a home: of the server that runs on it, or else of the store itself."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from secure_chat.chat.settings import Settings
from secure_chat.chat.strength import require_strong
from secure_chat.errors import SecureChatError
from secure_chat.server.engine import Engine
from secure_chat.server.foundation import open_foundation
from secure_chat.server.happenings import Asked, Happening
from secure_chat.server.home import Home, HomeLock
from secure_chat.server.passwords import Hasher

ANSWER_SECONDS = 60.0
STEP_PAUSE_SECONDS = 0.005
"""Between the steps of what takes many."""
REQUEST_LIMIT_BYTES = 65_536
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024


class OperationRefused(SecureChatError):
    """The operation was not done; the text says why."""


def prepared(request: dict[str, Any], hasher: Hasher, settings: Settings) -> dict[str, Any]:
    """The request with its password, if it has one, hashed. Takes the time of a hash. Raises WeakPassword."""
    ready = {key: value for key, value in request.items() if key != "password_hash"}
    password = ready.pop("password", None)
    if not isinstance(password, str):
        return ready
    require_strong(settings, password, str(ready.get("name", "")))
    ready["password_hash"] = hasher.hash(password)
    return ready


def ask(home: Home, operation: str, request: dict[str, Any], config_file: Path | None = None) -> dict[str, Any]:
    """Do an operation on a home and give its answer once it is on disk.

    Raises OperationRefused, or what opening the home raises.
    """
    try:
        answer = _ask_server(home, {**request, "operation": operation})
    except (FileNotFoundError, ConnectionRefusedError):
        answer = _work_alone(home, operation, request, config_file)
    except OSError as error:
        text = f"The server on {home.path} does not answer ({error.strerror or 'timed out'})"
        raise OperationRefused(text) from error
    if "error" in answer:
        raise OperationRefused(str(answer["error"]))
    return answer


def _ask_server(home: Home, request: dict[str, Any]) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(ANSWER_SECONDS)
        sock.connect(str(home.socket))
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile("rb") as lines:
            answer = json.loads(lines.readline(ANSWER_LIMIT_BYTES) or b"{}")
    if not isinstance(answer, dict) or not answer:
        text = "The server ended before it answered; it is not known whether it was done"
        raise OperationRefused(text)
    return answer


def _done(engine: Engine, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """The answer of an operation, once it and what follows from it is done."""
    answers: list[dict[str, Any]] = []
    happenings: list[Happening] = [Asked(operation, request, answers.append)]
    while not answers:
        for outcome in engine.tick(happenings):
            if outcome.answered is not None:
                outcome.answered(outcome.answer)
        happenings = []
        if not answers:
            time.sleep(STEP_PAUSE_SECONDS)
    return answers[0]


def _work_alone(home: Home, operation: str, request: dict[str, Any], config_file: Path | None) -> dict[str, Any]:
    home.make()
    lock = HomeLock(home, purpose=operation)
    try:
        foundation = open_foundation(home, config_file)
        try:
            ready = prepared(request, foundation.hasher, foundation.settings)
            return _done(foundation.engine, operation, ready)
        finally:
            foundation.close()
    finally:
        lock.release()
