"""One end of a TLS connection without a socket: encrypted bytes in and out, plain bytes in and out."""

from __future__ import annotations

import ssl

from secure_chat.errors import ProtocolError

READ_BYTES = 4_096


class TlsFailed(ProtocolError):
    """The peer does not speak TLS with us as it should; the connection is of no more use."""


class TlsClosed(ProtocolError):
    """The peer has ended the TLS connection in good order."""


_REASONS = {
    "HTTP_REQUEST": "plain HTTP was spoken to the TLS port; use https or an IRC client with TLS",
    "WRONG_VERSION_NUMBER": "plain text was spoken to the TLS port; switch on TLS in the client",
    "UNKNOWN_PROTOCOL": "plain text was spoken to the TLS port; switch on TLS in the client",
    "UNSUPPORTED_PROTOCOL": "the client's TLS is older than 1.2; update the client",
    "VERSION_TOO_LOW": "the client's TLS is older than 1.2; update the client",
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust our certificate (unknown CA)",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not trust our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the client does not trust our certificate",
    "NO_SHARED_CIPHER": "no cipher in common with the client",
}


class TlsChannel:
    """The TLS state of one connection. Its owner's thread only: an `ssl` object used by two threads breaks.

    After every call `outgoing()` holds what must be sent: a read may have to write, too.
    """

    def __init__(self, context: ssl.SSLContext, *, server_side: bool = True, host: str | None = None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side, host)
        self.established = False

    def feed(self, data: bytes) -> None:
        """Take encrypted bytes from the peer; b"" says that no more will come."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is complete. Raises TlsFailed."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except OSError as error:
            raise _failed(error) from None
        self.established = True
        return True

    def read(self) -> bytes:
        """Up to READ_BYTES of plain bytes; b"" when there are none now. Raises TlsClosed, TlsFailed."""
        try:
            data = self._object.read(READ_BYTES)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:
            text = "closed by the client"
            raise TlsClosed(text) from None
        except ssl.SSLEOFError:
            text = "connection lost (no TLS goodbye)"
            raise TlsFailed(text) from None
        except OSError as error:
            raise _failed(error) from None
        if not data:
            text = "closed by the client"
            raise TlsClosed(text)
        return data

    def write(self, data: bytes | memoryview) -> None:
        """Encrypt plain bytes. Raises TlsFailed."""
        try:
            self._object.write(data)
        except OSError as error:
            raise _failed(error) from None

    def close(self) -> None:
        """Say goodbye (close_notify); never raises."""
        if not self.established:
            return
        try:
            self._object.unwrap()
        except OSError:
            return

    def outgoing(self) -> bytes:
        """What must be sent to the peer; it is forgotten here."""
        return self._outgoing.read() if self._outgoing.pending else b""

    @property
    def may_have_more(self) -> bool:
        """Whether `read` could give anything now; asking is cheaper than the exception inside it."""
        return bool(self._incoming.pending or self._incoming.eof or self._object.pending())

    @property
    def version(self) -> str:
        """The version agreed on, such as TLSv1.3."""
        return self._object.version() or ""


def _failed(error: OSError) -> TlsFailed:
    reason = getattr(error, "reason", None) or ""
    return TlsFailed(_REASONS.get(reason, f"TLS failed: {reason or type(error).__name__}"))
