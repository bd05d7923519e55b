"""Slash commands for which something secret is asked at the keyboard: it is never part of a typed line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from secure_chat.client.texts import _
from secure_chat.protocol.message import Secret

Ask = Callable[[str], str]
"""Asks a question; nothing of the answer is shown. Raises EOFError, KeyboardInterrupt."""


@dataclass(frozen=True, slots=True)
class NewPassword:
    """The user wants another password, and typed both."""

    old: Secret = field(repr=False)
    new: Secret = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewRecoveryCodes:
    """The user wants recovery codes, and typed the password."""

    password: Secret = field(repr=False)


Answer = NewPassword | NewRecoveryCodes


def _ask_new_password(ask: Ask) -> NewPassword | None:
    """The old password, and twice the new one; None where they differ."""
    old, new = ask(_("Your password now")), ask(_("The new password"))
    again = ask(_("The new password again"))
    if not old or not new or new != again:
        print(_("The password stays as it is: the two new ones differ, or one was empty."))
        return None
    return NewPassword(Secret(old), Secret(new))


def _ask_for_recovery(ask: Ask) -> NewRecoveryCodes | None:
    password = ask(_("Your password"))
    return NewRecoveryCodes(Secret(password)) if password else None


_QUESTIONS: Mapping[str, Callable[[Ask], Answer | None]] = {
    "password": _ask_new_password,
    "recovery": _ask_for_recovery,
}


def asks_for_secrets(command: str | None) -> bool:
    """Whether this slash command asks for something secret."""
    return command in _QUESTIONS


def ask_for_secrets(command: str, ask: Ask) -> Answer | None:
    """What the command needs to know; None where it was broken off."""
    try:
        return _QUESTIONS[command](ask)
    except (EOFError, KeyboardInterrupt):
        return None
