"""Forward and back between the versions of a service."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cloud.record import Record
from kit.errors import Code, KitError
from kit.flows.traffic import earlier, newest, switch
from kit.platforms.deployment import Deployment
from kit.platforms.service import Place, Service, Version
from kit.probe.client import Ask
from kit.probe.rollout import Kept
from kit.proof.version import ExpectedVersion
from tests.fixtures.deployments import deployed, on_record
from tests.kit.flows.hosts import MemoryHost

PLACE = Place("flex", "app_engine", "demo-project", None, "sp-flex")


def version(
    name: str, minute: int, traffic: float = 0.0, *, ours: bool = True, running: bool = True
) -> Version:
    made = f"2026-11-22T10:{minute:02}:00Z"
    return Version(name, f"https://{name}", made, traffic, running, "flex" if ours else None, "d")


def service(*versions: Version) -> Service:
    newest_first = sorted(versions, key=lambda one: one.created_at or "", reverse=True)
    return Service(PLACE, "https://flex", True, tuple(newest_first))


def known(name: str, previous: str | None = None) -> Deployment:
    return deployed(
        "flex",
        project=PLACE.project,
        version=name,
        version_url=f"https://{name}",
        state="held-back",
        verdict_on="byte-limited",
        previous=previous,
    )


def test_promote_means_the_newest_of_ours_that_waits() -> None:
    there = service(
        version("old", 1), version("now", 2, 1.0), version("theirs", 5, ours=False), version("new", 3)
    )
    assert newest(there, "flex").name == "new"
    assert newest(there, "flex", "old").name == "old"


def test_promote_never_means_a_version_older_than_what_serves() -> None:
    with pytest.raises(KitError, match="no version that waits") as error:
        newest(service(version("old", 1), version("now", 2, 1.0)), "flex")
    assert error.value.code is Code.NOTHING_DEPLOYED


def test_rollback_means_what_served_before() -> None:
    there = service(version("first", 1), version("second", 2), version("now", 3, 1.0))
    assert earlier(there, "flex", known("now", "first")).name == "first"
    assert earlier(there, "flex", None).name == "second"
    assert earlier(there, "flex", known("now", "gone")).name == "second"


def test_rollback_without_an_earlier_version_says_so() -> None:
    there = service(version("now", 3, 1.0), version("held", 4), version("theirs", 1, ours=False))
    with pytest.raises(KitError, match="no earlier version"):
        earlier(there, "flex", None)


def test_a_preview_is_neither_promoted_nor_gone_back_to() -> None:
    preview = replace(version("sp-pr-1-abcd", 4), preview="pr-1")
    there = service(version("now", 3, 1.0), preview, replace(version("sp-pr-2-abcd", 2), preview="pr-2"))
    for choose in (newest, lambda there, target: earlier(there, target, known("now", preview.name))):
        with pytest.raises(KitError, match=r"no (version that waits|earlier version)"):
            choose(there, "flex")
    with pytest.raises(KitError, match="sp-pr-1-abcd is the preview pr-1, and a preview is never promoted"):
        newest(there, "flex", preview.name)


@pytest.mark.parametrize(
    "choose", [newest, lambda there, target, wanted: earlier(there, target, None, wanted)]
)
def test_a_version_that_does_not_exist_is_answered_with_those_that_do(choose: object) -> None:
    with pytest.raises(KitError) as error:
        choose(service(version("now", 3, 1.0)), "flex", "other")  # type: ignore[operator]
    assert error.value.hint == "There are: now."
    assert error.value.exit == 2


def test_a_stopped_version_runs_before_it_gets_the_traffic_and_the_other_is_stopped_after(
    tmp_path: Path,
) -> None:
    host = MemoryHost(PLACE, always=True)
    host.service = service(version("first", 1, running=False), version("now", 2, 1.0))
    record = Record.load(tmp_path)
    record.put(known("now", "first"))
    after = asyncio.run(switch(host, record, host.service, host.service.versions[1], lambda _: None, Kept()))
    assert host.said == ["start first", "promote first", "stop now"]
    assert after.serving is not None
    assert after.serving.name == "first"
    kept = on_record(tmp_path, "flex")
    assert (kept.version, kept.previous, kept.state, kept.verdict_on) == ("first", "now", "serving", None)


def test_the_way_there_and_back_can_be_gone_again_and_again(tmp_path: Path) -> None:
    host = MemoryHost(PLACE, always=True)
    host.service = service(version("first", 1, running=False), version("now", 2, 1.0))
    record = Record.load(tmp_path)
    for expected in ("first", "now", "first"):
        there = host.service
        assert there is not None
        to = earlier(there, "flex", record.of("flex"))
        assert to.name == expected
        asyncio.run(switch(host, record, there, to, lambda _: None, Kept()))


def test_without_a_record_one_is_made(tmp_path: Path) -> None:
    host = MemoryHost(PLACE)
    host.service = service(version("now", 1, 1.0), version("new", 2))
    asyncio.run(
        switch(host, Record.load(tmp_path), host.service, host.service.versions[0], lambda _: None, Kept())
    )
    kept = on_record(tmp_path, "flex")
    assert (kept.version, kept.previous, kept.place) == ("new", "now", PLACE)


def test_where_the_service_answers_by_then_is_on_record(tmp_path: Path) -> None:
    host = MemoryHost(PLACE)
    host.service = service(version("now", 1, 1.0), version("new", 2))
    record = Record.load(tmp_path)
    record.put(known("now"))

    def moved() -> None:  # App Engine's URL is that of the version that serves
        assert host.service is not None
        host.service = replace(host.service, url="https://new")

    host.before["stop"] = moved
    asyncio.run(switch(host, record, host.service, host.service.versions[0], lambda _: None, Kept()))
    kept = on_record(tmp_path, "flex")
    assert (kept.version, kept.url) == ("new", "https://new")


def test_what_was_measured_of_this_version_stays_on_record(tmp_path: Path) -> None:
    host = MemoryHost(PLACE)
    host.service = service(version("now", 1, 1.0), version("new", 2))
    record = Record.load(tmp_path)
    record.put(replace(known("new", "now"), verdict_on="byte-limited"))
    asyncio.run(switch(host, record, host.service, host.service.versions[0], lambda _: None, Kept()))
    kept = on_record(tmp_path, "flex")
    assert (kept.state, kept.verdict_on) == ("serving", "byte-limited")


def test_what_is_replaced_is_stopped_only_once_traffic_that_moves_late_has_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place("gke", "gke", "demo-project", "europe-west1", "streamproof", "c1/web")
    host = MemoryHost(place, always=True)
    there = replace(service(version("now", 1, 1.0), version("new", 2)), place=place)
    host.service = there

    async def waits(ask: Ask, wanted: ExpectedVersion, **rest: object) -> bool:
        host.said.append(f"wait for {wanted.name} at {ask.url} for {rest['within_s']:.0f} s")
        return True

    monkeypatch.setattr("kit.flows.traffic.wait_until_version", waits)
    asyncio.run(switch(host, Record.load(tmp_path), there, there.versions[0], lambda _: None, Kept()))
    assert host.said == ["promote new", f"wait for new at {there.url} for 120 s", "stop now"]


def test_a_version_that_lacks_what_it_takes_to_be_asked_is_started_first(tmp_path: Path) -> None:
    host = MemoryHost(PLACE)
    there = host.service = service(version("now", 1, 1.0), replace(version("new", 2), ready=False))
    asyncio.run(switch(host, Record.load(tmp_path), there, there.versions[0], lambda _: None, Kept()))
    assert host.said[:2] == ["start new", "promote new"]
