"""A record that was lost is made anew from what bears the kit's marks, and from nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cloud.record import Record
from kit.config import Config
from kit.errors import Code, KitError
from kit.flows.rebuild import rebuild, recorded
from kit.platforms.deployment import Deployment, DeploymentStatus
from kit.platforms.platform import Host
from kit.platforms.service import Place, Service
from kit.targets import get
from tests.fixtures.deployments import PROJECT, REGION, deployed, on_record, place_of, service_of, version
from tests.kit.flows.hosts import MemoryHost

CONFIG = Config(project=PROJECT, region=REGION)


class Cloud:
    """What is in the cloud: service's name to service, or to the error of looking at it."""

    def __init__(self, services: Mapping[str, Service | KitError]) -> None:
        self.services = services
        self.looked: list[str] = []

    def __call__(self, place: Place) -> Host:
        self.looked.append(place.service)
        host = MemoryHost(place)
        there = self.services.get(place.service)
        if isinstance(there, KitError):
            host.fail["look"] = there
        elif there is not None:
            host.service = replace(there, place=place)
        return host


def rebuilt(
    folder: Path, cloud: Cloud, *targets: str, config: Config = CONFIG
) -> tuple[tuple[DeploymentStatus, ...], Record]:
    record = Record.load(folder)
    listed = asyncio.run(rebuild([get(name) for name in targets], config, record, cloud))
    return listed, Record.load(folder)


def test_a_lost_record_is_made_anew_from_what_serves(tmp_path: Path) -> None:
    cloud = Cloud({"streamproof": service_of("run"), "sp-flex": service_of("flex")})
    listed, record = rebuilt(tmp_path, cloud, "standard", "flex", "run")
    assert [one.target for one in listed] == ["flex", "run"]
    found = on_record(record, "run")
    assert (found.version, found.state, found.url) == (
        "sp-now",
        "serving",
        "https://streamproof.example.org",
    )
    assert (found.region, found.digest, found.verdict_on) == (REGION, "d" * 40, None)


@pytest.mark.parametrize("app", ["shop-1a2b3c4d", None])
def test_another_apps_service_is_not_put_on_record(app: str | None, tmp_path: Path) -> None:
    cloud = Cloud({"streamproof": service_of("run", version(app=app))})
    listed, record = rebuilt(tmp_path, cloud, "run")
    assert (len(listed), record.of("run")) == (0, None)
    Record.load(tmp_path).put(deployed("run", app=None))
    _, record = rebuilt(tmp_path, cloud, "run")
    assert (record.of("run") is None) is (app is not None), "without a mark it is whose record has the place"


def test_the_first_target_of_an_app_is_found_under_the_name_default(tmp_path: Path) -> None:
    cloud = Cloud({"default": service_of("standard"), "sp-standard": service_of("flex")})
    _, record = rebuilt(tmp_path, cloud, "standard", "flex")
    found = on_record(record, "standard")
    assert found.service == "default"
    assert record.of("flex") is None, "another target's service is not taken for it"


def test_where_somebody_else_took_default_over_the_targets_own_service_is_the_one(tmp_path: Path) -> None:
    lost = service_of("standard", version("theirs", target=None), version("sp-old", 0.0))
    cloud = Cloud({"default": lost, "sp-standard": service_of("standard")})
    _, record = rebuilt(tmp_path, cloud, "standard")
    found = on_record(record, "standard")
    assert found.service == "sp-standard"


def test_what_the_kit_did_not_make_is_not_recorded(tmp_path: Path) -> None:
    cloud = Cloud({"streamproof": service_of("run", version("theirs", target=None))})
    listed, record = rebuilt(tmp_path, cloud, "run")
    assert (listed, len(record)) == ((), 0)


def test_what_is_gone_is_forgotten_and_what_was_not_asked_for_is_kept(tmp_path: Path) -> None:
    for target in ("run", "flex"):
        Record.load(tmp_path).put(deployed(target))
    _, record = rebuilt(tmp_path, Cloud({}), "run")
    assert [one.target for one in record] == ["flex"]


def test_what_could_not_be_asked_is_kept_and_told(tmp_path: Path) -> None:
    Record.load(tmp_path).put(deployed("run"))
    error = KitError(Code.PERMISSION_DENIED, "No.", "Ask.")
    listed, record = rebuilt(tmp_path, Cloud({"streamproof": error}), "run")
    assert [one.error for one in listed] == [error]
    assert list(record) == [deployed("run")]


@pytest.mark.parametrize("code", [Code.API_OFF, Code.NOT_READY_TO_DEPLOY])
def test_a_platform_that_is_not_in_use_holds_nothing_and_is_no_error(tmp_path: Path, code: Code) -> None:
    off = KitError(code, "Off.", "Enable it.")
    listed, record = rebuilt(tmp_path, Cloud({"default": off, "sp-flex": off}), "flex")
    assert (listed, len(record)) == ((), 0)


