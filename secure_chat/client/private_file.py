"""Small files that belong to one user: written whole or not at all, readable by nobody else."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_privately(path: Path, text: str) -> None:
    """Put `text` into `path` (mode 0600, folder 0700 if it is new) so that a crash leaves the old or the new text.

    Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
