"""What tests of backups share."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_chat.server import sealing


@pytest.fixture
def cheap_sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real cost is paid in tests/e2e."""
    monkeypatch.setattr(sealing, "SCRYPT_N", 2**10)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the backup goes: a folder of its own."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "one.tar"
