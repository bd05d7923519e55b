"""A real terminal: a program in tmux, keys typed into it, its screen read."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.e2e.waiting import wait_for

SCREEN_SECONDS = 20.0
_NUMBERS = count(1)


class Terminal:
    """A tmux server of its own, with one window of 120 x 40."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        # A server that is just ending would take a new session with it.
        self._socket = str(folder / f"tmux-{next(_NUMBERS)}.sock")
        environment = {
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
        }
        exports = [f"{key}={value}" for key, value in environment.items()]
        self._tmux(
            "-u",
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "120",
            "-y",
            "40",
            shlex.join(["env", *exports, *command]),
        )

    def type(self, text: str) -> None:
        """Type a line."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press one key, such as C-c."""
        self._tmux("send-keys", key)

    def screen(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def wait_for(self, words: str) -> None:
        """Until the screen shows these words."""
        wait_for(lambda: words in self.screen(), SCREEN_SECONDS, lambda: f"no {words!r} on:\n{self.screen()}")

    def wait_until_ended(self) -> None:
        """Until the program, and so the tmux server, has ended."""
        wait_for(lambda: not self.screen(), SCREEN_SECONDS, lambda: f"not ended:\n{self.screen()}")

    def close(self) -> None:
        """End the program."""
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
