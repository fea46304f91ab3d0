"""A hosting platform as the kit knows it: one folder under `deploy/`, one `target.toml` in it.

Every platform fact stands in that file, with its source and how sure it is; lab, report and README read it
from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kit.proof.lane import Arm
from kit.proof.verdict import Verdict

Hold = Literal["none", "blocks", "whole"]
Certainty = Literal["A", "B", "C", "M", "I", "-"]


@dataclass(frozen=True, slots=True)
class FrontSpec:
    """What a platform's front end is documented to do with a response; `kit.lab.fronts` follows it.

    Attributes:
        hold: lets everything pass, holds in blocks, or holds the whole message.
        block_bytes: the size of a block; None unless `hold` is "blocks".
        accel_frees: whether `X-Accel-Buffering: no` from the service switches the holding off.
        response_cap_bytes: over it the client gets an empty 500; None for no cap.
        cap_spares_chunked: whether a chunked response is free of the cap.
        deadline_s: after it the request is ended by the front.
        request_headers_removed: lower case; a trailing `*` stands for any end.
        request_headers_added: name to value.
        response_headers_removed: lower case.
        response_headers_added: name to value.
        client_leaves: "passed" where the platform is known to tell the service, else "unknown".
        shutdown_grace_s: between SIGTERM and SIGKILL.
    """

    hold: Hold
    block_bytes: int | None
    accel_frees: bool
    response_cap_bytes: int | None
    cap_spares_chunked: bool
    deadline_s: float
    request_headers_removed: tuple[str, ...]
    request_headers_added: Mapping[str, str]
    response_headers_removed: tuple[str, ...]
    response_headers_added: Mapping[str, str]
    client_leaves: Literal["passed", "unknown"]
    shutdown_grace_s: float


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about a platform with where it comes from.

    `certainty` is the letter of docs/platforms.md: A a current page or source of the platform's owner,
    B such a page known by excerpt, C an old page or somebody else's claim, M measured on loopback,
    I inferred, - no source found.
    """

    text: str
    quote: str | None
    source: str
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Target:
    """One hosting platform.

    Attributes:
        name: its folder's name, which is what the user types.
        title: for people, "App Engine Standard".
        platform: which file in `kit/cloud/` deploys it.
        folder: where its templates lie.
        templates: template file to the name it is rendered to, relative to the bundle.
        defaults: values for the templates that the configuration may override.
        expect: the promised verdict in each arm.
        advice: what frees a held stream here, a sentence; None where nothing is held.
        front: the documented behaviour.
        claims: what the above rests on.
    """

    name: str
    title: str
    platform: str
    folder: Path
    templates: Mapping[str, str]
    defaults: Mapping[str, Any]
    expect: Mapping[Arm, Verdict]
    advice: str | None
    front: FrontSpec
    claims: tuple[Claim, ...]
