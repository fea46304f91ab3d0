"""The page at / and the files it is made of, from memory, under a policy that lets it load nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).with_name("page")
# By hand: what `mimetypes` knows depends on the machine, and a script of a wrong type does not run.
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def create_webpage(files: Iterable[Path] | None = None, connects: Iterable[str] = ()) -> list[Route]:
    """The routes of a page: / for index.html, and /page/NAME for each file.

    Args:
        files: what the page is made of; the service's own page unless given. Others than the page's are left.
        connects: origins that its scripts may ask, besides its own server.
    """
    policy = "; ".join(
        [
            "default-src 'none'",
            *(f"{kind}-src 'self'" for kind in ("script", "style", "img")),
            " ".join(["connect-src 'self'", *connects]),
            # A form that is sent without the script would carry the prompt in its URL.
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )
    found = sorted(_FOLDER.iterdir()) if files is None else files
    served = {path.name: _serve(path, policy) for path in found if path.suffix in _MEDIA_TYPES}
    return [
        Route("/", served["index.html"]),
        *(Route(f"/page/{name}", file) for name, file in served.items()),
    ]


def _serve(path: Path, policy: str) -> Callable[[Request], Awaitable[Response]]:
    content = path.read_bytes()
    # Of all that is answered: a build may give every file the same time, so size and time would not do.
    etag = f'"{hashlib.sha256(content + policy.encode()).hexdigest()[:32]}"'
    headers = {
        # Kept, but never used without asking: the files change together, and must not be mixed.
        "Cache-Control": "no-cache",
        "ETag": etag,
        "Content-Security-Policy": policy,
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
