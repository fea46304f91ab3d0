"""The page at / and the files it is made of, from memory, under a policy that lets it load nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).with_name("page")
# By hand: what `mimetypes` knows depends on the machine, and a script of a wrong type does not run.
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        # A form that is sent without the script would carry the prompt in its URL.
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


def create_webpage() -> list[Route]:
    """The routes of the page: / and /page/NAME for each of its files."""
    files = {path.name: _serve(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES}
    return [
        Route("/", files["index.html"]),
        *(Route(f"/page/{name}", file) for name, file in files.items()),
    ]


def _serve(path: Path) -> Callable[[Request], Awaitable[Response]]:
    content = path.read_bytes()
    # Of the content: a build may give every file the same time, so size and time would not do.
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        # Kept, but never used without asking: the files change together, and must not be mixed.
        "Cache-Control": "no-cache",
        "ETag": etag,
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }

    async def serve(request: Request) -> Response:
        # A proxy that compresses makes a tag weak (RFC 9110, 8.8.3).
        known = (
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        )
        if etag in known:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=_MEDIA_TYPES[path.suffix])

    return serve