@pytest.mark.parametrize("code", [Code.API_OFF, Code.NOT_READY_TO_DEPLOY])
def test_what_is_on_record_is_not_forgotten_because_the_platform_cannot_be_asked(
    tmp_path: Path, code: Code
) -> None:
    Record.load(tmp_path).put(deployed("flex"))
    off = KitError(code, "Off.", "Enable it.")
    listed, record = rebuilt(tmp_path, Cloud({"default": off, "sp-flex": off}), "flex")
    assert [one.error for one in listed] == [off]
    assert list(record) == [deployed("flex")]


def test_it_looks_where_the_record_says_before_where_the_configuration_does(tmp_path: Path) -> None:
    Record.load(tmp_path).put(deployed("run", service="mine", verdict_on="incremental"))
    cloud = Cloud({"mine": service_of("run"), "streamproof": service_of("run")})
    _, record = rebuilt(tmp_path, cloud, "run")
    found = on_record(record, "run")
    assert (found.service, found.verdict_on) == ("mine", "incremental")


def test_without_a_project_there_is_nowhere_to_look(tmp_path: Path) -> None:
    with pytest.raises(KitError) as caught:
        rebuilt(tmp_path, Cloud({}), "run", config=Config())
    assert caught.value.code is Code.NO_PROJECT


def test_without_a_region_the_others_are_looked_for_all_the_same(tmp_path: Path) -> None:
    cloud = Cloud({"sp-flex": service_of("flex")})
    listed, record = rebuilt(tmp_path, cloud, "flex", "run", config=Config(project=PROJECT))
    assert record.of("flex") is not None
    assert [one.error is not None for one in listed] == [False, True]
    assert listed[1].error is not None
    assert "--region" in listed[1].error.hint


def of_run(known: Deployment | None, *versions: object, **changes: object) -> Deployment:
    found = recorded(service_of("run", *versions, **changes), "run", known)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_what_only_the_record_knows_of_the_same_version_stays() -> None:
    known = deployed("run", verdict_off="incremental", expires_at="2027-01-15T09:00:00Z", proof_until=1.0)
    assert of_run(known, version("sp-now", created_at=known.created_at)) == replace(known, public=False)


def test_another_version_that_serves_by_now_takes_the_entry_without_the_old_verdicts() -> None:
    known = deployed("run", expires_at="2027-01-15T09:00:00Z")
    found = of_run(known, version("sp-new"), version("sp-now", 0.0))
    assert (found.version, found.previous, found.verdict_on) == ("sp-new", "sp-now", None)
    assert found.expires_at == "2027-01-15T09:00:00Z", "it is the service that was to be removed"


def test_a_version_that_was_held_back_still_is() -> None:
    known = deployed("run", version="sp-held", state="held-back", previous="sp-now")
    found = of_run(known, version("sp-held", 0.0), version("sp-now"))
    assert (found.version, found.state, found.previous) == ("sp-held", "held-back", "sp-now")


def test_a_version_that_was_held_back_and_promoted_elsewhere_serves() -> None:
    known = deployed("run", version="sp-held", state="held-back", previous="sp-now")
    found = of_run(known, version("sp-held"), version("sp-now", 0.0))
    assert (found.version, found.state) == ("sp-held", "serving")


def test_where_only_somebody_elses_version_serves_the_kits_newest_is_held_back() -> None:
    found = of_run(None, version("sp-new", 0.0), version("theirs", target=None))
    assert (found.version, found.state, found.previous) == ("sp-new", "held-back", "theirs")


def test_a_service_of_another_place_lends_it_nothing() -> None:
    known = deployed("run", project="another-project", verdict_on="incremental")
    assert of_run(known, version("sp-now")).verdict_on is None
    assert place_of("run").project == PROJECT


def test_previews_are_found_by_their_marks_and_are_not_what_is_deployed(tmp_path: Path) -> None:
    record = Record.load(tmp_path)
    measured = deployed("run", version="sp-pr-1-aaaa", state="held-back", verdict_on="incremental")
    record.put_preview("pr-1", measured)
    record.put_preview("gone", deployed("run", version="sp-gone-aaaa"))
    one = version("sp-pr-1-aaaa", 0.0, preview="pr-1", url="https://pr-1", created_at="2027-01-15T09:00:00Z")
    new = replace(one, name="sp-pr-2-bbbb", preview="pr-2", url="https://pr-2")
    closed = replace(one, name="sp-pr-3-cccc", preview="pr-3", url=None)
    cloud = Cloud({"streamproof": service_of("run", one, new, closed, version())})
    _, record = rebuilt(tmp_path, cloud, "run")
    assert on_record(record, "run").version == "sp-now"
    found = {name: (one.version, one.version_url, one.verdict_on) for name, one in record.previews()}
    assert found == {
        "pr-1": ("sp-pr-1-aaaa", "https://pr-1", "incremental"),
        "pr-2": ("sp-pr-2-bbbb", "https://pr-2", None),
    }
