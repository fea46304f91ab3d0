"""The lines that read a log, as gcloud takes them."""

from __future__ import annotations

import pytest

from kit.cloud.host import Place
from kit.cloud.logs import read_logs
from kit.errors import Code, KitError

FLEX = Place("flex", "app_engine", "my-project-42", None, "sp-flex")
RUN = Place("run", "cloud_run", "my-project-42", "europe-west1", "streamproof")


def test_an_app_engine_services_log() -> None:
    assert read_logs(FLEX, limit=50, version="sp-tr8k2a0x").line == (
        "gcloud app logs read --service=sp-flex --version=sp-tr8k2a0x --limit=50 "
        "--project=my-project-42 --quiet"
    )


def test_a_cloud_run_services_log() -> None:
    assert read_logs(RUN, limit=50).line == (
        "gcloud run services logs read streamproof --region=europe-west1 --limit=50 "
        "--project=my-project-42 --quiet"
    )


@pytest.mark.parametrize("version", ["sp-tr8k2a0x", "streamproof-sp-tr8k2a0x"])
def test_a_revisions_log_by_either_of_its_names(version: str) -> None:
    words = read_logs(RUN, limit=1, version=version).words
    assert '--log-filter=resource.labels.revision_name="streamproof-sp-tr8k2a0x"' in words


@pytest.mark.parametrize("version", ["", "-x", 'a" OR "b', "--format=json", "A", "x" * 64])
def test_what_is_no_version_gets_into_no_filter(version: str) -> None:
    for place in (FLEX, RUN):
        with pytest.raises(KitError) as caught:
            read_logs(place, limit=1, version=version)
        assert caught.value.code is Code.BAD_USAGE


def test_reading_changes_nothing() -> None:
    assert not read_logs(RUN, limit=1).changes
