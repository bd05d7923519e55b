"""`secure-chat certs` and `scripts/gen_certs.py`."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_chat.cli import main
from secure_chat.server.certificates import FILES, describe

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["certs", *map(str, arguments)])


def test_create_says_what_to_hand_to_whom(tmp_path: Path) -> None:
    out = tmp_path / "certs"
    done = run("create", "--out", out, "--host", "chat.example.org", "--days", "30")
    assert done.exit_code == 0, done.output
    made = describe(out)
    assert made.fingerprint in done.output
    assert f"{made.valid_until:%Y-%m-%d}" in done.output
    assert "chat.example.org" in done.output
    assert "Hand ca.pem or the fingerprint to the members" in done.output
    assert "nobody but the server" in done.output
    assert (made.valid_until - datetime.now(UTC)).days in {29, 30}


def test_no_overwriting(tmp_path: Path) -> None:
    run("create", "--out", tmp_path)
    before = describe(tmp_path)
    done = run("create", "--out", tmp_path)
    assert done.exit_code == 1
    assert "--force" in done.output
    assert len(done.output.splitlines()) == 1
    assert describe(tmp_path) == before
    assert run("create", "--out", tmp_path, "--force").exit_code == 0
    assert describe(tmp_path).fingerprint != before.fingerprint


def test_renew_and_show(tmp_path: Path) -> None:
    run("create", "--out", tmp_path, "--days", "10")
    before = describe(tmp_path)
    done = run("renew", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "same as before" in done.output
    assert before.fingerprint in run("show", "--out", tmp_path).output
    assert describe(tmp_path).valid_until > before.valid_until
    (tmp_path / "ca.pem").unlink()
    shown = run("show", "--out", tmp_path)
    assert "Hand the fingerprint to the members" in shown.output


@pytest.mark.parametrize("verb", ["renew", "show"])
def test_an_empty_folder_is_a_one_line_error(tmp_path: Path, verb: str) -> None:
    done = run(verb, "--out", tmp_path)
    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1
    assert "certs create" in done.output


def test_impossible_days_are_a_usage_error(tmp_path: Path) -> None:
    assert run("create", "--out", tmp_path, "--days", "398").exit_code == 2


def script(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts" / "gen_certs.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_the_script_makes_and_renews(tmp_path: Path) -> None:
    out = tmp_path / "certs"
    done = script("--out", out, "--host", "chat.example.org")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == set(FILES)
    fingerprint = describe(out).fingerprint
    assert script("--out", out).returncode == 1
    assert script("--out", out, "--force", "--renew").returncode == 2
    assert script("--out", out, "--renew", "--days", "20").returncode == 0
    assert describe(out).fingerprint == fingerprint
