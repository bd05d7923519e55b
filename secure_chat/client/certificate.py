"""What a server's certificate says of itself: names and dates. Nothing here decides on trust."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1_modules import rfc5280

from secure_chat.client.texts import _
from secure_chat.errors import TrustError


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Names (DNS in lower case, and addresses, as texts) and the times between which it is valid (aware)."""

    names: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime

    def covers(self, host: str) -> bool:
        """Whether it is for `host`: a name or an address. A wildcard stands for one label (RFC 9525, 6.3)."""
        try:
            return str(ip_address(host.partition("%")[0])) in self.names
        except ValueError:
            name = _ascii(host)
            return name in self.names or f"*.{name.partition('.')[2]}" in self.names


def facts_of(certificate_der: bytes) -> CertificateFacts:
    """Names and dates of a certificate. Raises TrustError for bytes that are none."""
    try:
        certificate, _rest = decoder.decode(certificate_der, asn1Spec=rfc5280.Certificate())
        inner = certificate["tbsCertificate"]
        names = [
            name
            for extension in inner["extensions"]
            if extension["extnID"] == rfc5280.id_ce_subjectAltName
            for name in _names_in(bytes(extension["extnValue"]))
        ]
        validity = inner["validity"]
        return CertificateFacts(tuple(names), _time(validity["notBefore"]), _time(validity["notAfter"]))
    except (PyAsn1Error, KeyError, ValueError, TypeError) as error:
        raise TrustError(_("The server's certificate cannot be read.")) from error


def _names_in(extension: bytes) -> list[str]:
    names, _rest = decoder.decode(extension, asn1Spec=rfc5280.SubjectAltName())
    found = []
    for name in names:
        if name.getName() == "dNSName":
            found.append(str(name.getComponent()).lower())
        elif name.getName() == "iPAddress":
            found.append(str(ip_address(bytes(name.getComponent()))))
    return found


def _time(choice: rfc5280.Time) -> datetime:
    moment: datetime = choice.getComponent().asDateTime
    return moment.astimezone(UTC)


def _ascii(host: str) -> str:
    try:
        return host.rstrip(".").lower().encode("idna").decode()
    except UnicodeError:
        return host
