"""`secure-chat connect`: its options, its help, and what is a usage error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from secure_chat.client.outcome import ExitCode
from tests.client.stub_server import DEADLINE_SECONDS, environment


def connect(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the client with an empty standard input."""
    return subprocess.run(
        [sys.executable, "-m", "secure_chat", "connect", *arguments],
        stdin=subprocess.DEVNULL,
        env={**environment(home), **variables},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("ivan@",),
        ("ivan@localhost",),
        ("localhost", "--password-stdin"),
        ("1van@localhost", "--password-stdin"),
        ("ivan@localhost:99999", "--password-stdin"),
        ("ivan@localhost", "--password-stdin", "--fingerprint", "rubbish"),
        ("ivan@localhost", "--password-stdin", "--ca", "not-there.pem"),
        ("ivan@localhost", "--lang", "tlh"),
    ],
)
def test_usage(tmp_path: Path, given: tuple[str, ...]) -> None:
    done = connect(tmp_path, *given)
    assert done.returncode == ExitCode.USAGE
    assert "Error:" in done.stderr


def test_help_in_the_language_of_the_locale(tmp_path: Path) -> None:
    english = connect(tmp_path, "--help")
    assert english.returncode == ExitCode.QUIT
    for option in ("--ca", "--fingerprint", "--password-stdin", "--plain", "--lang", "[NAME@]HOST[:PORT]"):
        assert option in english.stdout
    assert "Plain lines in, plain lines out" in english.stdout
    assert "Язык текстов" in connect(tmp_path, "--help", LANGUAGE="ru").stdout


def test_a_usage_error_in_the_language_asked_for(tmp_path: Path) -> None:
    done = connect(tmp_path, "--lang", "ru", "not a server")
    assert done.returncode == ExitCode.USAGE
    assert "не адрес сервера" in done.stderr


def test_the_client_loads_no_part_of_the_server(tmp_path: Path) -> None:
    program = (
        "import secure_chat.cli.connect, secure_chat.client.line_mode, secure_chat.client.plain_mode, sys\n"
        "ours = ('secure_chat.client', 'secure_chat.cli', 'secure_chat.protocol', 'secure_chat.errors')\n"
        "theirs = ('secure_chat.', 'apsw', 'bcrypt', 'cryptography', 'msgspec', 'zxcvbn')\n"
        "print([name for name in sys.modules if name.startswith(theirs) and not name.startswith(ours)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
