"""examples/article as the workshop shows it: it streams, until App Engine Standard's front is before it."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path

import httpx
import pytest

from kit.lab.asgi import serving
from kit.targets import get
from tests.service.ways import Way, open_to_clients

ARTICLE = Path(__file__).parents[2] / "examples/article"


@pytest.mark.parametrize(("target", "collected"), [("standard", True), ("run", False)])
def test_the_same_app_streams_or_comes_in_one_lump(target: str, collected: bool) -> None:
    asked = tomllib.loads((ARTICLE / "kit.toml").read_text())["app"]
    main = runpy.run_path(str(ARTICLE / "main.py"))
    main["generate"].__globals__["PAUSE_S"] = 0.01
    with serving(main["app"]) as base, open_to_clients(Way(get(target).front, base)) as url:
        answer = httpx.request(asked["probe_method"], url + asked["probe_path"])
    assert [line.split()[1] for line in answer.text.splitlines()] == [str(n) for n in range(1, 13)]
    # A length in the head says that the front waited for the end.
    assert ("content-length" in answer.headers) is collected
    assert ("transfer-encoding" in answer.headers) is not collected
