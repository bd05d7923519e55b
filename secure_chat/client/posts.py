"""What this client has said and the server has not yet confirmed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from secure_chat.client.events import Kind
from secure_chat.client.login import POST_ID
from secure_chat.protocol.message import Message
from secure_chat.protocol.names import fold

REMEMBERED_MESSAGES = 4096
"""How many message ids are kept, so that what comes twice is shown once."""


class Seen:
    """The ids of the last messages: after a reconnect one may come again, replayed and as our own echo."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def first_time(self, message_id: str | None) -> bool:
        """Whether a message is seen for the first time, and remember it; True for one without an id."""
        if message_id is None:
            return True
        if message_id in self._ids:
            return False
        self._ids[message_id] = None
        if len(self._ids) > REMEMBERED_MESSAGES:
            self._ids.popitem(last=False)
        return True


@dataclass(slots=True)
class Post:
    """One message to one room or person. `label` is that of its last sending."""

    post_id: str
    target: str
    text: str
    kind: Kind
    label: str | None = None

    @property
    def body(self) -> str:
        """The text as it goes over the wire (an action is a CTCP ACTION)."""
        return f"\x01ACTION {self.text}\x01" if self.kind is Kind.ACTION else self.text

    def message(self, capabilities: set[str]) -> Message:
        """The line to send, with the tags that the server understands."""
        tags = {}
        if self.label and "labeled-response" in capabilities:
            tags["label"] = self.label
        if POST_ID in capabilities:
            tags[POST_ID] = self.post_id
        return Message("PRIVMSG", (self.target, self.body), tags=tags)


class Outbox:
    """Posts in the order they were typed, until each is confirmed or refused."""

    def __init__(self) -> None:
        self._waiting: list[Post] = []
        self._sent: dict[str, Post] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    def add(self, post: Post) -> None:
        """Keep a post that is not on the wire yet."""
        self._waiting.append(post)

    def send(self, new_label: Callable[[], str]) -> list[Post]:
        """Give all posts that wait, with new labels; from now on they count as sent."""
        sent, self._waiting = self._waiting, []
        for post in sent:
            post.label = new_label()
            self._sent[post.label] = post
        return sent

    def take(self, label: str | None, target: str = "", body: str | None = None) -> Post | None:
        """Remove and give the post that was sent with `label`; without one the first to `target` with that body."""
        if label is None:
            alike = (
                known
                for known, post in self._sent.items()
                if fold(post.target) == fold(target) and body in (None, post.body)
            )
            label = next(alike, None)
        return self._sent.pop(label, None) if label is not None else None

    def connection_lost(self, *, repeatable: bool) -> list[Post]:
        """Nothing is on the wire any more. Posts that were are sent again, if the server can tell a repetition
        (`repeatable`); else they are given back, because sending them might say them twice.
        """
        sent, self._sent = list(self._sent.values()), {}
        if repeatable:
            self._waiting = sent + self._waiting
            return []
        return sent
