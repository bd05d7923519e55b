"""`secure-chat doctor`: its output and exit codes, with a real server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.stub_server import environment
from tests.conftest import Start

pytestmark = pytest.mark.once


def doctor(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it with a HOME in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "secure_chat", "doctor", *arguments],
        env={**environment(folder), "XDG_DATA_HOME": str(folder / "data"), **variables},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_without_arguments_and_without_a_home(tmp_path: Path) -> None:
    done = doctor(tmp_path)
    assert done.returncode == 2
    assert "HOST[:PORT]" in done.stderr


def test_usage(tmp_path: Path) -> None:
    assert doctor(tmp_path, "not a server").returncode == 2
    assert doctor(tmp_path, "localhost", "--home", str(tmp_path)).returncode == 2
    assert doctor(tmp_path, "--ca", __file__).returncode == 2


def test_the_default_home(tmp_path: Path) -> None:
    (tmp_path / "data" / "secure-chat").mkdir(parents=True, mode=0o700)
    done = doctor(tmp_path, LANGUAGE="ru")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"ok       {tmp_path}/data/secure-chat is used by no server.\n")
    assert done.stdout.endswith("All is well.\n")


def test_a_home_with_a_problem(home: Path, tmp_path: Path) -> None:
    (home / "config.toml").unlink()
    (home / "pepper").chmod(0o644)
    done = doctor(tmp_path, "--home", str(home))
    assert done.returncode == 1
    assert "problem  Other users may use" in done.stdout
    assert f"What to do:\n- Other users may use {home}/pepper (mode 0644).\n  Close it: chmod 600" in done.stdout
    assert not done.stderr


def test_a_real_server_as_seen_from_outside(start: Start, tmp_path: Path) -> None:
    server = start().wait_until_ready()
    done = doctor(tmp_path, f"127.0.0.1:{server.port}", "--ca", str(server.ca))
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.fingerprint in done.stdout
    assert "SASL PLAIN" in done.stdout
    assert done.stdout.endswith("All is well.\n")
    assert (
        "Всё в порядке"
        in doctor(tmp_path, f"127.0.0.1:{server.port}", "--ca", str(server.ca), LANGUAGE="ru").stdout
    )


def test_the_script_of_the_checkout() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "secure-chat"
    done = subprocess.run([script, "doctor", "127.0.0.1:1"], cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, "127.0.0.1:1" in done.stdout) == (1, True), done.stderr


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    done = doctor(tmp_path, "127.0.0.1:1")
    assert done.returncode == 1
    assert "nobody listens" in done.stdout
    assert "doctor --home" in done.stdout
