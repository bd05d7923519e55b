"""The client as a process against a stub server: what scripts see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from secure_chat.client.outcome import ExitCode
from tests.client.stub_certificates import Certificate
from tests.client.stub_server import DEADLINE_SECONDS, PASSWORD, StubServer, environment


def connect(
    home: Path, *arguments: str, said: str = "", password: str = PASSWORD, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the client with a password and a script on its standard input, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "secure_chat", "connect", *arguments],
        input=f"{password}\n{said}",
        env={**environment(home), **variables},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def test_a_script_says_something_and_leaves(tmp_path: Path, ca: Certificate, server: StubServer) -> None:
    done = connect(
        tmp_path, f"ivan@localhost:{server.port}", "--ca", str(ca.pem), "--password-stdin", said="hello\n"
    )
    assert done.returncode == ExitCode.QUIT, done.stderr
    assert server.said() == ["#lobby hello"]
    assert done.stdout.count("<ivan> hello") == 1
    assert "Connected as ivan" in done.stderr
    assert server.lines[-1].command == "QUIT"


def test_a_wrong_password_is_refused(tmp_path: Path, ca: Certificate, server: StubServer) -> None:
    done = connect(
        tmp_path,
        f"ivan@localhost:{server.port}",
        "--ca",
        str(ca.pem),
        "--password-stdin",
        password="wrong password",
    )
    assert done.returncode == ExitCode.LOGIN_REFUSED
    assert "SASL authentication failed" in done.stderr
    assert "wrong password" not in done.stdout + done.stderr


def test_a_stranger_gets_not_one_byte(tmp_path: Path, leaf: Certificate, server: StubServer) -> None:
    done = connect(tmp_path, f"ivan@localhost:{server.port}", "--password-stdin", said="hello\n")
    assert done.returncode == ExitCode.NOT_TRUSTED
    assert "SHA256:" in done.stderr
    assert server.connections == 2
    assert not server.received
