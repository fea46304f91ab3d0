"""The workshop as a person runs it, and its page in a real browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from kit.workshop.server import PAGE
from tests.fixtures.browser import GIVE_UP_MS, SERVICES_PAGE, files_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Workshop = Callable[..., str]
Open = Callable[..., "Page"]


def start(stack: ExitStack, folder: Path, *arguments: str) -> str:
    """Run `kit workshop` on a free port until the stack is left: its page's URL."""
    folder.mkdir(exist_ok=True)
    errors = stack.enter_context((folder / "workshop.err").open("wb+"))
    process = subprocess.Popen(
        [sys.executable, "-m", "kit", "workshop", *arguments, "--port", "0", "--json"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )

    def end() -> None:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
        errors = (folder / "workshop.err").read_text()
        assert (process.returncode, out) == (130, ""), errors
        assert "Traceback" not in errors
        assert list(folder.glob("streamproof-lab-*")) == []

    stack.callback(end)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "workshop.err").read_text()
    url: str = json.loads(line)["data"]["url"]
    return url


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The workshop of all the lab's lanes."""
    with ExitStack() as stack:
        yield start(stack, tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def page_modules(browser: Browser) -> Iterator[Page]:
    """The page's modules, for what needs neither a server nor a stream."""
    with files_in(browser, PAGE, SERVICES_PAGE) as page:
        yield page


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """`workshop("name=URL", …)` starts one of services that run elsewhere."""
    with ExitStack() as stack:
        yield lambda *arguments: start(stack, tmp_path / "workshop", *arguments)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """`open_page(url)`: the page, ready. In the end it has logged no error, and asked no other server."""
    contexts, complaints, asked, known = [], [], [], set()

    def open_page(url: str, **context: Any) -> Page:
        contexts.append(
            browser.new_context(**{"locale": "en-GB", "viewport": {"width": 1024, "height": 768}, **context})
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(GIVE_UP_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def complain(message: Any) -> None:
            # What a lane does, or what is in a file, is not the page's doing; chromium complains of it too.
            not_ours = ("/search", "/answer", "/proof/stream", "/api/recording")
            asked = urlsplit(message.location["url"]).path
            if message.type in ("error", "warning") and not asked.endswith(not_ours):
                complaints.append(f"{message.text} ({message.location['url']})")

        page.on("console", complain)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        page.locator("html[data-ready]").wait_for(state="attached")
        known.add(urlsplit(url).netloc)
        lanes = page.evaluate("fetch('api/site').then(it => it.json()).then(it => it.lanes)")
        known.update(lane["place"] for lane in lanes)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert {urlsplit(url).netloc for url in asked if not url.startswith(("blob:", "data:"))} <= known
