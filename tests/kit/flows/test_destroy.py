"""Removing what the kit made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cloud.record import Record
from kit.errors import Code, KitError
from kit.events import Event, Finished, silent
from kit.flows.destroy import RemovalPlan, RemovalResult, destroy, survey
from kit.platforms.command import Command, Line
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.service import Place, Removal
from kit.proof.lane import LaneState
from tests.fixtures.deployments import on_record
from tests.kit.flows.hosts import MemoryHost
from tests.kit.flows.test_traffic import known, service, version


class LinesOnly(Gcloud):
    """Remembers the lines and runs none; `fails` maps a line to its error."""

    def __init__(self, fails: Mapping[str, BaseException] | None = None) -> None:
        super().__init__({}, Path(), lambda _: None)
        self.ran: list[str] = []
        self.fails = fails or {}

    async def run(self, command: Command, *, log: str, line: Line = lambda _: None) -> str:
        self.ran.append(command.line)
        if command.line in self.fails:
            raise self.fails[command.line]
        return ""


def _host(target: str) -> MemoryHost:
    return MemoryHost(Place(target, "app_engine", "demo-project", None, f"sp-{target}"))


def _ends(events: list[Event]) -> dict[str, LaneState]:
    return {event.target: event.state for event in events if isinstance(event, Finished)}


def _removal(word: str) -> Removal:
    return Removal(f"the {word}", Command((word,), changes=True))


def test_everything_goes_in_its_order_and_the_record_after_it(tmp_path: Path) -> None:
    record, gcloud = Record.load(tmp_path), LinesOnly()
    record.put(known("now"))
    plan = RemovalPlan(_host("flex"), (_removal("versions"), _removal("service"), _removal("images")))
    (results,) = asyncio.run(destroy([plan], gcloud, record, silent))
    assert gcloud.ran == ["gcloud versions", "gcloud service", "gcloud images"]
    assert results.removed == ("the versions", "the service", "the images")
    assert Record.load(tmp_path).of("flex") is None


def test_what_a_platform_left_behind_is_named_once_all_else_has_gone(tmp_path: Path) -> None:
    class Leaves(MemoryHost):
        async def remains(self) -> tuple[Removal, ...]:
            assert gcloud.ran == ["gcloud service"], "it is looked for afterwards"
            return (Removal("the forwarding rule x, which outlived its service", None),)

    record, gcloud = Record.load(tmp_path), LinesOnly()
    record.put(known("now"))
    host = Leaves(_host("flex").place)
    (result,) = asyncio.run(destroy([RemovalPlan(host, (_removal("service"),))], gcloud, record, silent))
    assert result.outlived == ("the forwarding rule x, which outlived its service",)
    assert (result.error, Record.load(tmp_path).of("flex")) == (None, None)


def test_what_cannot_be_removed_stays_on_record_with_what_depends_on_it_and_the_others_go(
    tmp_path: Path,
) -> None:
    record, events = Record.load(tmp_path), list[Event]()
    record.put(known("now"))
    denied = KitError(Code.PERMISSION_DENIED, "You may not.", "Ask.")
    gcloud = LinesOnly({"gcloud service": denied})
    stuck = RemovalPlan(_host("flex"), (_removal("versions"), _removal("service"), _removal("images")))
    fine = RemovalPlan(_host("run"), (_removal("run"),))
    first, second = asyncio.run(destroy([stuck, fine], gcloud, record, events.append))
    assert (first.removed, first.left, first.error) == (
        ("the versions",),
        ("the service", "the images"),
        denied,
    )
    assert second.removed == ("the run",)
    assert "gcloud images" not in gcloud.ran
    assert Record.load(tmp_path).of("flex") is not None
    assert _ends(events) == {"flex": LaneState.FAILED, "run": LaneState.OK}


def test_a_record_that_cannot_be_written_fails_its_place_and_cuts_no_other_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record.load(tmp_path)
    record.put(known("now"))
    full = KitError(Code.CANNOT_WRITE, "No space is left.", "Free some room.")
    drop = Record.drop

    def full_for_flex(record: Record, target: str) -> None:
        if target == "flex":
            raise full
        drop(record, target)

    monkeypatch.setattr(Record, "drop", full_for_flex)
    plans = [
        RemovalPlan(_host("flex"), (_removal("service"),)),
        RemovalPlan(_host("run"), (_removal("run"), _removal("images"))),
    ]
    first, second = asyncio.run(destroy(plans, LinesOnly(), record, silent))
    assert (first.removed, first.error) == (("the service",), full)
    assert second.removed == ("the run", "the images")


def test_what_is_on_record_and_was_not_found_stays_on_record(tmp_path: Path) -> None:
    record, events = Record.load(tmp_path), list[Event]()
    record.put(known("now"))
    (results,) = asyncio.run(destroy([RemovalPlan(_host("flex"))], LinesOnly(), record, events.append))
    assert results == RemovalResult("flex", missing=True)
    assert Record.load(tmp_path).of("flex") == known("now")
    assert _ends(events) == {"flex": LaneState.INCONCLUSIVE}


def test_what_stays_is_on_record_as_it_is_now_and_nothing_reminds_of_it(tmp_path: Path) -> None:
    record, host = Record.load(tmp_path), _host("flex")
    record.put(replace(known("held"), state="held-back", expires_at="2026-11-22T12:00:00Z"))
    record.put_preview("pr-1", known("sp-pr-1-abcd"))
    host.service = service(version("now", 1, 1.0))
    plan = RemovalPlan(host, (_removal("version held"), Removal("now: it cannot be deleted", None)))
    (results,) = asyncio.run(destroy([plan], LinesOnly(), record, silent))
    assert (results.removed, results.kept) == (("the version held",), ("now: it cannot be deleted",))
    found = on_record(tmp_path, "flex")
    assert (found.version, found.state, found.expires_at) == ("now", "serving", None)
    assert record.previews() == (), "it went with the rest"
    host.fail["look"] = KitError(Code.CLOUD_UNAVAILABLE, "Google answered 503.", "Later.")
    asyncio.run(destroy([plan], LinesOnly(), record, silent))
    assert Record.load(tmp_path).of("flex") == found


def test_images_that_could_not_be_looked_for_are_an_error_and_all_else_goes(tmp_path: Path) -> None:
    record, gcloud = Record.load(tmp_path), LinesOnly()
    record.put(known("now"))
    denied = KitError(Code.PERMISSION_DENIED, "You may not.", "Ask.")
    plan = RemovalPlan(_host("flex"), (Removal("images, if any: …", None, denied), _removal("service")))
    (results,) = asyncio.run(destroy([plan], gcloud, record, silent))
    assert (results.removed, results.kept, results.error) == (
        ("the service",),
        ("images, if any: …",),
        denied,
    )
    assert Record.load(tmp_path).of("flex") is not None


def test_a_place_that_cannot_be_looked_at_keeps_its_record(tmp_path: Path) -> None:
    record = Record.load(tmp_path)
    record.put(known("now"))
    host = _host("flex")
    host.fail["removals"] = KitError(Code.CLOUD_UNAVAILABLE, "Google answered 503.", "Later.")
    plans = asyncio.run(survey([host, _host("run")]))
    assert [plan.error is None for plan in plans] == [False, True]
    gcloud = LinesOnly()
    asyncio.run(destroy(plans, gcloud, record, silent))
    assert gcloud.ran == []
    assert Record.load(tmp_path).of("flex") is not None
