"""Making a backup of a home, beside a running server or without one: see `archive` for its file.

The tool's process does all of it, as its own user: it reads the home's files and copies the database by itself (see
`storage.snapshot`), so a server is not even asked. What is written stands in a folder beside the target, named
`TARGET.incomplete-…`, until it is whole and on the disk; only then it gets its name.

Measured with a million messages (278 MB) on an SSD, the server on one of two cores, 100 posts a second: 10 s, the
posts' p99 2.0 to 2.8 ms before and 2.1 to 4.0 ms meanwhile, the WAL 30 MB afterwards.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

import apsw
import msgspec

from secure_chat.errors import SecureChatError
from secure_chat.protocol.message import Secret
from secure_chat.server.archive import CONFIG, DATABASE, FORMAT, SECRETS, ArchiveWriter, Manifest
from secure_chat.server.certificates import FILES
from secure_chat.server.home import Home
from secure_chat.server.passwords import load_or_create_pepper
from secure_chat.server.sealing import seal
from secure_chat.server.store_doctor import Store, examine_copy
from secure_chat.storage.database import wal_bytes
from secure_chat.storage.snapshot import copy_database

PEPPER = "pepper"
CERTS = "certs/"
"""Names in the sealed part: `pepper`, `certs/server.key` and so on."""
INCOMPLETE = ".incomplete-"
FILE_BYTES = 64 * 1024
"""The most for a configuration, a key or a certificate; five of them and the pepper are far below SMALL_BYTES."""
SPARE_BYTES = 16 * 1024 * 1024


class BackupFailed(SecureChatError):
    """No backup was made; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be backed up beside database and configuration: with a passphrase the pepper, if there is one,
    and with `keys` the files in `certs`.
    """

    config_file: Path
    certs: Path
    passphrase: Secret | None
    keys: bool


@dataclass(frozen=True, slots=True)
class Made:
    """What is in the backup. `sealed` names what is under the passphrase."""

    size_bytes: int
    manifest: Manifest
    accounts: int
    sealed: frozenset[str]


def make_backup(home: Home, target: Path, wanted: Wanted, *, now: datetime) -> Made:
    """Make the new file `target` (0600). Blocks; takes 10 to 40 s for each GB. Raises BackupFailed."""
    if not home.database.is_file():
        text = f"There is no server's home at {home.path}; name it with --home"
        raise BackupFailed(text)
    _require_free_name(target)
    try:
        _require_room(home, target)
        folder = Path(tempfile.mkdtemp(prefix=f"{target.name}{INCOMPLETE}", dir=target.parent))
        try:
            made = _make_in(folder, home, wanted, now)
            _install(folder / target.name, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, apsw.Error) as error:
        raise BackupFailed(_explained(error, home, target)) from error
    return made


def _make_in(folder: Path, home: Home, wanted: Wanted, now: datetime) -> Made:
    """Make the archive in `folder`, under the name that the folder was made for."""
    path = folder / folder.name.rpartition(INCOMPLETE)[0]
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w+b") as file:
        writer = ArchiveWriter(file)
        start = writer.begin()
        copy_database(home.database, path, start)
        store, bad = examine_copy(path, str(home.database), start)
        if bad is not None:
            text = f"{bad.text} {bad.remedy} (A backup of it could not be restored, so none was made.)"
            raise BackupFailed(text)
        secrets = _secrets(home, wanted, store)
        writer.take_in(DATABASE, start)
        if (config := _read_small(wanted.config_file)) is not None:
            writer.add(CONFIG, config)
        version, made = metadata.version("secure-chat"), f"{now:%Y-%m-%dT%H:%M:%SZ}"
        manifest = Manifest(FORMAT, version, store.schema, made, dict(writer.members))
        if wanted.passphrase is not None and secrets:
            writer.add(SECRETS, seal(msgspec.json.encode(secrets), wanted.passphrase, manifest.bound()))
        writer.finish(manifest)
    return Made(path.stat().st_size, manifest, store.accounts, frozenset(secrets))


def _secrets(home: Home, wanted: Wanted, store: Store) -> dict[str, bytes]:
    """What is to be sealed: nothing without a passphrase. Raises BackupFailed for a pepper of another database."""
    if wanted.passphrase is None:
        return {}
    found = {}
    if store.accounts or home.pepper.exists():
        try:
            pepper, _check = load_or_create_pepper(home.pepper, store.pepper_check, accounts_present=True)
        except SecureChatError as error:
            text = f"{error} (Without a passphrase, --no-passphrase, a backup without the pepper can be made.)"
            raise BackupFailed(text) from None
        found[PEPPER] = f"{pepper.hex()}\n".encode()
    if wanted.keys:
        files = {name: _read_small(wanted.certs / name) for name in FILES}
        found |= {CERTS + name: data for name, data in files.items() if data is not None}
        if len(found) == (PEPPER in found):
            text = f"There are no keys and certificates in {wanted.certs}; name their folder with --certs"
            raise BackupFailed(text)
    return found


def _read_small(path: Path) -> bytes | None:
    """The bytes of a file, None where there is none. Raises BackupFailed for one that is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(data) > FILE_BYTES:
        text = f"{path} is larger than {FILE_BYTES // 1024} KiB: that is no file of a home"
        raise BackupFailed(text)
    return data


def _require_free_name(target: Path) -> None:
    try:
        str(target).encode()
    except UnicodeEncodeError:
        text = f"{os.fsencode(target)!r} is not UTF-8: give the file another name"
        raise BackupFailed(text) from None
    if os.path.lexists(target):
        text = f"{target} is there already, and nothing is overwritten: name another file, or take that one away"
        raise BackupFailed(text)
    if not target.parent.is_dir():
        text = f"There is no folder {target.parent}"
        raise BackupFailed(text)


def _require_room(home: Home, target: Path) -> None:
    size = home.database.stat().st_size + wal_bytes(home.database)
    needed, free = size + SPARE_BYTES, shutil.disk_usage(target.parent).free
    if free < needed:
        text = f"A backup needs {needed // 2**20:,} MiB, and {free // 2**20:,} MiB are free in {target.parent}"
        raise BackupFailed(text)


def _install(made: Path, target: Path) -> None:
    """Give the finished file its name, unless somebody else took that meanwhile."""
    try:
        os.link(made, target)  # unlike a rename, it fails where there is such a file
    except FileExistsError:
        _require_free_name(target)
        raise
    except OSError:  # FAT and the like know no second name
        _require_free_name(target)
        made.rename(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk, as far as its file system has that. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _explained(error: OSError | apsw.Error, home: Home, target: Path) -> str:
    match error:
        case apsw.FullError() | OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return (
                f"The disk of {target.parent} became full; nothing was left behind. Make room, or name another one"
            )
        case apsw.NotADBError() | apsw.CorruptError():
            return f"{home.database} is no sound database ({error}). Look at it: secure-chat check"
        case apsw.Error():
            return (
                f"{home.database} cannot be copied to {target} ({error}). Run this as the server's user; otherwise"
                " one of the two disks may be failing, or the second takes no files as large"
            )
        case _:
            return f"{error.filename or target}: {error.strerror or error}. Nothing was left behind"
