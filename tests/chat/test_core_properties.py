"""The chat core under random valid commands of several accounts with several sessions each."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from secure_chat.chat.devices import fold_device, token_digest
from secure_chat.chat.hub import Hub
from secure_chat.chat.settings import Settings
from secure_chat.protocol.codes import digest_of
from tests.chat.witness import Witness
from tests.conversation.house import House, password_of
from tests.conversation.wire import Client

NAMES = ("root", "alice", "bob", "Кирилл")
NEW_NAMES = ("zoe", "ann", "Ёжик")
DEVICES = ("laptop", "bot")
ROOMS = ("#tea", "#cake", "#чай")
SESSIONS_LIMIT = 7
CAPABILITIES = st.sets(
    st.sampled_from(["message-tags", "echo-message", "extended-join", "server-time", "znc.in/self-message"])
)
MODES = ["+m", "-m", "+i", "-i", "+s", "-s", "+t", "-n", "+n", "+k key", "-k *", "+l 2", "-l", "+b bob", "-b bob"]
MODES += ["+o alice", "-o alice", "+v bob", "+b *!*@*", "-b *!*@*", "+o Кирилл", "-v bob", "+mo-t root"]
LOBBY = "#lobby"


class ChatCore(RuleBasedStateMachine):
    """Draws what people do; after each act everything must agree with everything."""

    @initialize(grace=st.sampled_from([0, 10]), quiet=st.sampled_from([1, 200]))
    def begin(self, grace: int, quiet: int) -> None:
        """A new server with four accounts, nobody online."""
        self.folder = tempfile.TemporaryDirectory()
        chosen = Settings(lobby=LOBBY, grace_seconds=grace, quiet_members=quiet)
        self.house = House(Path(self.folder.name) / "chat.db", chosen)
        for name in NAMES:
            self.house.add_account(name, administrator=name == "root")
        self.number = 0
        self.witness = Witness(self.house, (*NAMES, *NEW_NAMES))
        self.ever_ignored: set[tuple[str, str]] = set()
        self.codes: list[tuple[str, str]] = []
        self.tokens: dict[str, tuple[str, str]] = {}
        self.invite_to_the_server("", 2, "")
        for name in NAMES:
            self.add_device(name, DEVICES[0])

    def teardown(self) -> None:
        """Everybody comes back, and has got every private message; then the server ends."""
        if not hasattr(self, "house"):
            return
        self.house.pass_time(60)
        for name in NAMES:
            self.come(name, set())
        self.witness.look()
        for text, (sender, recipient) in self.witness.private.items():
            ignored = (recipient.casefold(), sender) in self.ever_ignored
            assert ignored or text in self.witness.heard[recipient]
        self.witness.reader.close()
        self.house.stop()
        self.folder.cleanup()

    # What people do

    @property
    def here(self) -> list[Client]:
        """Who is connected."""
        return [client for client in self.house.clients.values() if client.closed is None]

    def come(self, name: str, capabilities: set[str]) -> None:
        """Log in; what came stays to be looked at."""
        before = {client.id for client in self.here}
        client = self.house.log_in(name, sorted(capabilities))
        assert client.id not in before

    @precondition(lambda self: len(self.here) < SESSIONS_LIMIT)
    @rule(name=st.sampled_from(NAMES), capabilities=CAPABILITIES)
    def log_in(self, name: str, capabilities: set[str]) -> None:
        """A device comes."""
        self.come(name, capabilities)

    def act(self, data: st.DataObject, line: str) -> Client:
        """Somebody sends a line."""
        client: Client = data.draw(st.sampled_from(self.here), "who")
        self.house.say(client, line)
        return client

    @precondition(lambda self: self.here)
    @rule(data=st.data(), room=st.sampled_from(ROOMS), key=st.sampled_from(["", " key"]))
    def join(self, data: st.DataObject, room: str, key: str) -> None:
        """JOIN."""
        self.act(data, f"JOIN {room}{key}")

    @precondition(lambda self: self.here)
    @rule(data=st.data(), room=st.sampled_from([*ROOMS, LOBBY]))
    def part(self, data: st.DataObject, room: str) -> None:
        """PART."""
        self.act(data, f"PART {room}")

    @precondition(lambda self: self.here)
    @rule(data=st.data(), room=st.sampled_from([*ROOMS, LOBBY]), word=st.sampled_from(["PRIVMSG", "NOTICE"]))
    def post(self, data: st.DataObject, room: str, word: str) -> None:
        """A post in a room: every session enrolled gets it once, and nobody else."""
        self.number += 1
        text = f"post-{self.number}"
        sender = self.act(data, f"{word} {room} {text}")
        got = Counter({c.id: sum(seen.params[-1] == text for seen in c.unread) for c in self.here})
        topic = self.house.hub.room_ids.get(room)
        if sum(got.values()):
            by = self.account_id(sender.name)
            deaf = {c.id for c in self.here if self.house.hub.ignores(self.account_id(c.name), by)}
            members = {c.id for c in self.here if topic in c.topics and c is not sender} - deaf
            assert {c for c, times in got.items() if times and c != sender.id} == members
            assert max(got.values()) == 1

    @precondition(lambda self: self.here)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def whisper(self, data: st.DataObject, name: str) -> None:
        """A private message."""
        self.number += 1
        text = f"private-{self.number}"
        sender = self.act(data, f"PRIVMSG {name} {text}")
        self.witness.private[text] = (sender.name.casefold(), name)

    @precondition(lambda self: self.here)
    @rule(data=st.data(), room=st.sampled_from([*ROOMS, LOBBY]), mode=st.sampled_from(MODES))
    def mode(self, data: st.DataObject, room: str, mode: str) -> None:
        """MODE."""
        self.act(data, f"MODE {room} {mode}")

    @precondition(lambda self: self.here)
    @rule(data=st.data(), room=st.sampled_from([*ROOMS, LOBBY]), name=st.sampled_from(NAMES))
    def kick(self, data: st.DataObject, room: str, name: str) -> None:
        """KICK."""
        self.act(data, f"KICK {room} {name} :rest")

    @precondition(lambda self: self.here)
    @rule(data=st.data(), room=st.sampled_from(ROOMS), name=st.sampled_from(NAMES))
    def invite(self, data: st.DataObject, room: str, name: str) -> None:
        """INVITE."""
        self.act(data, f"INVITE {name} {room}")

    @precondition(lambda self: self.here)
    @rule(
        data=st.data(),
        line=st.sampled_from(
            [
                "TOPIC #tea :green",
                "TOPIC #чай :",
                "AWAY :lunch",
                "AWAY",
                "JOIN 0",
                "TAGMSG #tea",
                "WHO #tea",
                "WHOIS alice",
                "LIST",
                "NAMES #lobby",
                "MUTE bob 1m",
                "NICK Alice",
                "NICK alice",
                "JOIN #tea,#cake",
            ]
        ),
    )
    def say_something_else(self, data: st.DataObject, line: str) -> None:
        """Any other command."""
        self.act(data, line)

    @precondition(lambda self: self.here)
    @rule(data=st.data(), politely=st.booleans())
    def leave(self, data: st.DataObject, politely: bool) -> None:
        """QUIT, or a lost connection."""
        client: Client = data.draw(st.sampled_from(self.here), "who")
        if politely:
            self.house.say(client, "QUIT")
        else:
            self.house.vanish(client)

    @precondition(lambda self: self.here)
    @rule(data=st.data(), name=st.sampled_from(NAMES), ends=st.booleans())
    def ignore(self, data: st.DataObject, name: str, ends: bool) -> None:
        """IGNORE, and its end."""
        who = self.act(data, f"IGNORE {'-' if ends else ''}{name}")
        own, other = self.account_id(who.name), self.account_id(name)
        assert self.house.hub.ignores(own, other) == (not ends and own != other)
        if not ends:
            self.ever_ignored.add((who.name.casefold(), name.casefold()))

    @rule(name=st.sampled_from(["", *NEW_NAMES]), uses=st.sampled_from([1, 2]), room=st.sampled_from(["", "#tea"]))
    def invite_to_the_server(self, name: str, uses: int, room: str) -> None:
        """`secure-chat invite`."""
        answer = self.house.ask("invite", names=[name], uses=uses, room=room)
        for made in answer.get("invitations", ()):
            self.codes.append((made["link"].partition("#")[2], name))

    @precondition(lambda self: self.codes and len(self.here) < SESSIONS_LIMIT)
    @rule(data=st.data(), name=st.sampled_from([*NEW_NAMES, "alice"]))
    def redeem(self, data: st.DataObject, name: str) -> None:
        """REGISTER and VERIFY: an account exactly where the code allows it, which is then used up by one."""
        text, intended = data.draw(st.sampled_from(self.codes), "code")
        before = self.uses_left(text)
        allowed = before > 0 and intended in ("", name) and name.casefold() not in self.house.hub.account_ids
        client = self.house.connect(name)
        self.house.say(client, "CAP LS 302", f"REGISTER {name} * :{password_of(name)}", f"VERIFY {name} {text}")
        succeeded = any(seen.text.find("VERIFY SUCCESS") >= 0 for seen in client.unread)
        assert (succeeded, self.uses_left(text)) == (allowed, before - allowed)
        if succeeded:
            self.house.say(client, f"NICK {name}", "USER new 0 * :New", "CAP END")
            assert self.house.hub.sessions[client.id].account_id == self.account_id(name)
        else:
            self.house.vanish(client)

    @rule(name=st.sampled_from(NAMES), device=st.sampled_from(DEVICES))
    def add_device(self, name: str, device: str) -> None:
        """`secure-chat device add`."""
        answer = self.house.ask("device add", name=name, device=device)
        if "token" in answer:
            self.tokens[answer["token"]] = (name, device)

    @precondition(lambda self: self.tokens and len(self.here) < SESSIONS_LIMIT)
    @rule(data=st.data())
    def come_by_token(self, data: st.DataObject) -> None:
        """A login by a token, which may be revoked by now."""
        token = data.draw(st.sampled_from(list(self.tokens)), "token")
        name, _ = self.tokens[token]
        client = self.house.connect(name)
        self.house.say(client, f"PASS {name}:{token}", f"NICK {name}", "USER bot 0 * :Bot")
        assert (client.closed is None) == (token_digest(token) in self.house.hub.devices)

    @rule(name=st.sampled_from(NAMES), device=st.sampled_from(DEVICES))
    def revoke_device(self, name: str, device: str) -> None:
        """`secure-chat device revoke`: what came by it is gone at once."""
        self.house.ask("device revoke", name=name, device=device)
        assert fold_device(device) not in self.house.hub.devices_of.get(self.account_id(name), {})

    @precondition(lambda self: self.here)
    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        """A client shows that it has received everything: that is not given to its device again."""
        client: Client = data.draw(st.sampled_from(self.here), "who")
        self.witness.look()
        self.house.prove(client)
        device = self.witness.device_of(client)
        if [self.witness.device_of(one) for one in self.here].count(device) == 1:
            self.witness.proven.setdefault(device, set()).update(self.witness.given.get(client.id, set()))

    @rule(seconds=st.sampled_from([5, 20, 70]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.house.pass_time(seconds)

    @rule()
    def restart(self) -> None:
        """The server ends and begins again."""
        self.witness.look()
        self.house.stop()
        self.house.start()
        # It was killed: what it had not written yet of that is given again.
        self.witness.proven.clear()

    def account_id(self, name: str) -> int:
        """Of somebody who has an account."""
        return self.house.hub.account_ids[name.casefold()]

    def uses_left(self, text: str) -> int:
        """For how many a code is still good."""
        digest = digest_of(text)
        assert digest is not None
        return self.house.hub.codes[digest].uses_left

    # What must be so

    @invariant()
    def members_and_rooms_agree(self) -> None:
        """Both ways."""
        if hasattr(self, "house"):
            hub = self.house.hub
            by_room = {(room.id, member) for room in hub.rooms.values() for member in room.members}
            by_account = {(room_id, member) for member, ids in hub.rooms_of.items() for room_id in ids}
            assert by_room == by_account
            lobby = hub.lobby
            assert lobby is not None
            assert lobby.members.keys() == hub.accounts.keys()

    @invariant()
    def presence_and_sessions_agree(self) -> None:
        """And sessions are enrolled in the rooms of their accounts."""
        if hasattr(self, "house"):
            hub = self.house.hub
            present = [session_id for presence in hub.presence.values() for session_id in presence.sessions]
            assert sorted(present) == sorted(hub.sessions)
            assert hub.attached == len(present)
            assert sorted(present) == [client.id for client in self.here]
            for account_id, presence in hub.presence.items():
                assert (presence.lingers_until_us is None) == bool(presence.sessions)
                assert {hub.sessions[session_id].account_id for session_id in presence.sessions} <= {account_id}
            for client in self.here:
                account_id = hub.sessions[client.id].account_id or 0
                assert client.topics == hub.rooms_of.get(account_id, set())
                token = hub.sessions[client.id].token
                assert token is None or hub.devices[token].account_id == account_id

    @invariant()
    def memory_is_what_is_stored(self) -> None:
        """A fresh hub loads the same; sequences have no gap."""
        if hasattr(self, "house"):
            hub, fresh = self.house.hub, Hub(self.house.settings)
            fresh.load(self.house.store.load())
            assert (fresh.accounts, fresh.account_ids) == (hub.accounts, hub.account_ids)
            assert (fresh.rooms, fresh.room_ids) == (hub.rooms, hub.room_ids)
            assert (fresh.codes, fresh.devices) == (hub.codes, hub.devices)
            assert fresh.devices_of == {owner: named for owner, named in hub.devices_of.items() if named}
            assert fresh.ignored_by == hub.ignored_by
            sql = (
                "SELECT next_sequence, (SELECT count(*) FROM message WHERE conversation_id = conversation.id),"
                " (SELECT max(sequence) FROM message WHERE conversation_id = conversation.id) FROM conversation"
            )
            for following, count, last in self.witness.reader.execute(sql):
                assert (count, last or 0) == (following - 1, following - 1)

    @invariant()
    def nobody_sees_what_is_not_theirs(self) -> None:
        """Of rooms and of private messages; what is seen is stored, in the store's order."""
        if hasattr(self, "house"):
            self.witness.look()


TestChatCore = ChatCore.TestCase
TestChatCore.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
