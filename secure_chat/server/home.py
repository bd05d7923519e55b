"""The home: the folder that holds everything a server keeps, and the lock on it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import platformdirs

from secure_chat.errors import SecureChatError

HOME_VARIABLE = "SECURE_CHAT_HOME"
CERTS_VARIABLE = "SECURE_CHAT_CERTS"
"""They name the home, and the folder of the certificates, where the command line does not: those of a checkout."""


class HomeInUse(SecureChatError):
    """Another process has the home."""


class HomeUnusable(SecureChatError):
    """The home cannot be made or used."""


class Home:
    """Paths in a home, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.database = path / "chat.db"
        self.pepper = path / "pepper"
        self.lock = path / "lock"
        self.socket = path / "control.sock"
        self.certs = Path(os.environ.get(CERTS_VARIABLE) or path / "certs")
        self.owner_code = path / "owner-code"
        """The owner code, where there was no terminal to show it on."""
        self.address = path / "address.json"
        """Where the server listens and by which key it is known: for the client on the same machine."""

    def make(self) -> None:
        """Make the folder, for the owner alone. Raises HomeUnusable."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            text = f"{self.path} cannot be made ({error.strerror}); name another folder with --home"
            raise HomeUnusable(text) from error


def default_home() -> Path:
    """Where the home is when none is named."""
    return Path(os.environ.get(HOME_VARIABLE) or platformdirs.user_data_path("secure-chat", appauthor=False))


class HomeLock:
    """The lock on a home: held by the server that runs on it, or by the tool while it works without one."""

    def __init__(self, home: Home, *, purpose: str) -> None:
        """Take the lock. Raises HomeInUse, naming who has it, or HomeUnusable."""
        try:
            self._file = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            text = f"{home.lock} cannot be opened ({error.strerror}); check the owner of the folder"
            raise HomeUnusable(text) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 200).decode(errors="replace").strip() or "another process"
            os.close(self._file)
            text = f"{home.path} is in use by {holder}; stop it first, or name another folder with --home"
            raise HomeInUse(text) from None
        try:
            os.ftruncate(self._file, 0)
            os.write(self._file, f"process {os.getpid()} ({purpose})\n".encode())
        except OSError as error:
            os.close(self._file)
            text = f"Nothing can be written to {home.path} ({error.strerror}); make room there, or mend the disk"
            raise HomeUnusable(text) from error

    def release(self) -> None:
        """Give the lock back."""
        with suppress(OSError):  # read-only by now: what stands in it is only who held it last
            os.ftruncate(self._file, 0)
        os.close(self._file)
