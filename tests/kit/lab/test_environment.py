"""The environment of a service in the lab: no credential for a user's, Google's for the kit's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1.types import GenerateContentResponse

from kit.bundle import Start
from kit.config import Config
from kit.errors import Code, KitError
from kit.lab.environment import asks_google, environment, without_credentials
from kit.lab.lab import Lab, LabLane
from kit.lab.lanes import prepare
from kit.render import render
from kit.targets import Target, load_targets
from tests.fixtures.vertex import PROJECT, Call, chunk, in_thread
from tests.service.asking import ask, ask_json, text_of

TARGETS = list(load_targets().values())

CREDENTIALS = {
    "KIT_TOKEN": "1",
    "GOOGLE_APPLICATION_CREDENTIALS": "/adc.json",
    "CLOUDSDK_AUTH_ACCESS_TOKEN": "1",
    "CLOUDSDK_CONFIG": "/gcloud",
    "AWS_SECRET_ACCESS_KEY": "1",
    "GITHUB_TOKEN": "1",
    "OPENAI_API_KEY": "1",
    "MY_PASSWORD": "1",
    "db_passwd": "1",
    "HTTPS_PROXY": "http://user:word@proxy:3128",
}
HARMLESS = {"PATH": "/bin", "LANG": "C", "HTTP_PROXY": "http://proxy:3128", "HOME": "mine", "KEYBOARD": "us"}
INSTALLERS = {"PIP_INDEX_URL": "https://user:word@index/", "UV_INDEX_MINE_PASSWORD": "1"}


def wanted(url: str = "http://127.0.0.1:1") -> Config:
    env = {"STREAMPROOF_VERTEX_ENDPOINT": url}
    return Config(generator="vertex", model="some-model", location="global", project=PROJECT, env=env)


def lane(root: Path, target: Target, config: Config) -> LabLane:
    return prepare({target.name: target}, [], config, root)[0]


def found(start: Start, *, own: bool = False) -> dict[str, str]:
    return environment(start, port=1, programs=Path("/bin"), home=Path("a-home"), own=own)


def test_credentials_are_left_out_and_nothing_else() -> None:
    assert without_credentials({**CREDENTIALS, **INSTALLERS, **HARMLESS}) == HARMLESS


def test_an_installer_keeps_its_own_way_to_a_private_index() -> None:
    kept = without_credentials({**CREDENTIALS, **INSTALLERS, **HARMLESS}, installing=True)
    assert kept == {**INSTALLERS, **HARMLESS, "HTTPS_PROXY": CREDENTIALS["HTTPS_PROXY"]}


def test_a_users_own_app_finds_no_credential_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    start = Start(("gunicorn",), {"MODEL": "small"})

    assert not found(start, own=True).keys() & CREDENTIALS.keys()
    assert found(start, own=True)["MODEL"] == "small"
    assert "GOOGLE_APPLICATION_CREDENTIALS" in found(start)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_it_signs_in_as_the_labs_user(
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


def test_a_service_without_a_model_gets_none_of_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    monkeypatch.setattr("kit.lab.environment.find_spec", lambda _: None)
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
