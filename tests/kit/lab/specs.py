"""Fronts made up for a test: as a platform's, with only what the test is about said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.targets import FrontSpec, Hold

NOTHING: Mapping[str, str] = {}


def front(hold: Hold = "none", **differences: Any) -> FrontSpec:
    """A front that holds like that and touches no header, caps nothing and waits a minute."""
    plain: dict[str, Any] = {
        "hold": hold,
        "block_bytes": 65_536 if hold == "blocks" else None,
        "accel_frees": hold == "blocks",
        "response_cap_bytes": None,
        "cap_spares_chunked": False,
        "deadline_s": 60.0,
        "request_headers_removed": (),
        "request_headers_added": NOTHING,
        "response_headers_removed": (),
        "response_headers_added": NOTHING,
        "client_leaves": "unknown",
        "idle": "unknown",
        "shutdown_grace_s": 2.0,
    }
    return FrontSpec(**{**plain, **differences})
