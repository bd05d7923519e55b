"""What tests of the client share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.stub_certificates import Certificate, make_ca, make_leaf
from tests.client.stub_server import StubServer, running
from tests.client.talk import Talk


@pytest.fixture
def ca(tmp_path: Path) -> Certificate:
    """A CA that nobody knows."""
    return make_ca(tmp_path)


@pytest.fixture
def leaf(tmp_path: Path, ca: Certificate) -> Certificate:
    """A certificate for localhost, signed by the CA."""
    return make_leaf(tmp_path, ca)


@pytest.fixture
def server(leaf: Certificate) -> Iterator[StubServer]:
    """A running stub server."""
    with running(leaf) as stub:
        yield stub


@pytest.fixture
def talk() -> Talk:
    """A conversation that has just begun in the lobby."""
    made = Talk().log_in()
    made.texts()
    return made
