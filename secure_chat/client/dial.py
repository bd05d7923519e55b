"""From an address to a TLS connection, with every failure in words."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

from secure_chat.client.address import Address
from secure_chat.client.texts import _
from secure_chat.client.trust import Trust
from secure_chat.errors import SecureChatError

CONNECT_TIMEOUT_SECONDS = 10.0
"""For each address of a host, and again for the TLS handshake."""


class CannotConnect(SecureChatError):
    """No TLS connection could be made; the text says why."""


def dialler(address: Address, trust: Trust) -> Callable[[], ssl.SSLSocket]:
    """What makes a trusted connection to `address` each time it is called.

    It blocks, at most a few times CONNECT_TIMEOUT_SECONDS, and raises CannotConnect or TrustError.
    """
    return lambda: trust.connect(lambda context: shake_hands(address, context))


def shake_hands(address: Address, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Connect and do the TLS handshake. Raises CannotConnect, or ssl.SSLCertVerificationError."""
    try:
        connection = socket.create_connection((address.host, address.port), CONNECT_TIMEOUT_SECONDS)
    except (OSError, UnicodeError) as error:
        raise CannotConnect(_reason(address, error)) from error
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(connection, server_hostname=address.host)
    except ssl.SSLCertVerificationError:
        connection.close()
        raise
    except (OSError, ValueError) as error:
        connection.close()
        raise CannotConnect(_reason(address, error)) from error


def _reason(address: Address, error: Exception) -> str:
    """The error in words, with what to look at."""
    if isinstance(error, socket.gaierror | UnicodeError):
        text = _("There is no host “{host}”, or no network. Is the name right?")
    elif isinstance(error, TimeoutError):
        text = _("{address} does not answer. Is the address right, and does a firewall let you through?")
    elif isinstance(error, ConnectionRefusedError):
        text = _("Nobody listens at {address}. Does the server run, and is the port right?")
    elif isinstance(error, ssl.SSLError):
        text = _("{address} does not speak TLS as we do ({why}). Is the port right?")
    elif isinstance(error, ConnectionError) or getattr(error, "errno", None) == errno.EPIPE:
        text = _("{address} closed the connection before it was safe. It may be busy; try again later.")
    else:
        text = _("{address} cannot be reached ({why}).")
    why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return text.format(host=address.host, address=address, why=why)
