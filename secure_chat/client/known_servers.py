"""The known-servers file: which public key a server showed when the user said that it was the right one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import platformdirs

from secure_chat.client.address import Address, BadAddress, parse_address
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
        return self._read().get(address)

    def entries(self) -> list[tuple[Address, str]]:
        """Every server with its remembered fingerprint, sorted. Raises TrustError like `fingerprint`."""
        return sorted(self._read().items(), key=lambda entry: str(entry[0]))

    def remember(self, address: Address, fingerprint: str) -> None:
        """Keep the server's fingerprint, in the place of an earlier one. Raises TrustError."""
        self._write({**self._read(), address: fingerprint})

    def forget(self, address: Address) -> None:
        """Take the server out; it is a stranger again. Raises TrustError, also where it is not in the file."""
        servers = dict(self._read())
        if servers.pop(address, None) is None:
            elsewhere = ", ".join(str(one) for one in servers if one.host == address.host)
            text = _("{path} has no key of {address}.").format(path=self.path, address=address)
            raise TrustError(text + (" " + _("It has: {servers}").format(servers=elsewhere) if elsewhere else ""))
        self._write(servers)

    def _write(self, servers: Mapping[Address, str]) -> None:
        lines = sorted(f"{address} {fingerprint}\n" for address, fingerprint in servers.items())
        try:
            write_privately(self.path, _HEADER + "".join(lines))
        except OSError as error:
            raise TrustError(
                _("{path} cannot be written: {why}.").format(path=self.path, why=error.strerror)
            ) from error

    def _read(self) -> Mapping[Address, str]:
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else _("it is not text")
            raise TrustError(
                _("{path} cannot be read: {why}. No server is trusted until it can.").format(
                    path=self.path, why=why
                )
            ) from error
        servers: dict[Address, str] = {}
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip() and not line.startswith("#"):
                address, fingerprint = self._parse(number, line)
                if servers.setdefault(address, fingerprint) != fingerprint:
                    raise TrustError(
                        _(
                            "{path}, line {number}: a second key for {address}. Remove the wrong line; "
                            "no server is trusted until then."
                        ).format(path=self.path, number=number, address=address)
                    )
        return servers

    def _parse(self, number: int, line: str) -> tuple[Address, str]:
        try:
            where, fingerprint = line.split()
            return parse_address(where), check_fingerprint(fingerprint)
        except (ValueError, BadAddress):
            raise TrustError(
                _(
                    "{path}, line {number} is not “host:port SHA256:…”. Correct or remove that line; "
                    "no server is trusted until then."
                ).format(path=self.path, number=number)
            ) from None
