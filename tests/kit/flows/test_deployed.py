"""What is on record becomes lanes; only a service that asks for a token is shown one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.app import App
from kit.config import Config
from kit.errors import Code, KitError
from kit.flows.deployed import asks, lanes_of, serving
from kit.platforms.deployment import Deployment
from kit.platforms.platform import Host
from kit.platforms.service import Place, Service
from kit.probe.client import Ask
from kit.probe.spec import LaneSpec
from kit.proof.verdict import Verdict
from kit.proof.version import ExpectedVersion
from kit.targets import load_targets
from tests.fixtures.deployments import deployed, service_of
from tests.kit.flows.hosts import TOKEN, FakeGcloud, MemoryHost


def asked(
    *deployments: Deployment,
    service: Service | None = None,
    token: str | None = None,
    config: Config | None = None,
) -> tuple[dict[str, Ask], FakeGcloud, list[Place]]:
    gcloud, looked = FakeGcloud(TOKEN), []

    def host_of(place: Place) -> Host:
        looked.append(place)
        host = MemoryHost(place)
        host.service = service
        return host

    return (
        asyncio.run(asks(deployments, config or Config(), token=token, gcloud=gcloud, host_of=host_of)),
        gcloud,
        looked,
    )


def test_what_is_public_is_asked_as_it_is_and_gcloud_is_not_needed() -> None:
    found, gcloud, looked = asked(deployed("standard"), deployed("run", public=True))
    assert {name: (ask.url, ask.headers) for name, ask in found.items()} == {
        "standard": ("https://sp-standard.example.org", ()),
        "run": ("https://streamproof.example.org", ()),
    }
    assert (gcloud.commands, looked) == ([], [])


def test_a_private_service_is_asked_with_a_token_at_the_url_that_gcloud_names_now() -> None:
    service = service_of("run", url="https://named-now.example.org")
    found, gcloud, _ = asked(deployed("run"), service=service)
    assert found["run"].url == "https://named-now.example.org"
    assert found["run"].headers == (("X-Serverless-Authorization", f"Bearer {TOKEN}"),)
    assert "--audiences=https://named-now.example.org" in gcloud.commands[0].words


def test_a_service_that_was_opened_meanwhile_needs_no_token() -> None:
    found, gcloud, _ = asked(deployed("run"), service=service_of("run", public=True))
    assert (found["run"].headers, gcloud.commands) == ((), [])


def test_the_services_own_token_goes_to_every_deployment_beside_the_other() -> None:
    found, _, _ = asked(deployed("flex"), deployed("run"), service=service_of("run"), token="abc")
    assert found["flex"].headers == (("Authorization", "Bearer abc"),)
    assert dict(found["run"].headers)["Authorization"] == "Bearer abc"


def test_no_token_is_sent_where_others_could_read_it() -> None:
    with pytest.raises(KitError, match="https only"):
        asked(deployed("flex", url="http://sp-flex.example.org"), token="abc")
    with pytest.raises(KitError, match="https only"):
        asked(deployed("run"), service=service_of("run", url="http://10.0.0.1"))


def test_a_token_is_not_shown_by_what_holds_it() -> None:
    found, _, _ = asked(deployed("run"), service=service_of("run"), token="hunter2")
    spec = LaneSpec("run", found["run"])
    assert TOKEN not in repr(spec)
    assert "hunter2" not in repr(spec)


def test_a_private_service_that_is_gone_is_one_sentence() -> None:
    with pytest.raises(KitError) as caught:
        asked(deployed("run"), service=None)
    assert caught.value.code is Code.NOT_FOUND_IN_CLOUD


def test_what_has_no_url_is_no_lane() -> None:
    found, _, _ = asked(deployed("flex", url=None, state="failed"), deployed("standard"))
    assert list(found) == ["standard"]


def test_each_target_brings_its_promise_in_each_arm_unless_one_is_given() -> None:
    found, _, _ = asked(deployed("flex"))
    like = LaneSpec("", Ask("GET", ""), prompt="Why?")
    lanes = lanes_of({**found, "mine": found["flex"]}, load_targets(), ["on", "off"], like)
    assert [(lane.target, lane.header, lane.expected) for lane in lanes] == [
        ("flex", "on", Verdict.INCREMENTAL),
        ("flex", "off", Verdict.BYTE_LIMITED),
        ("mine", "on", None),
        ("mine", "off", None),
    ]
    assert {lane.prompt for lane in lanes} == {"Why?"}
    refused = LaneSpec("", Ask("GET", ""), expected=Verdict.REFUSED)
    assert [lane.expected for lane in lanes_of(found, load_targets(), ["on"], refused)] == [Verdict.REFUSED]


def test_an_answer_as_it_is_is_held_to_the_promise_for_what_it_bears() -> None:
    found, _, _ = asked(deployed("flex"))
    targets, like = load_targets(), LaneSpec("", Ask("GET", ""))
    (lane,) = lanes_of(found, targets, ["as-is"], like)
    assert (lane.expected, lane.promised) == (None, targets["flex"].expect)


def test_each_deployments_proof_is_shown_its_own_secret() -> None:
    found, _, _ = asked(deployed("flex"), deployed("standard"))
    like = LaneSpec("", Ask("GET", ""), proof_token="given")
    lanes = lanes_of(found, load_targets(), ["on"], like, proof_tokens={"flex": "flex-secret"})
    assert {lane.target: lane.proof_token for lane in lanes} == {"flex": "flex-secret", "standard": "given"}


@pytest.mark.parametrize(
    ("known", "version"),
    [
        (deployed("flex"), ExpectedVersion("sp-now")),
        (
            deployed("flex", state="held-back", version="sp-held", previous="sp-now"),
            ExpectedVersion("sp-now"),
        ),
        (deployed("flex", state="held-back", previous=None), None),
        (deployed("flex", state="unfinished"), None),
        (deployed("flex", state="failed"), None),
    ],
)
def test_the_version_that_should_answer_is_the_one_that_serves_by_the_record(
    known: Deployment, version: ExpectedVersion | None
) -> None:
    assert serving(known) == version
    found, _, _ = asked(known)
    like = LaneSpec("", Ask("GET", ""))
    lanes = lanes_of(found, load_targets(), ["on"], like, versions={"flex": serving(known)})
    assert [lane.version for lane in lanes] == [version]


def test_a_users_own_app_is_asked_where_it_streams(tmp_path: Path) -> None:
    config = Config(app=App("mine.main:app", tmp_path, tmp_path / "requirements.txt", "/tell?n=3"))
    found, _, _ = asked(deployed("flex"), config=config)
    assert found["flex"].url == "https://sp-flex.example.org/tell?n=3"
    on, off = lanes_of(found, load_targets(), ["on", "off"], LaneSpec("", Ask("GET", "")), config)
    assert (on.ask.url, on.as_it_is) == ("https://sp-flex.example.org/tell?n=3", True)
    assert off.ask.url == "https://sp-flex.example.org/tell?n=3&accel=off"
