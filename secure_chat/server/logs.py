"""The log: one line an event, for people or for programs. Nothing raw from outside goes in unescaped."""

from __future__ import annotations

import faulthandler
import json
import logging
import re
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache

from secure_chat.server.log_writer import LogWriter

STANDARD_ERROR = 2
FACT_LIMIT_CHARACTERS = 300
_PLAIN = re.compile(r"[\w\-.#:/()@+]+")


def escape(value: object) -> str:
    """A value as it may stand in a log line: quoted, and escaped where it is not plain."""
    return _escaped(str(value)[:FACT_LIMIT_CHARACTERS])


@lru_cache(maxsize=1_024)
def _escaped(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in quoted)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class TextFormatter(logging.Formatter):
    """`2026-11-21T12:00:00Z info login account=alice address=192.0.2.1`"""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback goes below it."""
        when = _second(int(record.created))
        facts = "".join(f" {key}={escape(value)}" for key, value in getattr(record, "facts", {}).items())
        line = f"{when} {record.levelname.lower()} {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as an object: time, level, event, its facts, the traceback."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = {"time": when, "level": record.levelname.lower(), "event": record.getMessage()}
        line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(kind: str, level: str, descriptor: int = STANDARD_ERROR) -> None:
    """Send our log to the file descriptor, as `text` or `json`, from this level up."""
    writer = LogWriter(descriptor)
    writer.setFormatter(JsonFormatter() if kind == "json" else TextFormatter())
    logger = logging.getLogger("secure_chat")
    logger.handlers = [writer]
    logger.setLevel(level.upper())
    logger.propagate = False
    # Nobody reads these of a record, and finding them costs more than the rest of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - documented: "Optimization"


def flush() -> None:
    """Wait until what was logged is written, for a time that has an end. For who ends the process at once."""
    for handler in logging.getLogger("secure_chat").handlers:
        handler.flush()


def where_all_threads_are() -> str:
    """The traceback of every thread; "" where it cannot be had."""
    with suppress(OSError), tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read().decode(errors="replace")
    return ""
