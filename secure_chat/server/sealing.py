"""Secrets under a passphrase: scrypt and AES-256-GCM, for the backup's pepper and keys.

Each time a new salt is drawn, so each key is used once, and the nonce is drawn, too. Whoever has the sealed bytes
can only guess at the passphrase, at 128 MiB and a third of a second for each guess. The cost is that of the format:
it is not read from the file, so that a file cannot ask for all memory. Any thread.
"""

from __future__ import annotations

import secrets
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from secure_chat.errors import SecureChatError
from secure_chat.protocol.message import Secret

LABEL = b"secure-chat sealed 1\n"
SALT_BYTES, NONCE_BYTES, KEY_BYTES = 16, 12, 32
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**17, 8, 1
"""As OWASP advises (Password Storage Cheat Sheet, "scrypt")."""


class CannotUnseal(SecureChatError):
    """Another passphrase, or the bytes are not those that were sealed."""


def seal(plain: bytes, passphrase: Secret, bound: bytes) -> bytes:
    """`plain` encrypted, and authenticated together with `bound`, which has to be the same for `unseal`."""
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    header = LABEL + salt + nonce
    return header + AESGCM(_key(passphrase, salt)).encrypt(nonce, plain, header + bound)


def unseal(sealed: bytes, passphrase: Secret, bound: bytes) -> bytes:
    """What was sealed. Raises CannotUnseal."""
    header, cipher = (
        sealed[: len(LABEL) + SALT_BYTES + NONCE_BYTES],
        sealed[len(LABEL) + SALT_BYTES + NONCE_BYTES :],
    )
    salt, nonce = header[len(LABEL) : -NONCE_BYTES], header[-NONCE_BYTES:]
    if not header.startswith(LABEL) or len(salt) != SALT_BYTES:
        text = "what is under the passphrase is damaged"
        raise CannotUnseal(text)
    try:
        return AESGCM(_key(passphrase, salt)).decrypt(nonce, cipher, header + bound)
    except InvalidTag:
        text = "the passphrase is wrong, or the backup was changed after it was made"
        raise CannotUnseal(text) from None


def _key(passphrase: Secret, salt: bytes) -> bytes:
    text = unicodedata.normalize("NFC", passphrase.reveal()).encode("utf-8", "surrogatepass")
    return Scrypt(salt=salt, length=KEY_BYTES, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P).derive(text)
