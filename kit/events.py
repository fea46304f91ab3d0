"""Events, a flow's reports while it works: small values of one union, each given to one callable.

A terminal, a plain log and a test's list are such callables. None may raise, nor block but for `Announced`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

from kit.proof.lane import Delivery, Lane, LaneState, Wanted
from kit.proof.timeline import Arrival


@dataclass(frozen=True, slots=True)
class LaneKey:
    """Which lane: the target's name, its header variant, and how its answer is delivered."""

    target: str
    header: Wanted
    delivery: Delivery = "stream"

    @classmethod
    def of(cls, lane: Lane) -> Self:
        """The key of a lane that was measured."""
        return cls(lane.target, "as-is" if lane.as_is else lane.header, lane.delivery)

    @property
    def kind(self) -> str:
        """What distinguishes it from the target's other lanes: on, off, as-is, or polling."""
        return self.header if self.delivery == "stream" else self.delivery


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the whole work begins, and the one before is done ("Rendering the bundles")."""

    text: str


@dataclass(frozen=True, slots=True)
class Announced:
    """A stage that asks a URL for answers, which may cost: it begins once a person can read this."""

    text: str


@dataclass(frozen=True, slots=True)
class LanesBegun:
    """These lanes are about to be measured, side by side."""

    keys: tuple[LaneKey, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The request of the lane's answer leaves; the lane's clock runs from here."""

    key: LaneKey


@dataclass(frozen=True, slots=True)
class Arrived:
    """One event of the lane's answer arrived."""

    key: LaneKey
    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Answered:
    """The lane's answer is over."""

    key: LaneKey


@dataclass(frozen=True, slots=True)
class ProofStep:
    """One step of the lane's proof is done ("200 bytes: passed in 2 ms")."""

    key: LaneKey
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The lane has its verdict, or its error."""

    lane: Lane


@dataclass(frozen=True, slots=True)
class Step:
    """One target's next step begins ("uploading and building")."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """A line of output that belongs to the target's step, most often a tool's."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Running:
    """This command line is about to run, and changes something."""

    line: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The target is done: its state, and the outcome in a few words."""

    target: str
    state: LaneState
    text: str


Event: TypeAlias = (
    Stage
    | Announced
    | LanesBegun
    | Asked
    | Arrived
    | Answered
    | ProofStep
    | Judged
    | Step
    | Output
    | Running
    | Finished
)
Watch: TypeAlias = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignore the event: the `Watch` of a flow that is not watched."""


def stages(watch: Watch) -> Callable[[str], None]:
    """A callback that reports each text as a `Stage`."""
    return lambda text: watch(Stage(text))


def output_of(target: str, watch: Watch) -> Callable[[str], None]:
    """A callback that reports each text as the target's `Output`."""
    return lambda text: watch(Output(target, text))
