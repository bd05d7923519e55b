"""Coming in at a terminal: by this device's token, by password, or as somebody new with a code."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from secure_chat.client.address import BadAddress
from secure_chat.client.entrance import OWNER_CODE, Entrance, NoAnswer, RegistrationRefused
from secure_chat.client.format import harmless
from secure_chat.client.links import is_link, parse_link
from secure_chat.client.questions import (
    ask_code,
    ask_name,
    ask_new_password_twice,
    ask_password,
    ask_yes_or_no,
    check_identity,
)
from secure_chat.client.texts import _
from secure_chat.client.tokens import Tokens
from secure_chat.errors import SecureChatError
from secure_chat.protocol.codes import digest_of
from secure_chat.protocol.message import Secret

HELD_SECONDS = 15.0
"""A connection that waited longer for its user is made anew: servers do not wait long for a login."""
NAME_REFUSED = frozenset({"ACCOUNT_EXISTS", "BAD_ACCOUNT_NAME", "NEED_NICK", "432"})
PASSWORD_REFUSED = frozenset({"WEAK_PASSWORD", "UNACCEPTABLE_PASSWORD"})
CODE_REFUSED = frozenset({"INVALID_CODE"})


class CannotRegister(SecureChatError):
    """The server does not make this account; the text says why."""


@dataclass(slots=True)
class Credentials:
    """Who comes in, and by what; `by_token`: nothing was asked. `wants_recovery`: codes for a lost password."""

    name: str
    password: Secret = field(repr=False)
    by_token: bool = False
    wants_recovery: bool = False


class Arrival:
    """One arrival. `name` and `code` are what is known before, "" and None where they are to be asked for."""

    def __init__(
        self, dial: Callable[[], ssl.SSLSocket], name: str, code: Secret | None, tokens: Callable[[str], Tokens]
    ) -> None:
        self._dial = dial
        self._name = name
        self._code = code
        self._tokens = tokens
        self._wants_recovery = False

    def come_in(self, *, ask_again: bool = False) -> tuple[Credentials, ssl.SSLSocket]:
        """Ask what has to be asked; the credentials, and a connection to log in over.

        `ask_again`: the token was refused. Raises CannotConnect, TrustError, CannotRegister, EOFError.
        """
        tls = self._dial()
        try:
            token = None if self._code is not None or ask_again else self._tokens(self._name).token()
            if token is not None:
                return Credentials(self._name, token, by_token=True), tls
            asked_at = time.monotonic()
            password = self._ask(tls)
        except BaseException:
            tls.close()
            raise
        if tls.fileno() < 0 or time.monotonic() - asked_at > HELD_SECONDS:
            tls.close()
            tls = self._dial()
        return Credentials(self._name, password, wants_recovery=self._wants_recovery), tls

    def _ask(self, tls: ssl.SSLSocket) -> Secret:
        """The password that the account has, or has now."""
        if self._code is not None:
            return self._register(tls, self._code, ask_new_password_twice())
        try:
            offers = Entrance(tls).offers()
        except NoAnswer as error:
            raise CannotRegister(str(error)) from error
        if OWNER_CODE in offers:
            return self._become_owner(tls)
        typed = _without_link(ask_password)
        if digest_of(typed.reveal()) is not None:
            return self._register(tls, typed, ask_new_password_twice())
        return typed

    def _become_owner(self, tls: ssl.SSLSocket) -> Secret:
        print(
            _(
                "This server has no administrator yet. Who has the owner code becomes it: the server has shown the "
                "code when it started, or put it into the file owner-code of its home."
            )
        )
        password = ask_new_password_twice()
        code = ask_code(_("Enter the owner code (or nothing, to log in with that password)"))
        return self._register(tls, code, password) if code.reveal() else password

    def _register(self, tls: ssl.SSLSocket, code: Secret, password: Secret) -> Secret:
        """Have the account made; ask again for what is refused. The password it has then. Raises CannotRegister.

        `tls` is closed: it has waited for the user, and servers allow an address, which may be a whole class, so
        many connections that have not logged in.
        """
        tls.close()
        entrance = Entrance(self._dial())
        try:
            while True:
                try:
                    entrance.register(self._name.partition("@")[0], password, code)
                except RegistrationRefused as error:
                    print(harmless(str(error)))
                    if error.code in NAME_REFUSED:
                        self._name = check_identity(ask_name(""))
                    elif error.code in PASSWORD_REFUSED:
                        password = ask_new_password_twice()
                    elif error.code in CODE_REFUSED:
                        code = self._another_code(error)
                    else:
                        raise CannotRegister(str(error)) from error
                else:
                    print(_("From now on you log in with this password."))
                    self._wants_recovery = ask_yes_or_no(
                        _("Show ten recovery codes, for when you forget it? (yes/no)")
                    )
                    return password
        except NoAnswer as error:
            raise CannotRegister(str(error)) from error
        finally:
            entrance.close()

    def _another_code(self, error: RegistrationRefused) -> Secret:
        code = _without_link(lambda: ask_code(_("Enter the code again (or nothing, to give up)")))
        if not code.reveal():
            raise CannotRegister(str(error)) from error
        return code


def _without_link(ask: Callable[[], Secret]) -> Secret:
    """What is typed, or the code in the link that was pasted; asked again where that is not whole."""
    while True:
        typed = ask()
        try:
            return parse_link(typed.reveal()).code if is_link(typed.reveal()) else typed
        except BadAddress as error:
            print(harmless(str(error)))
