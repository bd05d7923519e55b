"""The file of a backup: a plain tar whose first member, `manifest.json`, says what else is in it.

Anybody may hand an archive to a server's owner, so it is read as hostile input: it has to be of exactly the
form that `ArchiveWriter` gives it. Each member's header is one block, read by itself (the extensions of tar, links,
devices and everything but plain files are refused), names are compared with those we know and never used as paths,
and all sizes together have to be the size of the file. What does not fit is refused before anything is written.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from secure_chat.errors import SecureChatError

FORMAT = 1
MANIFEST, DATABASE, CONFIG, SECRETS = "manifest.json", "chat.db", "config.toml", "secrets"
MANIFEST_BYTES = 4_096
"""The manifest is filled up with spaces to this size: it is written last, when the digests are known."""
SMALL_BYTES = 1024 * 1024
"""The most for a member that is read into memory."""
BLOCK_BYTES = tarfile.BLOCKSIZE
END_BYTES = 2 * BLOCK_BYTES
PIECE_BYTES = 1024 * 1024


class ArchiveUnusable(SecureChatError):
    """The file is no backup that this program can restore; the text says why."""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the manifest says of a member: its size in bytes, and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`schema` is the version of the database, `made` the time of the backup (ISO 8601, UTC)."""

    format: int
    program: str
    schema: int
    made: Annotated[str, msgspec.Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]
    members: dict[str, Member]

    def bound(self) -> bytes:
        """All that it says, but of the secrets themselves: they are sealed together with this."""
        members = {name: member for name, member in self.members.items() if name != SECRETS}
        return msgspec.json.encode(msgspec.structs.replace(self, members=members), order="sorted")


class _Format(msgspec.Struct):
    format: int


class ArchiveWriter:
    """Writes an archive into `file`, which is empty and open for reading, too. One thread. Raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.members: dict[str, Member] = {}
        file.write(bytes(BLOCK_BYTES + MANIFEST_BYTES))

    def begin(self) -> int:
        """Where the contents of the next member begin: somebody else may write them there now, see `take_in`."""
        self._file.write(bytes(BLOCK_BYTES))
        self._file.flush()
        return self._file.tell()

    def take_in(self, name: str, start: int) -> None:
        """Make what was written from `start` to the end of the file the member `name`."""
        self._file.seek(start)
        digest = hashlib.sha256()
        size = 0
        while piece := self._file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
        self._file.write(bytes(-size % BLOCK_BYTES))
        end = self._file.tell()
        self._file.seek(start - BLOCK_BYTES)
        self._file.write(_header(name, size))
        self._file.seek(end)
        self.members[name] = Member(size, digest.hexdigest())

    def add(self, name: str, data: bytes) -> None:
        """Add `data` as the member `name`."""
        start = self.begin()
        self._file.write(data)
        self.take_in(name, start)

    def finish(self, manifest: Manifest) -> None:
        """Write the end and the manifest, with all that was added, and sync it all."""
        self._file.write(bytes(END_BYTES))
        self._file.seek(0)
        self._file.write(_header(MANIFEST, MANIFEST_BYTES))
        whole = msgspec.structs.replace(manifest, members=self.members)
        self._file.write(msgspec.json.encode(whole).ljust(MANIFEST_BYTES))
        self._file.flush()
        os.fsync(self._file.fileno())


class ArchiveReader:
    """An archive that is open for reading. `manifest` was checked against the file's form, not yet its contents."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises ArchiveUnusable."""
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            text = f"{path} cannot be read ({error.strerror})."
            raise ArchiveUnusable(text) from error
        try:
            self.manifest = self._read_manifest()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def members(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Name and contents of each member, in their order; the contents are in pieces, to be read to their end,
        where they are compared with the digest. Raises ArchiveUnusable.
        """
        for name, member in self.manifest.members.items():
            self._read_header(name, member.size)
            yield name, self._contents(name, member)
        if self._read(END_BYTES).strip(b"\0"):
            raise self._unusable("its end is not that of a backup")

    def _contents(self, name: str, member: Member) -> Iterator[bytes]:
        digest = hashlib.sha256()
        left = member.size
        while left:
            piece = self._read(min(left, PIECE_BYTES))
            digest.update(piece)
            left -= len(piece)
            yield piece
        if self._read(-member.size % BLOCK_BYTES).strip(b"\0"):
            raise self._unusable(f"there is something behind {name}")
        if digest.hexdigest() != member.sha256:
            raise self._unusable(f"{name} is not what was backed up (its digest is wrong)")

    def _read_manifest(self) -> Manifest:
        self._read_header(MANIFEST, MANIFEST_BYTES)
        data = self._read(MANIFEST_BYTES)
        try:
            version = msgspec.json.decode(data, type=_Format).format
            if version > FORMAT:
                raise self._unusable(
                    f"it was made by a newer Secure Chat (format {version}, this program knows {FORMAT}). "
                    "Update the program"
                )
            manifest = msgspec.json.decode(data, type=Manifest)
        except (ValueError, RecursionError):
            raise self._unusable("its manifest cannot be read") from None
        self._check_sizes(manifest.members)
        return manifest

    def _check_sizes(self, members: Mapping[str, Member]) -> None:
        if DATABASE not in members or not set(members) <= {DATABASE, CONFIG, SECRETS}:
            raise self._unusable("its manifest names other things than a backup has")
        if any(
            member.size < 0 or (member.size > SMALL_BYTES and name != DATABASE) for name, member in members.items()
        ):
            raise self._unusable("its manifest has a size that cannot be")
        said = BLOCK_BYTES + MANIFEST_BYTES + END_BYTES
        said += sum(BLOCK_BYTES + member.size + -member.size % BLOCK_BYTES for member in members.values())
        size = os.fstat(self._file.fileno()).st_size
        if size != said:
            what = "it was cut off" if size < said else "there is more in it than its manifest says"
            raise self._unusable(f"{what} ({size:,} bytes in place of {said:,})")

    def _read_header(self, name: str, size: int) -> None:
        """Only the header that we would write for that member is taken."""
        try:
            found = tarfile.TarInfo.frombuf(self._read(BLOCK_BYTES), "ascii", "strict")
        except (tarfile.HeaderError, ValueError):
            raise self._unusable("it is no backup of Secure Chat, or damaged") from None
        if found.type != tarfile.REGTYPE or found.linkname:
            raise self._unusable("it has a member that is no plain file")
        if (found.name, found.size) != (name, size):
            raise self._unusable("it has other members than its manifest says")

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise self._unusable(f"it cannot be read ({error.strerror})") from error
        if len(data) != size:
            raise self._unusable("it was cut off")
        return data

    def _unusable(self, reason: str) -> ArchiveUnusable:
        return ArchiveUnusable(f"{self.path} cannot be restored: {reason}.")


def _header(name: str, size: int) -> bytes:
    """The one block of a plain file that its owner may read; sizes above 8 GiB in the way of GNU tar."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")
