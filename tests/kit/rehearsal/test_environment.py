"""What is said of a machine on which no cluster can be rehearsed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kit.rehearsal import environment
from kit.rehearsal.environment import clusters_need
from kit.rehearsal.plane import Plane


@pytest.fixture
def plane(tmp_path: Path) -> Plane:
    return Plane(tmp_path)


def programs(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).touch(0o755)
    return str(folder)


def test_a_program_that_is_missing_is_named_with_its_remedy(plane: Plane, tmp_path: Path) -> None:
    assert clusters_need(plane, programs(tmp_path)) == (
        "kubectl is not on the PATH. → gcloud components install kubectl"
    )
    missing = clusters_need(plane, programs(tmp_path, "kubectl"))
    assert missing is not None
    assert missing.startswith("gke-gcloud-auth-plugin is not on the PATH.")


def test_a_port_that_cannot_be_used_is_named(
    plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = programs(tmp_path, "kubectl", "gke-gcloud-auth-plugin")
    with socket.create_server((plane.gateway_host, 0)) as taken:
        monkeypatch.setattr(environment, "_HTTP", port := taken.getsockname()[1])
        assert f"its Gateway answers at port {port} of {plane.gateway_host}" in str(
            clusters_need(plane, path)
        )
    assert clusters_need(plane, path) is None
