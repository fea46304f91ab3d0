"""The kit's own service ends its answer with an event before its platform's front would cut it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kit.config import Config
from kit.lab.lab import Lab
from kit.lab.lanes import prepare
from kit.targets import load_targets
from tests.kit.lab.raw import LAST, Wire, get, status

DEADLINE_S = 6  # of the front; half of it is the service's own
ASKED = "/search?ai_prompt=Why&max_output_tokens=4096&tokens_per_s=20"


async def test_the_event_that_ends_an_answer_comes_before_its_fronts_deadline(tmp_path: Path) -> None:
    config = Config(targets={"gke": {"timeout_s": DEADLINE_S}})
    (lane,) = prepare(load_targets(), ["gke"], config, tmp_path)
    assert lane.front is not None
    assert lane.front.deadline_s == DEADLINE_S
    async with Lab([lane]) as lab:
        host, _, port = lab.urls["gke"].removeprefix("http://").partition(":")
        client = Wire(*await asyncio.open_connection(host, int(port)))
        await client.say(get(ASKED, "Connection: close"))
        assert status(await client.head()) == 200
        *_, last = (await client.rest()).split(b"event: ")
    assert last.startswith(b"error\n")
    assert b'"urn:streamproof:problem:deadline"' in last
    assert last.endswith(LAST)
