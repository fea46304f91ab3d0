"""Conditions: how an object does, in the words of its controllers. Pure but for the time of a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kit.rehearsal.storage import now


class Condition(NamedTuple):
    """One condition. `status`: True, False, or None for "Unknown"."""

    type: str
    status: bool | None
    reason: str
    message: str = ""


def shown(
    conditions: Iterable[Condition], before: Sequence[Mapping[str, Any]], generation: int | None = None
) -> list[dict[str, Any]]:
    """As the API shows them; one that did not change keeps its time."""
    times = {(each["type"], each["status"]): each["lastTransitionTime"] for each in before}
    made = []
    for each in conditions:
        status = {True: "True", False: "False", None: "Unknown"}[each.status]
        made.append(
            {
                "type": each.type,
                "status": status,
                "reason": each.reason,
                "message": each.message,
                "lastTransitionTime": times.get((each.type, status)) or now(),
                **({} if generation is None else {"observedGeneration": generation}),
            }
        )
    return made


def holds(value: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition of an object is true."""
    conditions = value.get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == (kind, "True") for each in conditions)
