"""One target's way into the cloud, step by step, against a platform that lives in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kit.cloud.record import Record
from kit.errors import Code, KitError
from kit.events import Event, Finished
from kit.flows.deploy_target import Deploying, Job
from kit.outcome import Gate, Outcome, Result
from kit.platforms.deployment import Deployment
from kit.platforms.service import Place, Release, Removal, Service, Version
from kit.probe.rollout import Kept, Mark
from kit.proof.lane import Arm, Lane, LaneState
from kit.proof.rollout import unwatched
from kit.proof.verdict import Shape, Verdict
from kit.targets import Target, get
from tests.fixtures.deployments import on_record
from tests.fixtures.lanes import lane_of
from tests.kit.flows.hosts import MemoryHost

NOW = 1_800_000_000.0


class Marked(Kept):
    """Streams that are kept; `marks`: what was done, each with what was asked of the host last before it."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(unwatched("nothing was watched"))
        self.said = said
        self.marks: list[tuple[str, str]] = []
        self.over = False

    def at(self, mark: Mark, url: str | None = None) -> None:
        self.marks.append((mark, self.said[-1] if self.said else ""))

    async def __aexit__(self, *_: object) -> None:
        self.over = True


class Stage:
    """One target, its host, its record and the verdict that its next measurement gives."""

    def __init__(self, folder: Path, name: str = "flex") -> None:
        self.target = get(name)
        self.place = Place(name, self.target.platform, "demo-project", None, f"sp-{name}")
        self.host = MemoryHost(self.place, always=name == "flex")
        self.folder = folder
        self.record = Record.load(folder)
        self.verdicts = {"on": self.target.expect["on"], "off": self.target.expect["off"]}
        self.measured: list[str] = []
        self.shown: list[str | None] = []
        self.proof = {"STREAMPROOF_PROOF_TOKEN_SHA256": "a hash"}
        self.kept: list[tuple[str, str | None]] = []
        self.streams = Marked([])
        self.count = 0
        self.digest = "d1"
        self.token: dict[str, str] = {}
        self.events: list[Event] = []

    def release(self, creates: bool) -> Release:
        self.count += 1
        return Release(
            place=self.place,
            version=f"sp-{self.count}",
            folder=self.folder,
            digest=self.digest,
            environment={"STREAMPROOF_PROOF_UNTIL": str(int(NOW + 3600)), **self.token, **self.proof},
            settings={},
            creates=creates,
            proof_token=f"secret-of-{self.count}",
        )

    async def measure(
        self, target: Target, url: str, service: Service, version: str, proof_token: str | None
    ) -> Sequence[Lane]:
        self.measured.append(url)
        self.shown.append(proof_token)
        arms: tuple[Arm, Arm] = ("on", "off")
        verdicts = {arm: Verdict(self.verdicts[arm]) for arm in arms}
        blocks = {"shape": Shape.BLOCKS, "block_bytes": 65_536}
        return [
            lane_of(
                self.target.name,
                header=arm,
                verdict=found,
                **(blocks if found is Verdict.BYTE_LIMITED else {}),
            )
            for arm, found in verdicts.items()
        ]

    @property
    def known(self) -> Deployment:
        """What the record in the folder says of it."""
        return on_record(self.folder, self.target.name)

    def changed(self) -> None:
        """Deploy, and change what is deployed next."""
        self.run()
        self.digest = "d2"

    def interrupted(self, verb: str = "promote", **wishes: object) -> None:
        """Deploy, and be interrupted at this."""
        self.host.fail[verb] = asyncio.CancelledError()
        with pytest.raises(asyncio.CancelledError):
            self.run(**wishes)
        self.host.fail.clear()

    def deploying(self, **wishes: object) -> Deploying:
        job = Job(
            target=self.target,
            host=self.host,
            look=self.host.look,
            release=self.release,
            **{"write": lambda release: None, **wishes},  # type: ignore[arg-type]
        )
        return Deploying(job, self.record, self.events.append, self.measure, self.keep, lambda: NOW)

    def keep(self, target: Target, service: Service, version: Version, known: Deployment | None) -> Marked:
        self.kept.append((version.name, None if known is None else known.version))
        self.streams = Marked(self.host.said)
        return self.streams

    def run(self, **wishes: object) -> Outcome:
        return asyncio.run(self.deploying(**wishes).run())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_first_version_serves_at_once_and_is_measured_all_the_same(stage: Stage) -> None:
    outcome = stage.run()
    assert (outcome.result, outcome.state) == (Result.PROMOTED, LaneState.OK)
    assert stage.host.said == ["deploy sp-1"]
    assert stage.measured == ["https://sp-1.example.org"]
    known = stage.known
    assert (known.state, known.version, known.url) == ("serving", "sp-1", "https://example.org")
    assert (known.verdict_on, known.verdict_off) == ("incremental", "byte-limited")
    assert (known.blocks_on, known.blocks_off) == (None, 65_536)


