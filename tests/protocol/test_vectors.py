"""The vectors of ircdocs/parser-tests (CC0, see vectors/LICENSE)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from secure_chat.protocol.masks import matches
from secure_chat.protocol.message import Message, parse, split_source

VECTORS = Path(__file__).parent / "vectors"


def _load(name: str) -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = yaml.safe_load((VECTORS / f"{name}.yaml").read_text())["tests"]
    return tests


@pytest.mark.parametrize("vector", _load("msg-split"), ids=lambda vector: vector["input"])
def test_split(vector: dict[str, Any]) -> None:
    """A line falls into its atoms."""
    atoms, message = vector["atoms"], parse(vector["input"].encode())
    assert message.command == atoms["verb"].upper()
    assert list(message.params) == atoms.get("params", [])
    assert message.source == atoms.get("source")
    assert dict(message.tags) == {key: value or "" for key, value in atoms.get("tags", {}).items()}


@pytest.mark.parametrize("vector", _load("msg-join"), ids=lambda vector: vector["desc"])
def test_join(vector: dict[str, Any]) -> None:
    """Atoms make one of the lines that they may make."""
    atoms = vector["atoms"]
    message = Message(atoms["verb"], tuple(atoms.get("params", ())), atoms.get("source"), atoms.get("tags", {}))
    assert message.encode().decode().removesuffix("\r\n") in vector["matches"]


@pytest.mark.parametrize("vector", _load("userhost-split"), ids=lambda vector: vector["source"])
def test_source(vector: dict[str, Any]) -> None:
    """A source falls into nick, user and host."""
    atoms = vector["atoms"]
    assert split_source(vector["source"]) == tuple(atoms.get(key, "") for key in ("nick", "user", "host"))


@pytest.mark.parametrize("vector", _load("mask-match"), ids=lambda vector: vector["mask"])
def test_mask(vector: dict[str, Any]) -> None:
    """A mask matches what it should, and no more."""
    assert [text for text in vector["matches"] if not matches(vector["mask"], text)] == []
    assert [text for text in vector["fails"] if matches(vector["mask"], text)] == []
