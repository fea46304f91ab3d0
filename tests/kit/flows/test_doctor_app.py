"""An app of one's own examined before it is deployed: what becomes of its answer behind each front."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.flows.doctor_app import _seen, _with_the_apps_own
from kit.proof.causes import Cause, NamedCause
from kit.proof.quick_check import State
from kit.proof.verdict import Verdict
from tests.fixtures.command import VALIDATOR, Ended
from tests.kit.report.diagnosed import HELD, STREAMS
from tests.system.test_own_app import Kit, app, cache, kit, says, track  # noqa: F401

pytestmark = pytest.mark.long  # four bundles with their packages, each started behind its front

DOCTOR = ("doctor", "--app", "mine.main:app", "--yes", "--json")
GET = (*DOCTOR, "--path", "/answer?question=why")
COLLECTS = """

from fastapi import Request, Response


@app.middleware("http")
async def log_bodies(request: Request, call_next):
    response = await call_next(request)
    body = b"".join([chunk async for chunk in response.body_iterator])
    return Response(body, response.status_code, dict(response.headers))
"""
POSTED = """

@app.post("/asked")
async def asked(accel: str = "on") -> StreamingResponse:
    headers = {"X-Accel-Buffering": "no"} if accel == "on" else {}
    return StreamingResponse(words("posted"), media_type="text/event-stream", headers=headers)
"""


def test_what_comes_beside_an_answer_does_not_make_it_held_by_the_app_itself() -> None:
    blocks = NamedCause(Cause.BLOCKED, "certain", "the app kept its event loop", holds=False)
    assert _seen(replace(STREAMS, causes=(blocks,))).state is State.STREAMS
    bunched = NamedCause(Cause.APP, "certain", "the app sent all 30 events in one piece")
    held = _seen(replace(STREAMS, causes=(blocks, bunched)))
    assert (held.state, held.said) == (State.HELD, bunched.because)


def test_what_the_app_does_itself_is_said_of_a_front_that_was_not_seen_to_stream() -> None:
    bunched = NamedCause(Cause.APP, "certain", "the app sent all 30 events in one piece")
    itself = replace(STREAMS, causes=(bunched,))
    unseen = replace(STREAMS, lane=replace(STREAMS.lane, verdict=Verdict.INCONCLUSIVE))
    assert _with_the_apps_own(unseen, itself).causes == (bunched,)
    assert _with_the_apps_own(HELD, itself).causes == (*HELD.causes, bunched)
    assert _with_the_apps_own(STREAMS, itself).causes == ()


def changed(folder: Path, more: str) -> None:
    main = folder / "mine/main.py"
    main.write_text(main.read_text() + more)
    track(folder)


def examined(ended: Ended) -> dict[str, Any]:
    VALIDATOR.validate(json.loads(ended.out))
    assert ended.data["environment"] == "lab"
    return {"itself": ended.data["itself"], **ended.data["targets"]}


def verdicts(ended: Ended) -> dict[str, str]:
    return {name: one["verdict"] for name, one in examined(ended).items()}


def test_each_platform_is_told_and_who_holds_it_there(app: Path, kit: Kit) -> None:  # noqa: F811
    ended = kit(*GET)
    assert ended.status == 0, (ended.out, ended.err)
    assert verdicts(ended) == {
        "itself": "incremental",
        "standard": "whole-message",
        "flex": "incremental",
        "run": "incremental",
        "gke": "incremental",
    }
    found = examined(ended)
    (cause,) = found["standard"]["causes"]
    assert (cause["cause"], cause["certainty"]) == ("whole-message", "certain")
    assert "a hop between" in cause["where"]
    assert [found[name]["causes"] for name in ("itself", "flex", "run", "gke")] == [[]] * 4
    assert any("Without X-Accel-Buffering: no it would be held" in one for one in found["flex"]["limits"])


@pytest.mark.alone
@pytest.mark.heavy
def test_an_app_that_collects_its_own_answers_is_told_so_on_every_platform(
    app: Path,  # noqa: F811
    kit: Kit,  # noqa: F811
) -> None:
    changed(app, COLLECTS)
    ended = kit(*GET)
    assert ended.status == 4, (ended.out, ended.err)
    found = examined(ended)
    assert {name: [cause["cause"] for cause in one["causes"]] for name, one in found.items()} == {
        "itself": ["app"],
        "standard": ["whole-message", "app"],
        "flex": ["app"],
        "run": ["app"],
        "gke": ["app"],
    }, ended.err
    assert found["standard"]["verdict"] == "whole-message"
    front, _ = found["standard"]["causes"]
    assert front["where"] == "asked directly, a stream passes: it is a hop between there and here"


def test_a_post_is_asked_as_it_is_and_only_where_that_may_be(app: Path, kit: Kit) -> None:  # noqa: F811
    changed(app, POSTED)
    wanted = (*DOCTOR, "--path", "/asked", "--method", "POST", "--expect", "incremental")
    refused = kit(*wanted)
    assert (refused.status, refused.error["code"]) == (2, "bad-usage")
    ended = kit(*wanted, "--allow-repeat")
    assert ended.status == 3, (ended.out, ended.err)
    assert verdicts(ended) == {
        "itself": "incremental",
        "standard": "whole-message",
        "flex": "incremental",
        "run": "incremental",
        "gke": "incremental",
    }


def test_for_a_person_it_begins_with_what_would_happen_where(app: Path, kit: Kit) -> None:  # noqa: F811
    says(app, "proof = false")
    ended = kit(*(word for word in GET if word != "--json"))
    assert ended.status == 4, ended.err  # without its proof it could only be watched
    itself, standard, *_ = ended.out.splitlines()
    assert itself == "? The app itself            inconclusive, but it looks streamed"
    assert standard == "? App Engine Standard       inconclusive, but it looks held: it came in one lump"
    assert "The fronts are emulated from documentation; nothing ran on Google's cloud." in ended.out
    assert "likely: A hop collects the answer before it passes it on" in ended.out
