"""The decision table held against made-up worlds, in which who holds what is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.causes import Cause, NamedCause, causes, to_try
from kit.proof.conditions import MEDIA_TYPES, Change, Conditions
from kit.proof.doubts import Doubt
from kit.proof.experiments import Experiment, Traced, trace
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Shape
from tests.kit.proof.conftest import played


@dataclass(frozen=True)
class Holder:
    """A hop: what it is, when it holds, and how."""

    cause: Cause
    holds: Callable[[Conditions], bool]
    shape: Shape


HOLDERS = [
    Holder(Cause.NGINX_BUFFERS, lambda at: at.header == "off", Shape.BLOCKS),
    Holder(Cause.NGINX_GZIP, lambda at: at.coding == "gzip" and at.header == "off", Shape.BLOCKS),
    Holder(Cause.COMPRESSOR, lambda at: at.coding == "gzip", Shape.BLOCKS),
    Holder(Cause.BLOCKS, lambda at: True, Shape.BLOCKS),
    Holder(Cause.WHOLE_MESSAGE, lambda at: True, Shape.WHOLE),
    Holder(Cause.PREFIX_BUFFER, lambda at: True, Shape.PREFIX),
    Holder(Cause.TIMER, lambda at: True, Shape.TIMER),
    Holder(Cause.MEDIA_TYPE, lambda at: at.framing != "sse", Shape.WHOLE),
    Holder(Cause.ACCEPT, lambda at: at.accept != "text/event-stream", Shape.WHOLE),
    Holder(Cause.METHOD, lambda at: at.method == "POST", Shape.WHOLE),
    Holder(Cause.HTTP_VERSION, lambda at: not at.http2, Shape.BLOCKS),
]
BY_CAUSE = {holder.cause: holder for holder in HOLDERS}
AT = Conditions("POST", MEDIA_TYPES["ndjson"], "off", "on", coding="gzip", http2=False)
CAN = frozenset(Change) - {Change.DIRECT, Change.LENGTH}


def world(holders: list[Holder], at: Conditions) -> Observation:
    held = [holder for holder in holders if holder.holds(at)]
    if not held:
        return Observation(State.STREAMS, "passed")
    worst = min(held, key=lambda holder: list(Shape).index(holder.shape))
    return Observation(State.HELD, "held", worst.shape)


def examined(
    holders: list[Holder], at: Conditions = AT, can: frozenset[Change] = CAN
) -> tuple[Traced, list[Experiment]]:
    taken: list[Experiment] = []

    def saw(wanted: Sequence[Experiment]) -> list[Observation]:
        taken.extend(wanted)
        return [world(holders, experiment.conditions) for experiment in wanted]

    return played(trace(at, world(holders, at), can), saw), taken


@pytest.mark.parametrize("cause", BY_CAUSE)
def test_one_holder_is_named_for_what_it_is_and_certainly(cause: Cause) -> None:
    traced, _ = examined([BY_CAUSE[cause]])
    assert [(named.cause, named.certainty) for named in causes(traced)] == [(cause, "certain")]


def test_a_compressor_before_an_nginx_takes_both_changes_and_both_are_named() -> None:
    traced, _ = examined([BY_CAUSE[Cause.COMPRESSOR], BY_CAUSE[Cause.NGINX_BUFFERS]])
    assert {named.cause for named in causes(traced)} == {Cause.COMPRESSOR, Cause.NGINX_BUFFERS}


@pytest.mark.parametrize("other", [Cause.COMPRESSOR, Cause.METHOD])
def test_what_the_header_frees_is_not_certain_of_an_answer_that_may_bear_it_and_named_last(
    other: Cause,
) -> None:
    traced, _ = examined([BY_CAUSE[other], BY_CAUSE[Cause.NGINX_BUFFERS]])
    (nginx,) = (named for named in causes(traced) if named.cause is Cause.NGINX_BUFFERS)
    assert nginx.certainty == "certain"
    spared = causes(traced, may_bear_header=True)
    assert spared[-1] == replace(nginx, certainty="likely")
    assert set(causes(traced)) - set(spared) == {nginx}


@given(st.lists(st.sampled_from(HOLDERS), min_size=1, max_size=3, unique_by=lambda holder: holder.cause))
def test_of_several_holders_none_is_named_that_is_not_there(holders: list[Holder]) -> None:
    traced, taken = examined(holders)
    named = causes(traced)
    there = {holder.cause for holder in holders}
    assert named
    assert {one.cause for one in named} <= there | {Cause.UNKNOWN}
    assert all(one.certainty != "certain" for one in named if one.cause is Cause.UNKNOWN)
    assert len(taken) <= 40


@given(
    st.lists(st.sampled_from(HOLDERS), min_size=1, max_size=2, unique_by=lambda holder: holder.cause),
    st.sampled_from([Conditions(coding="gzip"), Conditions("POST"), Conditions(header="off", coding="gzip")]),
)
def test_only_what_holds_here_is_named(holders: list[Holder], at: Conditions) -> None:
    if world(holders, at).streams:
        return
    named = causes(examined(holders, at)[0])
    assert {one.cause for one in named} <= {holder.cause for holder in holders if holder.holds(at)} | {
        Cause.UNKNOWN
    }


def test_a_compressor_that_honours_no_transform_is_told_with_that_line_and_another_without() -> None:
    honours = Holder(
        Cause.COMPRESSOR, lambda at: at.coding == "gzip" and "no-transform" not in at.cache, Shape.BLOCKS
    )
    (named,) = causes(examined([honours], replace(AT, cache="no-cache"))[0])
    assert (named.cause, named.certainty) == (Cause.COMPRESSOR, "certain")
    assert "    Cache-Control: no-cache, no-transform\n" in named.remedy
    assert "Cache-Control: no-transform" in named.because
    (other,) = causes(examined([BY_CAUSE[Cause.COMPRESSOR]], replace(AT, cache="no-cache"))[0])
    assert (other.cause, other.to_try) == (Cause.COMPRESSOR, "")


def test_that_the_header_has_no_effect_is_said_only_where_it_was_tried_or_is_sent() -> None:
    identity = frozenset({Change.IDENTITY})
    for can, at, cause, certainty in (
        (CAN, AT, Cause.COMPRESSOR, "certain"),
        (identity, replace(AT, header="on"), Cause.COMPRESSOR, "likely"),
        (identity, AT, Cause.COMPRESSION, "likely"),
    ):
        (named,) = causes(examined([BY_CAUSE[Cause.COMPRESSOR]], at, can)[0])
        assert (named.cause, named.certainty) == (cause, certainty)
        assert ("no effect" in named.cause.says) is (cause is Cause.COMPRESSOR)
    said = Cause.COMPRESSION
    assert "was not tried" in said.says
    assert said.remedy.index("X-Accel-Buffering: no") < said.remedy.index("gzip off;")


@pytest.mark.parametrize(
    ("failed", "lines"),
    [
        ({Change.EVENT_STREAM}, ["X-Accel-Buffering: no", "proxy_buffering off;", "gzip off;"]),
        ({Change.EVENT_STREAM, Change.HEADER}, ["proxy_buffering off;", "gzip off;"]),
        ({Change.EVENT_STREAM, Change.IDENTITY}, ["X-Accel-Buffering: no", "proxy_buffering off;"]),
        (
            {Change.HEADER, Change.IDENTITY},
            ["proxy_buffering off;", "Content-Type: text/event-stream"],
        ),
    ],
)
def test_what_to_try_for_an_answer_that_could_only_be_watched_leaves_out_what_was_tried(
    failed: set[Change], lines: list[str]
) -> None:
    said = to_try(failed)
    assert [line.strip() for line in said.splitlines() if line.startswith("    ")] == lines
    assert "None of these could be tried" in said
    assert "the first event comes long before the last" in said


def twice(first: Observation, second: Observation) -> Traced:
    """What comes of a stream that was held, where all is seen as the first, and then as the second."""
    seen = [first, second]
    return played(trace(AT, Observation(State.HELD, "held"), CAN), lambda wanted: [seen.pop(0)] * len(wanted))


def test_a_stream_that_passes_the_second_time_is_not_explained() -> None:
    traced = twice(Observation(State.HELD, "held"), Observation(State.STREAMS, "passed"))
    assert causes(traced) == ()


def test_one_lost_packet_does_not_make_nginx_another_compressor() -> None:
    holders = [BY_CAUSE[Cause.NGINX_GZIP]]
    lost = [Change.HEADER.applied(AT)]

    def saw(wanted: Sequence[Experiment]) -> list[Observation]:
        seen = [world(holders, one.conditions) for one in wanted]
        if lost:
            place = [one.conditions for one in wanted].index(lost.pop())
            seen[place] = Observation(State.HELD, "did not come")
        return seen

    traced = played(trace(AT, world(holders, AT), CAN), saw)
    assert [named.cause for named in causes(traced)] == [Cause.NGINX_GZIP]


def busy(
    only: int,
    cause: Cause = Cause.NGINX_GZIP,
    change: Change | None = Change.IDENTITY,
    *,
    whole: bool = False,
) -> tuple[Traced, list[str]]:
    """Something that holds, on a machine too busy to decide so often what becomes of a change, or of none."""
    holders, left, alone = [BY_CAUSE[cause]], [only], list[str]()
    unsure = Observation(State.UNDECIDED, "by turns", doubts=(Doubt.BUSY_MACHINE,))
    at = AT if change is None else change.applied(AT)

    def saw(experiment: Experiment) -> Observation:
        if (experiment.conditions, experiment.whole) == (at, whole) and left[0]:
            left[0] -= 1
            return unsure
        return world(holders, experiment.conditions)

    def all_of(wanted: Sequence[Experiment]) -> list[Observation]:
        alone.extend(one.says for one in wanted if len(wanted) == 1)
        return [saw(one) for one in wanted]

    return played(trace(AT, world(holders, AT), CAN), all_of), alone


def test_what_a_busy_machine_left_undecided_is_asked_again_by_itself() -> None:
    traced, alone = busy(2)
    assert [one for one in alone if one.endswith(", once more")]
    assert [(named.cause, named.certainty) for named in causes(traced)] == [(Cause.NGINX_GZIP, "certain")]


@pytest.mark.parametrize(("only", "certainty"), [(1, "certain"), (2, "certain"), (3, "likely")])
def test_what_does_not_free_it_is_believed_once_it_was_seen_as_often_as_on_a_machine_with_time(
    only: int, certainty: str
) -> None:
    traced, _ = busy(only, Cause.COMPRESSOR, Change.HEADER)
    (named,) = causes(traced)
    assert (named.cause, named.certainty) == (Cause.COMPRESSOR, certainty)
    seen = [row.observation for row in traced.rows if row.experiment.conditions == Change.HEADER.applied(AT)]
    assert sum(one.state is State.HELD for one in seen) == (2 if only < 3 else 1)


@pytest.mark.parametrize(("only", "certainty"), [(1, "certain"), (2, "likely")])
def test_so_is_what_is_looked_at_to_the_end(only: int, certainty: str) -> None:
    traced, alone = busy(only, Cause.COMPRESSOR, None, whole=True)
    assert alone[0] == "as asked, to the end"
    assert alone[1] == "as asked, to the end, once more"
    (named,) = causes(traced)
    assert (named.cause, named.certainty) == (Cause.COMPRESSOR, certainty)


def test_a_cause_is_only_possible_while_what_tells_it_from_another_is_undecided() -> None:
    (named,) = causes(busy(4)[0])
    assert (named.cause, named.certainty) == (Cause.NGINX_BUFFERS, "possible")
    assert "could not be seen" in named.because


def test_a_refusal_is_named_and_certain() -> None:
    traced = Traced(Observation(State.REFUSED, "501"))
    assert [(named.cause, named.certainty) for named in causes(traced)] == [(Cause.REFUSES, "certain")]


def test_what_was_only_watched_is_never_certain() -> None:
    rest = Observation(State.HELD, "came at once", Shape.WHOLE, proven=False)
    named: tuple[NamedCause, ...] = causes(Traced(rest, rest=rest))
    assert [one.certainty for one in named] == ["likely"]


def test_why_nobody_saw_how_it_is_held_is_not_forgotten() -> None:
    undecided = Observation(State.UNDECIDED, "came once", doubts=(Doubt.NOT_REPEATED,))
    traced = twice(Observation(State.HELD, "held"), undecided)
    assert traced.base.state is State.HELD
    assert Doubt.NOT_REPEATED in traced.base.doubts
