"""Our terminal client as a process, its lines in and out through pipes."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from tests.e2e.server_process import PASSWORD, PROGRAM, ServerProcess
from tests.e2e.waiting import wait_for

LINE_SECONDS = 20.0


class ClientProcess:
    """`secure-chat connect NAME@localhost:PORT --password-stdin`, with a HOME of its own."""

    def __init__(self, server: ServerProcess, name: str, folder: Path, password: str = PASSWORD) -> None:
        folder.mkdir(exist_ok=True)
        environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "LC_ALL": "C.UTF-8"}
        where = ["connect", f"{name}@localhost:{server.port}", "--ca", str(server.ca), "--password-stdin"]
        self.process = subprocess.Popen(
            [*PROGRAM, *where],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.say(password)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        """Everything it has shown."""
        return "\n".join(self.lines)

    def say(self, *lines: str) -> None:
        """Type lines."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def wait_for(self, words: str, times: int = 1) -> None:
        """Until it has shown these words so many times."""
        wait_for(lambda: self.text.count(words) >= times, LINE_SECONDS, lambda: f"no {words!r} in:\n{self.text}")

    def end(self) -> int:
        """End its input; its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.finish()

    def finish(self) -> int:
        """Wait until it has ended; its exit code."""
        code = self.process.wait(LINE_SECONDS)
        self._reader.join(LINE_SECONDS)
        return code

    def close(self) -> None:
        """End it in any case."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LINE_SECONDS)
        self._reader.join(LINE_SECONDS)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
