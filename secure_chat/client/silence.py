"""When a silent server is asked whether it is there, and when it counts as lost. Seconds on a monotonic clock."""

from __future__ import annotations

from secure_chat.client.phases import Phase

SILENCE_SECONDS = 60.0
"""After so long without a byte of the server we ask whether it is there ..."""
PATIENCE_SECONDS = 60.0
"""... and after so long without an answer it is lost."""
LOGIN_PATIENCE_SECONDS = 180.0
"""How long a server may be silent during the login: passwords may wait in its queue for 120 s."""


class Silence:
    """Measures the silence of one connection. A clock is passed in; nothing here waits."""

    def __init__(self) -> None:
        self._heard_at = 0.0
        self._asked_at: float | None = None

    def heard(self, now: float) -> None:
        """Something came, or the connection is new."""
        self._heard_at = now
        self._asked_at = None

    def asked(self, now: float) -> None:
        """A PING was sent because of the silence."""
        self._asked_at = now

    def ask_at(self, phase: Phase) -> float:
        """When to ask; never where an answer is waited for already, or none could be given."""
        if self._asked_at is None and phase in (Phase.RESTORING, Phase.READY):
            return self._heard_at + SILENCE_SECONDS
        return float("inf")

    def lost_at(self, phase: Phase) -> float:
        """When the server counts as lost."""
        if phase is Phase.LOGIN:
            return self._heard_at + LOGIN_PATIENCE_SECONDS
        if phase in (Phase.RESTORING, Phase.READY) and self._asked_at is not None:
            return self._asked_at + PATIENCE_SECONDS
        return float("inf")
