"""Streams on a real service that stays, is told to stop, or is killed while they are open."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from kit.probe.proof_runner import ProofRequest
from kit.probe.rollout import Kept, KeptStreams, answers, proof_streams
from kit.proof.contract import ClauseFinding
from kit.proof.rollout import KeptStream, Slot, unwatched
from tests.service.entrypoints import Started, by_uvicorn

OPENED = "streams were open at http://{one}."
QUICK = {"first_token_ms": 0}


def kept(
    service: Started,
    meanwhile: Callable[[Started], None] = lambda service: None,
    *,
    streams: int = 3,
    answer_s: int | None = None,
    stops: bool = False,
    least_s: float = 0.5,
) -> ClauseFinding:
    """What becomes of streams; `answer_s`: answers of that length, and not the proof's streams."""

    async def run() -> ClauseFinding | None:
        async with AsyncExitStack() as stack:
            proof = ProofRequest(f"{service.url}/proof")
            live = (
                proof_streams(stack, proof)
                if answer_s is None
                else answers(service.url, (), answer_s=answer_s)
            )
            keep = KeptStreams(live, streams, OPENED, grace_s=20, least_s=least_s)
            async with keep as watched:
                watched.at("began")
                watched.at("moved")
                if stops:
                    watched.at("stopping")
                meanwhile(service)
                if stops:
                    watched.at("stopped")
                return await watched.finding()

    found = asyncio.run(run())
    assert found is not None
    return found


def terminated(service: Started) -> None:
    service.process.send_signal(signal.SIGTERM)


def killed(service: Started) -> None:
    service.process.kill()


def test_streams_of_a_version_that_stays_finish(tmp_path: Path) -> None:
    with by_uvicorn(tmp_path / "log", lab=1, **QUICK) as service:
        found = kept(service)
        assert (found.says, found.sure) == ("3 of 3 streams finished", "proved"), found
        assert found.evidence[0] == "3 streams were open at http://{one}."
        # Answers that end by themselves.
        assert kept(service, answer_s=1, least_s=20).says == "3 of 3 streams finished"
        assert kept(service, answer_s=30).says.startswith("3 of 3 still open after")


def test_streams_finish_that_have_some_seconds_to_go_when_their_version_is_told_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kit.proof.rollout.STOP_S", 1)
    with by_uvicorn(tmp_path / "log", lab=1, **QUICK) as service:
        found = kept(service, terminated, stops=True)
    assert found.says == "3 of 3 streams finished", found
    assert found.evidence[-1].endswith("the last 1 s of it after its version had been told to stop.")


@pytest.mark.parametrize("answer_s", [None, 30])
def test_streams_of_a_version_that_is_killed_are_cut(tmp_path: Path, answer_s: int | None) -> None:
    with by_uvicorn(tmp_path / "log", lab=1, **QUICK) as service:
        found = kept(service, killed, answer_s=answer_s, stops=True)
    assert found.says.startswith("3 of 3 cut without a word after"), found
    assert found.evidence[-1].endswith("its connection broke off.")
    assert found.advice


def test_answers_that_are_longer_than_their_versions_grace_are_told_to_reconnect(tmp_path: Path) -> None:
    with by_uvicorn(tmp_path / "log", shutdown_grace_s=0.5, **QUICK) as service:
        found = kept(service, terminated, answer_s=30, stops=True)
    # No other version answers at this URL.
    assert found.says == "3 of 3 told to reconnect, in vain", found
    assert "shutting-down" in found.evidence[-1]


def test_answers_that_can_be_resumed_go_on_without_a_lost_or_doubled_event(tmp_path: Path) -> None:
    with by_uvicorn(tmp_path / "log", resume="true", deadline_s=1.2, **QUICK) as service:
        found = kept(service, answer_s=2, least_s=60)
    assert found.says == "3 of 3 told to reconnect, and went on without a gap", found
    assert "deadline" in found.evidence[-1]


def test_answers_that_end_within_their_versions_grace_finish(tmp_path: Path) -> None:
    with by_uvicorn(tmp_path / "log", shutdown_grace_s=60, **QUICK) as service:
        assert kept(service, terminated, answer_s=2, stops=True).says == "3 of 3 streams finished"


def test_streams_that_end_before_anything_moves_are_opened_again(tmp_path: Path) -> None:
    async def run(url: str) -> ClauseFinding | None:
        one, lives = answers(url, (), answer_s=1), asyncio.Semaphore(0)

        async def counted(slot: Slot) -> KeptStream:
            lives.release()
            return await one(slot)

        async with KeptStreams(counted, 2, OPENED, least_s=20) as watched:
            for _ in range(6):
                await lives.acquire()
            watched.at("began")
            return await watched.finding()

    with by_uvicorn(tmp_path / "log", **QUICK) as service:
        found = asyncio.run(run(service.url))
    assert found is not None
    assert found.says == "2 of 2 streams finished"


def test_what_could_not_be_opened_is_said_and_not_counted(tmp_path: Path) -> None:
    with by_uvicorn(tmp_path / "log", max_streams=2, **QUICK) as service:
        found = kept(service, answer_s=2, least_s=20)
    assert found.says == "2 of 2 streams finished"
    assert found.evidence[1] == "1 more could not be opened: answered with status 503."


def test_where_none_can_be_opened_the_clause_says_why(tmp_path: Path) -> None:
    with by_uvicorn(tmp_path / "log", lab=1, max_streams=1) as service:
        found = kept(service._replace(url=f"{service.url}/nothing"))
    assert (found.says, found.sure) == ("no stream could be opened: answered with status 404", "unknown")


def test_a_deploy_that_fails_leaves_no_stream_open(tmp_path: Path) -> None:
    async def run(url: str) -> int:
        async with AsyncExitStack() as stack:
            live = proof_streams(stack, ProofRequest(f"{url}/proof"))
            with suppress(ZeroDivisionError):
                async with KeptStreams(live, 16, OPENED):
                    raise ZeroDivisionError
        return len(asyncio.all_tasks())

    with by_uvicorn(tmp_path / "log", lab=1) as service:
        assert asyncio.run(run(service.url)) == 1
        assert kept(service, streams=16).says == "16 of 16 streams finished", "the proof has room again"


def test_nothing_kept_is_nothing_found() -> None:
    async def run(kept: Kept) -> ClauseFinding | None:
        async with kept as watched:
            watched.at("began")
            return await watched.finding()

    assert asyncio.run(run(Kept())) is None
    assert asyncio.run(run(Kept(unwatched("why")))) == unwatched("why")
