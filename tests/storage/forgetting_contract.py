"""What any implementation of `chat.ports.Store` has to do about forgetting, beside the rest of the contract."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec import structs

from secure_chat.chat import effects as fx
from secure_chat.chat.accounts import Account
from secure_chat.chat.forgetting import POST_IDS_SECONDS, Forgetting
from secure_chat.chat.messages import Between, Conversation, InRoom, PostId
from secure_chat.chat.ports import AlreadyPosted, PostIdReused, Store
from secure_chat.chat.positions import Position
from secure_chat.chat.rooms import Role
from tests.e2e.waiting import wait_for
from tests.storage.contract import ALICE, BOB, TEA, StoreContract, message, missed_by

POST_IDS_US = POST_IDS_SECONDS * 1_000_000
STEPS_LIMIT = 2_000
BETWEEN = Between(ALICE.id, BOB.id)


def said(
    msgid: str, time_us: int, where: Conversation = BETWEEN, post_id: PostId | None = None, sender: Account = ALICE
) -> fx.Append:
    """A post of that time."""
    new = message(msgid, where, f"text of {msgid}", post_id, sender).message
    return fx.Append(structs.replace(new, relayed=dataclasses.replace(new.relayed, time_us=time_us)))


def step(store: Store, what: Forgetting, before_us: int, now_us: int = 0) -> None:
    """One, in a tick of its own."""
    if what is Forgetting.FILES:
        wait_for(store.files_are_clean)
    store.stage([fx.Forgot(what, before_us, now_us)])
    store.commit()


def forget_all(store: Store, before_us: int = 0, now_us: int = 0) -> list[Forgetting]:
    """Steps until nothing is left, each a tick; what they were about."""
    done: list[Forgetting] = []
    while (what := store.to_forget(before_us, now_us)) is not None:
        step(store, what, before_us, now_us)
        done.append(what)
        assert len(done) < STEPS_LIMIT
    return done


class ForgettingContract(StoreContract):
    """`to_forget`, `files_are_clean` and the effects of forgetting."""

    def msgids(self, store: Store) -> list[str]:
        """Private messages to Bob, none of which was delivered."""
        return [str(one.msgid) for one in missed_by(self.reopen(store), BOB)]

    def test_nothing_is_forgotten_without_a_reason(self, store: Store) -> None:
        """Nothing is old enough before 1970."""
        assert store.to_forget(0, 0) is None
        assert store.to_forget(10**15, 10**15) is None
        self.begin(store)
        self.keep(store, said("a", 10))
        assert store.to_forget(0, 10**15) is None
        assert store.to_forget(10, 10**15) is None

    def test_old_messages_go(self, store: Store) -> None:
        """The oldest first, in many steps; what is younger stays."""
        self.begin(store)
        self.keep(store, *(said(f"m{n}", n) for n in range(100)))
        done = forget_all(store, before_us=80)
        assert done.count(Forgetting.AGE) > 2
        assert done == sorted(done, key=lambda what: what.value)
        assert self.msgids(store) == [f"m{n}" for n in range(80, 100)]
        assert forget_all(store, before_us=80) == []

    def test_when_all_is_forgotten_time_and_order_go_on(self, store: Store) -> None:
        """Neither the time of the last message nor a sequence goes back, and what comes is delivered."""
        self.begin(store)
        self.keep(store, said("a", 10), said("b", 20))
        forget_all(store, before_us=1_000)
        assert forget_all(store, before_us=1_000) == []
        assert self.msgids(store) == []
        assert self.loaded(store).last_us == 20
        store = self.reopen(store)
        self.keep(store, said("c", 2_000))
        assert self.msgids(store) == ["c"]
        self.keep(store, said("d", 2_001, post_id=PostId("d", b"d")))
        with pytest.raises(AlreadyPosted) as known:
            store.stage([said("e", 2_002, post_id=PostId("d", b"d"))])
        assert known.value.first.sequence == 4
        forget_all(store, before_us=1_500)
        assert self.msgids(store) == ["c", "d"]

    def test_the_id_of_a_post_outlives_its_message_by_30_days(self, store: Store) -> None:
        """Repeated, the post is answered as the first was; with another content it is refused."""
        self.begin(store)
        one, two = PostId("one", b"digest"), PostId("two", b"digest")
        self.keep(store, said("a", 10, post_id=one), said("b", 20, post_id=two))
        forget_all(store, before_us=1_000, now_us=2_000)
        store = self.reopen(store)
        for msgid, time_us, post_id in (("a", 10, one), ("b", 20, two)):
            with pytest.raises(AlreadyPosted) as known:
                store.stage([said("again", 3_000, post_id=post_id)])
            first = known.value.first
            assert (first.msgid, first.time_us, first.text) == (msgid, time_us, "text of again")
            assert (first.conversation, first.sender_id) == (BETWEEN, ALICE.id)
        with pytest.raises(PostIdReused):
            store.stage([said("c", 3_000, post_id=PostId("one", b"other"))])
        store.commit()
        assert forget_all(store, before_us=1_000, now_us=2_000 + POST_IDS_US) == []
        assert forget_all(store, before_us=1_000, now_us=2_001 + POST_IDS_US) == [Forgetting.POST_IDS]
        self.keep(store, said("d", 3_000, post_id=one))
        assert self.msgids(store) == ["d"]

    def test_an_account_is_erased(self, store: Store) -> None:
        """What it said goes, wherever and however much; what others said stays, in its place."""
        self.begin(store)
        self.keep(store, fx.MemberSet(TEA.id, BOB.id, Role.MEMBER), fx.LoginRemembered(ALICE.id, "::1", 10))
        self.keep(store, fx.ReadMarked(ALICE.id, InRoom(TEA.id), 9), fx.ReadMarked(BOB.id, InRoom(TEA.id), 9))
        self.keep(store, *(fx.PositionSet(one.id, "laptop", Position(1, 9)) for one in (ALICE, BOB)))
        self.keep(store, *(said(f"a{n}", n, post_id=PostId(f"p{n}", b"d")) for n in range(300)))
        self.keep(store, said("b", 400, Between(BOB.id, ALICE.id), sender=BOB))
        self.keep(store, said("c", 500, Between(BOB.id, BOB.id), sender=BOB))
        self.keep(store, fx.MemberGone(TEA.id, ALICE.id), fx.ErasureBegun(ALICE.id))
        assert self.reopen(store).to_forget(0, 0) is Forgetting.ERASURE
        done = forget_all(store)
        assert done.count(Forgetting.ERASURE) > 2
        assert done[-1] is Forgetting.FILES
        store = self.reopen(store)
        assert [one.msgid for one in missed_by(store, BOB)] == ["c"]
        assert [one.msgid for one in missed_by(store, ALICE)] == ["b"]
        assert not store.logged_in_from(ALICE.id, "::1", 0)
        assert list(store.load().markers) == [(BOB.id, TEA.id, 9)]
        assert list(store.load().positions) == [(BOB.id, "laptop", Position(1, 9))]
        self.keep(store, said("again", 600, post_id=PostId("p1", b"other")))

    def test_erasing_goes_on_where_it_was_interrupted(self, store: Store) -> None:
        """What was staged and not committed is not lost, and is done again."""
        self.begin(store)
        self.keep(store, *(said(f"a{n}", n) for n in range(200)), fx.ErasureBegun(ALICE.id))
        for _ in range(2):
            self.keep(store, fx.Forgot(Forgetting.ERASURE, 0, 0))
        store = self.reopen(store)
        assert forget_all(store)
        assert self.msgids(store) == []
        # An account that said nothing, and one of which nothing is left.
        for account in (BOB, ALICE):
            self.keep(store, fx.ErasureBegun(account.id))
            assert Forgetting.FILES in forget_all(store)

    def test_a_second_erasure_needs_clean_files_of_its_own(self, store: Store) -> None:
        """That the files were clean once does not count later."""
        self.begin(store)
        self.keep(store, said("a", 1), said("b", 2, Between(BOB.id, ALICE.id), sender=BOB))
        for account in (ALICE, BOB):
            self.keep(store, fx.ErasureBegun(account.id))
            assert forget_all(store)[-1] is Forgetting.FILES
        self.keep(store, fx.ErasureBegun(ALICE.id))
        assert not store.files_are_clean()
