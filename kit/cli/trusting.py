"""Asks once before code that is not the kit's runs on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.cli.confirming import confirmed
from kit.cli.output import talk

if TYPE_CHECKING:
    from kit.config import Config


def trusted(config: Config, *, yes: bool) -> None:
    """Return when the app that kit.toml names may run here, or when it names none.

    Args:
        config: what the user wants.
        yes: whether `--yes` was said, which is not remembered.

    Raises:
        KitError: NOT_CONFIRMED.
    """
    from pathlib import Path

    from kit.trust import is_trusted, trust

    app = config.app
    if app is None or yes or is_trusted(Path.cwd(), app.source):
        return
    talk(
        f"kit.toml names an app of its own: {app.module} in {app.source.resolve()}.\n"
        "Its packages are installed and its code runs on this machine, with your rights."
    )
    confirmed("Run it, now and from now on?", yes=False)
    trust(Path.cwd(), app.source)
