"""What an examination found: a value for everything that `secure-chat doctor` looks at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Level(Enum):
    """How good or bad it is."""

    OK = auto()
    WARNING = auto()
    PROBLEM = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and how it is, in a sentence; `remedy` says what to do. Neither holds a secret."""

    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, text)


def warning(text: str, remedy: str) -> Finding:
    """It works, but not for everybody or not for long."""
    return Finding(Level.WARNING, text, remedy)


def problem(text: str, remedy: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(Level.PROBLEM, text, remedy)
