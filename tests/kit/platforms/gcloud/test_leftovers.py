"""Images and archives: where they lie, how they are listed, and whose they are."""

from __future__ import annotations

from kit.platforms.gcloud import leftovers
from tests.kit.platforms.releases import RUN, answer

IMAGE = "europe-west1-docker.pkg.dev/demo-project/cloud-run-source-deploy/streamproof"


def test_images_are_listed_and_removed_by_package() -> None:
    assert leftovers.list_images(RUN, IMAGE).line == (
        f"gcloud artifacts docker images list {IMAGE} --project=demo-project --quiet --format=json"
    )
    assert leftovers.parse_images(answer("artifacts-docker-images-list")) == (IMAGE,)
    assert leftovers.delete_image(RUN, IMAGE).line == (
        f"gcloud artifacts docker images delete {IMAGE} --delete-tags --project=demo-project --quiet"
    )


def test_archives_are_listed_and_removed_by_prefix() -> None:
    urls = "gs://run-sources-demo-project-europe-west1/services/streamproof/**"
    assert leftovers.list_objects(RUN, urls).line == (
        f"gcloud storage ls '{urls}' --json --project=demo-project --quiet"
    )
    assert leftovers.delete_objects(RUN, urls).line == (
        f"gcloud storage rm '{urls}' --project=demo-project --quiet"
    )
    assert all(
        url.startswith(urls.removesuffix("**")) for url in leftovers.parse_objects(answer("storage-ls"))
    )
