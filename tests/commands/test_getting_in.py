"""Limits and rare moments of codes, invitations, devices and ignoring, which no script reaches quickly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from secure_chat.chat import codes
from secure_chat.chat.accounts import Account
from secure_chat.chat.deliveries import HashPassword
from secure_chat.chat.devices import DEVICES_LIMIT
from secure_chat.chat.effects import AccountSet
from secure_chat.chat.settings import Reach, Settings
from secure_chat.chat.throttle import ENTRIES_LIMIT, Quota
from secure_chat.commands import codes as code_commands
from secure_chat.commands.ignoring import IGNORED_LIMIT
from secure_chat.commands.invitations import OPEN_PER_MEMBER, PEOPLE_LIMIT
from secure_chat.commands.redeeming import APPLICATION_SECONDS, PasswordHashed
from secure_chat.commands.startup import forget_codes, set_reach
from secure_chat.net import operations as op
from secure_chat.protocol.codes import digest_of, write_code
from secure_chat.server.happenings import Asked
from tests.conversation.house import House, hash_of, password_of
from tests.conversation.wire import Client


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A server with an administrator, whose members may invite."""
    settings = Settings(lobby="", grace_seconds=0, inviter=Settings().inviter.EVERYONE)
    house = House(tmp_path / "chat.db", settings)
    house.add_account("root", administrator=True)
    house.add_account("alice")
    yield house
    house.stop()


def last(client: Client) -> str:
    """The last line that came; all are read then."""
    text = client.unread[-1].text
    client.unread.clear()
    return text


def test_open_invitations_are_limited(house: House) -> None:
    """Those of members; administrators know what they do."""
    alice, root = house.log_in("alice"), house.log_in("root")
    for _ in range(OPEN_PER_MEMBER):
        house.say(alice, "INVITATION ADD")
        assert "secure-chat://" in last(alice)
        house.say(root, "INVITATION ADD")
        assert "secure-chat://" in last(root)
    house.say(alice, "INVITATION ADD")
    assert "Your open invitations are for 20 people; 20 is the most" in last(alice)
    house.say(root, "INVITATION ADD uses=1000")
    assert "secure-chat://" in last(root)


def test_uses_of_invitations_are_limited(house: House) -> None:
    """Each is one more who comes in: one code for a thousand is no way round the limit."""
    alice = house.log_in("alice")
    house.say(alice, "INVITATION ADD uses=21")
    assert "Your open invitations are for 0 people; 20 is the most" in last(alice)
    house.say(alice, "INVITATION ADD uses=15")
    code = last(alice).partition("#")[2]
    house.say(alice, "INVITATION ADD uses=6")
    assert "Your open invitations are for 15 people; 20 is the most" in last(alice)
    house.say(alice, "INVITATION ADD uses=many")
    assert "An invitation has 1 to 1000 uses, not many" in last(alice)
    client = house.connect("zoe")
    house.say(client, "CAP LS 302", "REGISTER zoe * :good password", f"VERIFY zoe {code}")
    house.say(alice, "INVITATION ADD uses=6")
    assert "secure-chat://" in last(alice)


