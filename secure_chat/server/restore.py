"""Making a home out of a backup. Everything is verified before the home gets its name.

The work is done in a folder beside the home to be, named `HOME.incomplete-…`; a rename at the end makes it the
home, and fails where something is there. Whatever interrupts it, what is there is a whole home or none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from secure_chat.config import parse_config
from secure_chat.errors import ConfigError, SecureChatError
from secure_chat.protocol.message import Secret
from secure_chat.server.archive import CONFIG, DATABASE, SECRETS, ArchiveReader
from secure_chat.server.backup import CERTS, INCOMPLETE, PEPPER, sync_folder
from secure_chat.server.certificates import FILES
from secure_chat.server.passwords import load_or_create_pepper
from secure_chat.server.sealing import CannotUnseal, unseal
from secure_chat.server.store_doctor import Store, examine_copy

PEPPER_FILE_BYTES = 1024
KNOWN = frozenset({PEPPER, *(CERTS + name for name in FILES)})


class RestoreRefused(SecureChatError):
    """No home was made; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What the new home has. `config_error` says what is wrong with its configuration, "" if nothing is."""

    accounts: int
    pepper: bool
    keys: bool
    config_error: str


def require_free_place(place: Path) -> None:
    """Raises RestoreRefused where a home would overwrite something."""
    if place.is_dir() and not place.is_symlink():
        if not any(place.iterdir()):
            return
        what = "is not empty"
    elif not os.path.lexists(place):
        return
    else:
        what = "is there already, and no folder"
    text = f"{place} {what}, and nothing is overwritten: name another folder with --home, or move that one away"
    raise RestoreRefused(text)


def restore(archive: ArchiveReader, place: Path, passphrase: Secret | None, pepper_file: Path | None) -> Restored:
    """Make the home `place`. The pepper is that of the archive, opened by `passphrase`, or that of `pepper_file`.

    Blocks: some seconds for each GB. Raises RestoreRefused, ArchiveUnusable; then nothing is there.
    """
    try:
        require_free_place(place)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_room(archive, place)
        folder = Path(tempfile.mkdtemp(prefix=f"{place.name}{INCOMPLETE}", dir=place.parent))  # 0700
        try:
            restored = _make_in(folder, archive, passphrase, pepper_file)
            _sync(folder)
            require_free_place(place)
            folder.rename(place)  # onto nothing or an empty folder: the system refuses anything else
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        sync_folder(place.parent)
    except OSError as error:
        text = f"{error.filename or place}: {error.strerror or error}. Nothing was left behind"
        raise RestoreRefused(text) from error
    return restored


def _make_in(folder: Path, archive: ArchiveReader, passphrase: Secret | None, pepper_file: Path | None) -> Restored:
    small: dict[str, bytes] = {}
    for name, pieces in archive.members():
        if name == DATABASE:
            _write(folder / DATABASE, pieces)
        else:
            small[name] = b"".join(pieces)
    store, bad = examine_copy(folder / DATABASE, f"The database in {archive.path}")
    if bad is not None:
        text = f"{bad.text} {'' if bad.remedy.startswith('Stop') else bad.remedy} Take another backup"
        raise RestoreRefused(" ".join(text.split()))
    if store.schema != archive.manifest.schema:
        text = f"The manifest of {archive.path} is not that of its database"
        raise RestoreRefused(text)
    secrets = _secrets(archive, small.get(SECRETS), passphrase)
    if pepper_file is not None:
        secrets[PEPPER] = _read_pepper(pepper_file)
    for name, data in secrets.items():
        (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
        _write(folder / name, [data])
    _check_pepper(folder, store, archive)
    config_error = ""
    if CONFIG in small:
        _write(folder / CONFIG, [small[CONFIG]])
        config_error = _config_error(small[CONFIG])
    return Restored(
        store.accounts, PEPPER in secrets, any(name.startswith(CERTS) for name in secrets), config_error
    )


def _secrets(archive: ArchiveReader, sealed: bytes | None, passphrase: Secret | None) -> dict[str, bytes]:
    if sealed is None or passphrase is None:
        return {}
    try:
        plain = unseal(sealed, passphrase, archive.manifest.bound())
        found = msgspec.json.decode(plain, type=dict[str, bytes])
    except CannotUnseal as error:
        text = f"{archive.path} cannot be restored: {error}"
        raise RestoreRefused(text) from None
    except (msgspec.DecodeError, RecursionError):
        found = {"": b""}
    if not found.keys() <= KNOWN:
        text = f"What is under the passphrase in {archive.path} is not what a backup has"
        raise RestoreRefused(text) from None
    return found


def _read_pepper(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(PEPPER_FILE_BYTES)
    except OSError as error:
        text = f"{path} cannot be read ({error.strerror})"
        raise RestoreRefused(text) from error


def _check_pepper(folder: Path, store: Store, archive: ArchiveReader) -> None:
    """Whether the passwords can be verified: at the moment of restoring, not at the first login."""
    path = folder / PEPPER
    if not path.exists():
        if not store.accounts:
            return  # the first start makes one
        sealed = SECRETS in archive.manifest.members
        text = f"{archive.path} needs the pepper of its server: without it no password can be verified. Give "
        passphrase = "the passphrase, or " if sealed else ""
        raise RestoreRefused(f"{text}{passphrase}the file with --pepper FILE")
    try:
        load_or_create_pepper(path, store.pepper_check, accounts_present=bool(store.accounts))
    except ConfigError:
        text = f"The given pepper is not that of the database in {archive.path}, or damaged"
        raise RestoreRefused(f"{text}: no password would be right") from None


def _config_error(data: bytes) -> str:
    try:
        parse_config(data.decode(), CONFIG)
    except UnicodeDecodeError:
        return f"{CONFIG} is not UTF-8."
    except ConfigError as error:
        return str(error)
    return ""


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(handle)


def _sync(folder: Path) -> None:
    for inner in (*(path for path in folder.iterdir() if path.is_dir()), folder):
        sync_folder(inner)


def _require_room(archive: ArchiveReader, place: Path) -> None:
    needed = sum(member.size for member in archive.manifest.members.values())
    free = shutil.disk_usage(place.parent).free
    if free < needed:
        text = f"The home needs {needed // 2**20:,} MiB, and {free // 2**20:,} MiB are free in {place.parent}"
        raise RestoreRefused(text)
