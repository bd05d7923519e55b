"""Getting a token for this device after a login by password, so that the password need not be kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from secure_chat.protocol.message import Message, Secret

if TYPE_CHECKING:
    from secure_chat.client.state import Chat

NAME_LIMIT_CHARACTERS = 24
"""Shorter than a device's name may be: a number may follow."""
TRIES = 9
_NOT_IN_NAME = re.compile(r"[^\w.-]+")


class TokenRequest:
    """Asks once, under another name where a device has that one already. Pure but for `keep`.

    `keep` is given the token, on the thread of the chat.
    """

    def __init__(self, machine: str, keep: Callable[[Secret], object]) -> None:
        self._base = _NOT_IN_NAME.sub("-", machine).strip("-._")[:NAME_LIMIT_CHARACTERS] or "device"
        self._keep = keep
        self._tries = 0
        self._waiting = False
        self._done = False

    def begin(self, chat: Chat) -> None:
        """Ask, unless it was done; also again after a lost connection, which may have had the answer."""
        if not self._done:
            self._tries = 0
            self._ask(chat)

    def answered(self, chat: Chat, message: Message) -> bool:
        """Whether this NOTE is the answer; then the token takes the place of the password."""
        if not self._waiting or message.params[:2] != ("DEVICE", "TOKEN") or len(message.params) < 5:
            return False
        self._waiting, self._done = False, True
        token = Secret(message.params[3])
        chat.password = token
        self._keep(token)
        return True

    def refused(self, chat: Chat, message: Message) -> bool:
        """Whether this FAIL is the answer. Without a token the password is asked for the next time, too."""
        if not self._waiting or message.params[0] != "DEVICE":
            return False
        self._waiting = False
        if message.params[1] == "DEVICE_EXISTS" and self._tries < TRIES:
            self._ask(chat)
        else:
            self._done = True
        return True

    def _ask(self, chat: Chat) -> None:
        self._tries += 1
        self._waiting = True
        name = self._base if self._tries == 1 else f"{self._base}-{self._tries}"
        chat.send(Message("DEVICE", ("HERE", name)))
