"""The tokens of this device: one for each account and server, in the system's key ring or in a 0600 file.

The password itself is never kept.
"""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platformdirs

from secure_chat.client.address import Address
from secure_chat.client.private_file import write_privately
from secure_chat.protocol.message import Secret
from secure_chat.protocol.names import fold

SERVICE = "secure-chat"


def default_path() -> Path:
    """Where the file is for this user."""
    return platformdirs.user_state_path("secure-chat", appauthor=False) / "tokens.json"


class Tokens:
    """The token of one account on one server. Raises nothing: without a token the password is asked for.

    `trusted_by` tells which key is remembered of the server now, "" for none (the system vouches for it). A token
    is for the server that gave it: under another key it is not sent, and the password is asked for.
    """

    def __init__(self, path: Path, address: Address, name: str, trusted_by: Callable[[], str]) -> None:
        self._path = path
        self._trusted_by = trusted_by
        self._key = f"{fold(name.partition('@')[0])}@{address}"

    def token(self) -> Secret | None:
        """The token that was kept; None where there is none."""
        with _key_ring() as ring:
            if ring is not None and (kept := ring.get_password(SERVICE, self._key)):
                return self._usable(kept)
        return self._usable(self._read().get(self._key))

    def _usable(self, kept: object) -> Secret | None:
        """The token in what was kept: the key of the server that gave it, a space, the token."""
        key, space, token = kept.rpartition(" ") if isinstance(kept, str) else ("", "", "")
        return Secret(token) if space and token and key == self._trusted_by() else None

    def keep(self, token: Secret) -> bool:
        """Keep a token in the place of an earlier one; whether that could be done."""
        kept = f"{self._trusted_by()} {token.reveal()}"
        with _key_ring() as ring:
            if ring is not None:
                ring.set_password(SERVICE, self._key, kept)
                return True
        return self._write({**self._read(), self._key: kept})

    def forget(self) -> None:
        """The token is worth nothing any more."""
        with _key_ring() as ring:
            if ring is not None and ring.get_password(SERVICE, self._key):
                ring.delete_password(SERVICE, self._key)
        kept = self._read()
        if kept.pop(self._key, None) is not None:
            self._write(kept)

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self, kept: dict[str, Any]) -> bool:
        try:
            write_privately(self._path, json.dumps(kept, ensure_ascii=False, indent=1) + "\n")
        except OSError:
            return False
        return True


@contextlib.contextmanager
def _key_ring() -> Iterator[Any]:
    """The system's key ring by the `keyring` package, or None; what goes wrong in it is passed over."""
    try:
        module = importlib.import_module("keyring")
        usable = module.get_keyring().priority >= 1
    except Exception:  # noqa: BLE001 - back ends raise what they like
        module, usable = None, False
    with contextlib.suppress(Exception):
        yield module if usable else None
