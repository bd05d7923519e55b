"""People talk: lobby, rooms, private messages, several devices; over real TLS with the real server process."""

from __future__ import annotations

from tests.conftest import Start
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import PASSWORD, ServerProcess


def test_the_lobby_hears_everybody(server: ServerProcess) -> None:
    alice, bob = log_in(server, "alice"), log_in(server, "bob")
    alice.expect(r":bob!\S+ JOIN #lobby")
    alice.send("PRIVMSG #lobby :good morning")
    echo = alice.expect(r":alice!\S+ PRIVMSG #lobby :good morning")
    heard = bob.expect(r":alice!\S+ PRIVMSG #lobby :good morning")
    assert echo.tags["msgid"] == heard.tags["msgid"]
    bob.send("QUIT :tea time")
    alice.expect(r":bob!\S+ QUIT :Quit: tea time")


def test_private_messages_reach_one_person_only(server: ServerProcess) -> None:
    alice, bob, carol = (log_in(server, name) for name in ("alice", "bob", "carol"))
    for client in (alice, bob, carol):
        client.barrier()
    alice.send("PRIVMSG bob :between us", "NOTICE bob :a notice", "@+typing=active TAGMSG bob")
    for words in (r"PRIVMSG bob :between us", r"NOTICE bob :a notice", r"\+typing=active\S* :alice\S+ TAGMSG bob"):
        bob.expect(words)
    alice.barrier()
    assert carol.barrier() == []


def test_a_room_is_for_its_members(server: ServerProcess) -> None:
    alice, bob, carol = (log_in(server, name) for name in ("alice", "bob", "carol"))
    alice.send("JOIN #чай")
    alice.expect(r"366 alice #чай")
    bob.send("JOIN #ЧАЙ")
    bob.expect(r"366 bob #чай")
    carol.barrier()
    alice.send("PRIVMSG #чай :чашку?")
    bob.expect(r":alice!\S+ PRIVMSG #чай чашку\?")
    alice.barrier()
    assert carol.barrier() == []
    carol.send("PRIVMSG #чай :me too")
    carol.expect(r" 404 carol #чай ")


def test_nobody_gets_in_without_an_account(server: ServerProcess) -> None:
    stranger = IrcClient(server.port, server.ca)
    stranger.send("JOIN #lobby")
    stranger.expect(r" 451 ")
    stranger.send("NICK stranger", "USER s 0 * :s")
    stranger.expect(r" 464 ")
    stranger.expect(r"^ERROR ")
    stranger.expect_end()


def test_wrong_passwords_and_unknown_names_look_alike(server: ServerProcess) -> None:
    answers = []
    for name, password in (("alice", "wrong password"), ("nobody", PASSWORD)):
        client = IrcClient(server.port, server.ca)
        client.send("CAP REQ sasl", f"PASS {name}:{password}", f"NICK {name}", "USER u 0 * :u", "CAP END")
        refusal = client.expect(r" 464 ")
        client.expect_end()
        answers.append(refusal.params[1:])
    assert answers[0] == answers[1]
    server.wait_for_log("login refused")
    assert "nobody" not in server.text
    assert "wrong password" not in server.text


def test_a_password_with_spaces_logs_in_by_pass(server: ServerProcess) -> None:
    client = IrcClient(server.port, server.ca)
    client.send(f"PASS bob:{PASSWORD}", "NICK bob_", "USER u 0 * :u")
    client.expect(r":bob_!u@\S+ NICK bob")
    client.expect(r" 001 bob ")


def test_two_devices_share_one_account(server: ServerProcess) -> None:
    laptop, phone, bob = log_in(server, "alice"), log_in(server, "alice"), log_in(server, "bob")
    laptop.send("JOIN #tea", "PRIVMSG #lobby :from the laptop", "PRIVMSG bob :to bob")
    phone.expect(r":alice!\S+ JOIN #tea")
    phone.expect(r"PRIVMSG #lobby :from the laptop")
    phone.expect(r":alice!\S+ PRIVMSG bob :to bob")
    bob.expect(r"PRIVMSG bob :to bob")
    laptop.close()
    phone.send("PRIVMSG #lobby :still here")
    bob.expect(r"still here")
    assert not [line for line in bob.seen if " QUIT " in line]


def test_private_messages_wait_for_who_is_offline_across_a_restart(start: Start) -> None:
    first = start().wait_until_ready()
    alice = log_in(first, "alice")
    for n in range(3):
        alice.send(f"PRIVMSG Иван :письмо {n}")
        alice.expect(rf"PRIVMSG Иван :письмо {n}")
    first.stop()
    second = start().wait_until_ready()
    ivan = log_in(second, "Иван")
    ivan.expect_missed("письмо 2")
    letters = [line for line in ivan.seen if "письмо" in line]
    assert [line[-1] for line in letters] == ["0", "1", "2"]
    ivan.send("QUIT")
    ivan.expect_end()
    again = log_in(second, "Иван")
    again.barrier()
    assert not [line for line in again.seen if "письмо" in line]


def test_a_repeated_post_is_posted_once_even_after_kill_9(start: Start) -> None:
    first = start().wait_until_ready()
    alice = log_in(first, "alice")
    post = "PRIVMSG #lobby :exactly once"
    alice.send(f"@label=a;secure-chat.internal/post-id=p1 {post}")
    echo = alice.expect(r"exactly once")
    first.kill()
    second = start().wait_until_ready()
    alice, bob = log_in(second, "alice"), log_in(second, "bob")
    alice.send(f"@label=b;secure-chat.internal/post-id=p1 {post}")
    again = alice.expect(r"exactly once")
    assert (again.tags["msgid"], again.tags["time"], again.tags["label"]) == (
        echo.tags["msgid"],
        echo.tags["time"],
        "b",
    )
    bob.expect_missed("exactly once")
    bob.barrier()
    assert len([line for line in bob.seen if "exactly once" in line]) == 1
    alice.send("@label=c;secure-chat.internal/post-id=p1 PRIVMSG #lobby :something else")
    alice.expect(r"label=c\S* \S+ FAIL PRIVMSG POST_ID_REUSED")


def test_everything_is_answered_in_order(server: ServerProcess) -> None:
    alice = log_in(server, "alice")
    alice.send(*(f"PRIVMSG #lobby :{n}\r\nPING {n}" for n in range(200)))
    for n in range(200):
        alice.expect(rf"PRIVMSG #lobby :?{n}$")
        alice.expect(rf"PONG \S+ {n}$")
