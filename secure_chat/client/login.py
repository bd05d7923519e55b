"""Logging in: capabilities, then SASL PLAIN, then registration (IRCv3 `capability-negotiation`, `sasl-3.2`)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from secure_chat.client.refusals import in_own_words
from secure_chat.client.texts import _
from secure_chat.errors import SecureChatError
from secure_chat.protocol.message import Message, Secret
from secure_chat.protocol.sasl import encode_plain

POST_ID = "secure-chat.internal/post-id"
WANTED = (
    "sasl",
    "server-time",
    "message-tags",
    "account-tag",
    "echo-message",
    "batch",
    "labeled-response",
    "standard-replies",
    "extended-join",
    "multi-prefix",
    "cap-notify",
    "draft/chathistory",
    "draft/read-marker",
    "soju.im/search",
    POST_ID,
)
USER_NAME = "chat"
"""What USER says: the same for everybody, because it is part of every line that others get."""

REFUSALS = frozenset({"432", "433", "464", "465", "902", "904", "905", "906", "908"})
"""Numerics after which this login cannot succeed."""
_TEMPORARY = "try again"


class LoginRefused(SecureChatError):
    """The server does not let us in; the text is for the user. `temporary`: it asks to come back later."""

    def __init__(self, text: str, *, temporary: bool = False) -> None:
        super().__init__(text)
        self.temporary = temporary


class Step(Enum):
    """How far a login is."""

    LISTING = auto()
    REQUESTING = auto()
    OFFERING = auto()
    PROVING = auto()
    ENDING = auto()
    WELCOMED = auto()


STEPS: Mapping[Step, frozenset[Step]] = {
    Step.LISTING: frozenset({Step.REQUESTING}),
    Step.REQUESTING: frozenset({Step.REQUESTING, Step.OFFERING}),
    Step.OFFERING: frozenset({Step.PROVING}),
    Step.PROVING: frozenset({Step.ENDING}),
    Step.ENDING: frozenset({Step.WELCOMED}),
    Step.WELCOMED: frozenset(),
}


class Login:
    """One login over one connection. Pure: messages in, messages out.

    `identity` is the account's name, perhaps with a device (`alice@laptop`).
    """

    def __init__(self, identity: str, password: Secret) -> None:
        self._identity = identity
        self._password = password
        self._offered: set[str] = set()
        self._explained: list[tuple[str, str]] = []
        self.step = Step.LISTING
        self.acknowledged: set[str] = set()
        self.nick = identity.partition("@")[0]

    def begin(self) -> list[Message]:
        """What to send first."""
        return [
            Message("CAP", ("LS", "302")),
            Message("NICK", (self.nick,)),
            Message("USER", (USER_NAME, "0", "*", self.nick)),
        ]

    def receive(self, message: Message) -> list[Message]:
        """What to send after `message`; with 001 the step becomes WELCOMED. Raises LoginRefused."""
        if message.command in REFUSALS:
            text = message.params[-1] if message.params else message.command
            raise self._refusal((message.command, text))
        if message.command in {"FAIL", "ERROR"} and message.params:
            key = message.params[1] if message.command == "FAIL" and len(message.params) > 2 else ""
            self._explained.append((key, message.params[-1]))
        match message.command:
            case "CAP":
                return self._capabilities(message)
            case "AUTHENTICATE" if self.step is Step.OFFERING:
                self._go(Step.PROVING)
                chunks = encode_plain(self._identity, self._password.reveal())
                return [Message("AUTHENTICATE", (Secret(chunk),)) for chunk in chunks]
            case "903" if self.step is Step.PROVING:
                self._go(Step.ENDING)
                return [Message("CAP", ("END",))]
            case "001" if self.step is Step.ENDING:
                self._go(Step.WELCOMED)
                self.nick = message.params[0] if message.params else self.nick
            case "001":
                raise LoginRefused(
                    _("The server let us in without asking who we are. It is not a Secure Chat server.")
                )
        return []

    def _refusal(self, refused: tuple[str, str]) -> LoginRefused:
        """The server's refusal (its numeric and text), and what it said before it to explain that."""
        said = [refused, *self._explained]
        temporary = any(_TEMPORARY in text.casefold() for _key, text in said)
        unique = {text: key for key, text in reversed(said)}
        shown = [in_own_words(text, key) for text, key in reversed(unique.items())]
        return LoginRefused("\n".join(dict.fromkeys(shown)), temporary=temporary)

    def _go(self, step: Step) -> None:
        assert step in STEPS[self.step], f"no way from {self.step} to {step}"
        self.step = step

    def _capabilities(self, message: Message) -> list[Message]:
        if len(message.params) < 3:
            return []
        subcommand = message.params[1].upper()
        names = set(message.params[-1].split())
        if subcommand == "LS" and self.step is Step.LISTING:
            self._offered |= {name.partition("=")[0] for name in names}
            return [] if len(message.params) > 3 else self._request()
        if subcommand == "ACK":
            self.acknowledged |= names
            if self.step is Step.REQUESTING and "sasl" in self.acknowledged:
                self._go(Step.OFFERING)
                return [Message("AUTHENTICATE", ("PLAIN",))]
        if subcommand == "NAK" and self.step is Step.REQUESTING:
            return self._after_refusal(names)
        if subcommand == "DEL":
            self.acknowledged -= names
        return []

    def _request(self) -> list[Message]:
        wanted = [name for name in WANTED if name in self._offered]
        if "sasl" not in wanted:
            raise LoginRefused(_("The server does not offer SASL, so there is no safe way to send it a password."))
        self._go(Step.REQUESTING)
        return [Message("CAP", ("REQ", " ".join(wanted)))]

    def _after_refusal(self, names: set[str]) -> list[Message]:
        """A request is granted whole or not at all; a server that grants not even SASL cannot be used."""
        if names == {"sasl"}:
            raise LoginRefused(_("The server does not offer SASL, so there is no safe way to send it a password."))
        self._go(Step.REQUESTING)
        return [Message("CAP", ("REQ", "sasl"))]
