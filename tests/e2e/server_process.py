"""The real server as a process, on a home of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.waiting import wait_for

START_SECONDS = 20.0
STOP_SECONDS = 15.0
PASSWORD = "correct horse battery"
PROGRAM = (sys.executable, "-m", "secure_chat")


class ServerProcess:
    """`secure-chat serve` on `home`, listening on a port that the system chose."""

    def __init__(self, home: Path, *arguments: str, before: Sequence[str] = (), port: int = 0) -> None:
        self.home = home
        self.lines: list[str] = []
        command = (*before, *PROGRAM, "serve", "--home", str(home), "--listen", f"127.0.0.1:{port}", *arguments)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        """Everything it has printed."""
        return "\n".join(self.lines)

    def wait_until_ready(self) -> ServerProcess:
        """Until it says so; fails with what it printed."""
        wait_for(lambda: "info ready" in self.text or self.process.poll() is not None, START_SECONDS)
        assert self.process.poll() is None, self.text
        return self

    @property
    def server_id(self) -> int:
        """The server's process, which may be a child of what was started (strace)."""
        found = re.search(r" process=(\d+)", self.text)
        return int(found[1]) if found else self.process.pid

    @property
    def port(self) -> int:
        """Where it listens."""
        found = re.search(r"^ +127\.0\.0\.1:(\d+)", self.text, re.MULTILINE)
        assert found, self.text
        return int(found[1])

    @property
    def ca(self) -> Path:
        """The CA of its certificate."""
        return self.home / "certs" / "ca.pem"

    @property
    def fingerprint(self) -> str:
        """The fingerprint it printed."""
        found = re.search(r"SHA256:\S+", self.text)
        assert found
        return found[0]

    def wait_for_log(self, words: str) -> str:
        """The first line of the log with these words."""
        wait_for(lambda: words in self.text, 10.0, lambda: f"no {words!r} in:\n{self.text}")
        return next(line for line in self.lines if words in line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            os.kill(self.server_id, number)
        code = self.process.wait(STOP_SECONDS)
        self._finish()
        return code

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.server_id, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)
        self._finish()

    def _finish(self) -> None:
        self._reader.join(STOP_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()


def run_tool(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`secure-chat` with these arguments, to its end."""
    return subprocess.run(
        [*PROGRAM, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def copy_home(template: Path, home: Path) -> Path:
    """A home with the template's accounts and certificates."""
    shutil.copytree(template, home)
    return home
