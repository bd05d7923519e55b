"""The fingerprint of a server's public key, as people compare it."""

from __future__ import annotations

import base64
import binascii
import hashlib

from pyasn1.codec.der import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1_modules import rfc5280

from secure_chat.client.texts import _
from secure_chat.errors import TrustError

PREFIX = "SHA256:"


def fingerprint_of(certificate_der: bytes) -> str:
    """`SHA256:` and the unpadded base64 of the SHA-256 of the certificate's SubjectPublicKeyInfo.

    Raises TrustError for bytes that are no certificate.
    """
    try:
        certificate, rest = decoder.decode(certificate_der, asn1Spec=rfc5280.Certificate())
        key_info = encoder.encode(certificate["tbsCertificate"]["subjectPublicKeyInfo"])
    except (PyAsn1Error, KeyError, ValueError, TypeError) as error:
        raise TrustError(_("The server's certificate cannot be read.")) from error
    if rest:
        raise TrustError(_("The server's certificate cannot be read."))
    return PREFIX + base64.b64encode(hashlib.sha256(key_info).digest()).decode().rstrip("=")


def check_fingerprint(text: str) -> str:
    """The fingerprint as `fingerprint_of` writes it; spaces around it and `=` at its end are allowed.

    Raises ValueError with a text for the user.
    """
    text = text.strip().rstrip("=")
    digits = text.removeprefix(PREFIX)
    try:
        well_formed = text.startswith(PREFIX) and len(base64.b64decode(digits + "=", validate=True)) == 32
    except (binascii.Error, ValueError):
        well_formed = False
    if not well_formed:
        raise ValueError(_("“{text}” is not a fingerprint: it is SHA256: and 43 characters.").format(text=text))
    return PREFIX + digits
