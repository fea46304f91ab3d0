"""What a flow tells while it measures, so that a person can watch it happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from kit.proof.lane import Delivery, Lane, Wanted
from kit.proof.timeline import Arrival


@dataclass(frozen=True, slots=True)
class LaneKey:
    """Which lane: the target's name, the arm, and how its answer is delivered."""

    target: str
    header: Wanted
    delivery: Delivery = "stream"

    @classmethod
    def of(cls, lane: Lane) -> Self:
        """The key of a lane that was measured."""
        return cls(lane.target, "as-is" if lane.as_is else lane.header, lane.delivery)

    @property
    def kind(self) -> str:
        """What tells it from the target's other lanes: on, off, as-is, or polling."""
        return self.header if self.delivery == "stream" else self.delivery


class Watcher(Protocol):
    """Told what happens, as it happens. No method may block or raise."""

    def stage(self, text: str) -> None:
        """A new part of the work begins ("rendering 3 bundles")."""

    def lanes(self, keys: tuple[LaneKey, ...]) -> None:
        """These lanes are about to be measured, side by side."""

    def asked(self, key: LaneKey) -> None:
        """The lane's answer was asked for; its clock runs from here."""

    def arrival(self, key: LaneKey, arrival: Arrival) -> None:
        """One event of the lane's answer arrived."""

    def answered(self, key: LaneKey) -> None:
        """The lane's answer is over."""

    def proof(self, key: LaneKey, step: str) -> None:
        """A step of the lane's proof was taken ("200 bytes: passed in 2 ms")."""

    def judged(self, lane: Lane) -> None:
        """The lane has its verdict."""


class Silent:
    """Nobody is watching."""

    def stage(self, text: str) -> None:
        """See `Watcher`."""

    def lanes(self, keys: tuple[LaneKey, ...]) -> None:
        """See `Watcher`."""

    def asked(self, key: LaneKey) -> None:
        """See `Watcher`."""

    def arrival(self, key: LaneKey, arrival: Arrival) -> None:
        """See `Watcher`."""

    def answered(self, key: LaneKey) -> None:
        """See `Watcher`."""

    def proof(self, key: LaneKey, step: str) -> None:
        """See `Watcher`."""

    def judged(self, lane: Lane) -> None:
        """See `Watcher`."""
