"""What `status`, `logs`, `open` and `compare` share: the entries of this folder's record, by target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kit.errors import Code, KitError

if TYPE_CHECKING:
    from kit.cloud.record import Deployment


def recorded(names: Sequence[str]) -> list[Deployment]:
    """What is on record as deployed for these targets, in this order; all of it where none is named.

    Raises:
        KitError: NOTHING_DEPLOYED or UNKNOWN_TARGET for a name that has no entry, BAD_RECORD.
    """
    from kit.cloud.record import Record
    from kit.targets import load_targets, select

    record = Record.load(Path())
    if not names:
        order = list(load_targets())
        return sorted(record, key=lambda one: order.index(one.target) if one.target in order else len(order))
    found = []
    for name in dict.fromkeys(names):
        known = record.of(name)
        if known is None:
            select([name])
            raise KitError(
                Code.NOTHING_DEPLOYED,
                f"Nothing is on record as deployed for {name} from this folder.",
                f"kit deploy {name} deploys it; kit status --refresh {name} looks in the cloud.",
            )
        found.append(known)
    return found
