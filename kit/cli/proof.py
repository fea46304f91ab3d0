"""`kit proof > proof.py`: the origin's half of the proof, as a file for an app of the user's own."""

from __future__ import annotations

from kit.cli.arguments import Json
from kit.cli.runner import show, talk


def command(as_json: Json = False) -> None:
    """Print the origin's half of the proof, for your own app: kit proof > proof.py

    The file's first lines say how an app uses it and what opens it; it needs the standard library alone. With
    it `kit probe URL` proves whether the app's answers arrive as they are written.
    """
    import sys

    from kit.targets import assets

    source = (assets() / "service" / "proof.py").read_text(encoding="utf-8")
    show({"name": "proof.py", "source": source}, as_json=as_json, text=source.removesuffix("\n"))
    if sys.stdout.isatty():
        talk("Put it into a file of your app: kit proof > proof.py. Its first lines say how to use it.")