def test_a_later_version_is_measured_before_it_takes_the_traffic_and_what_it_replaces_is_stopped(
    stage: Stage,
) -> None:
    stage.changed()
    outcome = stage.run()
    assert outcome.result is Result.PROMOTED
    assert stage.host.said[1:] == ["deploy sp-2", "promote sp-2", "stop sp-1"]
    assert stage.streams.marks == [
        ("began", "deploy sp-2"),
        ("moved", "promote sp-2"),
        ("stopping", "promote sp-2"),
        ("stopped", "stop sp-1"),
    ]
    known = stage.known
    assert (known.version, known.previous) == ("sp-2", "sp-1")


def test_streams_are_kept_on_what_served_with_what_was_on_record_of_it_and_a_first_version_replaces_none(
    stage: Stage,
) -> None:
    first = stage.run()
    assert (first.rollout, stage.kept) == (None, [])
    stage.digest = "d2"
    second = stage.run()
    assert stage.kept == [("sp-1", "sp-1")]
    assert second.rollout == unwatched("nothing was watched")
    assert (second.state, second.gate) == (LaneState.OK, Gate.PASSED)
    assert stage.streams.over


def test_a_promotion_that_fails_leaves_no_stream_open(stage: Stage) -> None:
    stage.changed()
    stage.host.fail["promote"] = KitError(Code.CLOUD_BUSY, "Busy.", "")
    assert stage.run().result is Result.FAILED
    assert stage.streams.over


def test_what_streams_worse_than_promised_is_not_promoted_and_stopped_at_once(stage: Stage) -> None:
    stage.run()
    stage.digest, stage.verdicts["on"] = "d2", Verdict.BYTE_LIMITED
    outcome = stage.run()
    assert (outcome.result, outcome.gate) == (Result.NOT_PROMOTED, Gate.WORSE)
    assert outcome.state is LaneState.NOT_AS_EXPECTED
    assert stage.host.said[1:] == ["deploy sp-2", "stop sp-2"]
    assert "sp-1 keeps serving" in outcome.what
    known = stage.known
    assert (known.state, known.version, known.previous) == ("held-back", "sp-2", "sp-1")


def test_what_could_not_be_decided_is_not_promoted_with_a_status_of_its_own(stage: Stage) -> None:
    stage.run()
    stage.digest, stage.verdicts["on"] = "d2", Verdict.INCONCLUSIVE
    outcome = stage.run()
    assert (outcome.result, outcome.state) == (Result.NOT_PROMOTED, LaneState.INCONCLUSIVE)
    assert "promote sp-2" not in stage.host.said


def test_what_streams_better_than_documented_is_promoted_and_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "standard")
    stage.verdicts["on"] = Verdict.INCREMENTAL
    outcome = stage.run()
    assert (outcome.result, outcome.gate, outcome.state) == (Result.PROMOTED, Gate.BETTER, LaneState.OK)


def test_a_first_version_that_fails_the_gate_serves_and_nobody_is_let_in(stage: Stage) -> None:
    stage.verdicts["on"] = Verdict.WHOLE_MESSAGE
    outcome = stage.run(public=True)
    assert (outcome.result, outcome.state) == (Result.SERVES_ANYWAY, LaneState.NOT_AS_EXPECTED)
    assert "open" not in stage.host.said
    assert outcome.next == "kit destroy flex"


def test_a_service_is_opened_to_everybody_only_after_the_gate(stage: Stage) -> None:
    stage.run(public=True)
    assert stage.host.said == ["deploy sp-1", "open"]
    assert stage.measured


def test_without_the_gate_nothing_is_measured(stage: Stage) -> None:
    outcome = stage.run(gate=False)
    assert (outcome.result, outcome.gate, stage.measured) == (Result.PROMOTED, None, [])


