"""Every script in `scripts/` is a test."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.conversation.player import Player, ScriptFailed

SCRIPTS = Path(__file__).parent / "scripts"


def _id(path: Path) -> str:
    return str(path.relative_to(SCRIPTS).with_suffix(""))


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.chat")), ids=_id)
def test_script(path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The conversation goes as it is written down."""
    try:
        Player(path, tmp_path / "chat.db").play()
    except ScriptFailed as failure:
        text = str(failure)
    else:
        errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
        text = f"{path}: the server logged {errors}" if errors else ""
    if text:
        pytest.fail(text, pytrace=False)
