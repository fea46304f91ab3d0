"""Lanes of the lab; lanes for a session of hours: which identity token is asked for, and how often."""

from __future__ import annotations

import asyncio
import base64
import json
from types import SimpleNamespace
from typing import cast

from kit.cloud.tokens import credentials, expiry
from kit.config import Config
from kit.lab.lab import Lab
from kit.platforms.command import Command
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.targets import get
from kit.workshop.lanes import Renewal, in_lab

HOUR_S = 3600.0
URL = "https://streamproof-x-ew.a.run.app"


class Gcloud:
    """A gcloud on a made-up clock, whose tokens are good for an hour."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.commands: list[Command] = []

    def clock(self) -> float:
        return self.now

    def token(self) -> str:
        payload = json.dumps({"exp": self.now + HOUR_S, "number": len(self.commands)}).encode()
        return f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2ln"

    async def run(self, command: Command, *, log: str) -> str:
        self.commands.append(command)
        await asyncio.sleep(0)
        return self.token()


def lane(gcloud: Gcloud, name: str = "run", url: str = URL) -> LaneSpec:
    return LaneSpec(name, Ask("GET", url, credentials(url, identity=gcloud.token(), token="mine")))


async def test_a_lane_of_the_lab_knows_the_deadline_of_its_front() -> None:
    at = {"gke": "http://127.0.0.1:1"}
    running = SimpleNamespace(services=at, urls=at, proof_token=None)
    config = Config(targets={"gke": {"timeout_s": 2}})
    specs = await in_lab(cast(Lab, running), {"gke": get("gke")}, config, timeout_s=1)
    assert {spec.deadline_s for spec in specs["gke"].values()} == {2.0}


async def test_a_session_of_hours_always_shows_a_token_that_outlasts_the_run_and_fetches_few() -> None:
    gcloud = Gcloud()
    spec, fresh = lane(gcloud, url=f"{URL}/chat?q=why"), Renewal(gcloud, timeout_s=60.0, now=gcloud.clock)

    for _ in range(6 * 20):  # every three minutes for six hours
        asked = (await fresh(spec)).ask
        assert (expiry(asked.headers) or 0.0) - gcloud.now > 60.0
        assert (asked.url, asked.headers[1]) == (spec.ask.url, ("Authorization", "Bearer mine"))
        gcloud.now += 180.0
    assert len(gcloud.commands) == 6
    assert {f"--audiences={URL}" in command.words for command in gcloud.commands} == {True}


def test_a_token_that_is_good_is_kept_and_two_that_ask_at_once_share_one_renewal() -> None:
    gcloud = Gcloud()
    specs = [lane(gcloud), lane(gcloud)]  # both arms of one service
    fresh = Renewal(gcloud, timeout_s=60.0, now=gcloud.clock)

    async def session() -> list[LaneSpec]:
        assert [await fresh(spec) for spec in specs] == specs
        assert gcloud.commands == []
        gcloud.now += HOUR_S
        return await asyncio.gather(*map(fresh, specs))

    one, other = asyncio.run(session())
    assert one.ask.headers == other.ask.headers != specs[0].ask.headers
    assert len(gcloud.commands) == 1


def test_a_lane_without_an_identity_token_is_asked_as_it_is() -> None:
    gcloud = Gcloud()
    open_lane = LaneSpec("flex", Ask("GET", URL, credentials(URL, token="mine")))
    assert asyncio.run(Renewal(gcloud, timeout_s=60.0, now=gcloud.clock)(open_lane)) == open_lane
    assert gcloud.commands == []
