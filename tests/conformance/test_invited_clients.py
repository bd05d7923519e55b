"""irssi and WeeChat with just the settings that `secure-chat invite` prints: the login makes the account."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.terminal import Terminal
from tests.conformance.test_real_clients import AT_ONCE, needs
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess, run_tool

CHOSEN = "seven-green-kettles"
pytestmark = pytest.mark.once


@pytest.fixture
def home(home: Path) -> Path:
    """The usual home, with an address for links."""
    with (home / "config.toml").open("a") as file:
        file.write('[server]\npublic_address = "localhost"\n')
    return home


def printed(server: ServerProcess) -> str:
    """What the owner hands to zoe, with her password in its place."""
    done = run_tool("invite", "--for", "zoe", "--home", str(server.home))
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("PASSWORD", CHOSEN)


def lines_for(client: str, text: str) -> list[str]:
    """The indented lines under the client's name."""
    found = re.search(rf"^{client}\b.*:\n((?:  .*\n)+)", text, re.MULTILINE)
    assert found, text
    return [line.strip() for line in found[1].splitlines()]


def save_authority(text: str, path: Path) -> None:
    """Save the lines as the text says."""
    found = re.search(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", text, re.DOTALL)
    assert found, text
    path.write_text(found[0])


def talk_and_leave(bob: IrcClient, zoe: Terminal, folder: Path) -> None:
    """Both ways in the lobby; then the client is gone."""
    bob.expect(r":zoe!\S+ JOIN #lobby")
    if folder.name == "irssi":  # it does not turn to a room that it was put into
        zoe.wait_for("Act: 2")
        zoe.type("/window 2")
        zoe.wait_for("[#lobby]")
    else:
        zoe.wait_for("2:#lobby")
    bob.send("PRIVMSG #lobby :welcome, zoe")
    zoe.wait_for("welcome, zoe")
    zoe.type("thank you")
    bob.expect("PRIVMSG #lobby :?thank you")
    zoe.type("/quit")
    bob.expect(r":zoe!\S+ QUIT")
    zoe.wait_until_ended()


@needs("irssi")
def test_irssi(server: ServerProcess, tmp_path: Path, terminals: list[Terminal]) -> None:
    folder, bob, text = tmp_path / "irssi", log_in(server, "bob"), printed(server)
    folder.mkdir()
    zoe = Terminal(["irssi"], folder)
    terminals.append(zoe)
    zoe.wait_for("[(status)]")
    zoe.type("/set cmds_max_at_once 100")  # else it takes two seconds for each command
    for line in lines_for("irssi", text):
        zoe.type(line)
    talk_and_leave(bob, zoe, folder)
    again = Terminal(["irssi"], folder)
    terminals.append(again)
    talk_and_leave(bob, again, folder)
    log_in(server, "zoe", CHOSEN)


@needs("irssi")
def test_irssi_refuses_another_key(server: ServerProcess, tmp_path: Path, terminals: list[Terminal]) -> None:
    folder, text = tmp_path / "irssi", printed(server)
    folder.mkdir()
    zoe = Terminal(["irssi"], folder)
    terminals.append(zoe)
    zoe.wait_for("[(status)]")
    for line in lines_for("irssi", text):
        zoe.type(re.sub(r"(pubkey )(..)", lambda found: f"{found[1]}{int(found[2], 16) ^ 1:02X}", line))
    zoe.wait_for("Pinned public key mismatch")
    server.wait_for_log("info disconnect")
    assert "info login" not in server.text
    assert "register" not in server.text


@needs("weechat")
def test_weechat(server: ServerProcess, tmp_path: Path, terminals: list[Terminal]) -> None:
    folder, bob, text = tmp_path / "weechat", log_in(server, "bob"), printed(server)
    folder.mkdir()
    save_authority(text, folder / "secure-chat-ca.pem")
    zoe = Terminal(["weechat", *AT_ONCE], folder)
    terminals.append(zoe)
    zoe.wait_for("1:weechat")
    done = ("gnutls_ca_user =", "server added", "connected to")  # faster, and it asks whether this is a paste
    for line, words in zip(lines_for("WeeChat", text), done, strict=True):
        zoe.type(line.replace(" -tls ", " -ssl "))  # version 3, as the text says
        zoe.wait_for(words)
    talk_and_leave(bob, zoe, folder)
    again = Terminal(["weechat", *AT_ONCE], folder)
    terminals.append(again)
    talk_and_leave(bob, again, folder)
    log_in(server, "zoe", CHOSEN)
