"""Many people in a home, each with a device whose token logs it in without a password to check."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import secure_chat.server.lines  # noqa: F401 - enters the operations into their table
from secure_chat.server.foundation import Foundation, open_foundation
from secure_chat.server.happenings import Asked
from secure_chat.server.home import Home
from secure_chat.server.operations import prepared
from tests.e2e.server_process import PASSWORD

DEVICE = "bench"


def add_people(home: Path, names: Iterable[str], devices: Iterable[str] = (DEVICE,)) -> dict[tuple[str, str], str]:
    """Add accounts to a home on which no server runs; the token of each name and device."""
    foundation = open_foundation(Home(home), None)
    wanted = list(devices)
    ready = prepared({"password": PASSWORD, "name": "first"}, foundation.hasher, foundation.settings)
    tokens = {}
    for name in names:
        ask(foundation, "user add", {**ready, "name": name})
        for device in wanted:
            made = ask(foundation, "device add", {"name": name, "device": device})
            tokens[name, device] = str(made["token"])
    foundation.close()
    return tokens


def ask(foundation: Foundation, operation: str, request: dict[str, object]) -> dict[str, object]:
    """What the command-line tool would be answered."""
    (outcome,) = foundation.engine.tick([Asked(operation, request, lambda _: None)])
    assert "error" not in outcome.answer, outcome.answer
    return dict(outcome.answer)
