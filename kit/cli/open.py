"""`kit open TARGET`: the deployed service in a browser."""

from __future__ import annotations

from typing import Annotated

from kit.cli.arguments import Json, option
from kit.cli.records import Target, recorded
from kit.cli.runner import show, talk
from kit.errors import Code, KitError
from kit.language import text


def command(
    target: Target,
    only_print: Annotated[bool, option("--print", "Print the URL; open no browser.")] = False,
    as_json: Json = False,
) -> None:
    """Open a deployed service in a browser.

    Prints its URL, and opens it where there is a terminal and a screen to see a browser on.
    """
    import webbrowser

    from kit.platforms import load

    (known,) = recorded([target])
    platform = load(known.platform)
    way_in = " && ".join(one.line for one in platform.proxy(known.place, known.version)) or None
    if known.url is None or not known.url.startswith(("https://", "http://")):
        raise KitError(
            Code.NOTHING_DEPLOYED,
            text("No URL is on record for {target}: its deployment did not get that far.", target=target),
            text("kit deploy {target} carries on; kit status {target} looks in the cloud.", target=target)
            + (
                text(" Past its front, so that nothing measured there speaks for it: {way_in}", way_in=way_in)
                if way_in
                else ""
            ),
        )
    proxy = None if known.public or platform.open_to_all else way_in
    opens = not (only_print or as_json or proxy) and _is_seen()
    data = {"target": target, "url": known.url, "public": known.public, "proxy": proxy}
    show(data, as_json=as_json, text=known.url)
    if proxy is not None and not as_json:
        talk(
            text(
                "It is private: a browser would be refused. This opens it to you, on this machine:\n  "
                "{proxy}",
                proxy=proxy,
            )
        )
    lasting = platform.lasting_address(known.place)
    if lasting is not None and not (only_print or as_json):
        talk(
            text(
                "It is the address of the version that serves now. The one that stays:\n  {line}",
                line=lasting.line,
            )
        )
    if opens and not webbrowser.open(known.url):
        talk(text("No browser could be opened."))


def _is_seen() -> bool:
    """Whether a person at this terminal would see a browser's window."""
    import os
    import sys

    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
