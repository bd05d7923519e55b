"""Backups and homes made of them, in this process: what is in them, what is refused, and that nothing is left."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from secure_chat.errors import SecureChatError
from secure_chat.findings import Level
from secure_chat.protocol.message import Secret
from secure_chat.server import backup, sealing
from secure_chat.server.archive import MANIFEST_BYTES, ArchiveReader, ArchiveUnusable
from secure_chat.server.backup import BackupFailed, Made, Wanted, make_backup
from secure_chat.server.certificates import FILES
from secure_chat.server.doctor import examine_home
from secure_chat.server.home import Home
from secure_chat.server.restore import Restored, RestoreRefused, restore
from secure_chat.server.store_doctor import examine_copy
from tests.server.said import say_something, statements

PASSPHRASE = Secret("purple monkeys dishwasher")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real cost is paid in tests/e2e."""
    monkeypatch.setattr(sealing, "SCRYPT_N", 2**10)


@pytest.fixture
def talked(home: Path) -> Path:
    """A home in which something was said."""
    say_something(home)
    return home


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the backup goes: a folder of its own."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "one.tar"


def back_up(home: Path, target: Path, passphrase: Secret | None = PASSPHRASE, *, keys: bool = False) -> Made:
    place = Home(home)
    return make_backup(place, target, Wanted(place.config, place.certs, passphrase, keys), now=NOW)


def bring_back(
    file: Path, place: Path, passphrase: Secret | None = PASSPHRASE, pepper: Path | None = None
) -> Restored:
    archive = ArchiveReader(file)
    try:
        return restore(archive, place, passphrase, pepper)
    finally:
        archive.close()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(file: Path, words: str, **options: object) -> str:
    """Restoring is refused, with these words, and nothing is there afterwards."""
    place = file.parent / "new"
    before = files(file.parent)
    with pytest.raises((ArchiveUnusable, RestoreRefused)) as caught:
        bring_back(file, place, **options)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert files(file.parent) == before
    return str(caught.value)


def test_a_whole_home_comes_back(talked: Path, target: Path, tmp_path: Path) -> None:
    made = back_up(talked, target, keys=True)
    assert target.stat().st_mode & 0o777 == 0o600
    assert files(target.parent) == {"one.tar"}
    assert made.manifest.made == "2026-01-02T03:04:05Z"
    with tarfile.open(target) as tar:  # what any tar makes of it
        assert tar.getnames() == ["manifest.json", "chat.db", "config.toml", "secrets"]
    for secret in ((talked / "pepper").read_bytes().strip(), b"PRIVATE KEY"):
        assert secret not in target.read_bytes()
    place = tmp_path / "deep" / "new"
    restored = bring_back(target, place)
    assert (restored.accounts, restored.pepper, restored.keys, restored.config_error) == (5, True, True, "")
    kept = {"chat.db", "pepper", "config.toml", "certs", *(f"certs/{n}" for n in FILES)}
    assert files(place) == kept
    for name in kept - {"chat.db", "certs"}:
        assert (place / name).read_bytes() == (talked / name).read_bytes(), name
    assert {oct(path.stat().st_mode & 0o777) for path in (place, place / "certs")} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in place.rglob("*") if path.is_file()} == {"0o600"}
    findings = examine_home(Home(place), place / "certs", None, now=datetime.now(UTC), thorough=True)
    assert {finding.level for finding in findings} <= {Level.OK, Level.WARNING}
    texts = [row[0] for row in apsw.Connection(str(place / "chat.db")).execute("SELECT text FROM message")]
    assert "kettle number3" in texts


def test_without_a_passphrase_the_pepper_is_needed(talked: Path, target: Path, tmp_path: Path) -> None:
    made = back_up(talked, target, None)
    assert not made.sealed
    assert "--pepper FILE" in refused(target, "needs the pepper", passphrase=None)
    wrong = tmp_path / "pepper"
    wrong.write_text("00" * 32)
    refused(target, "not that of the database", pepper=wrong)
    refused(target, "cannot be read", pepper=tmp_path / "nowhere")
    assert bring_back(target, tmp_path / "new", None, talked / "pepper").pepper
    assert not (tmp_path / "new" / "certs").exists()


def test_who_lost_the_passphrase_has_the_pepper(talked: Path, target: Path, tmp_path: Path) -> None:
    back_up(talked, target, keys=True)
    assert "the passphrase, or" in refused(target, "needs the pepper", passphrase=None)
    restored = bring_back(target, tmp_path / "new", None, talked / "pepper")
    assert (restored.pepper, restored.keys) == (True, False)


def test_a_wrong_passphrase(talked: Path, target: Path) -> None:
    back_up(talked, target)
    text = refused(target, "the passphrase is wrong", passphrase=Secret("violet monkeys"))
    assert "violet" not in text


def test_two_backups_have_nothing_sealed_in_common(talked: Path, target: Path) -> None:
    sealed = []
    for name in ("a", "b"):
        back_up(talked, target.with_name(name))
        sealed.append(target.with_name(name).read_bytes().partition(sealing.LABEL)[2][:28])
    assert sealed[0][:16] != sealed[1][:16]
    assert sealed[0][16:] != sealed[1][16:]


