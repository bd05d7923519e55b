"""Run a server and three people in tmux, and put what their screens show into the README; `--check` compares.

Needs tmux. What differs from run to run (times, port, fingerprint, folders) is replaced.
"""

from __future__ import annotations

import re
import subprocess
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
    for name in PEOPLE:
        add = [*PROGRAM, "user", "add", name, "--password-stdin", "--home", str(home)]
        subprocess.run(add, input=PASSWORD, text=True, check=True, capture_output=True)
    terminals: dict[str, Terminal] = {}

    def open_terminal(who: str, command: list[str]) -> Terminal:
        (folder / who).mkdir()
        terminals[who] = Terminal(command, folder / who)
        return terminals[who]

    try:
        server = open_terminal("server", [*PROGRAM, "serve", "--home", str(home), "--listen", "127.0.0.1:0"])
        server.wait_for("info ready")
        port = re.findall(r"127\.0\.0\.1:(\d+)", server.screen())[0]
        for name in PEOPLE:
            where = [f"{name}@localhost:{port}", "--ca", str(home / "certs" / "ca.pem"), "--lang", "en"]
            person = open_terminal(name, [*PROGRAM, "connect", *where])
            person.wait_for("password:")
            person.type(PASSWORD)
            person.wait_for(f"Connected as {name}")
        talk(terminals)
        screens = {"carol": terminals["carol"].screen()}
        terminals["carol"].type("/quit")
        for who in ("alice", "bob"):
            terminals[who].wait_for("carol has gone offline")
            screens[who] = terminals[who].screen()
        screens["server"] = server.screen()
        return "".join(block(who, screens[who], folder, port) for who in ("server", *PEOPLE))
    finally:
        if "server" in terminals:  # a terminal that closes only makes a server read its certificate again
            terminals["server"].press("C-c")
            wait_for(lambda: not (home / "control.sock").exists())
        for terminal in terminals.values():
            terminal.close()


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
    text = re.sub(r"owner code: \S+", "owner code: 6FG14-0BAMJ-…", text)
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
