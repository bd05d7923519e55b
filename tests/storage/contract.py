"""What any implementation of `chat.ports.Store` has to do. A test class that says how to open one inherits this."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from secure_chat.chat import effects as fx
from secure_chat.chat.accounts import Account
from secure_chat.chat.codes import Code, Purpose
from secure_chat.chat.devices import Device
from secure_chat.chat.history import MissedQuery, Rights
from secure_chat.chat.messages import Between, Conversation, InRoom, Kind, NewMessage, PostId
from secure_chat.chat.ports import AlreadyPosted, AuditEntry, Conflict, PostIdReused, Snapshot, Store, StoreFailed
from secure_chat.chat.positions import Position
from secure_chat.chat.rooms import Ban, Role, RoomModes, RoomRecord, Topic
from secure_chat.protocol.relay import Relayed

ALICE = Account(1, "Alice", "alice", "hash", administrator=True, created_us=5)
BOB = Account(2**63 - 1, "Bob", "bob", "hash", created_us=6)
ENOUGH = 10_000
TEA = RoomRecord(7, "#Tea", "#tea", 8, ALICE.id)


def message(
    msgid: str, where: Conversation, text: str = "hello", post_id: PostId | None = None, sender: Account = ALICE
) -> fx.Append:
    """A post to be stored."""
    tags = {"+mood": "ha;ppy"}
    relayed = Relayed("Alice!al@h", "PRIVMSG", ("#Tea", text), 99, "Alice", msgid, tags)
    return fx.Append(NewMessage(where, Kind.POST, sender.id, "al", relayed, post_id, device="here"))


def missed_query(
    account: Account, after_id: int = 0, device: str = "elsewhere", *, own_private: bool = False
) -> MissedQuery:
    """What was said to an account since then, to be read by this device of it."""
    rights = Rights.MEMBERSHIP
    return MissedQuery(
        account.id, account.name, device, after_id, ENOUGH, rights, "h", None, own_private=own_private
    )


def missed_by(
    store: Store, account: Account, after_id: int = 0, device: str = "elsewhere", *, own_private: bool = False
) -> list[Relayed]:
    """The same, read."""
    missed = store.missed(missed_query(account, after_id, device, own_private=own_private), ENOUGH)
    assert missed is not None
    return missed


def texts(messages: list[Relayed]) -> list[str]:
    """What they say."""
    return [one.params[-1] for one in messages]


class StoreContract:
    """`stage`, `commit`, `load` and what is asked beside. Subclasses give `store` and `reopen`."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """A new store."""
        raise NotImplementedError

    def reopen(self, store: Store) -> Store:
        """What another process would see: nothing that was not committed."""
        raise NotImplementedError

    def keep(self, store: Store, *effects: fx.Durable) -> None:
        """A tick of one command."""
        store.stage(effects)
        store.commit()

    def keep_all(self, store: Store, *effects: fx.Durable) -> None:
        """A tick of a command each."""
        for effect in effects:
            store.stage([effect])
        store.commit()

    def begin(self, store: Store) -> None:
        """Two accounts and a room, of which Alice is a member."""
        self.keep(
            store,
            fx.AccountSet(ALICE),
            fx.AccountSet(BOB),
            fx.RoomSet(TEA),
            fx.MemberSet(TEA.id, ALICE.id, Role.FOUNDER),
        )

    def loaded(self, store: Store) -> Snapshot:
        """The state as it is on disk."""
        return self.reopen(store).load()

    def test_new_store_is_empty(self, store: Store) -> None:
        """And a tick without effects is nothing."""
        store.commit()
        snapshot = store.load()
        assert (list(snapshot.accounts), list(snapshot.rooms), list(snapshot.members)) == ([], [], [])

    def test_accounts(self, store: Store) -> None:
        """All fields come back; a change replaces."""
        self.begin(store)
        changed = replace(
            ALICE,
            name="ALICE",
            password="other",
            administrator=False,
            disabled=True,
            removed=True,
            epoch=3,
            muted_until_us=44,
        )
        self.keep(store, fx.AccountSet(changed))
        accounts = {account.id: account for account in self.loaded(store).accounts}
        assert accounts == {ALICE.id: changed, BOB.id: BOB}
        assert accounts[ALICE.id].password == "other"

    def test_rooms(self, store: Store) -> None:
        """Topic and modes come back, and go."""
        self.begin(store)
        assert list(self.loaded(store).rooms) == [TEA]
        modes = RoomModes(frozenset("ims"), "key", 12)
        changed = replace(TEA, topic=Topic("чай", "Alice", 77), modes=modes)
        self.keep(store, fx.RoomSet(changed))
        assert list(self.loaded(store).rooms) == [changed]
        self.keep(store, fx.RoomSet(replace(TEA, modes=RoomModes(frozenset()))))
        assert list(self.loaded(store).rooms) == [replace(TEA, modes=RoomModes(frozenset()))]

    def test_members(self, store: Store) -> None:
        """Roles change; who left is no member; who came back is one again."""
        self.begin(store)
        self.keep(store, fx.MemberSet(TEA.id, BOB.id, Role.MEMBER))
        self.keep(store, fx.MemberSet(TEA.id, BOB.id, Role.VOICED))
        alice = (TEA.id, ALICE.id, Role.FOUNDER)
        assert set(self.loaded(store).members) == {alice, (TEA.id, BOB.id, Role.VOICED)}
        for _ in range(2):
            self.keep(store, fx.MemberGone(TEA.id, BOB.id))
            assert set(self.loaded(store).members) == {alice}
        self.keep(store, fx.MemberSet(TEA.id, BOB.id, Role.MEMBER))
        assert list(self.loaded(store).members) == [alice, (TEA.id, BOB.id, Role.MEMBER)]

    def test_bans(self, store: Store) -> None:
        """Set, and gone."""
        self.begin(store)
        ban = Ban("bob!*@*", "Alice", 5)
        self.keep(store, fx.BanSet(TEA.id, ban))
        assert list(self.loaded(store).bans) == [(TEA.id, ban)]
        self.keep(store, fx.BanGone(TEA.id, ban.mask), fx.BanGone(TEA.id, "other"))
        assert list(self.loaded(store).bans) == []

    def test_invitations(self, store: Store) -> None:
        """Set, given twice, withdrawn; and used up by becoming a member."""
        self.begin(store)
        invited = fx.Invited(TEA.id, BOB.id)
        self.keep(store, invited, invited)
        assert list(self.loaded(store).invitations) == [(TEA.id, BOB.id)]
        self.keep(store, fx.Invited(TEA.id, BOB.id, invited=False))
        assert list(self.loaded(store).invitations) == []
        self.keep(store, invited)
        self.keep(store, fx.MemberSet(TEA.id, BOB.id, Role.MEMBER))
        assert list(self.loaded(store).invitations) == []

    def test_logins(self, store: Store) -> None:
        """A pair of account and address is known from its last login on."""
        self.begin(store)
        self.keep(store, fx.LoginRemembered(ALICE.id, "::1", 10), fx.LoginRemembered(ALICE.id, "::1", 20))
        assert store.logged_in_from(ALICE.id, "::1", 20)
        assert not store.logged_in_from(ALICE.id, "::1", 21)
        assert not store.logged_in_from(ALICE.id, "::2", 0)
        assert not store.logged_in_from(BOB.id, "::1", 0)

    def test_missed(self, store: Store) -> None:
        """What an account may read beyond a message, oldest first; staged ones count, and so does what it was."""
        self.begin(store)
        between = Between(ALICE.id, BOB.id)
        self.keep(store, message("a", between, "one"), message("r", InRoom(TEA.id)))
        assert store.stage([fx.Audited("a", "b", "c", "d", 1)]) == 0
        last_id = store.stage([message("b", between, "two"), message("s", InRoom(TEA.id))])
        first, second = missed_by(store, BOB)
        assert (first.params, first.msgid, first.source, first.command) == (
            ("Bob", "one"),
            "a",
            "Alice!al@h",
            "PRIVMSG",
        )
        assert (first.account, first.time_us, dict(first.client_tags)) == ("Alice", 99, {"+mood": "ha;ppy"})
        assert second.params == ("Bob", "two")
        assert store.missed(missed_query(BOB), 1) is None
        assert [one.msgid for one in missed_by(store, ALICE)] == ["r", "s"]
        assert [one.msgid for one in missed_by(store, ALICE, device="here")] == []
        assert [one.msgid for one in missed_by(store, ALICE, own_private=True)] == ["a", "r", "b", "s"]
        store.commit()
        assert missed_by(store, BOB, after_id=last_id) == []
        assert last_id == self.loaded(store).last_id

    def test_positions(self, store: Store) -> None:
        """Where a device is, until it is forgotten."""
        self.begin(store)
        self.keep(store, fx.PositionSet(BOB.id, "pad", Position(3, 5)), fx.PositionSet(BOB.id, "", Position(1, 5)))
        self.keep(store, fx.PositionSet(BOB.id, "pad", Position(4, 6)), fx.PositionGone(BOB.id, ""))
        assert list(self.loaded(store).positions) == [(BOB.id, "pad", Position(4, 6))]

    def test_both_directions_are_one_conversation(self, store: Store) -> None:
        """Sequences have no gap."""
        self.begin(store)
        self.keep(store, message("a", Between(ALICE.id, BOB.id)))
        self.keep(store, message("b", Between(BOB.id, ALICE.id), sender=BOB))
        self.keep(store, message("c", Between(ALICE.id, ALICE.id)))
        assert [one.msgid for one in missed_by(store, ALICE, own_private=True)] == ["a", "b", "c"]
        for post_id, place, sequence in (
            ("d", Between(BOB.id, ALICE.id), 3),
            ("e", Between(ALICE.id, ALICE.id), 2),
        ):
            self.keep(store, message(post_id, place, post_id=PostId(post_id, b"d")))
            with pytest.raises(AlreadyPosted) as known:
                store.stage([message("x", place, post_id=PostId(post_id, b"d"))])
            assert known.value.first.sequence == sequence

    def test_post_ids(self, store: Store) -> None:
        """The same id with the same content is answered with the first; with another content it is refused."""
        self.begin(store)
        post_id = PostId("p", b"digest")
        self.keep(store, message("a", InRoom(TEA.id), "first", post_id))
        store = self.reopen(store)
        with pytest.raises(AlreadyPosted) as known:
            store.stage([message("b", InRoom(TEA.id), "second", post_id)])
        first = known.value.first
        assert (first.msgid, first.text, first.conversation) == ("a", "first", InRoom(TEA.id))
        with pytest.raises(PostIdReused):
            store.stage([message("c", InRoom(TEA.id), "third", PostId("p", b"other"))])
        store.stage([message("d", Between(BOB.id, ALICE.id), "fourth", post_id, sender=BOB)])
        with pytest.raises(AlreadyPosted):
            store.stage([message("e", Between(BOB.id, ALICE.id), "fifth", post_id, sender=BOB)])
        store.commit()
        assert texts(missed_by(self.reopen(store), ALICE, device="here")) == ["fourth"]

    def test_a_conflict_costs_one_command(self, store: Store) -> None:
        """All of that command, and nothing of the others of its tick."""
        self.begin(store)
        carol = Account(3, "Carol", "carol", "hash")
        other = Account(4, "BOB", "bob", "hash")
        store.stage([fx.AccountSet(carol)])
        with pytest.raises(Conflict):
            store.stage([message("x", Between(ALICE.id, BOB.id)), fx.AccountSet(other)])
        store.stage([message("y", Between(ALICE.id, BOB.id), "kept")])
        store.commit()
        after = self.reopen(store)
        assert {account.name for account in after.load().accounts} == {"Alice", "Bob", "Carol"}
        assert texts(missed_by(after, BOB)) == ["kept"]

    def test_a_message_that_is_refused_takes_no_place(self, store: Store) -> None:
        """Those after it are numbered without a gap."""
        self.begin(store)
        first, post_id = store.stage([message("x", InRoom(TEA.id), "first")]), PostId("p", b"digest")
        known_id = fx.CodeSet(Code(b"a" * 32, "0a", Purpose.INVITATION, "Alice", 5, 9))
        with pytest.raises(Conflict):
            store.stage([message("x", InRoom(TEA.id), "with the id of another", post_id), known_id])
        with pytest.raises(Conflict):
            store.stage([message("w", InRoom(TEA.id), "beside what is refused"), fx.AccountSet(replace(BOB, id=4))])
        assert store.stage([message("y", InRoom(TEA.id), "second", post_id)]) == first + 1
        assert store.stage([message("v", InRoom(TEA.id), "third")]) == first + 2
        store.commit()
        with pytest.raises(AlreadyPosted) as known:
            self.reopen(store).stage([message("z", InRoom(TEA.id), "second", post_id)])
        assert known.value.first.sequence == 2

    def test_a_message_that_cannot_be_kept_costs_its_tick(self, store: Store) -> None:
        """It would be a bug of ours. Nothing of the tick is kept, and nothing of it is in the way of the next."""
        self.begin(store)
        self.keep(store, message("x", InRoom(TEA.id), "first"))
        impossible = message("y", InRoom(TEA.id), sender=replace(ALICE, id=2**64))
        for bad in (message("x", InRoom(TEA.id), "with the id of another"), impossible):
            with pytest.raises(StoreFailed):
                self.keep_all(store, message("w", InRoom(TEA.id), "beside it", PostId("p", b"digest")), bad)
            assert not store.recover()
        self.keep_all(store, message("w", InRoom(TEA.id), "second", PostId("p", b"digest")))
        with pytest.raises(AlreadyPosted) as known:
            self.reopen(store).stage([message("z", InRoom(TEA.id), "second", PostId("p", b"digest"))])
        assert known.value.first.sequence == 2

    def test_a_bug_costs_one_command(self, store: Store) -> None:
        """A value that cannot be stored is taken back with all that its command had staged."""
        self.begin(store)
        with pytest.raises(Exception, match=r".*") as raised:
            store.stage([message("x", Between(ALICE.id, BOB.id)), fx.AccountSet(replace(BOB, id=2**64))])
        assert not isinstance(raised.value, Conflict)
        store.stage([message("y", Between(ALICE.id, BOB.id), "kept")])
        store.commit()
        assert texts(missed_by(self.reopen(store), BOB)) == ["kept"]

    def test_what_is_not_committed_is_not_there(self, store: Store) -> None:
        """Nothing of a tick is on disk before its end."""
        self.begin(store)
        store.stage([message("x", Between(ALICE.id, BOB.id))])
        assert missed_by(self.reopen(store), BOB) == []

    def test_codes(self, store: Store) -> None:
        """All fields come back; uses are counted down, a code is revoked, forgotten."""
        self.begin(store)
        invitation = Code(b"a" * 32, "0a", Purpose.INVITATION, "Alice", 5, 9, 3, 3, "Zoë", None, TEA.id)
        reset = Code(b"b" * 32, "0b", Purpose.RESET, "Alice", 6, 8, account_id=BOB.id)
        self.keep(store, fx.CodeSet(invitation), fx.CodeSet(reset))
        assert set(self.loaded(store).codes) == {invitation, reset}
        changed = replace(invitation, uses_left=1, revoked=True)
        self.keep(store, fx.CodeSet(changed), fx.CodeGone(reset.digest), fx.CodeGone(b"another"))
        assert list(self.loaded(store).codes) == [changed]

    def test_a_code_is_used_with_all_that_it_does_or_not_at_all(self, store: Store) -> None:
        """A name that is taken leaves the code as it was."""
        self.begin(store)
        code = Code(b"a" * 32, "0a", Purpose.INVITATION, "Alice", 5, 9)
        self.keep(store, fx.CodeSet(code))
        with pytest.raises(Conflict):
            store.stage([fx.CodeSet(replace(code, uses_left=0)), fx.AccountSet(Account(4, "BOB", "bob", "hash"))])
        store.commit()
        assert list(self.loaded(store).codes) == [code]

    def test_devices(self, store: Store) -> None:
        """All fields come back; when and where it was seen changes; a name is unique in its account."""
        self.begin(store)
        laptop, phone = Device(b"l" * 32, ALICE.id, "Laptop", 5), Device(b"p" * 32, BOB.id, "laptop", 6, 7, "::1")
        self.keep(store, fx.DeviceSet(laptop), fx.DeviceSet(phone))
        assert set(self.loaded(store).devices) == {laptop, phone}
        with pytest.raises(Conflict):
            store.stage([fx.DeviceSet(Device(b"x" * 32, ALICE.id, "LAPTOP", 8))])
        seen = replace(laptop, seen_us=9, address="192.0.2.1")
        self.keep(store, fx.DeviceSet(seen), fx.DeviceGone(phone))
        self.keep(store, fx.DeviceGone(phone))
        assert list(self.loaded(store).devices) == [seen]

    def test_ignoring(self, store: Store) -> None:
        """One way; said twice it is there once; it ends."""
        self.begin(store)
        self.keep(store, fx.Ignored(ALICE.id, BOB.id), fx.Ignored(ALICE.id, BOB.id))
        assert list(self.loaded(store).ignores) == [(ALICE.id, BOB.id)]
        for _ in range(2):
            self.keep(store, fx.Ignored(ALICE.id, BOB.id, ignored=False))
            assert list(self.loaded(store).ignores) == []

    def test_mutes_in_a_room(self, store: Store) -> None:
        """A later one replaces; 0 ends it."""
        self.begin(store)
        self.keep(store, fx.RoomMuted(TEA.id, BOB.id, 44))
        self.keep(store, fx.RoomMuted(TEA.id, BOB.id, 55))
        assert list(self.loaded(store).room_mutes) == [(TEA.id, BOB.id, 55)]
        self.keep(store, fx.RoomMuted(TEA.id, BOB.id, 0))
        assert list(self.loaded(store).room_mutes) == []

    def test_audit(self, store: Store) -> None:
        """The last ones since then come back, the oldest first."""
        self.keep(store, *(fx.Audited("root", f"act {n}", "bob", f"чай {n}", n) for n in range(5)))
        store = self.reopen(store)
        assert store.audited(2, 0) == [AuditEntry(n, "root", f"act {n}", "bob", f"чай {n}") for n in (3, 4)]
        assert [entry.time_us for entry in store.audited(9, 2)] == [2, 3, 4]
        assert store.audited(9, 5) == []
