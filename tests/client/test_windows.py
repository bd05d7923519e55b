"""The client where only what every system has is there: a stand-in for Windows, as far as Linux can be one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from secure_chat.client.standard_input import StandardInput
from tests.client.stub_certificates import Certificate
from tests.client.stub_server import PASSWORD, StubServer, environment

WITHOUT_UNIX = """
import os, signal, sys
for name in ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGWINCH", "SIGUSR1", "pthread_sigmask", "sigwait"):
    delattr(signal, name)
for name in ("fchmod", "fork", "getpgid", "mkfifo"):
    delattr(os, name)
sys.platform, unix = "win32", sys.platform
import secure_chat.client.echo  # our only module that is another one on Windows
sys.platform = unix
"""
EVERYTHING = """
import importlib, pkgutil, secure_chat.client, secure_chat.protocol
for package in (secure_chat.client, secure_chat.protocol):
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
"""
PROGRAM = "from secure_chat.cli import main; main(sys.argv[1:])"


def run(folder: Path, code: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX + code, *arguments],
        input=stdin,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_all_of_the_client_can_be_imported(tmp_path: Path) -> None:
    done = run(tmp_path, EVERYTHING)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_script_chats(tmp_path: Path, server: StubServer, ca: Certificate) -> None:
    where = ["connect", f"ivan@localhost:{server.port}", "--ca", str(ca.pem), "--password-stdin"]
    done = run(tmp_path, PROGRAM, *where, stdin=f"{PASSWORD}\r\nДобрый день\r\n")
    assert done.returncode == 0, done.stderr
    assert server.said() == ["#lobby Добрый день"]


def test_commands_that_are_the_clients(tmp_path: Path) -> None:
    for arguments in (("--version",), ("--help",), ("trust", "list"), ("completion", "zsh"), ("doctor", "--help")):
        done = run(tmp_path, PROGRAM, *arguments)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["serve", "user", "certs"])
def test_commands_that_are_the_servers(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, PROGRAM, command)
    assert done.returncode == 1
    assert "runs on Linux" in done.stderr


def test_standard_input_by_lines() -> None:
    out, into = os.pipe()
    os.write(into, "one\r\nдва\n\nrest".encode())
    os.close(into)
    source = StandardInput(out)
    assert [source.read_line() for _ in range(5)] == ["one", "два", "", "rest", None]
    os.close(out)
    assert source.read_line() is None
