"""Places and releases for the tests of the platforms, as people would have them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from kit.platforms.service import Place, Release

PROJECT = "demo-project"
STANDARD = Place("standard", "app_engine", PROJECT, None, "default")
FLEX = Place("flex", "app_engine", PROJECT, None, "sp-flex")
RUN = Place("run", "cloud_run", PROJECT, "europe-west1", "streamproof")
VERSION = "sp-toxit8wo"
DIGEST = "05d8440e14713772d802017d1fb8c020b71331bf"

_RELEASE = Release(
    place=FLEX,
    version=VERSION,
    folder=Path("build", "releases", "flex"),
    digest=DIGEST,
    environment={"STREAMPROOF_PROOF_UNTIL": "1795397516", "STREAMPROOF_BUNDLE": DIGEST},
    settings={},
    creates=False,
)


def release(place: Place, **changes: Any) -> Release:
    """A release for a place, like any other but for what is named."""
    folder = Path("build/run" if place.platform == "cloud_run" else f"build/releases/{place.target}")
    return replace(_RELEASE, **{"place": place, "folder": folder, **changes})


def answer(name: str) -> Any:
    """What gcloud 528 printed for a line, recorded against the loopback control plane."""
    return json.loads(Path(__file__).with_name("answers").joinpath(f"{name}.json").read_text())
