"""What the user answered last time: the defaults of the questions."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from secure_chat.client.private_file import write_privately


@dataclass(frozen=True, slots=True)
class LastTime:
    """The server (`host:port`) and the name of the last login; "" where there was none."""

    server: str = ""
    name: str = ""


def default_path() -> Path:
    """Where the answers are kept for this user."""
    return platformdirs.user_state_path("secure-chat", appauthor=False) / "last-login.json"


def read_last_time(path: Path) -> LastTime:
    """The answers; empty ones where there are none or they cannot be read: they are only a convenience."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return LastTime(str(kept["server"]), str(kept["name"]))
    except (OSError, ValueError, KeyError, TypeError):
        return LastTime()


def write_last_time(path: Path, answers: LastTime) -> None:
    """Keep the answers, if that can be done."""
    with contextlib.suppress(OSError):
        write_privately(path, json.dumps(asdict(answers), ensure_ascii=False) + "\n")
