"""Somebody at a terminal (pexpect) on a machine of their own: a HOME where nothing of ours has ever been."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pexpect

from tests.e2e.server_process import PROGRAM, ServerProcess, run_tool

DEADLINE_SECONDS = 20.0
OWN_PASSWORD = "seven green kettles"
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Guest:
    """One run of `secure-chat connect` at a wide terminal; HOME is `folder`."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        program: Sequence[str] = (*PROGRAM, "connect"),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        folder.mkdir(exist_ok=True)
        command, *rest = program
        self.terminal = pexpect.spawn(
            command,
            [*rest, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "TERM": "xterm",
                "LC_ALL": "C.UTF-8",
                "PROMPT_TOOLKIT_NO_CPR": "1",
                **variables,
            },
            cwd=Path(__file__).resolve().parents[2],
            encoding="utf-8",
            timeout=DEADLINE_SECONDS,
            dimensions=(50, 400),
        )
        self.seen = ""

    def sees(self, words: str) -> None:
        """Wait until these words stand there, after what was waited for before."""
        self.matches(re.escape(words))

    def matches(self, pattern: str) -> re.Match[str]:
        """Wait for a pattern; what was found."""
        self.terminal.expect(pattern)
        self.seen += f"{self.terminal.before}{self.terminal.after}"
        assert isinstance(self.terminal.match, re.Match)
        return self.terminal.match

    def types(self, line: str) -> None:
        """Answer a question."""
        self.terminal.sendline(line)

    def answers(self, question: str, *lines: str) -> None:
        """Answer a question each time that it is asked."""
        for line in lines:
            self.sees(question)
            self.types(line)

    def answers_hidden(self, question: str, *lines: str) -> None:
        """The same, where nothing of the answer may be shown: only once the terminal has stopped to echo."""
        for line in lines:
            self.sees(question)
            self.terminal.waitnoecho(DEADLINE_SECONDS)
            assert not self.terminal.getecho()
            self.types(line)

    def chooses_password(self, password: str = OWN_PASSWORD) -> None:
        """Twice."""
        self.answers_hidden("Choose a password: ", password)
        self.answers_hidden("The same password again: ", password)

    def is_in(self, name: str) -> None:
        """Wait until the chat has begun."""
        self.sees(f"Connected as {name}")
        self.sees("#lobby>")

    def says(self, line: str) -> None:
        """Type a line into the chat."""
        self.terminal.send(f"{line}\r")

    def leaves(self) -> int | None:
        """/quit; the exit code."""
        self.says("/quit")
        return self.end()

    def end(self) -> int | None:
        """Wait for the end; the exit code."""
        self.terminal.expect(pexpect.EOF)
        self.seen += str(self.terminal.before)
        self.terminal.close()
        exitstatus: int | None = self.terminal.exitstatus
        return exitstatus

    @property
    def text(self) -> str:
        """What was shown so far, without what only steers the terminal."""
        return _STEERING.sub("", self.seen)

    def close(self) -> None:
        """End it in any case."""
        self.terminal.close(force=True)


Come = Callable[..., Guest]


def invited(server: ServerProcess, *arguments: str) -> str:
    """The link that `secure-chat invite` prints."""
    done = run_tool("invite", *arguments, "--home", str(server.home))
    assert done.returncode == 0, done.stderr
    (link,) = re.findall(r"secure-chat://\S+", done.stdout)
    return str(link)
