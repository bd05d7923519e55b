"""Passwords: how they are stored and checked (design §6). No thread of its own: see `password_pool`.

bcrypt looks at 72 bytes at most and trips over NUL, so it gets base64(HMAC-SHA-384(pepper, password)): always
64 printable bytes. The pepper is in a file beside the database: a stolen database alone cannot be guessed at.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import unicodedata
from contextlib import suppress
from pathlib import Path

import bcrypt

from secure_chat.errors import ConfigError, StorageError

VERSION = "v1$"
PEPPER_BYTES = 32
CHECK_LABEL = b"secure-chat pepper check v1"


class Hasher:
    """Hashes and verifies passwords. Immutable: any thread; each call takes the time of one bcrypt hash."""

    def __init__(self, pepper: bytes, rounds: int) -> None:
        """`rounds` is bcrypt's cost, 4 to 31: each step doubles the time (12: about 0.26 s)."""
        self._pepper = pepper
        self._rounds = rounds

    def hash(self, password: str) -> str:
        """The text to store: a version prefix, then bcrypt's own text with its salt and cost."""
        return VERSION + bcrypt.hashpw(self._prehash(password), bcrypt.gensalt(self._rounds)).decode()

    def verify(self, password: str, stored: str) -> bool:
        """Whether `password` is the one `stored` was made from. Raises StorageError where `stored` is no hash."""
        try:
            return bcrypt.checkpw(self._prehash(password), _bcrypt_part(stored).encode())
        except ValueError as error:
            raise _unreadable() from error

    def verify_dummy(self, password: str, stored_rounds: int | None = None) -> None:
        """Take as long as `verify` does, for an unknown name: who asks must not learn which names exist.

        `stored_rounds` is the cost most accounts are stored with, where it is not that of new hashes.
        """
        salt = bcrypt.gensalt(stored_rounds or self._rounds)
        bcrypt.checkpw(self._prehash(password), salt + b"." * 31)

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with another cost or version. Raises StorageError where it is no hash."""
        return not stored.startswith(VERSION) or stored_rounds(stored) != self._rounds

    def _prehash(self, password: str) -> bytes:
        normal = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
        return base64.b64encode(hmac.digest(self._pepper, normal, hashlib.sha384))


def stored_rounds(stored: str) -> int:
    """The cost `stored` was made with. Raises StorageError where it is no hash of ours."""
    try:
        return int(_bcrypt_part(stored).split("$")[2])
    except (IndexError, ValueError) as error:
        raise _unreadable() from error


def load_or_create_pepper(path: Path, check_value: str | None, accounts_present: bool) -> tuple[bytes, str]:
    """The pepper in the file `path` and the check value to keep in the database. At the start only.

    Makes the file (0600) where there is none and no account needs the old one. `check_value` is what the database
    holds, None if nothing. Raises ConfigError where the pepper is unreadable, or missing or another than that
    the accounts' passwords were hashed with.
    """
    try:
        pepper = bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError as error:
        if accounts_present:
            text = f"{path} is missing, and without it no password can be verified. Restore it from a backup."
            raise ConfigError(text) from error
        pepper = _create_pepper(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}). Let only the server's user read it."
        ) from error
    except ValueError:
        pepper = b""
    if len(pepper) != PEPPER_BYTES:
        text = f"{path} is damaged: it must hold {PEPPER_BYTES * 2} hexadecimal digits. Restore it from a backup"
        raise ConfigError(text + ("." if accounts_present else ", or delete it: there are no accounts yet."))
    value = hmac.digest(pepper, CHECK_LABEL, hashlib.sha256).hex()
    if accounts_present and check_value is not None and not hmac.compare_digest(value, check_value):
        text = f"{path} is not the pepper of this database: no password would be right. Restore the one from the "
        raise ConfigError(text + "same backup as the database.")
    return pepper, value


def _bcrypt_part(stored: str) -> str:
    if not stored.startswith(VERSION):
        raise _unreadable()
    return stored.removeprefix(VERSION)


def _unreadable() -> StorageError:
    text = "The stored password of this account cannot be read. Ask an administrator to set a new one."
    return StorageError(text)


def _create_pepper(path: Path) -> bytes:
    pepper = secrets.token_bytes(PEPPER_BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(pepper.hex() + "\n")
                file.flush()
                os.fsync(handle)
            _sync_directory(path.parent)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise
    except OSError as error:
        text = f"{path} cannot be made ({error.strerror}). Give the server's user a home it can write to."
        raise ConfigError(text) from error
    return pepper


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
