"""Where the client stands, and which way it may go from there."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto


class Phase(Enum):
    """Where the client stands."""

    OFFLINE = auto()
    LOGIN = auto()
    RESTORING = auto()
    """Welcomed; the server is putting us back into our rooms."""
    READY = auto()
    LEAVING = auto()
    OVER = auto()


TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.OFFLINE: frozenset({Phase.LOGIN, Phase.OVER}),
    Phase.LOGIN: frozenset({Phase.RESTORING, Phase.OFFLINE, Phase.LEAVING, Phase.OVER}),
    Phase.RESTORING: frozenset({Phase.READY, Phase.OFFLINE, Phase.LEAVING, Phase.OVER}),
    Phase.READY: frozenset({Phase.OFFLINE, Phase.LEAVING, Phase.OVER}),
    Phase.LEAVING: frozenset({Phase.OVER}),
    Phase.OVER: frozenset(),
}
CONNECTED = frozenset({Phase.LOGIN, Phase.RESTORING, Phase.READY, Phase.LEAVING})
"""The phases that have a connection."""
