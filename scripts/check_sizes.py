"""No file over 400 lines, no function over 50: a program that a newcomer can read."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 50
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print what is too long; 1 if anything is."""
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [text for name in tracked.stdout.split() if (ROOT / name).exists() for text in too_long(name)]
    print("\n".join(found))
    return 1 if found else 0


def too_long(name: str) -> list[str]:
    """What is too long in one file."""
    source = (ROOT / name).read_text()
    lines = source.count("\n")
    found = [f"{name}: {lines} lines"] if lines > FILE_LINES else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                found.append(f"{name}: {node.name} has {length} lines")
    return found


if __name__ == "__main__":
    sys.exit(main())
