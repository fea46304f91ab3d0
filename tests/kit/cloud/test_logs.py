"""The lines that read a log, as gcloud takes them."""

from __future__ import annotations

import pytest

from kit.cloud.logs import read_logs, shown
from kit.errors import Code, KitError
from kit.platforms.service import Place

FLEX = Place("flex", "app_engine", "my-project-42", None, "sp-flex")
RUN = Place("run", "cloud_run", "my-project-42", "europe-west1", "streamproof")

GKE = Place("gke", "gke", "my-project-42", "europe-west1", "streamproof", "c1/web")

AUDIT = 'NOT logName:"cloudaudit.googleapis.com"'


def test_an_app_engine_services_log() -> None:
    assert read_logs(FLEX, limit=50, version="sp-tr8k2a0x").words == (
        "logging",
        "read",
        f'resource.type="gae_app" AND {AUDIT} AND resource.labels.module_id="sp-flex" AND '
        'resource.labels.version_id="sp-tr8k2a0x"',
        "--limit=50",
        "--freshness=30d",
        "--project=my-project-42",
        "--quiet",
        "--format=json",
    )


def test_a_cloud_run_services_log() -> None:
    assert read_logs(RUN, limit=50).words[2] == (
        f'resource.type="cloud_run_revision" AND {AUDIT} AND resource.labels.service_name="streamproof" AND '
        'resource.labels.location="europe-west1"'
    )


def test_a_log_on_gke_by_the_labels_of_its_pods() -> None:
    assert read_logs(GKE, limit=50, version="sp-tr8k2a0x").words[2] == (
        f'resource.type="k8s_container" AND {AUDIT} AND resource.labels.cluster_name="c1" AND '
        'resource.labels.namespace_name="web" AND labels."k8s-pod/streamproof-target"="gke" AND '
        'labels."k8s-pod/streamproof-version"="sp-tr8k2a0x"'
    )
    entry = {
        "timestamp": "2026-11-30T12:00:00Z",
        "resource": {"labels": {"pod_name": "x"}},
        "labels": {"k8s-pod/streamproof-version": "sp-tr8k2a0x"},
        "textPayload": "hello",
    }
    assert shown([entry]) == ["2026-11-30 12:00:00 DEFAULT  sp-tr8k2a0x  hello"]


@pytest.mark.parametrize("version", ["sp-tr8k2a0x", "streamproof-sp-tr8k2a0x"])
def test_a_revisions_log_by_either_of_its_names(version: str) -> None:
    words = read_logs(RUN, limit=1, version=version).words
    assert 'resource.labels.revision_name="streamproof-sp-tr8k2a0x"' in words[2]


@pytest.mark.parametrize("version", ["", "-x", 'a" OR "b', "--format=json", "A", "x" * 64])
def test_what_is_no_version_gets_into_no_filter(version: str) -> None:
    for place in (FLEX, RUN):
        with pytest.raises(KitError) as caught:
            read_logs(place, limit=1, version=version)
        assert caught.value.code is Code.BAD_USAGE


def test_reading_changes_nothing() -> None:
    assert not read_logs(RUN, limit=1).changes


def entry(severity: str | None = "INFO", **payload: object) -> dict[str, object]:
    fields = {} if severity is None else {"severity": severity}
    labels = {"service_name": "streamproof", "revision_name": "streamproof-sp-1"}
    return {"timestamp": "2027-01-15T07:00:01.123Z", "resource": {"labels": labels}, **fields, **payload}


def test_an_entry_is_a_line_for_people_the_oldest_first() -> None:
    newest_first = [
        entry("ERROR", jsonPayload={"message": "It failed.\n  File x", "logger": "streamproof"}),
        entry(textPayload="plain"),
        entry(None, jsonPayload={"a": "w\u00e4rmer"}),
        entry(httpRequest={"requestMethod": "POST", "status": 200, "requestUrl": "https://a/search"}),
    ]
    assert shown(newest_first) == [
        "2027-01-15 07:00:01 INFO     streamproof-sp-1  POST 200 https://a/search",
        '2027-01-15 07:00:01 DEFAULT  streamproof-sp-1  {"a": "w\u00e4rmer"}',
        "2027-01-15 07:00:01 INFO     streamproof-sp-1  plain",
        "2027-01-15 07:00:01 ERROR    streamproof-sp-1  It failed.",
        "2027-01-15 07:00:01 ERROR    streamproof-sp-1    File x",
    ]


def test_app_engines_own_entry_of_a_request_says_what_was_asked() -> None:
    of_request = {"@type": "…RequestLog", "method": "GET", "resource": "/whoami", "status": 200}
    resource = {"labels": {"module_id": "sp-flex", "version_id": "sp-1"}}
    (line,) = shown([entry(protoPayload=of_request) | {"resource": resource}])
    assert line == "2027-01-15 07:00:01 INFO     sp-1  GET 200 /whoami"


@pytest.mark.parametrize("nothing", [None, []])
def test_no_entries_are_no_lines(nothing: object) -> None:
    assert shown(nothing) == []


def test_an_entry_that_says_nothing_breaks_nothing() -> None:
    assert len(shown([{}, entry(textPayload="")])) == 2
