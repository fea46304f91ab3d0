"""`kit explain CODE`: what a cause, a doubt or an error means, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from kit.cli.arguments import Json
from kit.cli.runner import style, success
from kit.errors import UsageError


def command(
    code: Annotated[
        str | None,
        typer.Argument(metavar="CODE", help="A cause, a doubt or an error, as a report names it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain a cause, a doubt or an error code: what is seen, who does it, and what frees it."""
    from dataclasses import asdict

    from kit.language import spoken
    from kit.report.explained import list_text, page_text, pages
    from kit.schema import nearest

    width = style().width or 100
    if code is None:
        known = [{"kind": page.kind, "code": page.code, "says": page.first} for page in pages()]
        success(known, as_json=as_json, text=list_text(width))
    wanted = code.strip().lower().replace("_", "-")
    found = [page for page in pages() if page.code == wanted]
    if not found:
        hint = nearest(code.lower(), sorted({page.code for page in pages()}))
        if hint.startswith("Known are"):
            hint = "kit explain lists them all."
        raise UsageError(f"{code!r} is no cause, no doubt and no error.", hint)
    text = "\n\n".join(page_text(page, width) for page in pages(spoken()) if page.code == wanted)
    success([asdict(page) for page in found], as_json=as_json, text=text)
