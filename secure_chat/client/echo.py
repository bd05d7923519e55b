"""What a terminal shows of what is typed: settings that outlive the program, so it puts them back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

if sys.platform == "win32":

    @contextmanager
    def as_before(descriptor: int, *, echo: bool = True) -> Iterator[None]:  # noqa: ARG001
        """Nothing to do: a console shows what is typed only when it is read."""
        yield

else:
    import termios

    @contextmanager
    def as_before(descriptor: int, *, echo: bool = True) -> Iterator[None]:
        """Afterwards the terminal is as it was, whatever was asked meanwhile, however that was left. Main thread.

        Without `echo` it keeps what is typed ahead, which may be a password, without showing it.
        """
        try:
            before = termios.tcgetattr(descriptor)
        except termios.error:  # no terminal
            yield
            return
        if not echo:
            silent = list(before)
            silent[3] &= ~termios.ECHO
            termios.tcsetattr(descriptor, termios.TCSANOW, silent)
        try:
            yield
        finally:
            with suppress(termios.error):  # it may be gone
                termios.tcsetattr(descriptor, termios.TCSANOW, before)
