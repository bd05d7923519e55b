"""System calls of the running server that fail, or take long: by strace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.server_process import ServerProcess
from tests.e2e.waiting import wait_for

DETACH_SECONDS = 10.0


@contextmanager
def injecting(server: ServerProcess, trace: Path, calls: str, what: str) -> Iterator[None]:
    """Meanwhile this happens to these calls of every thread; both in strace's words."""
    command = ["strace", "-f", "-qq", "-o", str(trace), "-p", str(server.server_id), "-e", f"trace={calls}"]
    injector = subprocess.Popen([*command, "-e", f"inject={calls}:{what}"], stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: all_traced(server) or injector.poll() is not None)
        if injector.poll() is not None:
            assert injector.stderr is not None
            pytest.skip(f"strace may not attach here: {injector.stderr.read()}")
        yield
    finally:
        injector.terminate()
        injector.wait(DETACH_SECONDS)
        assert injector.stderr is not None
        injector.stderr.close()


def all_traced(server: ServerProcess) -> bool:
    """Whether every thread of the server is."""
    threads = Path(f"/proc/{server.server_id}/task").iterdir()
    return all("\nTracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads)
