"""What tests of real clients share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.terminal import Terminal


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals that are closed with the test."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()
