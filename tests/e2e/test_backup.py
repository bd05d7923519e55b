"""Backup, restore and check as people use them: on a running server, at a terminal, and interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from tests.conftest import Start
from tests.e2e.guest import Guest
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import PROGRAM, ServerProcess, run_tool
from tests.e2e.waiting import wait_for

PASSPHRASE = "purple monkeys dishwasher"
POSTS = 1_500
pytestmark = pytest.mark.once


def posts(home: Path) -> list[str]:
    connection = apsw.Connection(str(home / "chat.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found = [row[0] for row in connection.execute("SELECT text FROM message WHERE kind = 'post' ORDER BY sequence")]
    connection.close()
    return found


def test_a_backup_of_a_running_server_is_a_server_again(start: Start, home: Path, tmp_path: Path) -> None:
    server = start().wait_until_ready()
    alice, bob = (log_in(server, name) for name in ("alice", "bob"))
    alice.send("PRIVMSG #lobby :the first")
    alice.expect("the first")
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")
    file, new = tmp_path / "backup.tar", tmp_path / "new"
    options = ("--home", str(home), "--with-keys", "--passphrase-file", str(passphrase))
    command = [*PROGRAM, "backup", str(file), *options]
    making = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sent = 0
    while making.poll() is None and sent < POSTS:
        for client in (alice, bob):
            client.send(f"PRIVMSG #lobby :post {sent}")
            sent += 1
        bob.expect(f":post {sent - 1}$")
    told, _ = making.communicate(timeout=20)
    assert making.returncode == 0, told
    assert "pepper         under the passphrase" in told
    assert PASSPHRASE not in told
    assert run_tool("check", "--home", str(home)).returncode == 0

    restored = run_tool("restore", str(file), "--home", str(new), "--passphrase-file", str(passphrase))
    assert restored.returncode == 0, restored.stderr
    checked = run_tool("check", "--home", str(new))
    assert checked.returncode == 0, checked.stdout
    kept = posts(new)
    assert kept[0] == "the first"
    assert kept == posts(home)[: len(kept)]
    again = run_tool("restore", str(file), "--home", str(new), "--passphrase-file", str(passphrase))
    assert (again.returncode, "nothing is overwritten" in again.stderr) == (1, True)

    other = ServerProcess(new)
    try:
        other.wait_until_ready()
        assert other.fingerprint == server.fingerprint
        again_alice = log_in(other, "alice")
        again_alice.send("CAP REQ :draft/chathistory")
        again_alice.send("CHATHISTORY AFTER #lobby timestamp=2020-01-01T00:00:00.000Z 10")
        again_alice.expect(":the first$")
    finally:
        assert other.stop() == 0


def test_at_a_terminal(home: Path, tmp_path: Path) -> None:
    """Asked for twice, not shown; without the keys a new certificate is made, and that is said."""
    file, new = tmp_path / "backup.tar", tmp_path / "new"
    owner = Guest(tmp_path / "owner", str(file), "--home", str(home), program=(*PROGRAM, "backup"))
    for typed, words in (
        ("short", "at least 12 characters"),
        (PASSPHRASE, "The same again"),
        ("something else", "two different ones"),
        (PASSPHRASE, "The same again"),
    ):
        owner.sees("Passphrase for the pepper" if typed != "something else" else ":")
        owner.terminal.sendline(typed)
        owner.sees(words)
    owner.terminal.sendline(PASSPHRASE)
    owner.sees("Keep it elsewhere")
    owner.close()
    assert PASSPHRASE not in owner.seen
    wrong, right = (
        Guest(tmp_path / "owner", str(file), "--home", str(new), program=(*PROGRAM, "restore")) for _ in range(2)
    )
    for guest, typed, words in ((wrong, "something else", "passphrase is wrong"), (right, PASSPHRASE, "Start it")):
        guest.sees("Passphrase of the backup")
        guest.terminal.sendline(typed)
        guest.sees(words)
        assert typed not in guest.seen
        guest.close()
    assert "trust remove" in right.seen
    assert (new / "pepper").read_bytes() == (home / "pepper").read_bytes()
    assert not (new / "certs").exists()


def test_a_signal_in_the_middle_leaves_nothing(home: Path, tmp_path: Path) -> None:
    stuck = (
        "import sys, threading; from secure_chat.server import backup; from secure_chat.cli import main\n"
        "def seal(*_):\n    print('sealing', flush=True); threading.Event().wait(50)\n"
        "backup.seal = seal; main(sys.argv[1:])"
    )
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    (tmp_path / "out").mkdir()
    file, passphrase = str(tmp_path / "out" / "b.tar"), str(tmp_path / "passphrase")
    command = [sys.executable, "-c", stuck, "backup", file, "--home", str(home), "--passphrase-file", passphrase]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "sealing\n"
    assert [path.name[:17] for path in (tmp_path / "out").iterdir()] == ["b.tar.incomplete-"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM
    process.stdout.close()
    wait_for(lambda: not list((tmp_path / "out").iterdir()))


def test_a_disk_that_takes_no_file_as_large(home: Path, tmp_path: Path) -> None:
    """It is named, and the server's own is not blamed."""
    file = tmp_path / "to" / "backup.tar"
    file.parent.mkdir()
    command = [*PROGRAM, "backup", str(file), "--no-passphrase", "--home", str(home)]
    limited = ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *command]
    refused = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"cannot be copied to {file} (disk I/O error)" in refused.stderr
    assert list(file.parent.iterdir()) == []
