"""What is printed goes to a disk that is full: that is said, not traced."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.server_process import PROGRAM

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
