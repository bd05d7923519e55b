"""What the command-line tool says of an erasure, by what the server has answered."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from secure_chat.cli import main


@pytest.mark.parametrize(
    ("answer", "exit_code", "words"),
    [
        ({"erasing": "ended"}, 0, "What was said is erased."),
        ({"erasing": "goes on"}, 0, "Give the same command again"),
        (
            {"erasing": "goes on", "held_up": "No disk"},
            1,
            "not erased yet: No disk. That is tried again each minute",
        ),
    ],
)
def test_an_erasure(monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], exit_code: int, words: str) -> None:
    """In each case the account is removed; it is an error only where the erasure is held up."""
    monkeypatch.setattr("secure_chat.cli.user.ask", lambda *_, **__: {"name": "bob", **answer})
    done = CliRunner().invoke(main, ["user", "remove", "bob", "--messages", "erase", "--yes"])
    assert done.exit_code == exit_code
    assert done.output.startswith("bob is removed.\n")
    assert words in done.output
