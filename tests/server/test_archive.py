"""Archives as somebody hostile makes them: each is refused, with the reason, and nothing is there afterwards."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.server import sealing
from secure_chat.server.archive import MANIFEST_BYTES, ArchiveReader, ArchiveUnusable
from tests.server.archiving import back_up, refused

pytestmark = pytest.mark.usefixtures("cheap_sealing")
FIRST = 512 + MANIFEST_BYTES
"""Where the header of chat.db begins."""
Change = Callable[[bytes], bytes]


def header(**fields: object) -> Change:
    """Exchanges the header of chat.db."""

    def exchange(data: bytes) -> bytes:
        info = tarfile.TarInfo("chat.db")
        for field, value in fields.items():
            setattr(info, field, value)
        return data[:FIRST] + info.tobuf(tarfile.GNU_FORMAT) + data[FIRST + 512 :]

    return exchange


def with_manifest(data: bytes, **changes: object) -> bytes:
    """The archive with another manifest."""
    manifest = json.loads(data[512 : 512 + MANIFEST_BYTES])
    for name, value in changes.items():
        manifest[name] = value
    return data[:512] + json.dumps(manifest).encode().ljust(MANIFEST_BYTES) + data[512 + MANIFEST_BYTES :]


def with_members(data: bytes, **changes: object) -> bytes:
    members = json.loads(data[512 : 512 + MANIFEST_BYTES])["members"]
    return with_manifest(data, members={**members, **changes})


HOSTILE: dict[str, tuple[Change, str]] = {
    "empty": (lambda data: b"", "was cut off"),
    "no tar": (lambda data: b"x" * len(data), "no backup of Secure Chat"),
    "compressed": (gzip.compress, "no backup of Secure Chat"),
    "cut off": (lambda data: data[:-1], "was cut off"),
    "longer": (lambda data: data + bytes(512), "more in it than its manifest"),
    "another end": (lambda data: data[:-1] + b"x", "its end is not"),
    "a flipped bit": (lambda data: data[: FIRST + 9000] + b"\xaa" + data[FIRST + 9001 :], "its digest is wrong"),
    "no manifest": (lambda data: data[FIRST:], "other members"),
    "a manifest that is none": (lambda data: data[:512] + b"{" * MANIFEST_BYTES + data[FIRST:], "cannot be read"),
    "a newer format": (lambda data: with_manifest(data, format=2, unheard="of"), "newer Secure Chat (format 2"),
    "another schema": (lambda data: with_manifest(data, schema=1), "not that of its database"),
    "an unknown field": (lambda data: with_manifest(data, more=1), "its manifest cannot be read"),
    "an unknown member": (
        lambda data: with_members(data, other={"size": 1, "sha256": ""}),
        "other things than a backup has",
    ),
    "no time": (lambda data: with_manifest(data, made="\x1b[2J all is well"), "its manifest cannot be read"),
    "no database": (lambda data: with_manifest(data, members={}), "other things than a backup has"),
    "a negative size": (
        lambda data: with_members(data, secrets={"size": -1, "sha256": ""}),
        "a size that cannot be",
    ),
    "a huge size": (
        lambda data: with_members(data, secrets={"size": 2**40, "sha256": ""}),
        "a size that cannot be",
    ),
    "a huge database": (
        lambda data: with_members(data, **{"chat.db": {"size": 2**70, "sha256": ""}}),
        "was cut off",
    ),
    "a link": (header(type=tarfile.SYMTYPE, linkname="/etc/passwd"), "no plain file"),
    "a hard link": (header(type=tarfile.LNKTYPE, linkname="pepper"), "no plain file"),
    "a device": (header(type=tarfile.CHRTYPE), "no plain file"),
    "an extension": (header(type=tarfile.XHDTYPE), "no plain file"),
    "a long name": (header(type=tarfile.GNUTYPE_LONGNAME), "no plain file"),
    "a sparse file": (header(type=tarfile.GNUTYPE_SPARSE), "no plain file"),
    "an absolute name": (header(name="/tmp/chat.db"), "other members"),
    "a name that climbs": (header(name="../chat.db"), "other members"),
    "another size": (header(size=5), "other members"),
}


@pytest.fixture(scope="module")
def good(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """A good archive."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "SCRYPT_N", 2**10)
        path = tmp_path_factory.mktemp("good") / "one.tar"
        back_up(template, path)
        yield path.read_bytes()


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives(good: bytes, target: Path, kind: str) -> None:
    change, words = HOSTILE[kind]
    target.write_bytes(change(good))
    refused(target, words)


def test_what_stands_behind_a_member(good: bytes, target: Path) -> None:
    size = json.loads(good[512:FIRST])["members"]["config.toml"]["size"]
    end = good.index(b"config.toml", FIRST) + 512 + size
    target.write_bytes(good[:end] + b"x" + good[end + 1 :])
    refused(target, "something behind config.toml")


def test_a_manifest_that_was_changed_with_its_members(good: bytes, target: Path) -> None:
    """Digests that are right for what was exchanged: the passphrase tells."""
    target.write_bytes(with_manifest(good, made="2020-01-01T00:00:00Z"))
    refused(target, "or the backup was changed")


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnusable, match="cannot be read"):
        ArchiveReader(tmp_path / "nowhere")
