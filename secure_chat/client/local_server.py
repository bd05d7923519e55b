"""Finding the server that runs on this machine, by the note in its home (its owner's folder, which others cannot
write to: who could change it could change this client as well).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from secure_chat.client.address import Address, BadAddress, parse_address
from secure_chat.client.fingerprint import check_fingerprint

HOME_VARIABLE = "SECURE_CHAT_HOME"
"""Names the home of a server that does not use the usual one; scripts/connect sets it to the checkout's."""
NOTE = "address.json"


@dataclass(frozen=True, slots=True)
class LocalServer:
    """Where it listens and which key it has."""

    address: Address
    fingerprint: str


def find_local_server() -> LocalServer | None:
    """The server of this user on this machine; None where there is none, or its note cannot be used."""
    home = os.environ.get(HOME_VARIABLE) or platformdirs.user_data_path("secure-chat", appauthor=False)
    path = Path(home) / NOTE
    try:
        status = path.stat()
        if hasattr(os, "getuid") and status.st_uid not in (0, os.getuid()):
            return None
        note = json.loads(path.read_text(encoding="utf-8"))
        return LocalServer(parse_address(str(note["address"])), check_fingerprint(str(note["pin"])))
    except (OSError, ValueError, KeyError, TypeError, BadAddress):
        return None
