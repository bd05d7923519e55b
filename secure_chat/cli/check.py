"""`secure-chat check`: everything in a server's home is read, and what is wrong is said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from secure_chat.cli.archives import end_cleanly
from secure_chat.cli.asking import config_option, home_option
from secure_chat.cli.doctor import report
from secure_chat.client.texts import choose_language
from secure_chat.errors import SecureChatError


@click.command()
@home_option
@click.option("--certs", type=click.Path(path_type=Path), help="Its certificates, as given to serve.")
@config_option
@click.option("--mend-index", is_flag=True, help="First make the index for searching anew; no server may run.")
@click.pass_context
def check(
    ctx: click.Context, *, home: Path | None, certs: Path | None, config_file: Path | None, mend_index: bool
) -> None:
    """Read everything in a server's home and say what is wrong and what to do; changes nothing by itself.

    Looks at what doctor looks at, and at the whole database: pages, rows that belong to nothing, schema, missing
    messages, and the index for searching. A server may run meanwhile: then a copy of the database is read, in the
    folder for temporary files (TMPDIR). Exit code 0 if there is no problem, else 1.
    """
    from secure_chat.server.doctor import examine_home
    from secure_chat.server.home import Home, default_home
    from secure_chat.server.mending import mend
    from secure_chat.server.precedence import go_second

    place = Home(home or default_home())
    # A copy of the database must not be left behind.
    end_cleanly()
    go_second()
    if mend_index:
        try:
            mend(place)
        except SecureChatError as error:
            raise click.ClickException(str(error)) from None
        click.echo("The index for searching was made anew.")
    choose_language("en")
    now = datetime.now(UTC)
    ctx.exit(report(examine_home(place, certs or place.certs, config_file, now=now, thorough=True)))