def test_codes_are_limited_in_all(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clear text, and nothing made."""
    monkeypatch.setattr(code_commands, "CODES_LIMIT", 1)
    assert "error" not in house.ask("invite")
    assert "revoke some first" in house.ask("invite")["error"]
    assert len(house.hub.codes) == 1


def test_dead_codes_make_room(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who makes and revokes them all day does not keep others from it; the oldest dead one is forgotten."""
    monkeypatch.setattr(code_commands, "CODES_LIMIT", 2)
    first = house.ask("invite")["invitations"][0]["id"]
    house.now_us += 1
    second = house.ask("invite")["invitations"][0]["id"]
    house.ask("invite revoke", id=second)
    house.ask("invite revoke", id=first)
    (third,) = house.ask("invite")["invitations"]
    assert {code.id for code in house.hub.codes.values()} == {second, third["id"]}
    assert len(house.store.load().codes) == 2
    assert "error" not in house.ask("invite")
    assert "revoke some first" in house.ask("invite")["error"]


def test_registering_gives_more_time_once(house: House) -> None:
    """Who repeats REGISTER would hold the connection for ever."""
    client = house.connect("zoe")
    given = []
    for _ in range(2):
        outcomes = house.engine.tick(house.received(client, b"REGISTER zoe * :good password\r\n"))
        given.append([o.seconds for outcome in outcomes for o in outcome.operations if isinstance(o, op.MoreTime)])
    assert given == [[APPLICATION_SECONDS], []]


def test_a_class_is_invited_at_once_but_no_more(house: House) -> None:
    """Thirty, not thousands."""
    assert len(house.ask("invite", names=[f"p{n}" for n in range(30)])["invitations"]) == 30
    assert "At most" in house.ask("invite", names=[f"q{n}" for n in range(PEOPLE_LIMIT + 1)])["error"]


def test_used_and_revoked_ones_are_listed_when_asked_for(house: House) -> None:
    """With what has become of them."""
    (made,) = house.ask("invite", names=["zoe"])["invitations"]
    assert house.ask("invite revoke", id=made["id"]) == {"id": made["id"]}
    assert house.ask("invite list")["invitations"] == []
    (shown,) = house.ask("invite list", all=True)["invitations"]
    assert (shown["name"], shown["state"]) == ("zoe", "This code was revoked")


def test_no_link_where_nobody_could_follow_it(house: House) -> None:
    """The text says what mends it; nothing is made."""
    house.engine.run_once(
        lambda ctx: set_reach(ctx, Reach("chat.example.org:6697", "", "The certificate does not"))
    )
    assert house.ask("invite")["error"] == "The certificate does not"
    assert not house.hub.codes
    house.ask("reach", address="chat.example.org:6697", pin="SHA256:x+/y")
    (made,) = house.ask("invite", names=["Иван"])["invitations"]
    assert made["link"].startswith(
        "secure-chat://chat.example.org:6697/?pin=SHA256:x-_y&name=%D0%98%D0%B2%D0%B0%D0%BD#"
    )


def test_dead_codes_are_forgotten_after_a_while(house: House) -> None:
    """Not before: who comes with one is told what has become of it."""
    house.ask("invite", expires="1d")
    house.now_us += 20 * 86_400_000_000
    house.engine.run_once(forget_codes)
    assert len(house.hub.codes) == 1
    house.now_us += codes.KEPT_AFTER_US
    house.engine.run_once(forget_codes)
    assert not house.hub.codes
    assert not house.store.load().codes


def test_who_has_a_reserved_name_already(house: House) -> None:
    """Comes in as before, and may have a new password set."""
    account = Account(77, "System", "system", hash_of(password_of("System")))
    house.engine.run_once(lambda ctx: ctx.add(AccountSet(account)))
    house.log_in("System")
    assert "There is an account System already" in house.ask("user add", name="system", password="x" * 12)["error"]
    code = house.ask("user reset", name="System")["link"].partition("#")[2]
    client = house.connect("new")
    house.say(client, "CAP LS 302", "REGISTER system * :good password", f"VERIFY system {code}")
    assert "You are now logged in as System" in last(client)


def test_a_code_without_its_room(house: House) -> None:
    """Rooms are never removed; a code of another database's room would do no harm."""
    link = house.ask("invite")["invitations"][0]["link"]
    (digest,) = house.hub.codes
    house.hub.codes[digest] = replace(house.hub.codes[digest], room_id=12345)
    client = house.connect("zoe")
    house.say(client, "CAP LS 302", "REGISTER zoe * :good password", f"VERIFY zoe {link.partition('#')[2]}")
    assert "You are now logged in as zoe" in last(client)


def test_a_busy_pool(house: House) -> None:
    """The code stays good."""
    link = house.ask("invite")["invitations"][0]["link"]
    client = house.connect("zoe")
    house.say(client, "CAP LS 302", "REGISTER zoe * :good password")
    outcomes = house.engine.tick(house.received(client, f"VERIFY zoe {link.partition('#')[2]}\r\n".encode()))
    ((job,),) = [outcome.jobs for outcome in outcomes if outcome.jobs]
    assert isinstance(job, HashPassword)
    assert not job.known
    assert "password" not in repr(job).partition("password=")[2]
    house.work([PasswordHashed(job, None)])
    assert "TEMPORARILY_UNAVAILABLE" in last(client)
    house.say(client, f"VERIFY zoe {link.partition('#')[2]}")
    assert "You are now logged in as zoe" in last(client)
    # An answer for who is gone, or has begun anew, changes nothing.
    assert house.engine.tick([PasswordHashed(job, "hash")]) == []
    house.vanish(client)
    assert house.engine.tick([PasswordHashed(job, "hash")]) == []


def test_devices_are_limited(house: House) -> None:
    """And the command line is refused as well."""
    for number in range(DEVICES_LIMIT):
        assert "error" not in house.ask("device add", name="alice", device=f"d{number}")
    assert "revoke one first" in house.ask("device add", name="alice", device="one-more")["error"]
    alice = house.log_in("alice")
    house.say(alice, "DEVICE LIST")
    assert any("last seen never" in seen.text for seen in alice.unread)


def test_ignoring_is_limited(house: House) -> None:
    """Whom one ignores already is no more than before."""
    happenings = [
        Asked("user add", {"name": f"p{n}", "password_hash": "x"}, lambda _: None) for n in range(IGNORED_LIMIT + 1)
    ]
    house.work(happenings)
    alice = house.log_in("alice")
    for number in range(IGNORED_LIMIT):
        house.say(alice, f"IGNORE p{number}")
    assert "You see nothing more" in last(alice)
    house.say(alice, f"IGNORE p{IGNORED_LIMIT}")
    assert "You ignore 200 people already" in last(alice)
    house.say(alice, "IGNORE p0")
    assert "You see nothing more" in last(alice)


def test_a_quota_has_bounded_memory() -> None:
    """The address that was counted longest ago is forgotten first."""
    quota = Quota(1, 3600)
    for number in range(ENTRIES_LIMIT + 1):
        quota.used(f"address-{number}", 0)
    assert quota.wait_seconds("address-0", 0) == 0
    assert quota.wait_seconds("address-1", 1_800_000_000) == 1800
    assert quota.wait_seconds("address-1", 3_600_000_000) == 0


def test_codes_as_people_type_them() -> None:
    """Small letters, spaces, look-alikes; and what is mistyped is noticed."""
    secret = write_code("0123456789ABCDEFGHJKMNPQRS").reveal()
    digest = digest_of(secret)
    assert digest is not None
    assert digest_of(secret.lower().replace("-", " ").replace("0", "o").replace("1", "l")) == digest
    for wrong in ("", secret[:-1], secret + "0", secret.replace("2", "3"), secret.replace("A", "U"), "ж" * 27):
        assert digest_of(wrong) is None, wrong
