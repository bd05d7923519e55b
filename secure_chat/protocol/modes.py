"""Mode strings: `+ov-b alice bob mask` to single changes and back (Modern IRC, "MODE message")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LIST_MODES = "b"
KEY_MODES = "k"
LIMIT_MODES = "l"
FLAG_MODES = "imnst"
ROLE_MODES = "ov"
PREFIXES = "@+"
CHANMODES = f"{LIST_MODES},{KEY_MODES},{LIMIT_MODES},{FLAG_MODES}"
CHANGES_LIMIT = 12
"""Changes taken from one MODE command."""


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One change: `adding` tells + from -; `argument` is None where the mode has none or none was given."""

    adding: bool
    letter: str
    argument: str | None = None


def parse_changes(modes: str, arguments: Iterable[str]) -> Iterator[ModeChange]:
    """The changes in a mode string, in order; unknown letters are given too, without an argument."""
    left = iter(arguments)
    adding = True
    for letter in modes:
        if letter in "+-":
            adding = letter == "+"
        elif letter in LIST_MODES + KEY_MODES + ROLE_MODES or (letter in LIMIT_MODES and adding):
            yield ModeChange(adding, letter, next(left, None))
        else:
            yield ModeChange(adding, letter)


def format_changes(changes: Iterable[ModeChange]) -> tuple[str, ...]:
    """The parameters of a MODE line for these changes."""
    letters, arguments = "", []
    sign = ""
    for change in changes:
        wanted = "+" if change.adding else "-"
        letters += (wanted if wanted != sign else "") + change.letter
        sign = wanted
        if change.argument is not None:
            arguments.append(change.argument)
    return letters, *arguments
