"""The two clocks of getting in, from a clean state: who types knows the answers, and types at once.

(a) `git clone`, scripts/serve (which sets up its environment over the network), scripts/connect: the owner chats.
(b) The text of an invitation is there: a guest starts the single-file client, and chats.
Both have a new HOME; no file is edited, nothing about certificates is asked, no secret is on a command line.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.guest import Guest  # noqa: E402 - the checkout is found first

OWNER_SECONDS, GUEST_SECONDS = 60.0, 30.0
SETUP_SECONDS = 300.0
KEPT = re.compile(r"PATH|LANG|LC_.*|PIP_.*|.*_proxy|.*_PROXY|SSL_CERT_.*|REQUESTS_CA_BUNDLE|PYENV_.*")


class Clock:
    """Names what has just taken its time."""

    def __init__(self) -> None:
        self._begun = self._last = time.monotonic()

    def lap(self, what: str) -> None:
        """Print how long it was since the last time."""
        now = time.monotonic()
        print(f"  {now - self._last:6.1f} s  {what}")
        self._last = now

    def end(self, what: str, limit_seconds: float) -> bool:
        """Print the whole, and whether it was within the limit."""
        whole = self._last - self._begun
        is_within = whole <= limit_seconds
        print(f"  {whole:6.1f} s  {what}; at most {limit_seconds:.0f} s: {'yes' if is_within else 'NO'}")
        return is_within


def clean_environment(home: Path) -> dict[str, str]:
    """The variables that say how this machine reaches the network, and a new HOME; no environment of Python's."""
    kept = {key: value for key, value in os.environ.items() if KEPT.fullmatch(key)}
    path = [folder for folder in kept["PATH"].split(":") if folder != str(Path(sys.prefix) / "bin")]
    return {**kept, "PATH": ":".join(path), "HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def where_to_listen() -> list[str]:
    """No option where the usual port is free."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 6697))
        except OSError:
            print("Port 6697 is in use: the server is given another one.")
            return ["--listen", ":0"]
    return []


@contextmanager
def serving(checkout: Path, environment: dict[str, str]) -> Iterator[str]:
    """`scripts/serve` at a terminal; the owner code that it shows."""
    server = pexpect.spawn(
        str(checkout / "scripts" / "serve"),
        where_to_listen(),
        env=environment,
        encoding="utf-8",
        timeout=SETUP_SECONDS,
        dimensions=(60, 200),
    )
    try:
        server.expect(r"owner code: ([0-9A-Z-]+)")
        assert isinstance(server.match, re.Match)
        code = server.match[1]
        server.expect_exact("info ready")
        yield code
    finally:
        server.sendintr()
        server.expect(pexpect.EOF)
        server.close()


def let_owner_in(checkout: Path, folder: Path, code: str) -> None:
    """The owner's answers, until a line of the owner's is on the server's disk."""
    with_home = {**clean_environment(folder), "PROMPT_TOOLKIT_NO_CPR": "1"}
    owner = Guest(folder, program=[str(checkout / "scripts" / "connect")], variables=with_home)
    try:
        owner.answers("Enter your name: ", "ann")
        owner.chooses_password()
        owner.answers("Enter the owner code", code)
        owner.answers("(yes/no): ", "no")
        chat(owner, "ann")
    finally:
        owner.close()


def let_guest_in(client: Path, folder: Path, link: str) -> None:
    """The guest's answers, until a line of the guest's is on the server's disk."""
    python = shutil.which("python3", path=clean_environment(folder)["PATH"]) or sys.executable
    guest = Guest(folder, program=[python, "-I", "-S", str(client), "connect"], variables=clean_environment(folder))
    try:
        guest.answers("given): ", link)
        guest.answers("[zoe]: ", "")
        guest.chooses_password()
        guest.answers("(yes/no): ", "no")
        chat(guest, "zoe")
    finally:
        guest.close()


def chat(guest: Guest, name: str) -> None:
    """Say something, and see it stored."""
    guest.is_in(name)
    guest.says("Good morning")
    guest.matches(rf"{name}\S*> Good morning")
    guest.leaves()


def main() -> int:
    """Run both clocks; 1 where one is over its limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for person in ("owner", "ann", "zoe"):
            (folder / person).mkdir()
        environment, checkout = clean_environment(folder / "owner"), folder / "checkout"
        print("(a) From a clone to the owner chatting:")
        clock = Clock()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], env=environment, check=True)
        clock.lap("git clone (from this disk)")
        with serving(checkout, environment) as code:
            clock.lap("scripts/serve: environment, certificates, ready")
            let_owner_in(checkout, folder / "ann", code)
            clock.lap("scripts/connect: name, password twice, code, a line on the disk")
            is_owner_in_time = clock.end("the owner chats", OWNER_SECONDS)
            print("(b) From an invitation to the guest chatting (the host has made the client's file before):")
            build = [str(checkout / "scripts" / "build"), "--out", str(folder / "dist")]
            subprocess.run(build, env=environment, check=True, stdout=subprocess.DEVNULL)
            tool = [str(checkout / ".venv" / "bin" / "secure-chat"), "invite", "--for", "zoe"]
            tool += ["--home", str(checkout / ".home")]
            text = subprocess.run(tool, env=environment, check=True, capture_output=True, text=True).stdout
            (link,) = re.findall(r"secure-chat://\S+", text)
            clock = Clock()
            let_guest_in(folder / "dist" / "secure-chat.pyz", folder / "zoe", link)
            clock.lap("secure-chat.pyz connect: link, name, password twice, a line on the disk")
            is_guest_in_time = clock.end("the guest chats", GUEST_SECONDS)
    return 0 if is_owner_in_time and is_guest_in_time else 1


if __name__ == "__main__":
    sys.exit(main())
