"""What tests with people at terminals share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.guest import Come, Guest


@pytest.fixture
def come(tmp_path: Path) -> Iterator[Come]:
    """Starts clients at terminals, each name with a HOME of its own, and ends them after the test."""
    guests: list[Guest] = []

    def start_client(whose: str, *arguments: str, **variables: str) -> Guest:
        guests.append(Guest(tmp_path / whose, *arguments, variables=variables))
        return guests[-1]

    yield start_client
    for guest in guests:
        guest.close()


@pytest.fixture
def home_with_address(home: Path) -> Path:
    """The usual home, with an address for links."""
    with (home / "config.toml").open("a") as file:
        file.write('[server]\npublic_address = "localhost"\n')
    return home
