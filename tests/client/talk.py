"""A conversation of the client's state with a server, written down: no socket, no clock but the one given."""

from __future__ import annotations

from itertools import count

from secure_chat.client.events import Event
from secure_chat.client.login import WANTED
from secure_chat.client.phases import Phase
from secure_chat.client.state import Chat
from secure_chat.protocol.message import LINE_LIMIT_BYTES, Message, Secret, parse

SECRET = "correct horse"
ME = "ivan!chat@stub.example"
ALL = " ".join(WANTED)


class Talk:
    """A chat, what it has sent and shown, and the server's side in short words."""

    def __init__(self, *, scripted: bool = False, capabilities: str = ALL) -> None:
        ids = count(1)
        self.chat = Chat("ivan", Secret(SECRET), new_id=lambda: f"id{next(ids)}", scripted=scripted)
        self.capabilities = capabilities
        self.now = 1000.0
        self.shown: list[Event] = []
        self.log: list[Message] = []
        """All that the client has sent."""

    def server(self, *lines: str) -> list[Message]:
        """The server says these lines; what the client sends then."""
        self.chat.receive("".join(f"{line}\r\n" for line in lines).encode(), self.now)
        return self.sent()

    def type(self, *lines: str) -> list[Message]:
        """The user types these lines; what the client sends then."""
        for line in lines:
            self.chat.typed(line, self.now)
        return self.sent()

    def sent(self) -> list[Message]:
        """What the client has sent since last asked."""
        self.shown += self.chat.take_events()
        lines = self.chat.take_lines().split(b"\r\n")
        assert all(len(line) + 2 <= LINE_LIMIT_BYTES + 4096 for line in lines)
        sent = [parse(line) for line in lines if line]
        self.log += sent
        return sent

    def texts(self) -> list[str]:
        """What was shown since last asked."""
        self.sent()
        shown, self.shown = self.shown, []
        return [event.text for event in shown]

    def connect(self) -> None:
        """A connection and the login up to SASL's answer."""
        self.chat.connected(self.now)
        self.server(f":stub CAP * LS :{self.capabilities}", f":stub CAP * ACK :{self.capabilities}")

    def log_in(self, *rooms: str) -> Talk:
        """The whole login, and the rooms that the server puts us into."""
        self.connect()
        self.server("AUTHENTICATE +", ":stub 903 ivan :SASL authentication successful")
        self.server(":stub 001 ivan :Welcome", ":stub 005 ivan secure-chat.internal/LOBBY=#lobby :are supported")
        (ping,) = self.server(":stub 422 ivan :No MOTD")
        self.server(*(f":{ME} JOIN {room} ivan :ivan" for room in rooms or ("#lobby",)))
        self.answer_pings(self.server(f":stub PONG stub :{ping.params[0]}"))
        assert self.chat.phase is Phase.READY
        return self

    def answer_pings(self, sent: list[Message]) -> list[Message]:
        """The server answers the PINGs in `sent`, and those that follow; all that the client sends meanwhile."""
        for message in (more := list(sent)):
            if message.command == "PING":
                more += self.server(f":stub PONG stub :{message.params[0]}")
        return more

    def echo(self, message: Message) -> list[Message]:
        """The server has the post on disk; what the client sends then."""
        label = message.tags["label"]
        return self.server(f"@label={label};msgid=m{label} :{ME} PRIVMSG {message.params[0]} :{message.params[1]}")


def words(messages: list[Message]) -> list[str]:
    return [message.body_text() for message in messages]
