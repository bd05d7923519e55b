"""The known-servers file: which public key a server showed when the user said that it was the right one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import platformdirs

from secure_chat.client.address import Address
from secure_chat.client.fingerprint import check_fingerprint
from secure_chat.client.private_file import write_privately
from secure_chat.client.texts import _
from secure_chat.errors import TrustError

_HEADER = "# Servers whose key you trust: host:port and the fingerprint of the public key.\n"


def default_path() -> Path:
    """Where the file is for this user."""
    return platformdirs.user_config_path("secure-chat", appauthor=False) / "known-servers"


class KnownServers:
    """The file at `path`. It is read each time, because other clients of this user may write it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fingerprint(self, address: Address) -> str | None:
        """The remembered fingerprint of the server, or None for a stranger.

        Raises TrustError where the file cannot be read or understood: a file that we cannot read might have
        held a pin, and going on without it would trust anybody.
        """
        return self._read().get(str(address))

    def remember(self, address: Address, fingerprint: str) -> None:
        """Keep the server's fingerprint, in the place of an earlier one. Raises TrustError."""
        servers = {**self._read(), str(address): fingerprint}
        text = _HEADER + "".join(f"{where} {key}\n" for where, key in sorted(servers.items()))
        try:
            write_privately(self.path, text)
        except OSError as error:
            raise TrustError(
                _("{path} cannot be written: {why}.").format(path=self.path, why=error.strerror)
            ) from error

    def _read(self) -> Mapping[str, str]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else _("it is not text")
            raise TrustError(
                _("{path} cannot be read: {why}. No server is trusted until it can.").format(
                    path=self.path, why=why
                )
            ) from error
        return dict(
            self._parse(number, line)
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.startswith("#")
        )

    def _parse(self, number: int, line: str) -> tuple[str, str]:
        try:
            where, fingerprint = line.split()
            return where, check_fingerprint(fingerprint)
        except ValueError:
            raise TrustError(
                _(
                    "{path}, line {number} is not “host:port SHA256:…”. Correct or remove that line; "
                    "no server is trusted until then."
                ).format(path=self.path, number=number)
            ) from None
