"""What the owner's commands share: which home, and asking for an operation on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from secure_chat.errors import SecureChatError

home_option = click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="The server's folder. Default: as for serve."
)
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="The server's configuration, as given to serve.",
)

Place = tuple[Path | None, Path | None]
"""The home and the configuration, as given on the command line."""
MAKING = ("user check", "user add")
"""Operations for which a home is made where there is none."""


def ask(place: Place, operation: str, **request: object) -> dict[str, Any]:
    """The answer of the running server, or of the store itself. Raises ClickException."""
    from secure_chat.server import operations
    from secure_chat.server.home import Home, default_home

    home = Home(place[0] or default_home())
    if not home.database.exists() and operation not in MAKING:
        message = f"There is no server's home at {home.path}; name it with --home"
        raise click.ClickException(message)
    try:
        return operations.ask(home, operation, request, place[1])
    except SecureChatError as error:
        raise click.ClickException(str(error)) from error
