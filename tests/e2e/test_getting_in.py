"""From nothing to chatting, with real processes: the owner by the owner code, guests by a link."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import CONFIG
from tests.e2e.guest import OWN_PASSWORD, Come, invited
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import PROGRAM, START_SECONDS, ServerProcess, run_tool
from tests.e2e.waiting import wait_for

CODE = r"[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{6}-[0-9A-Z]{6}"
TOKENS = ".local/state/secure-chat/tokens.json"
First = Callable[[], ServerProcess]
pytestmark = pytest.mark.once


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A home in which nobody has an account."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f'{CONFIG}[server]\npublic_address = "localhost"\n')
    return home


@pytest.fixture
def first(empty: Path) -> Iterator[First]:
    """Starts servers on the empty home, and ends them after the test."""
    started: list[ServerProcess] = []

    def start_server() -> ServerProcess:
        started.append(ServerProcess(empty))
        return started[-1].wait_until_ready()

    yield start_server
    for server in started:
        server.stop()
        assert "Traceback" not in server.text, server.text


def stranger(server: ServerProcess) -> IrcClient:
    """A connection before its login."""
    client = IrcClient(server.port, server.ca)
    client.send("CAP LS 302")
    return client


def why_refused(server: ServerProcess, code: str) -> str:
    """What the server says to somebody new who comes with this code."""
    client = stranger(server)
    client.send("REGISTER ann * :seven green kettles", f"VERIFY ann {code}")
    return client.expect("FAIL VERIFY INVALID_CODE").params[-1]


# The owner


def test_without_a_terminal_the_code_is_alone_in_a_private_file(first: First, empty: Path) -> None:
    file, codes = empty / "owner-code", []
    for _ in range(2):
        server = first()
        assert file.stat().st_mode & 0o777 == 0o600
        assert re.fullmatch(f"{CODE}\n", file.read_text())
        codes.append(file.read_text().strip())
        assert str(file) in server.wait_for_log("info owner code")
        assert not re.search(CODE, server.text)
        if len(codes) == 1:
            server.stop()
            assert not file.exists()
    assert codes[0] != codes[1]
    assert why_refused(server, codes[0]) == "There is no such code"
    owner = stranger(server)
    owner.send("REGISTER ann * :seven green kettles", f"VERIFY ann {codes[1]}")
    owner.expect("VERIFY SUCCESS ann")
    wait_for(lambda: not file.exists())
    assert why_refused(server, codes[1]) == "This code has been used already"
    server.stop()
    server = first()
    assert not file.exists()
    assert "no administrator" not in server.text


def test_another_administrator_ends_the_owner_code(first: First, empty: Path) -> None:
    server = first()
    code = (empty / "owner-code").read_text().strip()
    arguments = ("user", "add", "root", "--admin", "--password-stdin", "--home", str(empty))
    assert run_tool(*arguments, stdin=OWN_PASSWORD).returncode == 0
    wait_for(lambda: not (empty / "owner-code").exists())
    assert why_refused(server, code) in ("There is no such code", "This server has an administrator already")


def test_at_a_terminal_the_code_is_shown_there_and_in_no_file(empty: Path) -> None:
    program, *arguments = (*PROGRAM, "serve", "--home", str(empty), "--listen", "127.0.0.1:0")
    terminal = pexpect.spawn(program, arguments, encoding="utf-8", timeout=START_SECONDS, dimensions=(40, 200))
    try:
        terminal.expect(f"owner code: {CODE}\r\n")
        terminal.expect_exact("info ready")
        assert not (empty / "owner-code").exists()
    finally:
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
        terminal.close()


def test_the_owner_comes_in_with_nothing_but_the_code(first: First, empty: Path, come: Come) -> None:
    server = first()
    code = (empty / "owner-code").read_text().strip()
    ann = come("ann", SECURE_CHAT_HOME=str(empty))
    ann.sees(f"Found your server on this machine: 127.0.0.1:{server.port}")
    ann.answers("Enter your name: ", "ann")
    ann.sees("This server has no administrator yet")
    ann.chooses_password()
    ann.answers("Enter the owner code (or nothing, to log in with that password): ", code)
    ann.answers("Show ten recovery codes, for when you forget it? (yes/no): ", "no")
    ann.sees("#lobby: here now: @ann")
    ann.is_in("ann")
    ann.says("Good morning")
    ann.matches(r"ann\S*> Good morning")
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    tokens = empty.parent / "ann" / TOKENS
    kept = tokens.read_text()
    assert tokens.stat().st_mode & 0o777 == 0o600
    (token,) = json.loads(kept).values()
    for secret in (OWN_PASSWORD, code, token):
        assert secret not in running
        assert secret not in server.text
    assert OWN_PASSWORD not in kept
    assert ann.leaves() == 0
    again = come("ann", SECURE_CHAT_HOME=str(empty))
    again.answers("Enter your name [ann]: ", "")
    again.is_in("ann")
    assert "password" not in again.text
    assert again.leaves() == 0
    assert OWN_PASSWORD not in "".join(file.read_text() for file in tokens.parent.iterdir())


# Guests


@pytest.fixture
def home(home_with_address: Path) -> Path:
    """The usual home, with an address for links."""
    return home_with_address


def test_a_guest_comes_in_by_the_link(server: ServerProcess, come: Come) -> None:
    root = log_in(server, "root")
    root.send("JOIN #tea")
    root.expect("JOIN #tea")
    link = invited(server, "--for", "zoe", "--room", "#tea")
    zoe = come("zoe")
    zoe.answers("paste the link you were given): ", link)
    zoe.answers("Enter your name [zoe]: ", "")
    zoe.chooses_password()
    zoe.answers("(yes/no): ", "")
    zoe.is_in("zoe")
    assert "Trust it" not in zoe.text
    zoe.says("Here I am")
    root.expect("PRIVMSG #lobby :?Here I am")
    zoe.says("/join #tea")
    zoe.sees("tea>")
    zoe.says("And here")
    root.expect("PRIVMSG #tea :?And here")
    assert zoe.leaves() == 0
    again = come("zoe")
    again.answers(f"[localhost:{server.port}]: ", "")
    again.answers("Enter your name [zoe]: ", "")
    again.is_in("zoe")
    assert "password" not in again.text


def test_what_is_refused_is_asked_again_with_the_reason(server: ServerProcess, come: Come) -> None:
    used, link = invited(server), invited(server)
    guest = stranger(server)
    guest.send("REGISTER ann * :seven green kettles", f"VERIFY ann {used.partition('#')[2]}")
    guest.expect("VERIFY SUCCESS")
    zoe = come("zoe")
    zoe.answers("given): ", link[:-3])
    zoe.sees("This link is not whole")
    zoe.answers("given): ", used)
    zoe.answers("Enter your name: ", "no spaces", "alice")
    zoe.chooses_password("password1")
    zoe.sees("common")
    zoe.chooses_password()
    zoe.sees("This code has been used already")
    code = link.partition("#")[2]
    zoe.answers(
        "Enter the code again (or nothing, to give up): ",
        code[:-1],
        f"{code[:-1]}{'B' if code[-1] == 'A' else 'A'}",
    )
    zoe.sees("mistyped")
    zoe.answers("Enter the code again (or nothing, to give up): ", link)
    zoe.sees("The name alice is taken")
    zoe.answers("Enter your name: ", "zoe")
    zoe.answers("(yes/no): ", "no")
    zoe.is_in("zoe")


def test_what_is_refused_is_said_in_russian(server: ServerProcess, come: Come) -> None:
    link = invited(server)
    zoe = come("zoe", "--lang", "ru")
    zoe.answers("полученную ссылку: ", link)
    zoe.answers("своё имя: ", "alice")
    for password in ("password1", OWN_PASSWORD):
        zoe.answers_hidden("Придумайте пароль: ", password)
        zoe.answers_hidden("ещё раз: ", password)
    zoe.sees("Имя alice")
    zoe.answers("своё имя: ", "zoe")
    zoe.answers("(да/нет): ", "нет")
    zoe.sees("Вы вошли под именем zoe")
    assert not re.search(r"is taken|common|password|code", zoe.text.replace("secure-chat", ""))


def test_recovery_codes_and_resets_set_a_new_password(server: ServerProcess, come: Come) -> None:
    zoe = come("zoe")
    zoe.answers("given): ", invited(server, "--for", "zoe"))
    zoe.answers("[zoe]: ", "")
    zoe.chooses_password()
    zoe.answers("(yes/no): ", "yes")
    codes = [zoe.matches(f"Recovery code {place} of 10: ({CODE})")[1] for place in range(1, 11)]
    zoe.sees("Keep them on paper")
    assert len(set(codes)) == 10
    assert zoe.leaves() == 0
    there = [f"zoe@localhost:{server.port}", "--ca", str(server.ca)]
    other = come("elsewhere", *there)
    other.answers_hidden("Enter your password: ", codes[3].lower())
    other.chooses_password("another one, by far")
    other.answers("(yes/no): ", "no")
    other.is_in("zoe")
    other.leaves()
    log_in(server, "zoe", "another one, by far")
    done = run_tool("user", "reset", "zoe", "--home", str(server.home))
    (link,) = re.findall(r"secure-chat://\S+", done.stdout)
    third = come("third")
    third.answers("given): ", link)
    third.answers("[zoe]: ", "")
    third.chooses_password("once more, with feeling")
    third.answers("(yes/no): ", "no")
    third.is_in("zoe")
    log_in(server, "zoe", "once more, with feeling")
    assert why_refused(server, codes[3]) == "This code has been used already"
    assert why_refused(server, codes[4]) == "This code is for another name"


def test_a_link_with_another_key_ends_before_anything_is_sent(server: ServerProcess, come: Come) -> None:
    link = invited(server, "--for", "zoe")
    other = re.sub(r"SHA256:.", lambda found: f"SHA256:{'A' if found[0][-1] != 'A' else 'B'}", link)
    zoe = come("zoe")
    zoe.answers("given): ", other)
    zoe.answers("[zoe]: ", "")
    assert zoe.end() == 4
    assert "password" not in zoe.text
    assert link.partition("#")[2] not in zoe.text.partition("[zoe]")[2]
    server.wait_for_log("info disconnect")
    shown = run_tool("invite", "list", "--home", str(server.home)).stdout
    assert "1 of 1 uses left" in shown
