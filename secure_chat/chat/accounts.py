"""Accounts: who a person is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """An account. A value: a change is a new one.

    `folded` is what makes the name unique. `password` is the stored hash. `epoch` counts what ends trust in
    sessions and jobs begun before (design: credential epoch). `muted_until_us` is µs since 1970 UTC, 0 = not
    muted. A removed account keeps its row, so that its name is never given to somebody else.
    """

    id: int
    name: str
    folded: str
    password: str = field(repr=False)
    administrator: bool = False
    disabled: bool = False
    removed: bool = False
    epoch: int = 0
    muted_until_us: int = 0
    created_us: int = 0

    @property
    def usable(self) -> bool:
        """Whether one can log in to it."""
        return not (self.disabled or self.removed)
