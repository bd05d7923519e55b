"""What applying must bear, whatever was decided."""

from __future__ import annotations

from secure_chat.chat.accounts import Account
from secure_chat.chat.apply import apply
from secure_chat.chat.effects import AccountSet, Append, LingeringEnded, MemberGone, RoomSet
from secure_chat.chat.hub import Hub
from secure_chat.chat.messages import InRoom, Kind, NewMessage
from secure_chat.chat.rooms import RoomRecord
from secure_chat.chat.settings import Settings
from secure_chat.protocol.relay import Relayed


def test_effects_about_who_is_not_there() -> None:
    """Nothing fails, nothing is told to anybody."""
    hub = Hub(Settings())
    line = Relayed("alice!a@h", "PRIVMSG", ("#tea", "hello"), 5, "alice", "id")
    for effect in (
        AccountSet(Account(1, "alice", "alice", "hash")),
        RoomSet(RoomRecord(7, "#tea", "#tea", 0)),
        Append(NewMessage(InRoom(7), Kind.POST, 1, "a", line)),
        LingeringEnded(1, 5),
        MemberGone(7, 1),
    ):
        assert list(apply(hub, [effect])) == []
    assert hub.presence == {}
