"""`secure-chat completion`, and what a real bash makes of it; `--version`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_chat.cli import SUBCOMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.once


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_each_shell_has_a_script(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0, done.output
    assert f"_SECURE_CHAT_COMPLETE={shell}_complete" in done.output


def test_another_shell() -> None:
    done = CliRunner().invoke(main, ["completion", "tcsh"])
    assert done.exit_code == 2
    assert "bash" in done.output


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a program `secure-chat`, to be put into PATH."""
    path = tmp_path / "bin" / "secure-chat"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m secure_chat "$@"\n')
    path.chmod(0o755)
    return path.parent


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("co", {"completion", "connect"}),
        ("", set(SUBCOMMANDS)),
        ("user pa", {"passwd"}),
        ("connect --pass", {"--password-stdin"}),
        ("connect --lang ", {"en", "ru"}),
        ("trust ", {"list", "remove"}),
        ("completion z", {"zsh"}),
    ],
)
def test_bash_completes(program: Path, typed: str, expected: set[str]) -> None:
    words = ["secure-chat", *typed.split(" ")]
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f'eval "$(secure-chat completion bash)"; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; '
        '_secure_chat_completion secure-chat; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{program}:{os.environ['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert not done.stderr
    assert set(done.stdout.split()) == expected


def test_version(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "secure_chat", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r".*, version \d+\.\d+\.\d+\n", done.stdout)
