"""What is done with a server before the login: asking what it offers, registering with a code.

A short conversation in which one question waits for one answer, so there is no state machine.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator

from secure_chat.client.questions import can_be_sent, unsendable
from secure_chat.client.refusals import in_own_words
from secure_chat.client.texts import _
from secure_chat.errors import ProtocolError, SecureChatError
from secure_chat.protocol.lines import LineBuffer
from secure_chat.protocol.message import SERVER_TAGS_LIMIT_BYTES, Message, Secret, parse

READ_BYTES = 4_096
ANSWER_SECONDS = 30.0
"""For one answer; a server may have to hash passwords of others first."""
OFFER_LINES = 100
"""Lines that a list of capabilities has at most."""
REGISTRATION = "draft/account-registration"
OWNER_CODE = "secure-chat.internal/owner-code"


class NoAnswer(SecureChatError):
    """The server does not answer, or has closed the connection; the text says why."""


class RegistrationRefused(SecureChatError):
    """The account was not made, or the password not set. `code` is that of the FAIL."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def _message(refusal: str, command: str, *params: str) -> Message:
    """What is to be sent. Raises RegistrationRefused with that code where what was typed cannot be."""
    if not can_be_sent(params[-1]):
        raise RegistrationRefused(refusal, unsendable())
    return Message(command, params)


class Entrance:
    """A trusted connection before its login. Blocking; one thread."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._tls = tls
        self._buffer = LineBuffer(tags_limit_bytes=SERVER_TAGS_LIMIT_BYTES)
        self._messages = self._read()
        self._deadline = 0.0

    def offers(self) -> frozenset[str]:
        """The capabilities that the server offers, without their values. Raises NoAnswer."""
        self._send(Message("CAP", ("LS", "302")))
        names: set[str] = set()
        for _line in range(OFFER_LINES):
            answer = self._wait_for(lambda message: message.command == "CAP" and message.params[1:2] == ("LS",))
            names |= {word.partition("=")[0] for word in answer.params[-1].split()}
            if "*" not in answer.params[2:-1]:
                return frozenset(names)
        raise NoAnswer(_("The server does not answer."))

    def register(self, name: str, password: Secret, code: Secret) -> None:
        """Have an account made for `name`, or its password set: what the code is for. It can be done again, with
        another name, password or code.

        Raises RegistrationRefused, NoAnswer.
        """
        registering = _message("WEAK_PASSWORD", "REGISTER", name, "*", password)
        verifying = _message("INVALID_CODE", "VERIFY", name, code)
        self._send(registering)
        if self._answer("REGISTER") == "SUCCESS":
            # Registration is open. An owner's code says more than that; of another one nothing is left to say.
            self._send(verifying)
            self._wait_for(lambda message: message.command in ("VERIFY", "FAIL"))
            return
        self._send(verifying)
        self._answer("VERIFY")

    def close(self) -> None:
        """Say goodbye."""
        try:
            self._tls.sendall(Message("QUIT").encode())
            self._tls.close()
        except OSError:
            return

    def _answer(self, command: str) -> str:
        """SUCCESS or VERIFICATION_REQUIRED. Raises RegistrationRefused."""
        answer = self._wait_for(
            lambda message: (
                message.command == command
                or (message.command == "FAIL" and message.params[:1] == (command,))
                or message.command in ("417", "421", "451", "461")
            )
        )
        if answer.command == command:
            return answer.params[0] if answer.params else ""
        key = answer.params[1] if answer.command == "FAIL" and len(answer.params) > 2 else answer.command
        raise RegistrationRefused(key, in_own_words(answer.params[-1], key))

    def _wait_for(self, is_it: Callable[[Message], bool]) -> Message:
        self._deadline = time.monotonic() + ANSWER_SECONDS
        try:
            for message in self._messages:
                if message.command == "ERROR":
                    raise NoAnswer(in_own_words(message.params[-1] if message.params else ""))
                if message.command == "PING":
                    self._send(Message("PONG", message.params[:1]))
                elif is_it(message) and message.params:
                    return message
        except TimeoutError:
            raise NoAnswer(_("The server does not answer.")) from None
        except OSError as error:
            raise NoAnswer(_("The server has closed the connection.")) from error
        raise NoAnswer(_("The server has closed the connection."))

    def _send(self, message: Message) -> None:
        try:
            self._tls.settimeout(ANSWER_SECONDS)
            self._tls.sendall(message.encode())
        except OSError as error:
            raise NoAnswer(_("The server has closed the connection.")) from error

    def _read(self) -> Iterator[Message]:
        while True:
            left_seconds = self._deadline - time.monotonic()
            if left_seconds <= 0:
                raise TimeoutError
            self._tls.settimeout(left_seconds)
            data = self._tls.recv(READ_BYTES)
            if not data:
                return
            for line in self._buffer.feed(data):
                try:
                    if isinstance(line, bytes):
                        yield parse(line)
                except ProtocolError:
                    continue
