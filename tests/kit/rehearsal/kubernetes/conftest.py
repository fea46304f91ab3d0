"""A cluster in a project, without gcloud."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from kit.rehearsal.kubernetes.cluster import Cluster
from kit.rehearsal.kubernetes.kinds import NAMESPACE
from kit.rehearsal.kubernetes.rules import fill_in
from kit.rehearsal.kubernetes.store import Key, key_of
from kit.rehearsal.plane import Plane
from tests.kit.rehearsal.kubernetes import manifests as made

GIVE_UP_S = 120.0


class Do(Protocol):
    """Apply objects as one manager."""

    def __call__(self, *values: dict[str, Any]) -> None: ...


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Plane]:
    """A project; at its end nothing may have gone wrong in a cluster."""
    folder = tmp_path / "google"
    folder.mkdir()
    with Plane(folder) as plane:
        yield plane
    assert plane.unknown == []


@pytest.fixture
def cluster(google: Plane) -> Cluster:
    """A cluster with a namespace."""
    cluster = google.container.add("cluster")
    cluster.store.put(Key(NAMESPACE, "", "space"), made.namespace())
    return cluster


@pytest.fixture
def apply(cluster: Cluster) -> Do:
    """Apply objects, which must be right."""

    def apply(*values: dict[str, Any]) -> None:
        for value in values:
            key = key_of(value)
            assert key.kind.problems(value) == ([], [])

            def default(made: dict[str, Any], key: Key = key) -> None:
                fill_in(key.kind, made)

            cluster.store.apply(
                key, value, "tests", force=False, default=default, check=lambda value: None, dry=False
            )

    return apply


def until(cluster: Cluster, holds: Callable[[], object]) -> None:
    """Wait for a state of a cluster's, or of what its controllers bring about elsewhere."""
    give_up = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < give_up
        with cluster.store.changed:
            cluster.store.changed.wait(0.01)
