"""What scripts/build makes: the same bytes each time, and a client in one file that needs nothing but Python."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Start
from tests.e2e.server_process import PASSWORD

ROOT = Path(__file__).resolve().parents[2]


def pythons() -> list[str]:
    """The supported Pythons of this machine; not those of an environment, which have packages."""
    found: list[str] = []
    places = [Path("/usr/bin"), Path("/usr/local/bin"), *Path.home().glob(".pyenv/versions/*/bin")]
    for version in ("3.11", "3.12", "3.13", "3.14"):
        found += [str(place / f"python{version}") for place in places if (place / f"python{version}").exists()][:1]
    return found or [sys.executable]


PYTHONS = pythons()
pytestmark = pytest.mark.once


@dataclass(frozen=True)
class Built:
    """The two files."""

    wheel: Path
    client: Path


def build(folder: Path) -> Built:
    done = subprocess.run(
        [ROOT / "scripts" / "build", "--out", folder], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    assert {path.name for path in folder.iterdir()} == {wheel.name, "secure-chat.pyz"}
    return Built(wheel, folder / "secure-chat.pyz")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("dist"))


def run(
    program: list[str], folder: Path, *arguments: str, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run it with nothing of this environment but a PATH for the system's own programs."""
    return subprocess.run(
        [*program, *arguments],
        input=stdin,
        env={"HOME": str(folder), "PATH": os.defpath, "LC_ALL": "C.UTF-8", **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def alone(python: str, client: Path) -> list[str]:
    """The client in one file, run by a Python that sees no package."""
    return [python, "-I", "-S", str(client)]


def test_two_builds_are_the_same(built: Built, tmp_path: Path) -> None:
    again = build(tmp_path / "again")
    assert again.client.read_bytes() == built.client.read_bytes()
    assert again.wheel.read_bytes() == built.wheel.read_bytes()


def test_the_wheel_has_what_is_read(built: Built) -> None:
    names = set(zipfile.ZipFile(built.wheel).namelist())
    assert "secure_chat/locale/ru/LC_MESSAGES/secure_chat.mo" in names
    assert "secure_chat/storage/schema/0001_begin.sql" in names
    assert not [name for name in names if name.startswith(("tests", "scripts")) or name.endswith(".pyc")]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_client_needs_only_python(built: Built, tmp_path: Path, python: str) -> None:
    program = alone(python, built.client)
    assert run(program, tmp_path, "--version").stdout.startswith("secure-chat.pyz, version ")
    shown = run(program, tmp_path, "connect", "--help", LC_ALL="", LANG="ru_RU.UTF-8", PYTHONUTF8="1")
    assert "Язык текстов" in shown.stdout, shown.stderr
    assert run(program, tmp_path, "trust", "list").returncode == 0
    assert "complete -o nosort" in run(program, tmp_path, "completion", "bash").stdout


@pytest.mark.parametrize("python", PYTHONS)
def test_the_client_chats(built: Built, start: Start, tmp_path: Path, python: str) -> None:
    server = start().wait_until_ready()
    where = ["connect", f"alice@localhost:{server.port}", "--fingerprint", server.fingerprint, "--password-stdin"]
    done = run(alone(python, built.client), tmp_path, *where, stdin=f"{PASSWORD}\nGood morning from one file\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "#lobby <alice> Good morning from one file" in done.stdout
    examined = run(alone(python, built.client), tmp_path, "doctor", f"localhost:{server.port}")
    assert "Its key is the one remembered" in examined.stdout, examined.stdout + examined.stderr


def test_the_client_at_a_terminal(built: Built, start: Start, tmp_path: Path) -> None:
    server = start().wait_until_ready()
    command, *rest = alone(PYTHONS[-1], built.client)
    variables = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path), "PROMPT_TOOLKIT_NO_CPR": "1"}
    where = ["connect", f"bob@localhost:{server.port}", "--fingerprint", server.fingerprint]
    client = pexpect.spawn(
        command, [*rest, *where], env={"PATH": os.defpath, **variables}, encoding="utf-8", timeout=30
    )
    try:
        client.expect_exact("Enter your password: ")
        client.sendline(PASSWORD)
        client.expect_exact("#lobby>")
        client.send("A line from the zip file\r")
        client.expect(r"bob(\x1b\[[0-9;]*m)?> A line from the zip file")
        client.send("/quit\r")
        client.expect(pexpect.EOF)
    finally:
        client.close(force=True)
    assert client.exitstatus == 0


@pytest.mark.parametrize(
    "arguments", [("serve",), ("user", "add", "alice"), ("certs", "--help"), ("doctor", "--home", ".")]
)
def test_the_commands_of_the_server_say_what_they_need(
    built: Built, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run(alone(PYTHONS[0], built.client), tmp_path, *arguments)
    assert done.returncode == 1
    assert "needs the server" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_installs(built: Built, tmp_path: Path) -> None:
    (parts,) = Path(sys.prefix).glob("client-*")
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(environment), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-compile", "--no-index", "--find-links", parts, built.wheel], check=True)
    program = [str(environment / "bin" / "secure-chat")]
    assert "Run the server." in run(program, tmp_path, "--help").stdout
    assert "--password-stdin" in run(program, tmp_path, "connect", "--help").stdout
    assert "needs the server" in run(program, tmp_path, "serve").stderr
