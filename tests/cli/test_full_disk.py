"""What is printed goes to a disk that is full: that is said, not traced."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.server_process import PROGRAM

FULL_DISK = (
    'cp -a "$0" "$0.whole" && mount -t tmpfs -o size=2m tmpfs "$0" && cp -a "$0.whole/." "$0"'
    ' && ! cat /dev/zero 2>/dev/null >"$0/rest" && exec "$@"'
)
"""Runs a command with the home on a disk without any room, which only it sees."""
pytestmark = pytest.mark.once


@pytest.mark.parametrize("arguments", [["--help"], ["user", "list"], ["backup", "{home}.backup"]])
def test_what_cannot_be_printed(home: Path, arguments: list[str]) -> None:
    command = [*PROGRAM, *(argument.format(home=home) for argument in arguments)]
    if len(arguments) > 1:
        command += ["--home", str(home)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: Could not write: No space left on device. What was done before stays done.\n"


@pytest.mark.parametrize("arguments", [["serve", "--listen", "127.0.0.1:0"], ["user", "list"]])
def test_a_home_on_a_full_disk(home: Path, arguments: list[str]) -> None:
    """Says which disk, and what to do."""
    alone = ("unshare", "--map-root-user", "--mount")
    tried = subprocess.run([*alone, "true"], check=False, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"mounting is not permitted here: {tried.stderr}")
    command = [*alone, "sh", "-c", FULL_DISK, str(home), *PROGRAM, *arguments, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    text = f"Nothing can be written to {home} (No space left on device); make room there, or mend the disk"
    assert (done.returncode, done.stderr) == (1, f"Error: {text}\n")
