"""What a client says while it waits for another thread's answer."""

from __future__ import annotations

from pathlib import Path

from secure_chat.net.operations import Lost
from secure_chat.server.happenings import Asked
from tests.conversation.house import House
from tests.storage.contract import missed_by


def test_it_goes_with_its_connection(tmp_path: Path) -> None:
    """Where the answer never comes; and nothing of it is carried out."""
    house = House(tmp_path / "chat.db")
    for name in ("alice", "bob"):
        house.add_account(name)
    alice, bob = house.log_in("alice", ["draft/chathistory"]), house.log_in("bob")
    house.say(alice, "JOIN #tea")
    house.say(bob, "JOIN #tea")
    house.engine.tick(house.received(alice, b"CHATHISTORY LATEST #tea * 10\r\nPRIVMSG #tea :behind it\r\n"))
    house.engine.tick([Asked("user disable", {"name": "alice"}, lambda _: None)])
    house.engine.tick([*house.received(alice, b"PRIVMSG #tea :too late\r\n"), Lost(alice.id, "closed")])
    assert not house.engine._backlog
    house.say(bob, "PRIVMSG #tea :alone")
    account = house.hub.account_named("bob")
    assert account is not None
    said = [one.params for one in missed_by(house.store, account) if one.command == "PRIVMSG"]
    assert said == [("#tea", "alone")]
    house.stop()
