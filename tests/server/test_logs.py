"""The log: its lines, and that nobody waits for who reads them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest

from secure_chat.server import log_writer, logs
from tests.e2e.waiting import wait_for

log = logging.getLogger("secure_chat.test")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that the log is written to: its reading and its writing end. The log is as before afterwards."""
    ours = logging.getLogger("secure_chat")
    before = (ours.handlers, ours.level, ours.propagate, logging._srcfile)
    before_logging = (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    reading, writing = os.pipe()
    yield reading, writing
    logs.flush()
    ours.handlers, ours.propagate, logging._srcfile = before[0], before[2], before[3]
    ours.setLevel(before[1])
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = before_logging
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_lines_for_people(pipe: tuple[int, int]) -> None:
    logs.set_up("text", "info", pipe[1])
    log.info("login", extra={"facts": {"account": "Иван", "from": "a b\x1b[31m"}})
    log.debug("never seen")
    logs.flush()
    line = os.read(pipe[0], 65_536).decode()
    assert line.endswith(' info login account=Иван from="a b\\u001b[31m"\n')


def test_lines_for_programs(pipe: tuple[int, int]) -> None:
    logs.set_up("json", "info", pipe[1])
    log.info("login", extra={"facts": {"account": "Иван"}})
    logs.flush()
    line = json.loads(os.read(pipe[0], 65_536))
    assert (line["level"], line["event"], line["account"]) == ("info", "login", "Иван")


def test_a_reader_that_pauses_holds_nobody_up(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "QUEUE_LIMIT_LINES", 100)
    monkeypatch.setattr(log_writer, "FLUSH_SECONDS", 0.1)
    logs.set_up("text", "info", pipe[1])
    log.info("first")
    logs.flush()
    assert b"first" in os.read(pipe[0], 65_536)
    log.info("x" * 1_000_000)
    (writer,) = logging.getLogger("secure_chat").handlers
    assert isinstance(writer, log_writer.LogWriter)
    wait_for(lambda: not writer._records)
    logs.flush()  # comes back, though a pipe does not hold that much
    for n in range(300):
        log.info("line %d", n)
    text = b""
    while b"dropped" not in text:
        text += os.read(pipe[0], 65_536)
    lines = text.decode().splitlines()
    assert lines[-2].endswith("line 99")
    assert lines[-1].endswith("warning log lines were dropped: nobody took them lines=200")
    log.info("last")
    logs.flush()
    assert os.read(pipe[0], 65_536).endswith(b"last\n")


def test_a_reader_that_is_gone_ends_nothing(pipe: tuple[int, int]) -> None:
    logs.set_up("text", "info", pipe[1])
    os.close(pipe[0])
    for n in range(3):
        log.info("line %d", n)
        logs.flush()


def test_a_pipe_that_does_not_block(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    logs.set_up("text", "info", pipe[1])
    log.info("x" * 300_000)
    text = b""
    while not text.endswith(b"\n"):
        text += os.read(pipe[0], 65_536)
    assert text.count(b"x") == 300_000


def test_a_line_that_is_wrong_does_not_end_the_log(pipe: tuple[int, int]) -> None:
    logs.set_up("text", "info", pipe[1])
    log.info("wrong %d", "words")
    log.info("right")
    logs.flush()
    wrong, right = os.read(pipe[0], 65_536).decode().splitlines()
    assert wrong.startswith("a log line could not be written: 'wrong %d'")
    assert right.endswith(" info right")


def test_where_all_threads_are() -> None:
    assert "test_where_all_threads_are" in logs.where_all_threads_are()
