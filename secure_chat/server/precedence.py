"""Letting a server on this machine go first."""

from __future__ import annotations

import os
from contextlib import suppress

NICENESS = 10


def go_second() -> None:
    """From here on this process gets what others leave of the processors."""
    with suppress(OSError):
        os.nice(NICENESS)
