"""What the doctor says of a home: each thing broken for real, and nothing in it changed by looking."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from secure_chat.findings import Finding, Level
from secure_chat.server import doctor
from secure_chat.server.certificates import create
from secure_chat.server.doctor import examine_home, file_system_of
from secure_chat.server.home import Home, HomeLock
from tests.conftest import Start

Examine = Callable[..., list[Finding]]


def examine(home: Path, certs: Path | None = None, at: datetime | None = None) -> list[Finding]:
    """The findings; everything in the home is as before (but for the shared memory of a running server)."""
    before = snapshot(home)
    findings = list(examine_home(Home(home), certs or home / "certs", None, now=at or datetime.now(UTC)))
    assert snapshot(home) == before
    assert all(finding.remedy for finding in findings if finding.level is not Level.OK)
    text = repr(findings)
    if (home / "pepper").is_file():
        assert (home / "pepper").read_text(errors="replace").strip() not in text
    return findings


def snapshot(home: Path) -> dict[str, tuple[int, bytes]]:
    if not home.is_dir():
        return {}
    return {
        str(path.relative_to(home)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(home.rglob("*"))
        if not path.name.endswith("-shm")
    }


def only(findings: list[Finding], level: Level = Level.PROBLEM) -> Finding:
    (found,) = [finding for finding in findings if finding.level is not Level.OK]
    assert found.level is level
    return found


def statements(home: Path, sql: str) -> None:
    connection = apsw.Connection(str(home / "chat.db"))
    connection.execute(sql)
    connection.close()


def test_a_home_that_is_well(home: Path) -> None:
    findings = examine(home)
    assert {finding.level for finding in findings} <= {Level.OK, Level.WARNING}
    text = "\n".join(finding.text for finding in findings)
    for words in (
        "used by no server",
        "owner's alone",
        "are free",
        "config.toml is valid",
        "is sound",
        "is this database's",
    ):
        assert words in text
    assert "bcrypt_rounds" in only(findings, Level.WARNING).text


def test_a_home_that_is_served(home: Path, start: Start) -> None:
    server = start().wait_until_ready()
    findings = examine(home)
    assert f"used by process {server.server_id} (secure-chat serve)" in findings[0].text
    assert "is sound" in "\n".join(finding.text for finding in findings)
    server.kill()
    assert (home / "chat.db-wal").stat().st_size
    findings = examine(home)
    assert "used by no server" in findings[0].text
    assert "is sound" in "\n".join(finding.text for finding in findings)
    assert "temporary" not in repr(findings)


def test_a_lock_that_the_tool_holds(home: Path) -> None:
    lock = HomeLock(Home(home), purpose="secure-chat user")
    assert f"process {os.getpid()} (secure-chat user)" in examine(home)[0].text
    lock.release()
    (home / "lock").write_text(f"process {os.getpid()} (secure-chat serve)\n")
    assert "used by no server" in examine(home)[0].text


def test_no_home(tmp_path: Path) -> None:
    finding = only(examine(tmp_path / "nowhere"))
    assert "is not there" in finding.text
    assert "serve --home" in finding.remedy
    (tmp_path / "file").write_text("")
    assert "is no folder" in only(examine(tmp_path / "file")).text


def test_a_new_home(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    text = "\n".join(finding.text for finding in examine(tmp_path))
    assert text.count("the first start makes it") == 3


@pytest.mark.parametrize("name", ["pepper", "chat.db", "certs/server.key", "certs/ca.key"])
def test_secrets_that_others_may_read(home: Path, name: str) -> None:
    (home / "config.toml").unlink()
    (home / name).chmod(0o640)
    finding = only(examine(home))
    assert f"{home / name} (mode 0640)" in finding.text
    assert "chmod 600" in finding.remedy


@pytest.mark.parametrize("name", [".", "certs"])
def test_folders_that_others_may_write_into(home: Path, name: str) -> None:
    (home / "config.toml").unlink()
    (home / name).chmod(0o770)
    assert "chmod 700" in only(examine(home)).remedy


@pytest.mark.parametrize("name", [".", "certs"])
def test_folders_that_others_may_look_into(home: Path, name: str) -> None:
    (home / "config.toml").unlink()
    (home / name).chmod(0o755)
    assert "chmod 700" in only(examine(home), Level.WARNING).remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user(home: Path) -> None:
    (home / "config.toml").unlink()
    os.chown(home / "pepper", 12345, -1)
    finding = only(examine(home))
    assert "belongs to user 12345" in finding.text
    assert "chown 0" in finding.remedy


@pytest.mark.parametrize("closed", [".", ".."])
def test_another_user_sees_nothing(home: Path, closed: str) -> None:
    (home / "config.toml").unlink()
    before = (home / closed).stat().st_mode
    (home / closed).chmod(0o700)
    was = os.geteuid()
    os.seteuid(65_534 if was == 0 else was)
    try:
        findings = list(examine_home(Home(home), home / "certs", None, now=datetime.now(UTC)))
    finally:
        os.seteuid(was)
        (home / closed).chmod(before)
    if was == 0:
        assert "Run this as the server's user" in findings[-1].remedy
        assert findings[-1].level is Level.PROBLEM


@pytest.mark.parametrize(
    ("text", "words"),
    [("[server\n", "no valid TOML"), ("[server]\nport = 1\n", "unknown key"), ('[lobby]\nroom = "#"\n', "room")],
)
def test_a_configuration_that_is_wrong(home: Path, text: str, words: str) -> None:
    (home / "config.toml").write_text(text)
    assert words in only(examine(home)).text


@pytest.mark.parametrize(
    ("content", "words"), [(None, "is missing"), (b"rubbish", "is damaged"), (b"00" * 32, "not the pepper of this")]
)
def test_a_pepper_that_is_wrong(home: Path, content: bytes | None, words: str) -> None:
    (home / "config.toml").unlink()
    (home / "pepper").unlink()
    if content is not None:
        (home / "pepper").write_bytes(content)
        (home / "pepper").chmod(0o600)
    finding = only(examine(home))
    assert words in finding.text
    assert "backup" in finding.remedy


def test_a_database_with_a_damaged_page(home: Path) -> None:
    (home / "config.toml").unlink()
    data = bytearray((home / "chat.db").read_bytes())
    page = int.from_bytes(data[16:18])
    for number in range(2, len(data) // page):
        data[number * page : number * page + 100] = b"\xff" * 100
    (home / "chat.db").write_bytes(data)
    findings = [finding for finding in examine(home) if finding.level is Level.PROBLEM]
    assert "damaged" in findings[0].text or "cannot be read" in findings[0].text
    assert "backup" in findings[0].remedy


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("PRAGMA user_version=999", "newer Secure Chat (schema 999"),
        ("PRAGMA application_id=7", "not a database of Secure Chat"),
        ("PRAGMA foreign_keys=OFF; INSERT INTO login VALUES (42, 'x', 1)", "belong to nothing: login"),
    ],
)
def test_a_database_that_is_not_ours_any_more(home: Path, sql: str, words: str) -> None:
    (home / "config.toml").unlink()
    statements(home, sql)
    assert words in only(examine(home)).text


def test_a_database_that_is_none(home: Path) -> None:
    (home / "config.toml").unlink()
    (home / "chat.db").write_bytes(b"rubbish" * 1000)
    assert "chat.db" in only(examine(home)).text


def test_a_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").unlink()
    monkeypatch.setattr(doctor, "FREE_ENOUGH_BYTES", 2**60)
    assert "are free" in only(examine(home), Level.WARNING).text
    monkeypatch.setattr(doctor, "FREE_LEAST_BYTES", 2**60)
    assert "Make room" in only(examine(home)).remedy


def test_file_systems() -> None:
    mounts = (
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /srv/my\\040chat rw shared:1 - nfs4 nas:/x rw\nrubbish\n"
    )
    assert file_system_of(Path("/srv/my chat/home"), mounts) == "nfs4"
    assert file_system_of(Path("/srv/other"), mounts) == "ext4"
    assert file_system_of(Path("/srv/other"), "") == ""


def test_a_home_on_the_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").unlink()
    monkeypatch.setattr(doctor, "_mounts", lambda: "1 0 8:1 / / rw - nfs4 nas:/x rw\n")
    assert "network file system (nfs4)" in only(examine(home)).text


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100)
    home.mkdir(mode=0o700)
    assert "Unix socket" in only(examine(home)).text


@pytest.mark.parametrize(("limit", "level"), [(300, Level.PROBLEM), (380, Level.WARNING)])
def test_too_few_descriptors(home: Path, limit: int, level: Level) -> None:
    (home / "config.toml").unlink()
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]),) * 2)"
    program = f"import sys; {code}; from secure_chat.cli import main; main(sys.argv[1:3] + sys.argv[4:])"
    command = [sys.executable, "-c", program, "doctor", "--home", str(limit), str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{limit} files and connections" in done.stdout, done.stderr
    assert "LimitNOFILE=" in done.stdout
    assert done.returncode == (1 if level is Level.PROBLEM else 0)


def test_the_limit_of_the_server_counts(home: Path, start: Start) -> None:
    (home / "config.toml").unlink()
    server = start().wait_until_ready()
    resource.prlimit(server.server_id, resource.RLIMIT_NOFILE, (310, 310))
    assert "310 files" in only(examine(home)).text


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        (-2, Level.PROBLEM, "is valid only from"),
        (380, Level.WARNING, "ends soon"),
        (400, Level.PROBLEM, "expired on"),
    ],
)
def test_dates_of_the_certificate(home: Path, days: int, level: Level, words: str) -> None:
    (home / "config.toml").unlink()
    assert words in only(examine(home, at=datetime.now(UTC) + timedelta(days=days)), level).text


def test_a_certificate_and_another_key(home: Path, tmp_path: Path) -> None:
    (home / "config.toml").unlink()
    create(tmp_path / "other", now=datetime.now(UTC))
    (tmp_path / "other" / "server.key").replace(home / "certs" / "server.key")
    assert "is not the key of" in only(examine(home)).text
    (home / "certs" / "server.key").unlink()
    assert "cannot be read" in only(examine(home)).text


def test_a_certificate_of_another_computer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").unlink()
    monkeypatch.setattr(doctor, "machine_hosts", lambda: ["localhost", "elsewhere.example"])
    finding = only(examine(home), Level.WARNING)
    assert "is not for elsewhere.example" in finding.text
    assert "--host elsewhere.example" in finding.remedy


def test_a_public_address_that_the_certificate_does_not_have(home: Path) -> None:
    (home / "config.toml").write_text('[server]\npublic_address = "chat.example.org:7000"\n')
    finding = only(examine(home))
    assert "is not for chat.example.org." in finding.text
    assert "--host chat.example.org" in finding.remedy
