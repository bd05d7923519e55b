"""irssi and WeeChat as people use them: log in with SASL, talk in a room and in private."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conformance.terminal import Terminal
from tests.e2e.irc_client import log_in
from tests.e2e.server_process import PASSWORD, ServerProcess

pytestmark = pytest.mark.once


AT_ONCE = [
    word for priority in ("high", "low") for word in ("-r", f"/set irc.server_default.anti_flood_prio_{priority} 0")
]
"""By itself WeeChat holds back commands for two seconds each."""


def needs(program: str) -> pytest.MarkDecorator:
    missing = shutil.which(program) is None or shutil.which("tmux") is None
    return pytest.mark.skipif(missing, reason=f"{program} or tmux is not installed")


def irssi(server: ServerProcess, folder: Path, name: str) -> Terminal:
    # By itself it holds back all but the first five commands for two seconds each.
    (folder / "config").write_text(f"""
chatnets = {{ sc = {{ type = "IRC"; sasl_mechanism = "plain"; sasl_username = "{name}";
  sasl_password = "{PASSWORD}"; }}; }};
servers = ( {{ address = "localhost"; chatnet = "sc"; port = "{server.port}"; use_tls = "yes"; tls_verify = "yes";
  tls_cafile = "{server.ca}"; autoconnect = "yes"; }} );
settings = {{ core = {{ nick = "{name}_"; user_name = "{name}"; real_name = "{name}"; }};
  "irc/core" = {{ cmds_max_at_once = "100"; }}; }};
""")
    return Terminal(["irssi", f"--home={folder}"], folder)


def weechat(server: ServerProcess, folder: Path, name: str) -> Terminal:
    commands = [
        f"/set weechat.network.gnutls_ca_user {server.ca}",
        f"/server add sc localhost/{server.port} -ssl -nicks={name}_",
        "/set irc.server.sc.sasl_mechanism plain",
        f"/set irc.server.sc.sasl_username {name}",
        f"/set irc.server.sc.sasl_password {PASSWORD}",
        "/connect sc",
    ]
    options = [word for command in commands for word in ("-r", command)]
    return Terminal(["weechat", "-d", str(folder), *AT_ONCE, *options], folder)


@needs("irssi")
def test_irssi(server: ServerProcess, tmp_path: Path, terminals: list[Terminal]) -> None:
    bob = log_in(server, "bob")
    (tmp_path / "irssi").mkdir()
    alice = irssi(server, tmp_path / "irssi", "alice")
    terminals.append(alice)
    bob.expect(r":alice!\S+ JOIN #lobby")
    alice.wait_for("#lobby")
    alice.type("/join #tea")
    bob.send("JOIN #tea")
    alice.wait_for("bob")
    alice.type("кто хочет чаю?")
    bob.expect("PRIVMSG #tea :кто хочет чаю")
    bob.send("PRIVMSG #tea :я хочу", "PRIVMSG alice :a word with you")
    alice.wait_for("я хочу")
    alice.type("/msg bob yes?")
    bob.expect("PRIVMSG bob yes")
    alice.type("/quit see you")
    bob.expect(r":alice!\S+ QUIT :Quit: see you")


@needs("weechat")
def test_weechat(server: ServerProcess, tmp_path: Path, terminals: list[Terminal]) -> None:
    bob = log_in(server, "bob")
    (tmp_path / "weechat").mkdir()
    alice = weechat(server, tmp_path / "weechat", "alice")
    terminals.append(alice)
    bob.expect(r":alice!\S+ JOIN #lobby")
    alice.wait_for("2:#lobby")  # typed sooner, a line goes to WeeChat's own buffer
    alice.type("/join #tea")
    alice.wait_for("#tea")
    bob.send("JOIN #tea")
    alice.wait_for("bob")
    alice.type("anyone?")
    bob.expect("PRIVMSG #tea anyone")
    bob.send("PRIVMSG #tea :я здесь")
    alice.wait_for("я здесь")
    alice.type("/msg bob in private")
    bob.expect("PRIVMSG bob :in private")
    alice.type("/quit see you")
    bob.expect(r":alice!\S+ QUIT :Quit: see you")
