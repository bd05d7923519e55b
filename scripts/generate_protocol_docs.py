"""Write docs/commands.md and docs/capabilities.md from the tables of the program; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

import secure_chat.server.lines  # noqa: F401 - enters the commands into the table
from secure_chat.commands.registry import COMMANDS
from secure_chat.protocol.capabilities import DESCRIPTIONS, VALUES, Capability

DOCS = Path(__file__).resolve().parent.parent / "docs"
MADE = "<!-- Made by scripts/generate_protocol_docs.py; do not edit. -->\n"


def commands() -> str:
    """The page about commands."""
    rows = [
        _row(f"`{row.usage}`", row.summary, "yes" if row.before_login else "", row.weight.name.lower())
        for row in sorted(COMMANDS.values(), key=lambda row: row.name)
    ]
    head = (
        "# Commands\n\n"
        + MADE
        + "\nWhat a client can send. *Before login* marks what is answered without an account; else it gets 451."
        "\n*Weight* says what a command costs its sender; `docs/configuration.md` has the points.\n\n"
        "| command | what it does | before login | weight |\n|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def capabilities() -> str:
    """The page about capabilities."""
    rows = [
        _row(f"`{capability}{'=' + VALUES[capability] if capability in VALUES else ''}`", DESCRIPTIONS[capability])
        for capability in sorted(Capability)
    ]
    table = "| capability | what it changes |\n|---|---|\n"
    head = f"# Capabilities\n\n{MADE}\nWhat `CAP LS 302` offers.\n\n{table}"
    return head + "\n".join(rows) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    """Write the pages, or with `--check` say which are not up to date."""
    stale = []
    for name, text in (("commands.md", commands()), ("capabilities.md", capabilities())):
        path = DOCS / name
        if "--check" not in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        print(f"Not up to date: {', '.join(stale)}; run scripts/generate_protocol_docs.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
