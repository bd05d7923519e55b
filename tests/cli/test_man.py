"""The manual page: of today's help, complete, and good roff."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from secure_chat.cli import SUBCOMMANDS
from secure_chat.client.outcome import ExitCode

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "secure-chat.1"


def test_it_is_up_to_date_in_any_locale() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate_man.py"), "--check"]
    done = subprocess.run(command, env={"LC_ALL": "ru_RU.UTF-8"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed (apt install groff)")
def test_groff_accepts_it_and_it_says_everything() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=200n", str(PAGE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout.replace("\N{HYPHEN}", "-")
    for name in SUBCOMMANDS:
        assert f"secure-chat {name}" in shown
    for words in (
        "--password-stdin",
        "secure-chat trust remove [OPTIONS] HOST[:PORT]",
        "--home DIRECTORY",
        "known-servers",
    ):
        assert words in shown, words
    status = shown.partition("EXIT STATUS")[2]
    assert all(f"\n       {code.value} " in status for code in ExitCode)
