"""What the README says is so."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
GROUPS = "user|certs|trust|completion|invite|device"
PLAIN = "serve|connect|doctor|invite|audit"
pytestmark = pytest.mark.once


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed (apt install tmux)")
def test_the_transcript_is_what_the_program_shows() -> None:
    command = [sys.executable, "scripts/transcript.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([\w/.]+)\)", README))))
def test_files_it_links_to_are_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "command",
    sorted(set(re.findall(rf"secure-chat ((?:{GROUPS}) [a-z]+|{PLAIN})", README))),
)
def test_commands_it_names_are_there(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "secure_chat", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", sorted(set(re.findall(r"scripts/([\w-]+)", README))))
def test_scripts_it_names_are_there_and_run(script: str) -> None:
    assert any(path.exists() for path in (ROOT / "scripts" / script, ROOT / "scripts" / f"{script}.py"))
