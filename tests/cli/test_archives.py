"""`secure-chat backup`, `restore` and `check`: options, refusals and what they tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from secure_chat.cli import archives, main
from secure_chat.server import sealing
from tests.server.said import UNINDEX, say_something, statements

PASSPHRASE = "purple monkeys dishwasher"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process goes on: it keeps its signals and its place among others."""
    monkeypatch.setattr(sealing, "SCRYPT_N", 2**10)
    for module in ("backup", "check", "restore"):
        monkeypatch.setattr(f"secure_chat.cli.{module}.end_cleanly", lambda: None)
    monkeypatch.setattr("secure_chat.server.precedence.go_second", lambda: None)


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert PASSPHRASE not in result.output
    return result


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    """A file with it."""
    (tmp_path / "passphrase").write_text(f"{PASSPHRASE}\r\nand nothing else\n")
    return tmp_path / "passphrase"


def test_without_a_terminal_the_pepper_stays_out(home: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "b.tar", tmp_path / "new"
    done = run("backup", file, "--home", home)
    assert done.exit_code == 0, done.output
    assert f"keep a copy of {home}/pepper elsewhere" in done.output
    assert f"secure-chat restore {file} --home DIR --pepper PEPPERFILE" in done.output
    assert "asks for the passphrase" not in done.output
    again = run("backup", file, "--home", home, "--no-passphrase")
    assert (again.exit_code, "nothing is overwritten" in again.output) == (1, True)
    refused = run("restore", file, "--home", new)
    assert (refused.exit_code, "--pepper FILE" in refused.output) == (1, True)
    done = run("restore", file, "--home", new, "--pepper", home / "pepper")
    assert done.exit_code == 0, done.output
    assert "trust remove HOST" in done.output
    assert f"secure-chat serve --home {new}" in done.output


def test_with_keys(home: Path, tmp_path: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "b.tar"
    done = run("backup", file, "--home", home, "--with-keys", "--passphrase-file", passphrase)
    assert done.exit_code == 0, done.output
    assert "keys           the certificates" in done.output
    no_terminal = run("restore", file, "--home", tmp_path / "new")
    assert (no_terminal.exit_code, "--passphrase-file" in no_terminal.output) == (2, True)
    done = run("restore", file, "--home", tmp_path / "new", "--passphrase-file", passphrase)
    assert "the old ones: nobody has to trust" in done.output
    monkeypatch.setenv("SECURE_CHAT_CERTS", str(tmp_path / "elsewhere"))
    done = run("restore", file, "--home", tmp_path / "new2", "--passphrase-file", passphrase)
    assert f"--certs {tmp_path}/new2/certs" in done.output
    done = run("restore", file, "--home", tmp_path / "new3", "--pepper", home / "pepper")
    assert f"those of {tmp_path}/elsewhere will be used" in done.output


def test_usage(home: Path, tmp_path: Path, passphrase: Path) -> None:
    file = tmp_path / "b.tar"
    for options, words in (
        (("--no-passphrase", "--with-keys"), "goes with neither"),
        (("--no-passphrase", "--passphrase-file", passphrase), "goes with neither"),
        (("--with-keys",), "under a passphrase only"),
    ):
        result = run("backup", file, "--home", home, *options)
        assert (result.exit_code, words in result.output) == (2, True), result.output
    file.write_text("")
    both = run("restore", file, "--home", home, "--pepper", passphrase, "--passphrase-file", passphrase)
    assert (both.exit_code, "not both" in both.output) == (2, True)
    assert run("backup", file, "--home", tmp_path / "nowhere").exit_code == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"short\n", "at least 12"),
        (b"\nsecond line\n", "is empty"),
        (b"x" * 2000, "is too long"),
        (b"\xff\n", "UTF-8"),
    ],
)
def test_passphrase_files_that_will_not_do(home: Path, passphrase: Path, content: bytes, words: str) -> None:
    passphrase.write_bytes(content)
    done = run("backup", passphrase.with_name("b.tar"), "--home", home, "--passphrase-file", passphrase)
    assert (done.exit_code, words in done.output) == (1, True), done.output


def test_a_configuration_that_is_wrong(home: Path, tmp_path: Path) -> None:
    (home / "config.toml").write_text("[server\n")
    run("backup", tmp_path / "b.tar", "--home", home)
    done = run("restore", tmp_path / "b.tar", "--home", tmp_path / "new", "--pepper", home / "pepper")
    assert "cannot be used as it is" in done.output


def test_check_and_mending(home: Path) -> None:
    say_something(home)
    (home / "config.toml").unlink()
    well = run("check", "--home", home)
    assert (well.exit_code, well.output.endswith("All is well.\n")) == (0, True), well.output
    statements(home, f"{UNINDEX} AND id = 1")
    bad = run("check", "--home", home)
    assert (bad.exit_code, "problem  1 messages" in bad.output) == (1, True), bad.output
    mended = run("check", "--home", home, "--mend-index")
    assert (mended.exit_code, "was made anew" in mended.output) == (0, True)
    assert run("check", "--home", home / "nowhere").exit_code == 1
    assert run("check", "--home", home / "nowhere", "--mend-index").exit_code == 1


def test_nothing_typed_is_no_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_arguments, **_options: "")
    assert archives.ask_new_passphrase() is None
