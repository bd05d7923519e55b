"""Homes and servers for tests that run the real server as a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

import secure_chat.server.lines  # noqa: F401 - enters the operations into their table
from secure_chat.server.certificates import create
from secure_chat.server.foundation import open_foundation
from secure_chat.server.happenings import Asked
from secure_chat.server.home import Home
from secure_chat.server.operations import prepared
from tests.e2e.irc_client import OPEN
from tests.e2e.server_process import PASSWORD, ServerProcess, copy_home

NAMES = ("alice", "bob", "carol", "Иван", "root")
CONFIG = "[passwords]\nbcrypt_rounds = 4\n[presence]\ngrace_seconds = 0\n"
settings.register_profile("few", max_examples=20)  # for the second and third Python of a run
Start = Callable[..., ServerProcess]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with accounts (`root` is an administrator) and certificates, to be copied."""
    home = Home(tmp_path_factory.mktemp("template") / "home")
    home.make()
    home.config.write_text(CONFIG)
    foundation = open_foundation(home, None)
    for name in NAMES:
        request = {"name": name, "password": PASSWORD, "administrator": name == "root"}
        ready = prepared(request, foundation.hasher, foundation.settings)
        (outcome,) = foundation.engine.tick([Asked("user add", ready, lambda _: None)])
        assert outcome.answer == {"name": name}
    foundation.close()
    create(home.certs, now=datetime.now(UTC))
    return home.path


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """A home of this test's own."""
    return copy_home(template, tmp_path / "home")


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Starts servers on the home, and ends them after the test."""
    started: list[ServerProcess] = []

    def start_server(*arguments: str, **options: object) -> ServerProcess:
        server = ServerProcess(home, *arguments, **options)  # type: ignore[arg-type]
        started.append(server)
        return server

    yield start_server
    while OPEN:
        OPEN.pop().close()
    for server in started:
        server.stop()
        assert "Traceback" not in server.text, server.text


@pytest.fixture
def server(start: Start) -> ServerProcess:
    """A server that is ready."""
    return start().wait_until_ready()
