"""An answer asked for in pieces is whole behind every front, also one that freezes between requests."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from kit.config import Config
from kit.lab.lab import Lab
from kit.lab.lanes import prepare
from kit.targets import load_targets
from tests.fixtures.processes import eventually, frozen
from tests.service.asking import ask

ASYNC = {"Prefer": "respond-async"}
ASKED: dict[str, Any] = {"ai_prompt": "Why?", "max_output_tokens": 30, "seed": 7}


def pieces(base: str, location: str, after: int, most: int | None = None) -> list[dict[str, Any]]:
    """The events after that number, in as many pieces as it takes, or as are wanted."""
    events: list[dict[str, Any]] = []
    while most is None or most > 0:
        piece = ask(base, f"/{location}", after=after + len(events), wait=20).json()
        events += piece["events"]
        if piece["done"]:
            break
        most = None if most is None else most - 1
    return events


async def test_a_polled_answer_ends_whatever_happens_to_its_instance_meanwhile(tmp_path: Path) -> None:
    config = Config(tokens_per_s=100, first_token_ms=0)
    lanes = prepare(load_targets(), [], config, tmp_path)
    async with Lab(lanes) as lab:
        texts = {}
        for name, url in lab.urls.items():
            accepted = await asyncio.to_thread(ask, url, headers=ASYNC, **ASKED)
            assert accepted.status == 202
            location = accepted.headers["Location"]
            events: list[dict[str, Any]] = []
            for _ in range(2):
                if name == "run":
                    # It stands still after each request, however long, and is not taken for abandoned.
                    [service] = [service for service in lab._services if service.name == "run"]
                    assert service.group is not None
                    await asyncio.to_thread(eventually, partial(frozen, service.group))
                events += await asyncio.to_thread(pieces, url, location, len(events) - 1, 1)
            events += await asyncio.to_thread(pieces, url, location, len(events) - 1)
            assert [event["seq"] for event in events] == list(range(31))
            assert events[-1]["event"] == "done"
            texts[name] = "".join(event["data"]["text"] for event in events[:-1])
        assert len(set(texts.values())) == 1
