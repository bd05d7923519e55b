"""Packs wheels of pure Python into one file that Python runs (PEP 441). Called by scripts/build.

    pack_client.py OUT.pyz WHEEL...

The same wheels give the same bytes: sorted names, one time, one mode.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

EARLIEST = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o644 << 16
LEFT_OUT = (".pyi", ".pot", ".po", "/RECORD", "/WHEEL", "/py.typed")
SHEBANG = b"#!/usr/bin/env python3\n"

# For every Python there is: an old one must be able to read it, and to say what is needed.
MAIN = b"""\
import sys

if sys.version_info < (3, 11):
    sys.exit("Secure Chat needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])

from secure_chat.cli import main

if __name__ == "__main__":
    main()
"""


def main(target: Path, wheels: list[Path]) -> None:
    """Write `target` from `wheels`. Raises ValueError where a wheel is not pure Python or two have one file."""
    contents = {"__main__.py": MAIN}
    for wheel in wheels:
        if not wheel.name.endswith("-none-any.whl"):
            text = f"{wheel.name} is not pure Python"
            raise ValueError(text)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(LEFT_OUT) or name.endswith("/"):
                    continue
                if name in contents or ".data/" in name:
                    text = f"{wheel.name}: no place for {name}"
                    raise ValueError(text)
                contents[name] = archive.read(name)
    with target.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for name in sorted(contents):
                entry = zipfile.ZipInfo(name, EARLIEST)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3  # the modes are those of Unix, wherever this runs
                entry.external_attr = FILE_MODE
                packed.writestr(entry, contents[name], compresslevel=9)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
