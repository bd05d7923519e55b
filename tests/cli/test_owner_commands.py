"""What the owner's commands show, and take: nothing of what others wrote reaches the terminal as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from secure_chat.cli import audit, main, slips


def test_reasons_in_the_audit_record_are_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever operates a room may mute in it, and write anything as the reason."""
    entry = {"time": "2026-01-01T00:00:00.000Z", "actor": "eve", "act": "mute", "subject": "bob"}
    detail = "until then \x1b]0;owned\x07\u202egninnac"
    monkeypatch.setattr(audit, "ask", lambda *_place, **_request: {"entries": [{**entry, "detail": detail}]})
    shown = CliRunner().invoke(main, ["audit"]).output
    assert "eve: mute bob" in shown
    assert not set("\x1b\x07\u202e") & set(shown)


def test_a_list_of_names_from_an_editor_that_begins_it_with_a_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notepad and others put a byte order mark before the first name."""
    asked: list[dict[str, Any]] = []

    def ask(*_place: object, **request: object) -> dict[str, Any]:
        asked.append(request)
        return {"invitations": [], "address": "localhost:6697", "pin": "", "ca": "", "sha1": "", "network": "Chat"}

    monkeypatch.setattr(slips, "ask", ask)
    names = tmp_path / "class.txt"
    names.write_bytes("\ufeffAnna\r\n# absent\r\nБорис\r\n".encode())
    result = CliRunner().invoke(main, ["user", "add", "--from-file", str(names)])
    assert result.exit_code == 0, result.output
    assert asked[0]["names"] == ["Anna", "Борис"]
