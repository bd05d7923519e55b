"""Whether the certificate that a server shows is the one we want to talk to. Decided before anything is sent."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secure_chat.client.address import Address
from secure_chat.client.fingerprint import check_fingerprint, fingerprint_of
from secure_chat.client.known_servers import KnownServers
from secure_chat.client.texts import _
from secure_chat.errors import TrustError

Handshake = Callable[[ssl.SSLContext], ssl.SSLSocket]
"""Connects anew and shakes hands; raises ssl.SSLCertVerificationError where the context refused, else its own."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A server that nothing vouches for: what a user needs in order to decide."""

    address: Address
    fingerprint: str
    why: str


Ask = Callable[[Stranger], str]
"""Shows a stranger's fingerprint and gives the answer: yes, no, or a fingerprint to compare with."""


class Trust:
    """Decides for one server, in the order: the pin given, the pin remembered, the CA file given, the system's
    trust with the host's name; else the user is asked. Not for use from two threads at once.
    """

    def __init__(
        self,
        address: Address,
        known: KnownServers,
        *,
        fingerprint: str | None = None,
        ca_file: Path | None = None,
        ask: Ask | None = None,
        replaces: bool = True,
    ) -> None:
        """`replaces`: whether the pin given goes before another one that is remembered."""
        self._address = address
        self._known = known
        self._given = fingerprint
        self._ca_file = ca_file
        self._ask = ask
        self._replaces = replaces

    def connect(self, handshake: Handshake) -> ssl.SSLSocket:
        """A connection to a server that is trusted; only the handshake has gone over it.

        Raises TrustError, and whatever `handshake` raises other than a refused certificate.
        """
        remembered = self._known.fingerprint(self._address)
        if self._given is None and remembered is None:
            try:
                return handshake(verifying(self._ca_file))
            except ssl.SSLCertVerificationError as error:
                why = error.verify_message
        else:
            why = ""
        connection = handshake(pinning())
        try:
            shown = _shown_by(connection)
            if self._given is not None:
                self._check_given(self._given, shown)
                if remembered is not None and not self._replaces:
                    self._check_remembered(remembered, shown)
            elif remembered is not None:
                self._check_remembered(remembered, shown)
            else:
                self._check_stranger(Stranger(self._address, shown, why))
            if shown != remembered:
                self._known.remember(self._address, shown)
        except BaseException:
            connection.close()
            raise
        return connection

    def without_asking(self) -> None:
        """From now on nobody is asked: a stranger is refused. For connecting again while the user types."""
        self._ask = None

    def _check_given(self, given: str, shown: str) -> None:
        if shown != given:
            raise TrustError(
                _(
                    "{address} is not the server you asked for. Nothing was sent to it.\n"
                    "  its key is:   {shown}\n"
                    "  you gave:     {given}\n"
                    "Compare both with what the owner of the server tells you."
                ).format(address=self._address, shown=shown, given=given)
            )

    def _check_remembered(self, remembered: str, shown: str) -> None:
        if shown != remembered:
            raise TrustError(
                _(
                    "WARNING: THE KEY OF {address} HAS CHANGED. Nothing was sent to it.\n"
                    "  remembered:   {remembered}\n"
                    "  its key now:  {shown}\n"
                    "Somebody may be listening in, or the owner has made new keys. Ask the owner for the "
                    "fingerprint, not over this chat. If it is the new one, connect once with "
                    "--fingerprint {shown} (remembered keys are in {path})."
                ).format(address=self._address, remembered=remembered, shown=shown, path=self._known.path)
            )

    def _check_stranger(self, stranger: Stranger) -> None:
        # Who names a CA means it: a server that it does not vouch for is not asked about.
        if self._ca_file is not None or self._ask is None:
            raise TrustError(self._unknown_text(stranger))
        if not agrees(self._ask(stranger), stranger.fingerprint):
            text = _("{address} is not trusted. Nothing was sent to it.")
            raise TrustError(text.format(address=self._address))

    def _unknown_text(self, stranger: Stranger) -> str:
        source = _("your CA file") if self._ca_file else _("this computer's certificate store")
        return _(
            "{address} is not trusted: {source} does not vouch for it ({why}). Nothing was sent to it.\n"
            "  its key is:   {shown}\n"
            "If that is the fingerprint its owner gave you, connect with --fingerprint {shown}."
        ).format(address=self._address, source=source, why=stranger.why, shown=stranger.fingerprint)


def agrees(answer: str, shown: str) -> bool:
    """Whether the user's answer means trust: yes in English or Russian, or the very fingerprint shown."""
    try:
        return check_fingerprint(answer) == shown
    except ValueError:
        return answer.strip().casefold() in {"yes", "да"}


def _shown_by(connection: ssl.SSLSocket) -> str:
    certificate = connection.getpeercert(binary_form=True)
    if certificate is None:
        raise TrustError(_("The server's certificate cannot be read."))
    return fingerprint_of(certificate)


def pinning() -> ssl.SSLContext:
    """A context that lets every certificate pass, for the caller to compare its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _modern(context)


def verifying(ca_file: Path | None) -> ssl.SSLContext:
    """A context that asks the CA file, or else the system, and checks the host's name. Raises TrustError."""
    try:
        return _modern(ssl.create_default_context(cafile=ca_file))
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror
        raise TrustError(_("The CA file {path} cannot be used: {why}.").format(path=ca_file, why=why)) from error


def _modern(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
