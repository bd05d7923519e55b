"""Forgetting what was said: what is left to do, in steps so small that nobody waits for one."""

from __future__ import annotations

from enum import Enum, auto

ROUND_SECONDS = 86_400
"""How often it is looked whether messages have become too old."""
POST_IDS_SECONDS = 30 * 86_400
"""How long the id of a post outlives its message (design: posting exactly once)."""


class Forgetting(Enum):
    """What a step forgets. Each comes after those before it."""

    ERASURE = auto()
    """What people said whose messages are erased."""
    AGE = auto()
    """Messages that are too old."""
    POST_IDS = auto()
    """Ids of posts whose messages went long ago."""
    INDEX = auto()
    """Words of such messages that the index still holds."""
    FILES = auto()
    """What beside the database's own file still holds: nothing is left to do but to wait for that."""


class Progress(Enum):
    """How a step left things."""

    GOES_ON = auto()
    WAITS = auto()
    """For another thread, or for a reader to end."""
    DONE = auto()
