"""config.toml: defaults, bounds and texts of errors; and its document."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat import config as module
from secure_chat.config import Config, load_config, parse_config, settings
from secure_chat.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
ALL_SECTIONS = "[server], [lobby], [registration], [passwords], [presence], [rooms], [history], [limits], [log]"


def error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "config.toml")
    return str(caught.value)


def test_an_empty_file_is_the_defaults_of_the_design() -> None:
    found = parse_config("", "config.toml")
    assert found == Config() == load_config(None)
    assert (found.lobby.room, found.lobby.quiet_members) == ("#lobby", 200)
    assert found.registration.mode == "invite"
    assert (found.passwords.bcrypt_rounds, found.passwords.minimum_characters) == (12, 8)
    assert found.presence.grace_seconds == 15
    assert (found.rooms.create, found.rooms.rooms_per_account) == ("everyone", 50)
    assert found.limits.exempt_networks == ("127.0.0.0/8", "::1/128")
    assert found.limits.pending_bytes == 1 << 20
    assert (found.log.messages, found.log.format, found.log.level) == (False, "text", "info")
    assert found.warnings() == []


def test_values_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[server]\nname = "chat.example.org"\nmotd = "Привет\\nпока"\n'
        '[lobby]\nroom = ""\n[presence]\ngrace_seconds = 0\n'
    )
    found = load_config(path)
    assert found.server.motd == "Привет\nпока"
    assert found.server.source_host == "chat.example.org"
    assert parse_config('[server]\nhost = "member"', "f").server.source_host == "member"
    assert found.lobby.room == ""
    assert found.presence.grace_seconds == 0


def test_only_the_default_file_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert load_config(path, must_exist=False) == Config()
    with pytest.raises(ConfigError, match=r"config\.toml does not exist"):
        load_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, must_exist=False)
    path.write_bytes(b'[server]\nmotd = "\xff"')
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[pasword]", "config.toml: [pasword]: found an unknown section, did you mean [passwords]?"),
        ("[zzz]", f"config.toml: [zzz]: found an unknown section, allowed: {ALL_SECTIONS}"),
        ("[lobby]\nrom = 1", "config.toml: [lobby] rom: found an unknown key, did you mean room?"),
        ("[rooms]\nx = 1", "config.toml: [rooms] x: found an unknown key, allowed: create, rooms_per_account"),
        ("server = 1", "config.toml: server: found 1, allowed: a section that begins with the line [server]"),
        ("[passwords]\nbcrypt_rounds = 3",
         "config.toml: [passwords] bcrypt_rounds: found 3, allowed: a whole number from 4 to 20"),
        ("[passwords]\nbcrypt_rounds = true",
         "config.toml: [passwords] bcrypt_rounds: found true, allowed: a whole number from 4 to 20"),
        ("[passwords]\nrefuse_common = 1",
         "config.toml: [passwords] refuse_common: found 1, allowed: true or false"),
        ('[registration]\nmode = "free"',
         'config.toml: [registration] mode: found "free", allowed: "closed" or "invite" or "open"'),
        ("[limits]\nhandshake_seconds = 0",
         "config.toml: [limits] handshake_seconds: found 0, allowed: a number above 0 to 86400"),
        ('[limits]\nexempt_networks = ["a"]',
         'config.toml: [limits] exempt_networks: found "a", allowed: networks like "192.168.1.0/24" or "::1/128"'),
        ("[limits.search_seconds]",
         "config.toml: [limits] search_seconds: found a section, allowed: a number above 0 to 60"),
    ],
)  # fmt: skip
def test_errors_name_file_key_found_and_allowed(text: str, expected: str) -> None:
    assert error(text) == expected


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("server", 'name = "two words"'),
        ("server", 'name = "line\\n"'),
        ("server", 'name = ""'),
        ("server", 'name = "сервер"'),
        ("server", f'name = "{"x" * 64}"'),
        ("server", 'host = ":x"'),
        ("server", 'network = "two words"'),
        ("server", 'motd = "bell\\u0007"'),
        ("server", f'motd = "{"x" * 401}"'),
        ("server", 'motd = "' + "\\n" * 101 + '"'),
        ("lobby", 'room = "lobby"'),
        ("lobby", 'room = "#"'),
        ("lobby", 'room = "#a b"'),
        ("lobby", f'room = "#{"x" * 31}"'),
        ("lobby", f'room = "#{"日" * 22}"'),
        ("limits", "pending_seconds = nan"),
        ("limits", "pending_seconds = inf"),
        ("limits", "pending_bytes = 9000000"),
        ("limits", "exempt_networks = [1]"),
        ("limits", 'exempt_networks = ["10.0.0.1/8"]'),
        ("presence", "grace_seconds = 1979-05-27"),
    ],
)
def test_impossible_values_are_refused(section: str, line: str) -> None:
    text = error(f"[{section}]\n{line}")
    assert text.startswith(f"config.toml: [{section}] {line.partition(' ')[0]}: found ")
    assert ", allowed: " in text
    assert len(text) < 300


def test_a_syntax_error_names_its_line() -> None:
    assert re.search(r"config\.toml: .*line 2", error("[server]\nname = chat"))


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(ConfigError):
        parse_config(text, "config.toml")


def test_warnings() -> None:
    text = (
        "[passwords]\nbcrypt_rounds = 4\n[log]\nmessages = true\n"
        '[limits]\nexempt_networks = ["127.0.0.1/32", "10.0.0.0/8"]'
    )
    rounds, networks, messages = parse_config(text, "f").warnings()
    assert "bcrypt_rounds = 4" in rounds
    assert "10.0.0.0/8" in networks
    assert "127.0.0.1/32" not in networks
    assert "messages = true" in messages


def test_every_default_is_allowed_and_documented() -> None:
    lines: dict[str, list[str]] = {}
    for setting in settings():
        assert setting.description.endswith(".")
        lines.setdefault(setting.section, []).append(f"{setting.key} = {setting.default}")
    text = "\n".join(f"[{section}]\n" + "\n".join(keys) for section, keys in lines.items())
    assert parse_config(text, "f") == Config()


def test_the_example_of_the_document_loads() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    assert parse_config(example[1], "f").server.motd == "Welcome to the chess club.\nMeetings are on Tuesdays."


def test_the_document_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate_config_doc.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_program_but_errors_is_imported() -> None:
    trees = [ast.parse(path.read_text("utf-8")) for path in Path(module.__file__).parent.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    ours = {name for name in imported if name.startswith("secure_chat")}
    assert ours == {"secure_chat.config.sections", "secure_chat.errors"}
