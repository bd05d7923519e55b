#!/usr/bin/env python3
"""Makes or renews the certificates of this checkout: `scripts/gen_certs.py --help`.

Finds the checkout's environment by itself: it starts itself again with `.venv/bin/python`, after setting
`.venv` up where it is missing. So it needs nothing but a Python to begin with.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def enter_environment() -> None:
    """Continue under `.venv/bin/python`; returns only there. Exits non-zero where it cannot be set up."""
    if VENV.exists() and VENV.samefile(sys.prefix):
        return
    setup = 'set -euo pipefail; . "$1"; prepare run'
    done = subprocess.run(["bash", "-c", setup, "bash", ROOT / "scripts" / "environment.sh"], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    python = str(VENV / "bin" / "python")
    os.execv(python, [python, str(Path(__file__).resolve()), *sys.argv[1:]])  # noqa: S606 - our own interpreter


def main() -> None:
    """Parse the options and make the certificates. In the environment only."""
    import click

    from secure_chat.cli.certs import make, options_of_making

    @click.command(context_settings={"help_option_names": ["-h", "--help"]})
    @click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        default=ROOT / "certs",
        metavar="DIR",
        help="The folder of the certificates (default: certs of this checkout).",
    )
    @options_of_making
    @click.option("--force", is_flag=True, help="Replace an existing set.")
    @click.option("--renew", is_flag=True, help="Renew the server's certificate only; the fingerprint stays.")
    def gen_certs(out: Path, hosts: tuple[str, ...], days: int, *, force: bool, renew: bool) -> None:
        """Make a CA and a server certificate, or renew the latter."""
        if force and renew:
            text = "--force replaces the set and --renew keeps it: give one of them."
            raise click.UsageError(text)
        make(out, hosts, days, force=force, renew=renew)

    gen_certs(prog_name="gen_certs.py")


if __name__ == "__main__":
    enter_environment()
    main()
