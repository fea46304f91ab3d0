"""The page's files: a strict policy, and never an old file beside a new one."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from pathlib import Path

import pytest

from tests.fixtures.origin import Origin

FOLDER = Path(__file__).parents[2] / "service" / "page"
FILES = sorted(path.name for path in FOLDER.iterdir())


def fetch(
    url: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(url, headers=dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_every_file_of_the_page_is_served_as_what_it_is(origin: Origin) -> None:
    url = origin()
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for path in ["", *(f"page/{name}" for name in FILES)]:
        status, headers, body = fetch(f"{url}/{path}")
        file = FOLDER / (Path(path).name or "index.html")
        assert (status, headers.get_content_type(), body) == (200, types[file.suffix], file.read_bytes())
        assert headers["X-Content-Type-Options"] == "nosniff"
        status, headers, body = fetch(f"{url}/{path}", method="HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", str(file.stat().st_size))


def test_the_policy_allows_the_service_itself_and_nothing_else(origin: Origin) -> None:
    _, headers, _ = fetch(origin())
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}


@pytest.mark.parametrize("tag", ["{}", "W/{}", '"other", {}'])
def test_a_browser_that_has_a_file_is_not_sent_it_again(origin: Origin, tag: str) -> None:
    url = f"{origin()}/page/page.js"
    _, first, _ = fetch(url)
    assert first["Cache-Control"] == "no-cache"
    status, again, body = fetch(url, {"If-None-Match": tag.format(first["ETag"])})
    assert (status, again["ETag"], body) == (304, first["ETag"], b"")
    assert fetch(url, {"If-None-Match": '"other"'})[0] == 200


@pytest.mark.parametrize("path", ["page/", "page/none.js", "page/..%2fapp.py", "page/%2e%2e/app.py"])
def test_nothing_else_is_served(origin: Origin, path: str) -> None:
    status, headers, _ = fetch(f"{origin()}/{path}")
    assert (status, headers.get_content_type()) == (404, "application/problem+json")


def test_the_page_has_no_inline_code_and_names_no_other_host() -> None:
    html = (FOLDER / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    for name in FILES:
        urls = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"')]*", (FOLDER / name).read_text()))
        assert urls <= {
            "http://www.w3.org/2000/svg",  # a name, which no browser fetches
            "https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation",
        }
