"""Where a server is, as people write it: `[NAME@]HOST[:PORT]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from secure_chat.client.texts import _
from secure_chat.errors import SecureChatError

DEFAULT_PORT = 6697
"""Where IRC over TLS is (RFC 7194)."""

_BRACKETED = re.compile(r"\[(?P<host>[0-9A-Fa-f:.%\w]+)\](?::(?P<port>[0-9]+))?")
_PLAIN = re.compile(r"(?P<host>[^\s:/@\[\]]+)(?::(?P<port>[0-9]+))?")
_BARE_IPV6 = re.compile(r"(?P<host>[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*)(?P<port>)")


class BadAddress(SecureChatError):
    """The text is not `[NAME@]HOST[:PORT]`; says what would be."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host (name or address, in lower case) and a port."""

    host: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        """`host:port`; an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for on the command line: perhaps a name, and an address."""

    name: str | None
    address: Address


def parse_target(text: str) -> Target:
    """Parse `[NAME@]HOST[:PORT]`; the name may itself have an `@` (`alice@laptop`). Raises BadAddress."""
    name, at, host = text.strip().rpartition("@")
    if at and not name:
        raise BadAddress(_("“{text}” has no name in front of the @.").format(text=text))
    return Target(name or None, parse_address(host))


def parse_address(text: str) -> Address:
    """Parse `HOST[:PORT]`; IPv6 as `[::1]:6697`, without a port also as `::1`. Raises BadAddress."""
    text = text.strip()
    for pattern in (_BRACKETED, _BARE_IPV6, _PLAIN):
        if found := pattern.fullmatch(text):
            port = int(found["port"] or DEFAULT_PORT)
            if not 0 < port < 65536:
                raise BadAddress(_("A port is a number from 1 to 65535, not {port}.").format(port=port))
            return Address(found["host"].lower(), port)
    raise BadAddress(
        _("“{text}” is not a server. Write HOST or HOST:PORT, for example chat.example.org:6697.").format(text=text)
    )
