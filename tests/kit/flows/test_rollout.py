"""Which streams are kept open on what serves while its traffic moves, and which are not asked for."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.flows import rollout
from kit.flows.rollout import Keeping
from kit.platforms.deployment import Deployment
from kit.platforms.service import Service, Version
from kit.proof.contract import ClauseFinding
from kit.targets import get
from tests.fixtures.deployments import deployed, service_of, version
from tests.fixtures.origin import Origin
from tests.kit.flows.hosts import TOKEN, FakeGcloud

CLOSED: dict[str, Any] = {"lab": 0, "first_token_ms": 0}
SECRET = "a-secret-of-the-services-own"
SHA256 = hashlib.sha256(SECRET.encode()).hexdigest()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is watched for some seconds is watched for a moment."""
    monkeypatch.setattr(rollout, "FEW_S", 0.2)
    monkeypatch.setattr(rollout, "ANSWER_S", 1)


def found(
    url: str,
    *,
    own: str = "",
    service: dict[str, Any] | None = None,
    known: Deployment | None = None,
    gcloud: FakeGcloud | None = None,
    streams: int = 2,
    token: str | None = None,
    proof_token: str | None = None,
    settings: dict[str, Any] | None = None,
    **changes: Any,
) -> ClauseFinding | None:
    """What the clause says, where nothing happens to what serves but that its traffic moves."""
    serves: Version = version("sp-now", url=own or url, **changes)
    there: Service = service_of("run", serves, **{"url": url, "public": True, **(service or {})})

    async def run() -> ClauseFinding | None:
        keep = Keeping(
            gcloud or FakeGcloud(TOKEN),
            token=token,
            proof_token=proof_token,
            streams=streams,
            settings_of=lambda target: {**target.defaults, **(settings or {})},
        )
        async with keep(replace(get("run")), there, serves, known) as kept:
            kept.at("began")
            kept.at("moved")
            return await kept.finding()

    return asyncio.run(run())


def said(finding: ClauseFinding | None) -> tuple[str, str]:
    assert finding is not None
    return finding.says, finding.sure


def test_streams_of_the_proofs_are_open_where_people_ask_and_fed_at_the_versions_own_url(
    origin: Origin,
) -> None:
    url = origin()
    own = url.replace("127.0.0.1", "localhost")
    finding = found(url, own=own)
    assert said(finding) == ("2 of 2 streams finished", "proved")
    assert finding is not None
    assert finding.evidence[0] == (
        f"2 streams of the proof's were open on sp-now, at {url}, each fed an event a second at {own}."
    )


def test_a_private_service_is_shown_an_identity_token_and_its_own(origin: Origin) -> None:
    gcloud = FakeGcloud(TOKEN)
    guarded = origin(token_sha256=SHA256)
    asked: dict[str, Any] = {"service": {"public": False}, "token_sha256": SHA256}
    assert said(found(guarded, gcloud=gcloud, token=SECRET, **asked)) == ("2 of 2 streams finished", "proved")
    assert len(gcloud.commands) == 1
    for token in (None, "another-token-of-another"):
        assert said(found(guarded, token=token, **asked)) == (
            "sp-now wants a token that KIT_TOKEN does not hold",
            "unknown",
        )


def test_a_proof_that_wants_a_token_is_shown_the_one_on_record_for_this_version(origin: Origin) -> None:
    url = origin(lab=0, proof_token=SECRET)
    known = deployed("run", version="sp-now", proof_token=SECRET)
    assert said(found(url, known=known)) == ("2 of 2 streams finished", "proved")
    assert said(found(url, proof_token=SECRET)) == ("2 of 2 streams finished", "proved")


def test_with_its_proof_closed_the_kits_own_service_is_asked_for_its_embedded_text(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "FEW_S", 60.0)  # they are over long before
    finding = found(origin(**CLOSED))
    assert finding is not None
    assert finding.says == "2 of 2 streams finished"
    assert "its proof is not open (proof-expired)" in finding.evidence[0]


def test_an_app_of_the_users_without_an_open_proof_is_not_asked(origin: Origin) -> None:
    finding = found(origin("tests.fixtures.generators:app"))
    assert said(finding) == (
        "its proof is not open (no-proof), and an answer of the app's may cost money",
        "unknown",
    )


def test_a_model_that_costs_money_is_not_asked(origin: Origin) -> None:
    url = origin(
        **CLOSED, generator="vertex", model="m", location="europe-west1", vertex_project="demo-project"
    )
    assert said(found(url)) == (
        "its proof is not open (proof-expired), and an answer of vertex costs money",
        "unknown",
    )


def test_streams_leave_a_services_callers_room(origin: Origin) -> None:
    finding = found(origin(), streams=9, settings={"concurrency": 8})
    assert said(finding) == ("2 of 2 streams finished", "proved")
    assert said(found("http://127.0.0.1:9", settings={"concurrency": 1, "max_instances": 3})) == (
        "it takes 3 at once: streams would leave its callers no room",
        "unknown",
    )


def test_what_cannot_be_reached_or_asked_is_unknown_and_stops_nothing() -> None:
    says, sure = said(found("http://127.0.0.1:9"))
    assert (sure, "127.0.0.1:9" in says) == ("unknown", True)
    refused = FakeGcloud(KitError(Code.NOT_SIGNED_IN, "No account may.", "Sign in."))
    assert said(found("http://127.0.0.1:9", gcloud=refused, service={"public": False})) == (
        "No account may.",
        "unknown",
    )


def test_without_streams_nothing_is_asked_and_nothing_is_said() -> None:
    assert found("http://127.0.0.1:9", streams=0) is None
