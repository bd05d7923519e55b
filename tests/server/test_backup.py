"""Backups and homes made of them, in this process: what is in them, what is refused, and that nothing is left."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from secure_chat.findings import Level
from secure_chat.protocol.message import Secret
from secure_chat.server import backup, sealing
from secure_chat.server.backup import BackupFailed
from secure_chat.server.certificates import FILES
from secure_chat.server.doctor import examine_home
from secure_chat.server.home import Home
from secure_chat.server.restore import RestoreRefused
from secure_chat.server.store_doctor import examine_copy
from tests.server.archiving import PASSPHRASE, back_up, bring_back, files, refused
from tests.server.said import say_something, statements

pytestmark = pytest.mark.usefixtures("cheap_sealing")


@pytest.fixture
def talked(home: Path) -> Path:
    """A home in which something was said."""
    say_something(home)
    return home


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


def test_after_a_crash(talked: Path, target: Path) -> None:
    """What was said last is in the WAL, and nobody has it open."""
    writer = apsw.Connection(str(talked / "chat.db"))
    writer.execute("PRAGMA wal_autocheckpoint=0; UPDATE message SET text = 'said last' WHERE id = 1").fetchall()
    crashed = target.parent / "crashed"
    crashed.mkdir()
    for name in ("chat.db", "chat.db-wal", "pepper"):
        shutil.copy(talked / name, crashed)
    writer.close()
    back_up(crashed, target)
    bring_back(target, target.parent / "new")
    assert (target.parent / "new" / "chat.db").read_bytes().count(b"said last") == 1


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


def test_a_folder_that_is_a_link(talked: Path, target: Path) -> None:
    """As /backup on another disk often is."""
    (target.parent / "real").mkdir()
    (target.parent / "link").symlink_to("real")
    back_up(talked, target.parent / "link" / "one.tar")
    assert files(target.parent) == {"real", "real/one.tar", "link"}


def test_a_name_that_is_not_utf_8(talked: Path, target: Path) -> None:
    with pytest.raises(BackupFailed, match=r"xff.*give the file another name"):
        back_up(talked, target.with_name("\udcff.tar"))


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
        ("CREATE TRIGGER evil AFTER INSERT ON audit BEGIN DELETE FROM ban; END", "it differs in: trigger evil"),
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
