"""Images and archives: where they lie, how they are listed, and whose they are."""

from __future__ import annotations

from dataclasses import replace

from kit.platforms.gcloud import leftovers
from tests.kit.platforms.releases import FLEX, RUN, answer

IMAGE = "europe-west1-docker.pkg.dev/demo-project/cloud-run-source-deploy/streamproof"


def test_the_images_of_a_cloud_run_service_are_one_package() -> None:
    assert leftovers.run_image(RUN) == IMAGE
    assert leftovers.list_images(RUN, IMAGE).line == (
        f"gcloud artifacts docker images list {IMAGE} --project=demo-project --quiet --format=json"
    )
    assert leftovers.parse_images(answer("artifacts-docker-images-list")) == (IMAGE,)
    assert leftovers.delete_image(RUN, IMAGE).line == (
        f"gcloud artifacts docker images delete {IMAGE} --delete-tags --project=demo-project --quiet"
    )


def test_the_archives_of_a_cloud_run_service_lie_in_a_folder_of_its_own() -> None:
    urls = "gs://run-sources-demo-project-europe-west1/services/streamproof/**"
    assert leftovers.run_archives(RUN) == urls
    assert leftovers.list_objects(RUN, urls).line == (
        f"gcloud storage ls '{urls}' --json --project=demo-project --quiet"
    )
    assert leftovers.delete_objects(RUN, urls).line == (
        f"gcloud storage rm '{urls}' --project=demo-project --quiet"
    )
    assert all(
        url.startswith(urls.removesuffix("**")) for url in leftovers.parse_objects(answer("storage-ls"))
    )


def test_a_project_of_a_domain_is_found_where_gcloud_put_its_things() -> None:
    place = replace(RUN, project="example.com:google-demo")
    assert leftovers.run_archives(place) == (
        "gs://run-sources-example_com_elgoog-demo-europe-west1/services/streamproof/**"
    )
    assert leftovers.run_image(place).startswith("europe-west1-docker.pkg.dev/example.com/google-demo/")


def test_flex_images_are_looked_for_in_the_repository_that_took_the_place_of_gcr_io() -> None:
    assert leftovers.flex_repository(FLEX, "us.gcr.io") == "us-docker.pkg.dev/demo-project/us.gcr.io"
    assert leftovers.flex_repository(FLEX, "eu.gcr.io") == "europe-docker.pkg.dev/demo-project/eu.gcr.io"
    assert leftovers.flex_repository(FLEX, "registry.example.com") is None


def test_of_the_apps_images_only_those_of_the_kits_versions_of_this_service_are_its_own() -> None:
    repository = "us-docker.pkg.dev/demo-project/us.gcr.io"
    assert leftovers.is_flex_image(FLEX, f"{repository}/appengine/sp-flex.sp-toxixbzx")
    for theirs in ("appengine/sp-flex.v1", "appengine/other.sp-toxixbzx", "mine/sp-flex.sp-toxixbzx"):
        assert not leftovers.is_flex_image(FLEX, f"{repository}/{theirs}")


def test_flex_archives_are_told_by_service_and_version() -> None:
    assert leftovers.flex_archives(FLEX, "staging.demo-project.appspot.com", "us.gcr.io") == (
        "gs://staging.demo-project.appspot.com/us.gcr.io/demo-project/appengine/sp-flex.sp-**"
    )
