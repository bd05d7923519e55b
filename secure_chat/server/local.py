"""A note in the home of where the server listens, so that the client on the same machine finds and trusts it.

It is in a folder that only its owner can write (0700): who could change it could change the client as well.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from secure_chat.server.certificates import public_key_fingerprint
from secure_chat.server.home import Home

if TYPE_CHECKING:
    from secure_chat.server.app import Server

log = logging.getLogger("secure_chat.server")


def announce(home: Home, server: Server) -> None:
    """Write the note; the server does without it where that cannot be done."""
    host, port = server.sockets[0].getsockname()[:2]
    shown = "localhost" if host in ("0.0.0.0", "::") else host  # noqa: S104 - only compared
    pin = public_key_fingerprint((server.certs / "server.pem").read_bytes())
    new = home.address.with_suffix(".new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"address": f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}", "pin": pin}, file)
        new.replace(home.address)
    except OSError as error:
        log.warning("%s cannot be written (%s)", home.address, error.strerror)


def withdraw(home: Home) -> None:
    """Take the note away: nobody listens any more."""
    with suppress(OSError):
        home.address.unlink(missing_ok=True)
