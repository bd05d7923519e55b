"""The client at a terminal: a line to type in that incoming lines never tear (prompt_toolkit)."""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Callable, Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.patch_stdout import patch_stdout

from secure_chat.client import slash
from secure_chat.client.events import Event, View
from secure_chat.client.format import Look, harmless, render
from secure_chat.client.link import Link, Quit, Typed
from secure_chat.client.outcome import ExitCode
from secure_chat.client.secret_questions import ask_for_secrets, asks_for_secrets
from secure_chat.client.signals import ENDING, leaving_at
from secure_chat.client.state import LEAVE_SECONDS
from secure_chat.client.texts import _

GOODBYE_SECONDS = LEAVE_SECONDS + 1
"""How long the end waits for the link's thread, which may be in the middle of connecting."""


class LineScreen:
    """Writes lines above the one that is being typed. `show` is for the link's thread."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.refresh: Callable[[], None] = lambda: None

    def show(self, events: list[Event]) -> None:
        """Write the events; standard output is patched by prompt_toolkit meanwhile."""
        sys.stdout.write("".join(f"{line}\n" for event in events for line in render(event, self._look)))
        sys.stdout.flush()
        self.refresh()


class ChatCompleter(Completer):
    """Completes commands, rooms and names from what the link says there is."""

    def __init__(self, view: Callable[[], View]) -> None:
        self._view = view

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """What the word in front of the cursor may become."""
        before = document.text_before_cursor
        word = before.rpartition(" ")[2]
        for candidate in self._candidates(before, word):
            if word and candidate.casefold().startswith(word.casefold()):
                yield Completion(candidate, start_position=-len(word))

    def _candidates(self, before: str, word: str) -> list[str]:
        view = self._view()
        if before.startswith("/") and " " not in before:
            return [f"/{name}" for name in slash.COMMANDS]
        if word.startswith("#"):
            return sorted(view.rooms)
        if before.startswith("/help "):
            return list(slash.COMMANDS)
        return sorted(view.people)


class LineMode:
    """The keyboard's side of a chat at a terminal. Main thread, but for what `_talk` does."""

    def __init__(self, link: Link, screen: LineScreen, look: Look) -> None:
        self._link = link
        self._outcome = ExitCode.QUIT
        depth = None if look.colours else ColorDepth.DEPTH_1_BIT
        # What is said is kept nowhere on this computer: the history lives as long as the program.
        self._session: PromptSession[str] = PromptSession(
            self._prompt_text,
            completer=ChatCompleter(lambda: link.view),
            complete_while_typing=False,
            history=InMemoryHistory(),
            key_bindings=_keys(),
            color_depth=depth,
            erase_when_done=True,
        )
        self._secrets: PromptSession[str] = PromptSession(is_password=True, color_depth=depth, erase_when_done=True)
        screen.refresh = self._session.app.invalidate

    def run(self, tls: ssl.SSLSocket, on_ready: Callable[[], None]) -> ExitCode:
        """Chat until the user leaves or there is no way on."""
        talking = threading.Thread(target=self._talk, args=(tls,), name="link", daemon=True)
        leaving = leaving_at(*ENDING, leave=lambda: self._link.put(Quit()))
        with leaving, patch_stdout(raw=True):
            talking.start()
            try:
                if self._link.wait_until_ready():
                    on_ready()
                    self._read()
            except (KeyboardInterrupt, EOFError):
                self._link.put(Quit())
            talking.join(GOODBYE_SECONDS)
        return self._outcome

    def _talk(self, tls: ssl.SSLSocket) -> None:
        """The link's thread."""
        self._outcome = ExitCode.CONNECTION_LOST
        try:
            self._outcome = self._link.run(tls)
        finally:
            app = self._session.app
            if app.is_running and app.loop is not None:
                app.loop.call_soon_threadsafe(self._stop_prompt)

    def _stop_prompt(self) -> None:
        """End the prompt when all is over; also called as each prompt begins, or that end could be missed."""
        app = self._session.app
        if self._link.is_over and app.is_running and not app.is_done:
            app.exit(exception=EOFError())

    def _read(self) -> None:
        # Between two prompts the terminal would echo what is typed ahead, a password too.
        with self._session.input.raw_mode():
            while not self._link.is_over:
                text = self._session.prompt(pre_run=self._stop_prompt)
                if any(self._hand_over(line) for line in text.splitlines()):
                    return

    def _hand_over(self, line: str) -> bool:
        """Do, or let the link do, what was typed; whether it was the wish to leave."""
        name = slash.command_in(line)
        if name is not None and asks_for_secrets(name):
            if answer := ask_for_secrets(name, lambda question: self._secrets.prompt(f"{question}: ")):
                self._link.put(answer)
        else:
            self._link.put(Typed(line))
        return name in ("quit", "exit")

    def _prompt_text(self) -> str:
        view = self._link.view
        room = harmless(view.room) if view.room else _("(no room)")
        return f"{room}> " if view.online else _("(no connection) {room}> ").format(room=room)


def _keys() -> KeyBindings:
    """Ctrl-C clears a line that has text, and leaves on an empty one."""
    keys = KeyBindings()

    @keys.add("c-c", filter=has_focus(DEFAULT_BUFFER))
    def _interrupt(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    return keys
