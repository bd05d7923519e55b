"""Standard input by lines, without Python's own buffer: its lock would hang the end of a program whose keyboard
thread is still reading.
"""

from __future__ import annotations

READ_BYTES = 65536


class StandardInput:
    """Lines of a file descriptor, decoded as UTF-8. One thread at a time."""

    def __init__(self, descriptor: int = 0) -> None:
        # On Windows this reads a console as UTF-8; `os.read` would give the bytes of some old code page.
        self._file = open(descriptor, "rb", buffering=0, closefd=False)  # noqa: SIM115 - see closefd
        self._pending = b""
        self._ended = False

    def read_line(self) -> str | None:
        """The next line without its end; None at the end of input, or when the terminal is gone. Blocks."""
        while b"\n" not in self._pending and not self._ended:
            try:
                data = self._file.read(READ_BYTES) or b""
            except OSError:
                data = b""
            self._pending += data
            self._ended = not data
        line, end, self._pending = self._pending.partition(b"\n")
        if not line and not end:
            return None
        return line.removesuffix(b"\r").decode(errors="replace")
