"""One TLS connection without blocking. Only the link's thread may touch it: two threads in one TLS object corrupt
it on every supported Python.
"""

from __future__ import annotations

import contextlib
import ssl

from secure_chat.client.texts import _
from secure_chat.errors import SecureChatError

READ_BYTES = 65536
READ_LIMIT_BYTES = 1024 * 1024
"""So much is taken at once; then it is the keyboard's turn."""


class ConnectionLost(SecureChatError):
    """The connection is gone; the text says how, in words."""


class Connection:
    """Sends and receives bytes over a TLS socket whose handshake is done; the socket becomes non-blocking."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        tls.setblocking(False)
        self._tls = tls
        self._pending = bytearray()
        self.has_more = False

    def fileno(self) -> int:
        """For a selector."""
        return self._tls.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return bool(self._pending)

    def send(self, data: bytes) -> None:
        """Send what the socket takes and keep the rest for `flush`. Raises ConnectionLost."""
        self._pending += data
        self.flush()

    def flush(self) -> None:
        """Send what is kept, as far as the socket takes it. Raises ConnectionLost."""
        try:
            while self._pending:
                sent = self._tls.send(self._pending)
                del self._pending[:sent]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise ConnectionLost(_in_words(error)) from error

    def receive(self) -> bytes:
        """What has arrived and is decrypted, b"" where nothing has. Raises ConnectionLost at the end.

        What came before the end is given first; the end is raised by the next call. `has_more` tells whether
        decrypted bytes are left: a selector does not wake for them.
        """
        received = bytearray()
        self.has_more = False
        try:
            while len(received) < READ_LIMIT_BYTES:
                data = self._tls.recv(READ_BYTES)
                if not data and not received:
                    raise ConnectionLost(_("the server closed the connection"))
                received += data
                if not data:
                    break
            self.has_more = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            if not received:
                raise ConnectionLost(_in_words(error)) from error
            self.has_more = True
        return bytes(received)

    def close(self) -> None:
        """Say goodbye to TLS if that needs no waiting, and close the socket. Never raises."""
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._tls.close()


def _in_words(error: OSError) -> str:
    if isinstance(error, ConnectionError):
        return _("the connection broke")
    return getattr(error, "reason", None) or error.strerror or _("the connection broke")
