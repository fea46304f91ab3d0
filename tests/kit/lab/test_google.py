"""A bundle that asks something of Google's, in the lab: whose credentials, and what must be installed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import GenerateContentResponse

from kit.bundle import Start
from kit.config import Config
from kit.errors import Code, KitError
from kit.lab.google import asks_google
from kit.lab.lab import Lab, LabLane, environment
from kit.lab.lanes import prepare
from kit.render import render
from kit.targets import Target, load_targets
from tests.fixtures.vertex import PROJECT, Call, chunk, in_thread
from tests.service.asking import ask, ask_json, text_of

TARGETS = list(load_targets().values())


def wanted(url: str = "http://127.0.0.1:1") -> Config:
    env = {"STREAMPROOF_VERTEX_ENDPOINT": url}
    return Config(generator="vertex", model="some-model", location="global", project=PROJECT, env=env)


def lane(root: Path, target: Target, config: Config) -> LabLane:
    return prepare({target.name: target}, [], config, root)[0]


def found(start: Start, *, own: bool = False) -> dict[str, str]:
    return environment(start, port=1, programs=Path("/bin"), home=Path("a-home"), own=own)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_it_signs_in_as_whoever_runs_the_lab(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = render(target, wanted()).start
    assert asks_google(start)
    monkeypatch.delenv("CLOUDSDK_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert found(start)["CLOUDSDK_CONFIG"] == str(tmp_path / ".config/gcloud")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/elsewhere")
    assert found(start)["CLOUDSDK_CONFIG"] == "/elsewhere"
    assert "CLOUDSDK_CONFIG" not in found(start, own=True)


def test_nothing_of_that_reaches_a_service_that_asks_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/elsewhere")
    start = render(TARGETS[0], Config()).start
    assert not asks_google(start)
    assert "CLOUDSDK_CONFIG" not in found(start)


@pytest.mark.parametrize(
    ("config", "package"),
    [(wanted(), "google-cloud-aiplatform"), (Config(store="firestore"), "google-cloud-firestore")],
)
async def test_without_the_package_it_says_what_to_install_and_starts_nothing(
    config: Config, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.lab.google.find_spec", lambda _: None)
    with pytest.raises(KitError) as caught:
        async with Lab([lane(tmp_path, TARGETS[0], config)]):
            pass
    assert caught.value.code is Code.INSTALL_FAILED
    assert package in caught.value.message
    assert "--isolated" in caught.value.hint


async def test_what_would_be_deployed_streams_what_the_model_writes(tmp_path: Path) -> None:
    async def script(call: Call) -> AsyncIterator[GenerateContentResponse | bytes]:
        yield chunk("One ")
        yield chunk("two.", "STOP")

    [run] = [target for target in TARGETS if target.name == "run"]
    with in_thread(script) as upstream:
        async with Lab([lane(tmp_path, run, wanted(upstream.url))]) as lab:
            url = lab.urls["run"]
            answer = await asyncio.to_thread(lambda: ask_json(url, {"ai_prompt": "Why?"}))
            *tokens, done = await asyncio.to_thread(answer.events)
            assert (await asyncio.to_thread(ask, url, ai_prompt="Why?")).status == 405
    assert text_of(tokens) == "One two."
    assert done.data["finish_reason"] == "STOP"
    assert upstream.calls[0].request.model.startswith(f"projects/{PROJECT}/locations/global/")