@pytest.mark.parametrize("app", ["shop-1a2b3c4d", None])
def test_the_same_bundle_of_another_app_or_of_none_is_deployed_under_this_ones_mark(
    stage: Stage, app: str | None
) -> None:
    stage.run()
    assert stage.host.service is not None
    (serving,) = stage.host.service.versions
    stage.host.service = replace(stage.host.service, versions=(replace(serving, app=app),))
    assert stage.run().result is Result.PROMOTED


def test_an_unchanged_bundle_is_not_deployed_again_unless_asked(stage: Stage) -> None:
    stage.run()
    assert stage.run().result is Result.UNCHANGED
    assert stage.host.said == ["deploy sp-1"]
    assert stage.run(again=True).result is Result.PROMOTED
    assert stage.host.said[1:] == ["deploy sp-3", "promote sp-3", "stop sp-1"]


def test_the_arm_without_the_header_is_reported_and_decides_nothing(stage: Stage) -> None:
    stage.verdicts["off"] = Verdict.WHOLE_MESSAGE
    outcome = stage.run()
    assert outcome.result is Result.PROMOTED
    assert [lane.verdict for lane in outcome.lanes] == [Verdict.INCREMENTAL, Verdict.WHOLE_MESSAGE]


@pytest.mark.parametrize("verb", ["deploy", "promote", "stop", "open"])
def test_a_failure_at_any_step_is_told_with_what_still_serves(stage: Stage, verb: str) -> None:
    stage.changed()
    stage.host.fail[verb] = KitError(Code.QUOTA_EXCEEDED, "The quota is used up.", "Ask for more.")
    outcome = stage.run(public=True)
    assert (outcome.result, outcome.state, outcome.what) == (
        Result.FAILED,
        LaneState.FAILED,
        "The quota is used up.",
    )
    assert outcome.url == "https://example.org"
    known = stage.known
    assert known.state == "failed"


def test_a_first_deployment_that_google_ended_and_that_left_nothing_is_not_on_record(stage: Stage) -> None:
    stage.host.fail["deploy"] = KitError(Code.BUILD_FAILED, "The build failed.", "Look at its log.")
    outcome = stage.run()
    assert (outcome.result, outcome.url) == (Result.FAILED, None)
    assert Record.load(stage.folder).of("flex") is None


@pytest.mark.parametrize("code", [Code.TIMED_OUT, Code.CLOUD_UNAVAILABLE, Code.GCLOUD_FAILED])
def test_what_google_may_still_be_making_stays_on_record(stage: Stage, code: Code) -> None:
    stage.host.fail["deploy"] = KitError(code, "The connection broke.", "Try again.")
    outcome = stage.run()
    known = stage.known
    assert (known.state, known.version, known.place) == ("failed", None, stage.place)
    assert "kit destroy flex" in outcome.what


@pytest.mark.parametrize("looked", ["found", "unread"])
def test_what_a_failed_build_left_stays_on_record(stage: Stage, looked: str) -> None:
    stage.host.fail["deploy"] = KitError(Code.BUILD_FAILED, "The build failed.", "Look at its log.")
    stage.host.left = (Removal("1 uploaded archive", None),)
    if looked == "unread":
        stage.host.fail["removals"] = KitError(Code.CLOUD_UNAVAILABLE, "Google answered 503.", "Try again.")
    stage.run()
    known = stage.known
    assert known.state == "failed"


def test_a_second_failure_forgets_nothing_that_the_first_may_have_left(stage: Stage) -> None:
    stage.host.fail["deploy"] = KitError(Code.CLOUD_UNAVAILABLE, "The connection broke.", "Try again.")
    stage.run()
    stage.host.fail["deploy"] = KitError(Code.BUILD_FAILED, "The build failed.", "Look at its log.")
    stage.run()
    assert Record.load(stage.folder).of("flex") is not None


def test_what_failed_before_anything_was_uploaded_leaves_the_record_as_it_was(stage: Stage) -> None:
    def full(release: Release) -> None:
        raise KitError(Code.CANNOT_WRITE, "No space is left.", "Free some room.")

    assert stage.run(write=full).result is Result.FAILED
    assert Record.load(stage.folder).of("flex") is None
    stage.run()
    before = Record.load(stage.folder).of("flex")
    stage.digest = "d2"
    assert stage.run(write=full).result is Result.FAILED
    assert Record.load(stage.folder).of("flex") == before


