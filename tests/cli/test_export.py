"""`secure-chat export`: its forms, its files, that it is on record; beside a running server, and without one."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from secure_chat.client.format import harmless
from tests.conftest import Start
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import PROGRAM, run_tool
from tests.e2e.server_process import ServerProcess as Server

pytestmark = pytest.mark.once
SAID = "чай \x1b[31mготов"


def talk(server: Server) -> None:
    """Alice and Bob, in a room and in private; Alice would like to colour the owner's terminal."""
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    bob.send("JOIN #tea")
    bob.barrier()
    alice.send("JOIN #tea", f"PRIVMSG #tea :{SAID}", "NOTICE #tea :soon", "PRIVMSG bob :psst")
    alice.barrier()
    alice.send("PART #tea :tired")
    alice.barrier()


def test_beside_a_server_and_without(start: Start, home: Path) -> None:
    """The same both times."""
    server = start().wait_until_ready()
    talk(server)
    beside = [run_tool("export", "#TEA", "--home", str(home), *more) for more in ((), ("--format", "jsonl"))]
    assert server.stop() == 0
    alone = [run_tool("export", "#TEA", "--home", str(home), *more) for more in ((), ("--format", "jsonl"))]
    assert [done.stdout for done in beside] == [done.stdout for done in alone]
    assert {(done.returncode, done.stderr) for done in (*beside, *alone)} == {(0, "")}
    text, lines = beside[0].stdout.splitlines(), [json.loads(line) for line in beside[1].stdout.splitlines()]
    assert [line[20:] for line in text] == [
        "#tea * bob join",
        "#tea * alice join",
        "#tea <alice> " + harmless(SAID),
        "#tea -alice- soon",
        "#tea * alice part tired",
    ]
    assert "\x1b" not in beside[0].stdout
    assert [(one["room"], one["from"], one["kind"]) for one in lines] == [
        ("#tea", "bob", "join"),
        ("#tea", "alice", "join"),
        ("#tea", "alice", "post"),
        ("#tea", "alice", "notice"),
        ("#tea", "alice", "part"),
    ]
    assert lines[2]["text"] == SAID
    assert all(one["time"].endswith("Z") and one["msgid"] for one in lines)
    assert "the command line: export #tea" in run_tool("audit", "--home", str(home)).stdout
    assert sorted(file.name for file in home.glob("chat.db*")) == ["chat.db"]


def test_a_file_of_its_own(start: Start, home: Path, tmp_path: Path) -> None:
    """Made, for the owner alone; never written over; not left behind where nothing comes of it."""
    talk(start().wait_until_ready())
    out = tmp_path / "bob.jsonl"
    arguments = ("--home", str(home), "--format", "jsonl", "--out", str(out))
    assert run_tool("export", "Bob", *arguments).returncode == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    private = [one for one in map(json.loads, out.read_text().splitlines()) if "to" in one]
    assert [(one["from"], one["to"], one["text"]) for one in private] == [("alice", "bob", "psst")]
    again = run_tool("export", "bob", *arguments)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    assert out.stat().st_size
    out.unlink()
    for target, text in (("#nothing", "There is no room #nothing"), ("nobody", "There is no account nobody")):
        refused = run_tool("export", target, *arguments)
        assert (refused.returncode, text in refused.stderr) == (1, True)
        assert not out.exists()


def test_who_reads_may_stop_reading(start: Start, home: Path) -> None:
    """A pipe that ends early is no reason to complain."""
    server = start().wait_until_ready()
    alice = log_in(server, "alice")
    for number in range(30):
        alice.send(*(f"PRIVMSG #lobby :{number} {'x' * 400}" for _ in range(10)))
        alice.barrier()
    command = (*PROGRAM, "export", "#lobby", "--home", str(home))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"#lobby" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
