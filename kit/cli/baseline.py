"""The options `--baseline` and `--write-baseline`: a comparison held against what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from kit.cli.arguments import Group, option
from kit.cli.packed import packed
from kit.errors import UsageError

if TYPE_CHECKING:
    from kit.proof.baseline import Miss
    from kit.proof.lane import Comparison
    from kit.targets import Target

_Read: TypeAlias = Annotated[
    Path | None,
    option(
        "--baseline",
        "What is known to be missed, as --write-baseline wrote it: exit 3 only on what is new or worse.",
        metavar="FILE",
        group=Group.MEASURING,
    ),
]
_Write: TypeAlias = Annotated[
    Path | None,
    option(
        "--write-baseline",
        "Write down what is missed now; entries of other lanes in that file stay.",
        metavar="FILE",
        group=Group.MEASURING,
    ),
]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the user gave: a file to hold against, or one to write and then hold against."""

    file: Path | None
    known: tuple[Miss, ...]
    write: bool

    def held(self, comparison: Comparison, targets: Mapping[str, Target]) -> tuple[Comparison, list[str]]:
        """The comparison without what is known, and sentences on what is known, new, worse or better.

        Raises:
            KitError: BAD_USAGE, nothing is expected of any lane; CANNOT_WRITE.
        """
        from dataclasses import replace

        from kit.proof.baseline import against, written
        from kit.report.baseline import sentences, toml
        from kit.report.files import put
        from kit.report.view import lane_view

        if self.file is None:
            return comparison, []
        lanes = [(lane_view(one, targets.get(one.target)).name, one) for one in comparison.lanes]
        known = self.known
        if self.write:
            known = written(lanes, known)
            put([(self.file, toml(known))])
        found = against(lanes, known)
        return replace(comparison, lanes=found.lanes), sentences(found, self.file)


NO_BASELINE = Baseline(None, (), write=False)


def _baseline(baseline: _Read = None, write_baseline: _Write = None) -> Baseline:
    """What they name, read before anything is measured.

    Raises:
        KitError: BAD_USAGE for both; BAD_CONFIG for a file that is no baseline.
    """
    if baseline is not None and write_baseline is not None:
        raise UsageError(
            "--baseline holds against a file, and --write-baseline writes one.", "Give one of them."
        )
    file = write_baseline or baseline
    if file is None:
        return NO_BASELINE
    from kit.report.baseline import read

    there = file is baseline or file.exists()
    return Baseline(file, read(file) if there else (), write_baseline is not None)


# For verbs that hold what they measure to something: their parameter `baseline`.
with_baseline = packed("baseline", _baseline)