def test_a_failure_that_cannot_be_put_on_record_is_told_with_that(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.host.fail["deploy"] = KitError(Code.BUILD_FAILED, "The build failed.", "Look at its log.")
    full = KitError(Code.CANNOT_WRITE, "No space is left.", "Free some room.")

    def drop(record: Record, target: str) -> None:
        raise full

    monkeypatch.setattr(Record, "drop", drop)
    outcome = stage.run()
    assert outcome.what == "The build failed. And that is not on record: No space is left."
    assert outcome.result is Result.FAILED
    assert stage.events[-1] == Finished("flex", LaneState.FAILED, outcome.what)


@pytest.mark.parametrize("verb", ["promote", "stop", "open"])
def test_what_a_failed_run_left_is_carried_on_by_the_next_without_a_second_build(
    stage: Stage, verb: str
) -> None:
    stage.changed()
    stage.host.fail[verb] = KitError(Code.CLOUD_UNAVAILABLE, "Google answered 503.", "Try again.")
    assert stage.run(public=True).result is Result.FAILED
    stage.host.fail.clear()
    stage.host.said.clear()
    outcome = stage.run(public=True)
    assert outcome.result is Result.PROMOTED
    assert not any(said.startswith("deploy") for said in stage.host.said)
    assert stage.host.service is not None
    assert stage.host.service.public
    serving = stage.host.service.serving
    assert serving is not None
    assert serving.name == "sp-2"


@pytest.mark.parametrize("verb", ["deploy", "look", "promote", "stop", "open"])
def test_an_interruption_at_any_step_leaves_a_record_from_which_the_next_run_goes_on(
    stage: Stage, verb: str
) -> None:
    stage.changed()
    stage.interrupted(verb, public=True)
    stage.record = Record.load(stage.folder)
    outcome = stage.run(public=True)
    assert outcome.result is Result.PROMOTED
    assert stage.host.service is not None
    serving = stage.host.service.serving
    assert serving is not None
    assert serving.digest == "d2"
    assert [version.name for version in stage.host.service.versions if version.running] == [serving.name]
    assert stage.host.service.public
    known = stage.known
    assert (known.state, known.version) == ("serving", serving.name)


def test_the_proof_is_shown_what_the_release_that_was_made_asks_for(stage: Stage) -> None:
    stage.run()
    known = on_record(stage.record, "flex")
    assert known.proof_token == "secret-of-1"
    stage.digest = "d2"
    stage.interrupted()
    stage.record = Record.load(stage.folder)
    stage.run()
    # The second version is measured twice, and its build has one secret.
    assert stage.shown == ["secret-of-1", "secret-of-2", "secret-of-2"]
    known = stage.known
    assert known.proof_token == "secret-of-2"


def test_a_secret_that_the_user_gave_the_service_is_shown_and_not_kept(stage: Stage) -> None:
    stage.proof = {}
    stage.changed()
    stage.interrupted()
    stage.run()
    assert stage.shown == ["secret-of-1", "secret-of-2", "secret-of-3"]
    known = stage.known
    assert known.proof_token is None


def test_what_an_interrupted_run_promoted_before_it_knew_the_name_is_not_taken_for_finished(
    stage: Stage,
) -> None:
    stage.changed()
    stage.interrupted()
    known = on_record(stage.record, "flex")
    stage.record.put(replace(known, version=None))  # as if it was killed before it had looked
    asyncio.run(stage.host.promote("sp-2", lambda line: None))
    stage.host.said.clear()
    assert stage.run().result is Result.PROMOTED
    assert stage.host.said == ["stop sp-1"]


@pytest.mark.parametrize("step", ["promote", "stop"])
def test_what_an_interrupted_run_left_running_is_stopped_by_one_that_deploys_something_else(
    stage: Stage, step: str
) -> None:
    stage.changed()
    stage.interrupted(step)
    stage.digest = "d3"
    assert stage.run().result is Result.PROMOTED
    assert stage.host.service is not None
    running = [version.name for version in stage.host.service.versions if version.running]
    assert running == ["sp-3"]


def looks_of(stage: Stage) -> list[Service | None]:
    """What each look finds from now on; one is some lines of gcloud, each most of a second of a core."""
    looks, look = [], stage.host.look

    async def counted() -> Service | None:
        looks.append(await look())
        return looks[-1]

    stage.host.look = counted  # type: ignore[assignment,method-assign]
    return looks


def moved_by_another(stage: Stage) -> None:
    """Send the traffic to a version of another's."""
    theirs = Version("theirs", None, None, 1.0, True, None, None)
    assert stage.host.service is not None
    ours = tuple(replace(version, traffic=0.0) for version in stage.host.service.versions)
    stage.host.service = replace(stage.host.service, versions=(theirs, *ours))


def test_traffic_that_another_moved_during_the_measurement_stays_where_it_is(stage: Stage) -> None:
    stage.changed()

    async def measured(
        target: Target, url: str, service: Service, version: str, proof_token: str | None
    ) -> Sequence[Lane]:
        moved_by_another(stage)
        return await Stage.measure(stage, target, url, service, version, proof_token)

    stage.measure = measured  # type: ignore[method-assign]
    outcome = stage.run()
    assert (outcome.result, outcome.error and outcome.error.code) == (Result.FAILED, Code.CLOUD_BUSY)
    assert not any(said.startswith("promote") for said in stage.host.said)


def test_traffic_that_another_moved_during_the_upload_stays_where_it_is_also_without_the_gate(
    stage: Stage,
) -> None:
    stage.run()
    stage.digest, stage.host.before["deploy"] = "d2", lambda: moved_by_another(stage)
    outcome = stage.run(gate=False)
    assert (outcome.result, outcome.error and outcome.error.code) == (Result.FAILED, Code.CLOUD_BUSY)
    assert not any(said.startswith("promote") for said in stage.host.said)


def test_without_the_gate_nothing_lies_between_the_look_after_the_upload_and_the_traffic(
    stage: Stage,
) -> None:
    stage.run()
    stage.digest, looks = "d2", looks_of(stage)
    assert stage.run(gate=False).result is Result.PROMOTED
    assert len(looks) == 2  # before the upload, whose own look is the host's, and after the traffic moved


def test_what_was_held_back_is_measured_again_and_not_built_again(stage: Stage) -> None:
    stage.run()
    stage.digest, stage.verdicts["on"] = "d2", Verdict.INCONCLUSIVE
    stage.run()
    stage.verdicts["on"] = Verdict.INCREMENTAL
    stage.host.said.clear()
    outcome = stage.run()
    assert outcome.result is Result.PROMOTED
    assert stage.host.said == ["start sp-2", "promote sp-2", "stop sp-1"]


def test_what_wants_a_token_is_not_opened_unasked_also_when_the_record_is_lost(stage: Stage) -> None:
    stage.token = {"STREAMPROOF_TOKEN_SHA256": "ab" * 32}
    stage.run()
    stage.record.drop("flex")
    stage.digest, stage.token = "d2", {}
    outcome = stage.run()
    assert (outcome.result, outcome.error and outcome.error.code) == (Result.FAILED, Code.NOT_READY_TO_DEPLOY)
    assert stage.host.said == ["deploy sp-1"]
    assert stage.run(without_token=True).result is Result.PROMOTED


def test_a_first_version_that_passed_is_not_looked_at_once_more(stage: Stage) -> None:
    looks = looks_of(stage)
    assert stage.run().result is Result.PROMOTED
    assert looks == [None]


@pytest.mark.parametrize(("name", "many"), [("flex", 2), ("standard", 1)])
def test_what_is_held_back_is_looked_at_again_only_where_it_had_to_be_stopped(
    tmp_path: Path, name: str, many: int
) -> None:
    stage = Stage(tmp_path, name)
    stage.run()
    stage.digest, stage.verdicts["on"] = "d2", Verdict.INCONCLUSIVE
    looks = looks_of(stage)
    outcome = stage.run()
    assert (outcome.result, len(looks)) == (Result.NOT_PROMOTED, many)
    assert outcome.costs == ("always" if name == "flex" else "requests")


def test_a_version_that_got_its_url_only_when_it_was_started_is_measured_there(stage: Stage) -> None:
    stage.verdicts["on"] = Verdict.WHOLE_MESSAGE  # so that it is held back, and gone on with
    stage.run()
    assert stage.host.service is not None
    half = replace(stage.host.service.versions[0], url=None, traffic=0.0, ready=False)
    stage.host.service = replace(stage.host.service, versions=(half,))
    known = stage.record.of("flex")
    assert known is not None
    stage.record.put(replace(known, state="unfinished"))
    stage.count -= 1

    def made() -> None:
        whole = replace(half, url="https://sp-1.example.org/whole", ready=True)
        stage.host.service = replace(stage.host.service, versions=(whole,))  # type: ignore[type-var]

    stage.host.before["start"] = made
    stage.measured.clear()
    stage.run()
    assert stage.measured == ["https://sp-1.example.org/whole"]