def test_a_new_home_without_accounts_needs_no_pepper(tmp_path: Path, target: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    from secure_chat.storage.sqlite import SqliteStore

    SqliteStore(home.database).close()
    assert back_up(home.path, target).sealed == frozenset()
    assert bring_back(target, tmp_path / "new", None).accounts == 0


@pytest.mark.parametrize("what", ["file", "folder", "dangling link"])
def test_a_backup_overwrites_nothing(talked: Path, target: Path, what: str) -> None:
    if what == "file":
        target.write_text("mine")
    elif what == "folder":
        target.mkdir()
    else:
        target.symlink_to("nowhere")
    with pytest.raises(BackupFailed, match="nothing is overwritten"):
        back_up(talked, target)
    assert files(target.parent) == {"one.tar"}


def test_a_file_that_appears_meanwhile_is_kept(talked: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "seal", lambda *_: target.write_text("mine").to_bytes())
    with pytest.raises(BackupFailed, match="nothing is overwritten"):
        back_up(talked, target)
    assert target.read_text() == "mine"


def test_a_file_system_without_second_names(talked: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", link)
    back_up(talked, target)
    assert files(target.parent) == {"one.tar"}


def test_a_home_is_put_onto_nothing(talked: Path, target: Path) -> None:
    back_up(talked, target)
    place = target.parent / "new"
    place.mkdir()
    (place / "mine").write_text("mine")
    refused(target, "is not empty, and nothing is overwritten")
    (place / "mine").unlink()
    assert bring_back(target, place).accounts == 5
    assert place.stat().st_mode & 0o777 == 0o700
    (target.parent / "file").write_text("")
    for other in ("file", "link"):
        if other == "link":
            (target.parent / other).symlink_to("nowhere")
        with pytest.raises(RestoreRefused, match="no folder"):
            bring_back(target, target.parent / other)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, OSError(28, "No space left on device")])
def test_an_interruption_leaves_nothing(
    talked: Path, target: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    def interrupted(*_: object) -> None:
        raise stop

    back_up(talked, target)
    monkeypatch.setattr("secure_chat.server.restore._sync", interrupted)
    expected = RestoreRefused if isinstance(stop, OSError) else stop
    with pytest.raises(expected):  # type: ignore[arg-type]
        bring_back(target, target.parent / "new")
    assert files(target.parent) == {"one.tar"}
    target.unlink()
    monkeypatch.setattr(backup, "seal", interrupted)
    with pytest.raises(BackupFailed if isinstance(stop, OSError) else stop):  # type: ignore[arg-type]
        back_up(talked, target)
    assert files(target.parent) == set()


def test_no_room(talked: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    back_up(talked, target)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1}))
    refused(target, "MiB are free in")
    with pytest.raises(BackupFailed, match="MiB are free in"):
        back_up(talked, target.with_name("two"))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("PRAGMA user_version=999", "newer Secure Chat (schema 999"),
        ("PRAGMA application_id=1", "not a database of Secure Chat"),
        ("PRAGMA foreign_keys=OFF; INSERT INTO login VALUES (42, 'x', 1)", "belong to nothing"),
        ("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'login'", "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_restored(
    talked: Path, target: Path, monkeypatch: pytest.MonkeyPatch, sql: str, words: str
) -> None:
    statements(talked, sql)
    with pytest.raises(BackupFailed) as caught:
        back_up(talked, target)
    assert words in str(caught.value)
    assert files(target.parent) == set()
    real, sound = examine_copy, (None,)
    monkeypatch.setattr(
        backup, "examine_copy", lambda *values: (replace(real(*values)[0], pepper_check=None), *sound)
    )
    back_up(talked, target)
    refused(target, words)


def test_homes_that_cannot_be_backed_up(talked: Path, target: Path, tmp_path: Path) -> None:
    steps: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: (talked / "config.toml").write_text("#" * 100_000), "larger than 64 KiB"),
        (lambda: (talked / "certs").rename(tmp_path / "elsewhere"), "no keys and certificates"),
        (lambda: (talked / "pepper").write_text("00" * 32), "not the pepper of this database"),
        ((talked / "pepper").unlink, "is missing"),
        (lambda: (talked / "chat.db").write_bytes(b"rubbish" * 999), "database"),
        ((talked / "chat.db").unlink, "no server's home"),
    )
    for change, words in steps:
        change()
        with pytest.raises(BackupFailed) as caught:
            back_up(talked, target, keys=True)
        assert words in str(caught.value)
        (talked / "config.toml").write_text("")


def test_no_folder_for_the_backup(talked: Path, target: Path) -> None:
    with pytest.raises(BackupFailed, match="no folder"):
        back_up(talked, target / "deeper")


def test_a_configuration_that_is_wrong_is_restored_and_told(talked: Path, target: Path) -> None:
    (talked / "config.toml").write_text("[server\n")
    back_up(talked, target)
    assert "no valid TOML" in bring_back(target, target.parent / "new").config_error
    (talked / "config.toml").write_bytes(b"\xff")
    back_up(talked, target.with_name("two"))
    assert "UTF-8" in bring_back(target.with_name("two"), target.parent / "new2").config_error


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


@pytest.mark.parametrize(
    ("plain", "words"), [(b'{"../pepper": "AA=="}', "not what a backup has"), (b"[", "not what a backup has")]
)
def test_secrets_of_somebody_who_knows_the_passphrase(
    talked: Path, target: Path, monkeypatch: pytest.MonkeyPatch, plain: bytes, words: str
) -> None:
    real = sealing.seal
    monkeypatch.setattr(backup, "seal", lambda _plain, *rest: real(plain, *rest))
    back_up(talked, target)
    refused(target, words)


def test_sealed_bytes_that_are_none() -> None:
    for sealed in (b"", sealing.LABEL, b"x" * 100):
        with pytest.raises(sealing.CannotUnseal, match="damaged"):
            sealing.unseal(sealed, PASSPHRASE, b"")


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SecureChatError, match="cannot be read"):
        ArchiveReader(tmp_path / "nowhere")
