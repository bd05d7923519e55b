"""Run a server and three people in tmux, and put what their screens show into the README; `--check` compares.

Needs tmux. What differs from run to run (times, port, fingerprint, folders) is replaced.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.conformance.terminal import Terminal  # noqa: E402 - the checkout is found first
from tests.e2e.waiting import wait_for  # noqa: E402

README = ROOT / "README.md"
BEGIN, END = "<!-- transcript: scripts/transcript.py -->\n", "<!-- end of transcript -->\n"
PASSWORD = "correct horse battery"  # noqa: S105 - of accounts that live as long as this script
PEOPLE = ("alice", "bob", "carol")
PROGRAM = [sys.executable, "-m", "secure_chat"]


def main() -> int:
    """Write the transcript, or compare it; 1 where it is not what the README says."""
    with tempfile.TemporaryDirectory() as folder:
        text = transcript(Path(folder))
    readme = README.read_text()
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = f"{before}{BEGIN}{text}{END}{after}"
    if "--check" not in sys.argv[1:]:
        README.write_text(wanted)
    elif wanted != readme:
        print(
            f"The README's transcript is not what the program shows; run scripts/transcript.py. It shows:\n{text}"
        )
        return 1
    return 0


def transcript(folder: Path) -> str:
    """The screens of one server and three people, as Markdown."""
    home = folder / "home"
    terminals: dict[str, Terminal] = {}

    def open_terminal(who: str, command: list[str]) -> Terminal:
        (folder / who).mkdir()
        terminals[who] = Terminal(command, folder / who)
        return terminals[who]

    try:
        server = open_terminal("server", [*PROGRAM, "serve", "--home", str(home), "--listen", "127.0.0.1:0"])
        server.wait_for("info ready")
        screens = {"server": server.screen()}  # before what people do scrolls it away
        port = re.findall(r"127\.0\.0\.1:(\d+)", server.screen())[0]
        connect = ["env", f"SECURE_CHAT_HOME={home}", *PROGRAM, "connect", "--lang", "en"]
        alice = open_terminal("alice", connect)
        become_owner(alice, code_in(server))
        for guest in ("bob", "carol"):
            bring_in(open_terminal(guest, [*PROGRAM, "connect", "--lang", "en"]), guest, invitation(alice, guest))
        talk(terminals)
        screens["carol"] = terminals["carol"].screen()
        terminals["carol"].type("/quit")
        for who in ("alice", "bob"):
            terminals[who].wait_for("carol has gone offline")
            screens[who] = terminals[who].screen()
        return "".join(block(who, screens[who], folder, port) for who in ("server", *PEOPLE))
    finally:
        if "server" in terminals:  # a terminal that closes only makes a server read its certificate again
            terminals["server"].press("C-c")
            wait_for(lambda: not (home / "control.sock").exists())
        for terminal in terminals.values():
            terminal.close()


def code_in(server: Terminal) -> str:
    """The owner code that the server shows."""
    return str(re.findall(r"owner code: (\S+)", server.screen())[0])


def become_owner(alice: Terminal, code: str) -> None:
    """The first one in: by the code, on the machine of the server."""
    for question, answer in (
        ("Enter your name:", "alice"),
        ("Choose a password:", PASSWORD),
        ("The same password again:", PASSWORD),
        ("to log in with that password):", code),
        ("recovery codes", "no"),
    ):
        alice.wait_for(question)
        alice.type(answer)
    alice.wait_for("Connected as alice")


def invitation(alice: Terminal, guest: str) -> str:
    """The link that Alice makes for somebody."""
    alice.type(f"/invitation for={guest}")
    alice.wait_for(f"Give this to {guest};")
    whole = "".join(line.strip() for line in alice.screen().splitlines())
    return str(re.findall(rf"secure-chat://[^ #]*name={guest}#[0-9A-Z-]{{31}}", whole)[-1])


def bring_in(terminal: Terminal, guest: str, link: str) -> None:
    """Somebody comes in with a link."""
    for question, answer in (
        ("Enter the server", link),
        (f"Enter your name [{guest}]:", ""),
        ("Choose a password:", PASSWORD),
        ("The same password again:", PASSWORD),
        ("recovery codes", "no"),
    ):
        terminal.wait_for(question)
        terminal.type(answer)
    terminal.wait_for(f"Connected as {guest}")


def talk(people: dict[str, Terminal]) -> None:
    """What the three say; each step waits until it is seen."""
    alice, bob, carol = (people[name] for name in PEOPLE)
    for speaker, text, listener, seen in (
        (alice, "Good morning!", carol, "<alice> Good morning!"),
        (bob, "Привет, Alice", carol, "<bob> Привет, Alice"),
        (alice, "/join tea", alice, "#tea>"),
        (bob, "/join tea", alice, "#tea: bob has joined"),
        (alice, "The kettle is on", bob, "<alice> The kettle is on"),
        (bob, "/msg carol come to #tea", carol, "come to #tea"),
        (carol, "/r in a minute", bob, "in a minute"),
    ):
        speaker.type(text)
        listener.wait_for(seen)
    carol.wait_for("in a minute")


def block(who: str, screen: str, folder: Path, port: str) -> str:
    """One screen, with what differs from run to run replaced."""
    text = screen.replace(str(folder / "home"), ".home").replace(port, "6697")
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-11-21T12:00:00Z", text)
    text = re.sub(r"secure-chat://.*?#[0-9A-Z-]{31}", "secure-chat://…", text, flags=re.DOTALL)
    text = re.sub(r"\b[0-9A-Z]{5}-[0-9A-Z]{5}-\S+", "6FG14-0BAMJ-…", text)
    text = re.sub(r"process=\d+", "process=4711", text)
    text = re.sub(r"until \d{4}-\d\d-\d\d", "until 2027-12-23", text)
    text = re.sub(r"SHA256:\S+", "SHA256:x9JmVZ…", text)
    text = re.sub(r"^\d\d:\d\d", "12:00", text, flags=re.MULTILINE)
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if who == "server":
        lines = [line for line in lines if " info " not in line or "start" in line or "ready" in line]
    # Not the prompt that waits for the next line.
    lines = [line for line in lines if not re.fullmatch(r"#\w+>", line)]
    title = "The server:" if who == "server" else f"{who.capitalize()}:"
    return f"{title}\n\n```text\n" + "\n".join(lines) + "\n```\n\n"


if __name__ == "__main__":
    sys.exit(main())
