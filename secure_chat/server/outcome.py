"""What a command came to: what is released once its tick is on disk."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, field

from secure_chat.chat.deliveries import Job, LogLine
from secure_chat.chat.effects import Effect
from secure_chat.net.operations import Operation
from secure_chat.protocol.message import Message


class Outcome(Struct):
    """One command's share of a tick, in the order of the tick.

    `message_id` is that of the last message that was stored for the unit that is being applied, 0 where none was.
    `labelled` are the lines that answer a labelled command, until `Encoder.finish` puts the label on them.
    `durable`: it counts only if the tick is on disk; else `if_lost` is done instead. `answer` and `answered`
    are for the command-line tool.
    """

    session_id: int | None = None
    command: str = "*"
    label: str | None = None
    operations: list[Operation] = field(default_factory=list)
    message_id: int = 0
    labelled: list[Message] = field(default_factory=list)
    label_place: int | None = None
    jobs: list[Job] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    durable: bool = False
    if_lost: list[Effect] = field(default_factory=list)
    answer: dict[str, object] = field(default_factory=dict)
    answered: Callable[[dict[str, object]], None] | None = None
