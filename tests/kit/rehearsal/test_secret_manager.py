"""Secret Manager, as the real gcloud finds it: a service reads what its account may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.rehearsal.plane import Plane
from kit.rehearsal.uploads import Unhosted, Upload
from kit.rehearsal.wire import ApiError
from tests.fixtures.rehearsal import Gcloud

PROJECT = ("--project=demo-project", "--quiet")


class Kept(Unhosted):
    """Runs nothing, and keeps what it was to run."""

    uploads: list[Upload]

    def serve(self, upload: Upload) -> str:
        self.uploads = [*getattr(self, "uploads", []), upload]
        return super().serve(upload)


def test_a_service_is_given_a_secret_that_its_account_may_read(
    plane: Plane, gcloud: Gcloud, tmp_path: Path
) -> None:
    plane.hosting = hosting = Kept(plane.project.id)
    (tmp_path / "value").write_text("s3cret")
    (tmp_path / "source").mkdir()
    (tmp_path / "source/Dockerfile").write_text("FROM scratch\n")
    assert gcloud("secrets", "create", "openai", f"--data-file={tmp_path}/value", *PROJECT).returncode == 0

    with pytest.raises(ApiError, match="Secret Manager Secret Accessor"):
        plane.secret_manager.value("openai", "latest", plane.project.nodes)
    member = f"--member=serviceAccount:{plane.project.nodes}"
    role = "--role=roles/secretmanager.secretAccessor"
    assert gcloud("secrets", "add-iam-policy-binding", "openai", member, role, *PROJECT).returncode == 0
    gcloud(
        *("run", "deploy", "web", f"--source={tmp_path}/source", "--set-secrets=KEY=openai:latest"),
        *("--no-allow-unauthenticated", "--region=europe-west1", *PROJECT),
    )
    assert hosting.uploads[-1].environment["KEY"] == "s3cret"
    assert "s3cret" not in str(plane.cloud_run.service("web").resource())
