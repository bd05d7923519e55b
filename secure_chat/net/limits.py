"""The limits of connections; names end in their unit."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address


@dataclass(frozen=True, slots=True)
class Limits:
    """What one may take of the server (design: limits). Networks in `exempt_networks` are not limited."""

    handshakes: int = 256
    handshakes_per_address: int = 16
    handshake_seconds: float = 10
    unauthenticated_per_address: int = 32
    authentication_seconds: float = 30
    points_per_second: float = 4
    points_burst: float = 20
    points_per_room: float = 4
    unread_bytes: int = 64 * 1024
    pending_bytes: int = 1024 * 1024
    pending_seconds: float = 30
    pending_bytes_at_once: int = 8 * 1024 * 1024
    silence_seconds: float = 90
    pong_seconds: float = 60
    close_seconds: float = 5
    replay_pending_bytes: int = 256 * 1024
    exempt_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def exempts(self, address: str) -> bool:
        """Whether connections from this address have no limits."""
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self.exempt_networks)
