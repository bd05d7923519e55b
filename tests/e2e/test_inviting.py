"""What the owner does to let people in: invitations, slips for a class, the record, registration for everyone."""

from __future__ import annotations

import html
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.e2e.guest import OWN_PASSWORD, invited
from tests.e2e.irc_client import IrcClient, log_in
from tests.e2e.server_process import ServerProcess, run_tool

CLASS = 30
pytestmark = pytest.mark.once


@pytest.fixture
def home(home_with_address: Path) -> Path:
    """The usual home, with an address for links."""
    return home_with_address


def register(server: ServerProcess, name: str, code: str = "") -> IrcClient:
    """Somebody new, who has sent REGISTER and perhaps VERIFY."""
    client = IrcClient(server.port, server.ca)
    client.send("CAP LS 302", f"REGISTER {name} * :{OWN_PASSWORD}")
    if code:
        client.send(f"VERIFY {name} {code}")
    return client


@pytest.mark.parametrize("address", ["chat.example.org", "203.0.113.7", "10.20.30.40"])
def test_an_address_that_the_certificate_does_not_cover(start: Start, home: Path, address: str) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text().replace('"localhost"', f'"{address}"'))
    server = start().wait_until_ready()
    refused = run_tool("invite", "--home", str(home))
    assert refused.returncode == 1
    assert f"does not cover {address}" in refused.stderr
    program, *arguments = shlex.split(re.findall(r"`(.+?)`", refused.stderr)[0])
    assert program == "secure-chat"
    renewed = run_tool(*arguments)
    assert renewed.returncode == 0, renewed.stderr
    server.process.send_signal(signal.SIGHUP)
    server.wait_for_log("certificate reloaded")
    link = invited(server)
    assert link.startswith(f"secure-chat://{address}:{server.port}/?pin=SHA256:")
    keeps_key = arguments[1] == "renew"
    assert keeps_key == (address == "10.20.30.40")
    assert (server.fingerprint.replace("+", "-").replace("/", "_") in link) == keeps_key


def test_a_first_certificate_covers_the_configured_address(tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text('[server]\npublic_address = "chat.example.org:7000"\n')
    server = ServerProcess(home)
    try:
        server.wait_until_ready()
        assert invited(server).startswith("secure-chat://chat.example.org:7000/?pin=SHA256:")
    finally:
        server.stop()


def test_slips_for_a_class(server: ServerProcess, tmp_path: Path) -> None:
    names = [f"pupil{number}" for number in range(CLASS - 1)] + ["Ёжик"]
    listed, page = tmp_path / "class.txt", tmp_path / "slips.html"
    listed.write_text("# 7b\n" + "\n\n".join(names) + "  # the last\n")
    arguments = ("user", "add", "--from-file", str(listed), "--html", str(page), "--home", str(server.home))
    done = run_tool(*arguments)
    assert done.returncode == 0, done.stderr
    assert f"{CLASS} slips" in done.stdout
    assert page.stat().st_mode & 0o777 == 0o600
    text = html.unescape(page.read_text())
    links = re.findall(r"secure-chat://[^\s<]+", text)
    assert len(set(links)) == CLASS
    for name in names:
        assert f"for {name}, valid until" in text
    code = links[17].partition("#")[2]
    register(server, "pupil3", code).expect("FAIL VERIFY INVALID_CODE pupil3 :This code is for pupil17")
    register(server, "pupil17", code).expect("VERIFY SUCCESS pupil17")
    again = run_tool(*arguments)
    assert again.returncode == 1
    assert "pupil17" in again.stderr


def test_the_home_is_named_before_or_after_the_subcommand(server: ServerProcess, home: Path) -> None:
    number = re.findall(r"\(number (\w+)\)", run_tool("invite", "--home", str(home)).stdout)[0]
    for place in (["--home", str(home)], ["--home", str(home), "--config", str(home / "config.toml")]):
        for arguments in (["invite", *place, "list"], ["invite", "list", *place]):
            assert number in run_tool(*arguments).stdout, arguments
    assert run_tool("invite", "--home", str(home), "revoke", number).returncode == 0
    assert number not in run_tool("invite", "list", "--home", str(home)).stdout
    assert number in run_tool("invite", "list", "--all", "--home", str(home)).stdout


def test_the_record_says_who_did_what_to_whom(server: ServerProcess) -> None:
    root = log_in(server, "root")
    root.send("MUTE bob 10m :too loud")
    root.expect("NOTE MUTE DONE")
    link = invited(server, "--for", "zoe")
    register(server, "zoe", link.partition("#")[2]).expect("VERIFY SUCCESS")
    run_tool("user", "disable", "carol", "--home", str(server.home))
    shown = run_tool("audit", "--home", str(server.home)).stdout
    for entry in (
        r"root: mute bob +until \S+ too loud",
        r": invite zoe ",
        r"zoe: register zoe +invited by ",
        r": user disable carol",
    ):
        assert re.search(rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  .*{entry}", shown, re.MULTILINE), shown
    assert link.partition("#")[2] not in shown
    assert "Nothing was done." not in run_tool("audit", "--since", "1h", "--home", str(server.home)).stdout


def test_everybody_invites_where_that_is_set(start: Start, home: Path) -> None:
    server = start().wait_until_ready()
    alice = log_in(server, "alice")
    alice.send("INVITATION ADD for=zoe")
    alice.expect("FAIL INVITATION PRIVILEGES|481|FAIL INVITATION")
    server.stop()
    with (home / "config.toml").open("a") as file:
        file.write('[registration]\ninvite = "everyone"\n')
    server = start().wait_until_ready()
    alice = log_in(server, "alice")
    alice.send("INVITATION ADD for=zoe")
    link = alice.expect("NOTE INVITATION LINK").params[-1].rpartition(" ")[2]
    assert link.startswith(f"secure-chat://localhost:{server.port}/?pin=SHA256:")
    register(server, "zoe", link.partition("#")[2]).expect("VERIFY SUCCESS zoe")


def test_registration_is_open_where_that_is_set(start: Start, home: Path) -> None:
    with (home / "config.toml").open("a") as file:
        file.write('[registration]\nmode = "open"\n')
    server = start().wait_until_ready()
    register(server, "zoe").expect("REGISTER SUCCESS zoe")
    register(server, "ZOE").expect("FAIL REGISTER ACCOUNT_EXISTS")
    log_in(server, "zoe", OWN_PASSWORD)
